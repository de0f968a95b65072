"""What ends a run in one line: input that cannot be used, and a disk that cannot be written."""

import errno
from typing import TypeGuard

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


class UnusableInput(Exception):
    """Input or configuration that cannot be used.

    The message is one line that names the file (or option) and the reason. The command line prints
    it without a traceback and ends with status 2.
    """


def is_disk_error(error: BaseException) -> TypeGuard[OSError]:
    """Whether an error means that the disk is full or cannot be written."""
    return isinstance(error, OSError) and error.errno in _DISK
