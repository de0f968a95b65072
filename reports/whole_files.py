"""Writes the files of a report whole or not at all."""

import os
import uuid
from pathlib import Path

# `bench` gives what it writes the same beginning, and removes what a killed process has left of it.
WRITING = ".writing-"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it to the disk, and rename it.

    Parameters
    ----------
    path : Path
        The file; a folder that is missing is made.
    content : bytes
        What it shall hold.

    Raises
    ------
    OSError
        With the file's name, where the disk is full or cannot be written. What stood there before
        stays, and nothing else is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{WRITING}{uuid.uuid4().hex}{path.suffix}")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        # What a full disk raises names no file.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
