"""How a command ends when it cannot go on: in one line, with a status."""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # As in `typing`, which a file beside the user's data may hide.
if TYPE_CHECKING:
    from typing import TypeGuard

# How a shared library, a thread and a tensor say that there is no memory left.
_NO_MEMORY = ("failed to map segment", "can't start new thread", "can't allocate memory")
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


# Status of a process that Ctrl-C ended, by the shells' convention.
INTERRUPTED = 130


class UnusableInput(Exception):
    """Input or configuration that cannot be used.

    The message is one line that names the file (or option) and the reason. The command line prints
    it without a traceback and ends with status 2.
    """

    status = 2


class WorkStopped(Exception):
    """Work that ended before its end, through no fault of the input; what is done is kept.

    The command line prints the message, one line, and ends with status 1.
    """

    status = 1


def is_disk_error(error: BaseException) -> TypeGuard[OSError]:
    """Whether an error means that the disk is full or cannot be written."""
    return isinstance(error, OSError) and error.errno in _DISK


def is_memory_error(error: BaseException) -> bool:
    """Whether an error means that there is too little memory."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY)
