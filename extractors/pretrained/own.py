"""Checkpoints of the user's own, each under a name of its own: `NAME=PATH:ARCHITECTURE`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from extractors.errors import BackboneError

# The architecture begins at the last colon before which a path may end: that of a library's prefix,
# or the last one of all where a plugin is named.
_ARCHITECTURE = re.compile(r":((?:open_clip:hf-hub|[a-z_-]{2,}):[^:\\]+|timm/[^:\\]+|[^:\\/.]+)$")
FORM = "NAME=PATH:ARCHITECTURE, as mine=best.pth:timm:resnet50"


@dataclass(frozen=True)
class OwnCheckpoint:
    """A checkpoint that stands as an extractor.

    Attributes
    ----------
    name : str
        Of the extractor.
    path : Path
        The file, absolute.
    architecture : str
        The name of the backbone whose weights it holds.
    """

    name: str
    path: Path
    architecture: str

    def __str__(self) -> str:
        return f"{self.name}={self.path}:{self.architecture}"


_declared: dict[str, OwnCheckpoint] = {}


def read_declaration(text: str) -> OwnCheckpoint:
    """Take a declaration apart; a path may hold colons, and `=` after the first.

    Parameters
    ----------
    text : str
        `NAME=PATH:ARCHITECTURE`.

    Returns
    -------
    OwnCheckpoint
        With an absolute path; nothing is read.

    Raises
    ------
    BackboneError
        If name, path or architecture is missing.
    """
    name, equals, rest = text.partition("=")
    found = _ARCHITECTURE.search(rest)
    # A drive's letter before a colon is no path.
    if not equals or not name.strip() or found is None or found.start() < 2:
        raise BackboneError(f"{text}: a checkpoint is given as {FORM}")
    path = Path(rest[: found.start()]).expanduser().absolute()
    return OwnCheckpoint(name.strip(), path, found[1])


def declare_checkpoints(given: Iterable[OwnCheckpoint]) -> None:
    """Know these checkpoints, and no others, by their names in this process.

    Parameters
    ----------
    given : Iterable[OwnCheckpoint]
        In place of those that were declared before.
    """
    checkpoints = {one.name: one for one in given}
    _declared.clear()
    _declared.update(checkpoints)


def find_own(name: str) -> OwnCheckpoint | None:
    """The checkpoint that was declared under a name."""
    return _declared.get(name)
