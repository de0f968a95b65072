"""Writes files whole or not at all: those of a report, and what `bench` writes."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

# Temporary names begin so; `bench` removes what a killed process has left of them.
WRITING = ".writing-"


@contextlib.contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    Whatever goes wrong inside the block, `path` is left as it was and the temporary file goes.

    Parameters
    ----------
    path : Path
        The file; a folder that is missing is made.

    Yields
    ------
    Path
        What is to be written.

    Raises
    ------
    OSError
        With the file's name, where the disk is full or cannot be written, and where the name is
        that of a folder, a device or a pipe, in whose place a file would stand.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    # Renaming would remove /dev/null for the whole machine, where one may.
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is a device or a pipe, and no file", str(path))
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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it to the disk, and rename it.

    Parameters
    ----------
    path : Path
        The file; a folder that is missing is made.
    content : bytes
        What it shall hold.
    """
    with whole_path(path) as temporary:
        temporary.write_bytes(content)
