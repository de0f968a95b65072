"""Where the bytes of an image come from: a folder, or a tar archive that is never unpacked.

Here is also the rule that no table may name a file outside the data root.
"""

import os
import posixpath
import re
import tarfile
import threading
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Protocol


class ImageSource(Protocol):
    """What the crop stack needs of a data root; paths are those of the lesion table."""

    @property
    def root(self) -> Path:
        """The folder, or the archive."""

    @property
    def follow_links(self) -> bool:
        """Whether symbolic links may lead out of the folder."""

    def read(self, path: str) -> bytes:
        """The file's bytes; OSError where there are none."""

    def stat(self, path: str) -> tuple[int, int]:
        """Size in bytes, time of the last change in nanoseconds; OSError where there is no file."""

    def position(self, path: str) -> int:
        """Reading in ascending position is fastest; 0 where the order does not matter."""


def path_problem(path: str) -> str | None:
    """What is wrong with a path that must be relative, POSIX and stay below its root, or None.

    Symbolic links are not considered here, but in `escapes`.
    """
    if not path or path == ".":
        return "is empty"
    if "\0" in path:
        return "holds a NUL character"
    if "\\" in path:
        return "holds a backslash (write folders with /)"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is not relative to the data root: write it as it is seen from there, a/b.png"
    if ".." in PurePosixPath(path).parts:
        return "holds '..' and may leave the data root"
    return None


def escapes(root: Path, path: str) -> bool:
    """Whether a path leaves the data root when every symbolic link is followed."""
    real_root = os.path.realpath(root)
    return not Path(os.path.realpath(root / path)).is_relative_to(real_root)


def first_that_escapes(root: Path, paths: Iterable[str]) -> str | None:
    """The first of many relative paths that leaves the data root through a symbolic link.

    A part of a path that is no link stays where its parent is, so every folder is checked once.
    """
    inside = {"": True}

    def stays(path: str) -> bool:
        if path not in inside:
            is_link = os.path.islink(os.path.join(root, path))  # noqa: PTH114, PTH118 - thousands
            inside[path] = not escapes(root, path) if is_link else stays(path.rpartition("/")[0])
        return inside[path]

    return next((path for path in paths if not stays(path)), None)


def below_root(root: Path, path: str) -> str:
    """A path as tables have it: with / between folders, and relative if it lies below the root.

    Other absolute paths stay as they are; `path_problem` refuses them.
    """
    posix = path.replace("\\", "/")
    if not posix.startswith("/") and not re.match(r"[A-Za-z]:/", posix):
        return posix
    folder, name = posixpath.split(posix)
    real = f"{Path(os.path.realpath(folder)).as_posix()}/{name}"
    # Links are kept in the first: a table may have been written with them.
    for base in (Path(root).absolute(), os.path.realpath(root)):
        prefix = Path(base).as_posix().rstrip("/") + "/"
        for written in (posix, real):
            # Names of drives and folders are alike in upper and lower case on Windows.
            if os.path.normcase(written[: len(prefix)]) == os.path.normcase(prefix):
                return written[len(prefix) :].lstrip("/")
    return posix


class FolderSource:
    """Files below a folder.

    Parameters
    ----------
    root : Path
        The folder.
    follow_links : bool, default False
        Whether symbolic links may lead out of it.
    """

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self.root = root
        self.follow_links = follow_links

    def read(self, path: str) -> bytes:
        """The file's bytes."""
        return (self.root / path).read_bytes()

    def stat(self, path: str) -> tuple[int, int]:
        """Size in bytes, time of the last change of content or attributes in nanoseconds."""
        status = (self.root / path).stat()
        # A program that writes new pixels may set the first time back, but not the second.
        return status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)

    def position(self, path: str) -> int:
        """Always 0: a folder may be read in any order."""
        return 0


class TarSource:
    """Regular files inside a tar archive, compressed or not, read without unpacking it.

    A compressed archive can only be read forwards, so `position` gives the order to read in, and
    the member read last is kept for the next row that is cut from the same film.

    Parameters
    ----------
    file : Path
        The archive.

    Raises
    ------
    OSError, tarfile.TarError, EOFError, zlib.error
        From the constructor, if the file is not a complete archive.
    """

    # Links are no regular files, which alone are read.
    follow_links = False

    def __init__(self, file: Path) -> None:
        self.root = file
        self._lock = threading.Lock()
        self._archive = tarfile.open(file)  # noqa: SIM115 - stays open for the members
        self._changed = file.stat().st_mtime_ns
        self._last: tuple[str, bytes] = ("", b"")
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in self._archive:
            name = str(PurePosixPath(member.name))
            if member.isreg() and path_problem(name) is None:
                self._members[name] = member

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the file's name; the archive is opened again in the other process."""
        return (TarSource, (self.root,))

    def names(self) -> list[str]:
        """Every regular file in the archive, in its order."""
        return list(self._members)

    def read(self, path: str) -> bytes:
        """The member's bytes."""
        with self._lock:
            if self._last[0] != path:
                stream = self._archive.extractfile(self._member(path))
                if stream is None:
                    raise FileNotFoundError(path)
                self._last = (path, stream.read())
            return self._last[1]

    def stat(self, path: str) -> tuple[int, int]:
        """The member's size, and the time of the archive's last change."""
        return self._member(path).size, self._changed

    def position(self, path: str) -> int:
        """Offset of the member in the archive, in bytes."""
        return self._member(path).offset

    def _member(self, path: str) -> tarfile.TarInfo:
        try:
            return self._members[path]
        except KeyError:
            raise FileNotFoundError(path) from None
