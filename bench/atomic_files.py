"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

WRITING = ".writing-"

STALE_SECONDS = 3600


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    Whatever goes wrong inside the block, `path` is left as it was and the temporary file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=WRITING, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner reads; results are shared like any other file.
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        # What a full disk raises names no file.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_stale(root: Path) -> None:
    """Remove what killed writers have left below a folder; a younger file may be at work."""
    eldest = time.time() - STALE_SECONDS
    for temporary in root.glob(f"**/{WRITING}*"):
        with contextlib.suppress(OSError):
            if temporary.stat().st_mtime < eldest:
                temporary.unlink()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
