"""Files that are written whole or not at all."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

WRITING = ".writing-"

STALE_SECONDS = 3600

# What file managers and copies between systems put into a folder unasked, in lower case.
_UNASKED = (".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized")
_UNASKED_BEGINNINGS = (WRITING, "._", ".nfs", ".fuse_hidden")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    Whatever goes wrong inside the block, `path` is left as it was and the temporary file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{WRITING}{uuid.uuid4().hex}{path.suffix}")
    try:
        # Made by open, so that who may read it is decided as for any other file.
        temporary.open("xb").close()
        yield temporary
        # Windows flushes only what is open for writing.
        with temporary.open("r+b") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        # What a full disk raises names no file.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def stale(root: Path) -> Iterator[Path]:
    """What killed writers have left below a folder, found by a look at all of it.

    A younger file may be at work.
    """
    eldest = time.time() - STALE_SECONDS
    for temporary in root.glob(f"**/{WRITING}*"):
        with contextlib.suppress(FileNotFoundError):
            if temporary.lstat().st_mtime < eldest:
                yield temporary


def remove_stale(root: Path) -> None:
    """Remove what killed writers have left below a folder, where it can be removed."""
    for temporary in list(stale(root)):
        with contextlib.suppress(OSError):
            remove_whole(temporary)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def holds_nothing(folder: Path) -> bool:
    """Whether a folder holds no file but what nobody has put there on purpose.

    That is what a killed writer has left, and what file managers write into every folder that they
    show.
    """
    return all(_is_unasked(path.name) for path in folder.iterdir())


def remove_empty(folder: Path) -> None:
    """Remove a folder of which `holds_nothing` is true; OSError if it holds anything else."""
    for path in folder.iterdir():
        if _is_unasked(path.name):
            remove_whole(path)
    folder.rmdir()


def remove_whole(path: Path) -> None:
    """Remove a file, or a folder with all that is in it: either is written under other names."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_unasked(name: str) -> bool:
    name = name.lower()
    return name in _UNASKED or name.startswith(_UNASKED_BEGINNINGS)
