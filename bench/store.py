"""Content-addressed artifacts on disk: written whole or not at all, and checked when read.

An artifact is a set of arrays with a small dictionary beside them, kept in one safetensors file
whose name is the key. The checksum of everything in it travels inside the file, so that a file that
was cut short or altered is recognised, removed and computed again.
"""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.atomic_files import atomic_path

Arrays = dict[str, NDArray[Any]]


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


class Store:
    """A folder of artifacts, shared by all runs; safe to use from several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: str, key: str) -> Path:
        """Where the artifact of this kind and key lies, whether it stands there or not."""
        return self.root / kind / key[:2] / f"{key}.safetensors"

    def __contains__(self, address: tuple[str, str]) -> bool:
        return self.path(*address).is_file()

    def put(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]], meta: object) -> None:
        """Keep arrays and a JSON-able dictionary under a key, atomically."""
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        text = json.dumps(meta, sort_keys=True, allow_nan=False)
        header = {"meta": text, "sha256": _checksum(contiguous, text)}
        with atomic_path(self.path(kind, key)) as temporary:
            try:
                save_file(contiguous, temporary, metadata=header)
            except SafetensorError as error:
                # A full disk comes out of the library as an error of its own.
                raise OSError(errno.ENOSPC, str(error)) from error

    def remove(self, kind: str, key: str) -> None:
        """Remove an artifact that is no longer wanted, if it stands there."""
        self.path(kind, key).unlink(missing_ok=True)

    def get(self, kind: str, key: str) -> Artifact | None:
        """The artifact, or None where there is none; a damaged one is removed: none, too.

        Raises
        ------
        OSError
            If it is there and cannot be read now: no permission, too many open files, a lost disk.
        """
        from safetensors import SafetensorError, safe_open

        path = self.path(kind, key)
        try:
            # safetensors says "no such file" whatever the reason is.
            path.open("rb").close()
            with safe_open(path, framework="numpy") as stream:
                header = stream.metadata() or {}
                arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError):
            path.unlink(missing_ok=True)
            return None
        if header.get("sha256") != _checksum(arrays, header.get("meta", "")):
            path.unlink(missing_ok=True)
            return None
        return Artifact(arrays, json.loads(header["meta"]))


def _checksum(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    return digest([text, {name: array_digest(value) for name, value in arrays.items()}])
