"""Completion of names by the shell: what an option of `all` may be given."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, get_args, get_origin

from bench.planning.config import Configuration


def completes(option: str) -> Callable[[str], list[str]] | None:
    """What completes the value of an option.

    Parameters
    ----------
    option : str
        A field of `Configuration`.

    Returns
    -------
    Callable[[str], list[str]] | None
        From what is typed to what may stand there; None where the shell's own completion, of
        files, will do.
    """
    annotation = Configuration.model_fields[option].annotation
    known = _KNOWN.get(option)
    if get_origin(annotation) is Literal:
        known = partial(get_args, annotation)
    if known is None:
        return None

    def complete(incomplete: str) -> list[str]:
        return completed(incomplete, known())

    return complete


def completed(typed: str, known: Iterable[str]) -> list[str]:
    """What may stand where something is typed; of names with commas between, the last is completed.

    Parameters
    ----------
    typed : str
        So far.
    known : Iterable[str]
        All names.

    Returns
    -------
    list[str]
        Each with the names before it, which are not offered again.
    """
    before, comma, last = typed.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{n}" for n in known if n.startswith(last) and n not in given]


# Nothing here may import a library of networks: a shell waits for the answer.
def _extractors() -> Iterable[str]:
    from bench.planning.presets import PRESETS

    return dict.fromkeys(name for preset in PRESETS.values() for name in preset.extractors)


def _classifiers() -> Iterable[str]:
    from classifiers.kernels import KERNELS
    from classifiers.reference import REFERENCE_CLASSIFIERS

    return (*KERNELS, "softmax", *REFERENCE_CLASSIFIERS)


def _protocols() -> Iterable[str]:
    from bench.planning.protocols import PROTOCOLS

    return PROTOCOLS


def _datasets() -> Iterable[str]:
    from bench.data.loading import known_loaders

    return ("auto", *(loader.name for loader in known_loaders()))


_KNOWN: dict[str, Callable[[], Any]] = {
    "extractors": _extractors,
    "classifiers": _classifiers,
    "protocols": _protocols,
    "dataset": _datasets,
}
