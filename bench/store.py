"""Content-addressed artifacts on disk: written whole or not at all, and checked when read.

An artifact is a set of arrays with a small dictionary beside them, kept in one safetensors file
whose name is the key. The checksum of everything in it travels inside the file, so that a file that
was cut short or altered is recognised, removed and computed again.

Whoever needs the store gets by with five operations: read whole (`get`), write whole (`put`), look
whether one is there (`in`), `remove`, and `entries`. Only the crop stack is mapped from its file.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.whole_files import whole_path

Arrays = dict[str, NDArray[Any]]
# Kind and key of an artifact.
Address = tuple[str, str]

_used: ContextVar[set[Address] | None] = ContextVar("artifacts in use", default=None)
# How the library that writes files tells what the system has said.
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_KEY = re.compile("[0-9a-f]{64}")


def cache_folder(requested: Path | None) -> Path:
    """The store's folder: the one requested, else $BENCH_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_path

    named = requested or os.environ.get("BENCH_CACHE")
    return Path(named).expanduser() if named else user_cache_path("vit-svm-bench")


def digest(value: object) -> str:
    """SHA-256 (hexadecimal) of a value made of dicts, lists, strings, numbers, booleans and None.

    Raises
    ------
    TypeError
        If the value holds anything else: a key must not depend on how an object prints.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 (hexadecimal) of an array's type, shape and values."""
    contiguous = np.ascontiguousarray(array)
    summary = hashlib.sha256(f"{contiguous.dtype.str}{contiguous.shape}".encode())
    summary.update(contiguous.view(np.uint8).data if contiguous.size else b"")
    return summary.hexdigest()


@dataclass(frozen=True)
class Artifact:
    """What the store gives back: arrays by name, and the dictionary that was stored with them."""

    arrays: Arrays
    meta: dict[str, Any]


@dataclass(frozen=True)
class StoredFile:
    """A file of the store.

    Attributes
    ----------
    kind, key : str
        Of the artifact that it holds, or a part of it.
    path : Path
        The file.
    size : int
        In bytes.
    written : float
        When, in seconds since 1970.
    """

    kind: str
    key: str
    path: Path
    size: int
    written: float


@contextlib.contextmanager
def noting_use() -> Iterator[set[Address]]:
    """The artifacts that this thread reads or writes inside the block: what its work needs."""
    used: set[Address] = set()
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)


def note_use(kind: str, key: str) -> None:
    """Say that an artifact was read or written; `Store` says it of its own."""
    used = _used.get()
    if used is not None:
        used.add((kind, key))


class Store:
    """A folder of artifacts, shared by all runs; safe to use from several processes at once.

    What is there and cannot be opened now (no permission, too many open files, a lost disk) is an
    OSError with its reason in each operation, and never counts as absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: str, key: str) -> Path:
        """Where the artifact of this kind and key lies, whether it stands there or not."""
        return self.root / kind / key[:2] / f"{key}.safetensors"

    def __contains__(self, address: Address) -> bool:
        try:
            return stat.S_ISREG(self.path(*address).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def put(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]], meta: object) -> None:
        """Keep arrays and a JSON-able dictionary under a key, atomically.

        Raises
        ------
        OSError
            If it cannot be written.
        TypeError
            If the arrays are of a type that has no place in a file.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        text = json.dumps(meta, sort_keys=True, allow_nan=False)
        header = {"meta": text, "sha256": _checksum(contiguous, text)}
        with whole_path(self.path(kind, key)) as temporary:
            try:
                save_file(contiguous, temporary, metadata=header)
            except SafetensorError as error:
                raise _refused(error, kind, contiguous) from error
        note_use(kind, key)

    def remove(self, kind: str, key: str) -> None:
        """Remove an artifact that is no longer wanted, if it stands there."""
        self.path(kind, key).unlink(missing_ok=True)

    def get(self, kind: str, key: str) -> Artifact | None:
        """The artifact, or None where there is none; a damaged one is removed: none, too."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.path(kind, key)
        try:
            # Read and not mapped: where a disk is lost, a read is an error that can be reported,
            # and a memory map ends the process.
            content = _read_whole(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            header = _metadata(content)
            arrays = load(content)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
            path.unlink(missing_ok=True)
            return None
        if header.get("sha256") != _checksum(arrays, header.get("meta", "")):
            path.unlink(missing_ok=True)
            return None
        note_use(kind, key)
        return Artifact(arrays, json.loads(header["meta"]))

    def holds_newer(self, addresses: Iterable[Address], moment: float) -> bool:
        """Whether any of these was written after a moment, in seconds since 1970."""
        for address in addresses:
            with contextlib.suppress(OSError):
                if self.path(*address).stat().st_mtime >= moment:
                    return True
        return False

    def entries(self, kind: str) -> Iterator[StoredFile]:
        """The files of all artifacts of a kind; what comes or goes meanwhile may be missing.

        Crop stacks, which are no artifacts of this class, lie in the same way and are found, too.
        """
        for folder in (self.root / kind, *_folders(self.root / kind)):
            for item in _scan(folder):
                key = item.name.partition(".")[0]
                if not _KEY.fullmatch(key) or not item.is_file(follow_symlinks=False):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = item.stat(follow_symlinks=False)
                    yield StoredFile(kind, key, Path(item.path), found.st_size, found.st_mtime)


def _folders(folder: Path) -> list[Path]:
    """The folders of a kind, one for each beginning of keys."""
    return sorted(Path(item.path) for item in _scan(folder) if item.is_dir(follow_symlinks=False))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except FileNotFoundError:
        return []


def _read_whole(path: Path) -> bytes:
    """The bytes of a file; an error of reading names it, as one of opening does."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _metadata(content: bytes) -> dict[str, str]:
    """What stands beside the tensors in a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    found: dict[str, str] = header["__metadata__"]
    return found


def _refused(error: Exception, kind: str, arrays: Arrays) -> Exception:
    """Why the library could not write a file: what the system says, or a type that it lacks."""
    found = _SYSTEM_ERROR.search(str(error))
    if found:
        number = int(found[1])
        return OSError(number, os.strerror(number))
    if "I/O" in str(error):
        return OSError(errno.EIO, str(error))
    types = ", ".join(sorted({str(array.dtype) for array in arrays.values()}))
    return TypeError(f"{kind}: arrays of {types} cannot be kept ({error})")


def _checksum(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    return digest([text, {name: array_digest(value) for name, value in arrays.items()}])
