"""What one file may cost to decode, and what all that are decoded at once may hold together.

Files may be hostile: a few kilobytes can announce gigabytes, or keep a decoder busy for hours.
Sizes are checked by the header, before anything is allocated; time is checked while a file is read.
"""

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.data.images.pixels import UnreadableImage

# A mammogram of 24 million pixels of 16 bits takes a fifth of the memory, and 6 s as JPEG 2000, of
# all formats the slowest.
MAX_MEMORY = 2**30
# Of processor time: an honest file is not refused because the machine has other work.
MAX_SECONDS = 10.0

# Waits for a number of bytes.
Reserve = Callable[[int], None]

TOO_SLOW = f"decoding it takes more than {MAX_SECONDS:.0f} s"


def check_memory(needed: int, what: str) -> None:
    """Raise UnreadableImage if decoding takes more than `MAX_MEMORY` bytes for what a file has."""
    if needed > MAX_MEMORY:
        raise UnreadableImage(
            f"its header announces {what}: decoding it would take {needed / 10**9:.1f} GB of "
            f"memory, more than {MAX_MEMORY / 10**9:.1f}"
        )


class TooSlow(UnreadableImage):
    """A file that is still being decoded after `MAX_SECONDS`."""


class TimedBytes(io.BytesIO):
    """The content of a file; reading it fails once the thread that made it has worked too long.

    Decoders written in Python, and those that are handed a file bit by bit, come back for more.

    Parameters
    ----------
    data : bytes
        The content.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._check_time = time_limit()

    def read(self, *size: Any) -> bytes:
        """As of any file."""
        self._check_time()
        return super().read(*size)


class TimedFile(io.FileIO):
    """A file whose reading fails as that of `TimedBytes`.

    Parameters
    ----------
    file : Path
        Where it lies.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._check_time = time_limit()

    def read(self, *size: Any) -> bytes:
        """As of any file."""
        self._check_time()
        return super().read(*size) or b""


def time_limit() -> Callable[[], None]:
    """A function that raises `TooSlow` once this thread has worked for `MAX_SECONDS` from now."""
    end = time.thread_time() + MAX_SECONDS

    def check() -> None:
        if time.thread_time() > end:
            raise TooSlow(TOO_SLOW)

    return check


class Room:
    """A number of bytes that several threads share: who needs some waits until they are free.

    Parameters
    ----------
    total : int
        The bytes. Who needs more than that waits until nobody else holds any.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._held = 0
        self._changed = threading.Condition()

    def take(self, count: int) -> None:
        """Wait for so many bytes and hold them until they are given back."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + count <= self._total)
            self._held += count

    def give_back(self, count: int) -> None:
        """Let others have them."""
        with self._changed:
            self._held -= count
            self._changed.notify_all()

    @contextlib.contextmanager
    def reserved(self) -> Iterator[Reserve]:
        """A function that waits for bytes; they are held until the block ends."""
        held: list[int] = []

        def reserve(count: int) -> None:
            self.take(count)
            held.append(count)

        try:
            yield reserve
        finally:
            self.give_back(sum(held))

    @contextlib.contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Hold so many bytes for the length of a block."""
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)


# Of this process. Who holds room for a file's content may wait for room to decode it, never the
# other way round: so nobody waits for ever.
CONTENTS = Room(MAX_MEMORY)
DECODING = Room(2 * MAX_MEMORY)
