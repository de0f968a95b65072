"""Files that are written whole or not at all."""

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from reports.whole_files import WRITING, whole_path

STALE_SECONDS = 3600

# What file managers and copies between systems put into a folder unasked, in lower case.
_UNASKED = (".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized")
_UNASKED_BEGINNINGS = (WRITING, "._", ".nfs", ".fuse_hidden")


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
    with whole_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends well.

    Parameters
    ----------
    folder : Path
        Must not exist, or hold nothing; the folder it lies in is made.

    Yields
    ------
    Path
        Where the files are to be written.

    Raises
    ------
    OSError
        With the name of `folder`, where the disk is full or cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f"{WRITING}{uuid.uuid4().hex}"
    try:
        temporary.mkdir()
        yield temporary
        if folder.is_dir():
            # Windows renames onto no folder, not even onto an empty one.
            remove_empty(folder)
        temporary.replace(folder)
    except OSError as error:
        # What a full disk raises names no file, or one below the temporary folder.
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
