"""Loads the plugin files of a run, before anything that a run names is looked up."""

from collections.abc import Iterable
from pathlib import Path

from bench.errors import UnusableInput
from extractors.registration.registry import registered_from


def load_plugins(files: Iterable[Path]) -> None:
    """Import plugin files: what they register can be named afterwards.

    Raises
    ------
    UnusableInput
        If one cannot be used: one line with file and cause.
    """
    from extractors import BackboneError, load_plugin_file

    for file in files:
        try:
            load_plugin_file(file)
        except BackboneError as error:
            raise UnusableInput(str(error)) from error


def names_in_plugins(kind: str, files: Iterable[Path]) -> list[str]:
    """The names of a kind that loaded plugin files have registered, in order."""
    origins = [str(file.expanduser().resolve()) for file in files]
    return [name for origin in origins for name in registered_from(origin).get(kind, ())]
