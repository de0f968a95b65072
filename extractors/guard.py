"""Keeps the code of plugins from changing the process that runs it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from extractors.backbone import BackboneError


@contextlib.contextmanager
def foreign_code(name: str) -> Iterator[None]:
    """Run code of a plugin: afterwards torch's defaults and the working folder are as before.

    A default that stayed changed (the type of floats, the device, gradients, threads, the state of
    the generator) would change the results of every other backbone, and they would be kept under
    keys that know nothing of it.

    Raises
    ------
    BackboneError
        If the code ends the program by `sys.exit`.
    """
    import torch

    folder = os.getcwd()  # noqa: PTH109 - a folder that is gone has no Path
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    except SystemExit as error:
        raise BackboneError(f"{name}: ends the program (sys.exit({error.code!r}))") from error
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)
        os.chdir(folder)
