"""The directory of a TIFF file, checked before a library reads it (TIFF 6.0, section 2)."""

import contextlib
import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from bench.data.images.pixels import UnreadableImage

# Bytes of a value of each type; those of the second line are numbers, and Python takes some ten
# times as much for each.
_TEXT = {1: 1, 2: 1, 6: 1, 7: 1}
_NUMBERS = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_NUMBERS = 2**19

WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES = 256, 257, 258, 259, 277
STRIP_OFFSETS, STRIP_ROWS, STRIP_LENGTHS = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS = 322, 323, 324, 325
_READ = {WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, STRIP_OFFSETS, STRIP_ROWS, STRIP_LENGTHS}
_READ |= {TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS}
_WHOLE = {3: "H", 4: "L", 16: "Q"}


@dataclass(frozen=True)
class _Entry:
    """One entry of a directory: its tag, type, number of values, and where they lie."""

    tag: int
    kind: int
    count: int
    place: int

    @property
    def length(self) -> int:
        """Bytes of its values."""
        return self.count * (_TEXT.get(self.kind) or _NUMBERS.get(self.kind, 0))


@functools.cache
def silence_libtiff() -> None:
    """Keep libtiff from printing what it finds wrong: its lines do not say in which file."""
    import ctypes

    from PIL import _imaging

    # On some systems it cannot be reached inside of Pillow.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def is_tiff(data: bytes) -> bool:
    """Whether it begins as a TIFF file does."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def directory(data: bytes | mmap) -> dict[int, tuple[int, ...]]:
    """The whole numbers of the first directory that say how large a picture and its parts are.

    Raises
    ------
    UnreadableImage
        If its entries are longer than the file or too many, or if it lies outside of the file.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        entries = list(_entries(data, order))
        lengths = sum(entry.length for entry in entries)
        numbers = sum(entry.count for entry in entries if entry.kind in _NUMBERS)
        if lengths > len(data):
            raise UnreadableImage("its TIFF directory is damaged: it is longer than the file")
        if numbers > _MOST_NUMBERS:
            raise UnreadableImage(f"its TIFF directory holds {numbers} numbers, far too many")
        return {
            entry.tag: struct.unpack_from(
                f"{order}{entry.count}{_WHOLE[entry.kind]}", data, entry.place
            )
            for entry in entries
            if entry.tag in _READ and entry.kind in _WHOLE
        }
    except struct.error:
        raise UnreadableImage("its TIFF directory is damaged: it leads out of the file") from None


def _entries(data: bytes | mmap, order: str) -> Iterator[_Entry]:
    # BigTIFF has 64-bit places and counts.
    is_big = 43 in data[2:4]
    place_form, size = ("Q", 20) if is_big else ("L", 12)
    inline = struct.calcsize(order + place_form)
    (place,) = struct.unpack_from(order + place_form, data, 8 if is_big else 4)
    count_form = "Q" if is_big else "H"
    (number,) = struct.unpack_from(order + count_form, data, place)
    start = place + struct.calcsize(order + count_form)
    for index in range(min(number, 2**16)):
        at = start + index * size
        tag, kind, count = struct.unpack_from(f"{order}HH{place_form}", data, at)
        entry = _Entry(tag, kind, count, at + 4 + inline)
        if entry.length > inline:
            (far,) = struct.unpack_from(order + place_form, data, at + 4 + inline)
            entry = _Entry(tag, kind, count, far)
        yield entry
