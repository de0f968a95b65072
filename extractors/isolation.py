"""Keeps the code of plugins from changing the process that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from extractors.errors import BackboneError


@contextlib.contextmanager
def isolated(name: str) -> Iterator[None]:
    """Run a plugin's code: afterwards torch's defaults and the working folder are as before.

    A default that stayed changed (the type of floats, the device, gradients, threads, the state of
    the generator) would change the results of every other backbone, and they would be kept under
    keys that do not hold it. `name` names the plugin in an error.

    Raises
    ------
    BackboneError
        If the code ends the program by `sys.exit`.
    """
    from extractors.process_state import restoring_process

    try:
        with restoring_process():
            yield
    except SystemExit as error:
        raise BackboneError(f"{name}: ends the program (sys.exit({error.code!r}))") from error
