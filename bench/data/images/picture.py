"""Pictures that Pillow reads: one channel, upright, and what the file tells of how it was made."""

import logging
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.data.images.bounds import Reserve, TimedBytes, TooSlow
from bench.data.images.picture_costs import checked_memory
from bench.data.images.pixels import Decoded, FileFacts, Pixels, check_size, has_colour
from bench.data.images.tiff_directory import directory, is_tiff, silence_libtiff
from bench.data.images.wide_colour import raw_mode, scaled_grey, wide_grey

# Formats that Pillow decodes itself; others may start programs or nest files.
PILLOW_FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "BMP", "WEBP", "JPEG2000", "GIF")

# What it logs names no file, and is printed where a program handles no logs.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_ORIENTATION, _PHOTOMETRIC, _BITS = 274, 262, 258
_MODE_BITS = {"1": 1, "I": 32, "F": 32}


def decode_picture(data: bytes, reserve: Reserve) -> Decoded:
    """The one channel of a picture, rotated as its EXIF orientation says.

    `reserve` is called with the bytes that this takes.

    Raises
    ------
    UnreadableImage
        If it is too large; a damaged file may raise anything.
    """
    from PIL import Image, ImageOps

    if is_tiff(data):
        directory(data)
    with Image.open(TimedBytes(data), formats=PILLOW_FORMATS) as image:
        check_size(image.width, image.height)
        reserve(checked_memory(data, image))
        mode, file_format = image.mode, str(image.format)
        wide = raw_mode(image) if image.mode.startswith("RGB") else ""
        grey = scaled_grey(data, image)
        if grey is not None:
            return Decoded(grey, FileFacts(file_format, _bits(data, image, mode), mode, "pillow"))
        orientation = _orientation(image)  # this may load it
        silence_libtiff()
        image.load()
        # Pillow has done it already for a TIFF.
        ImageOps.exif_transpose(image, in_place=True)
        bits = _bits(data, image, mode)
        facts = FileFacts(
            format=file_format,
            bits=bits,
            mode=mode,
            decoder="pillow",
            pages=_pages(data),
            rotated=orientation != 1,
            colour=_is_colour(image),
            transparent=_is_transparent(image),
            reduced=bits > 8 and not wide and not image.mode.startswith(("I", "F")),
        )
        pixels = wide_grey(data, image, wide) if wide else _one_channel(image)
        return Decoded(pixels, facts)


def _one_channel(image: Any) -> Pixels:
    if image.mode.startswith(("I", "F")):
        pixels = _array(image)
        # Pillow inverts 8-bit TIFFs whose 0 is white, but no others (TIFF 6.0, tag 262).
        white_is_zero = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0
        return pixels.max() - pixels if white_is_zero else pixels
    return _array(image, "L")


def _array(image: Any, mode: str = "") -> Pixels:
    """The pixels in a mode, by default the picture's own; no second copy of it is made for that."""
    pixels: Pixels | None = None
    top = 0
    for strip in _strips(image):
        rows = np.asarray(strip.convert(mode) if mode else strip)
        if pixels is None:
            pixels = np.empty((image.height, image.width), rows.dtype)
        pixels[top : top + len(rows)] = rows
        top += len(rows)
    assert pixels is not None
    return pixels


def _orientation(image: Any) -> int:
    """1 (upright) to 8."""
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data say nothing
        return 1
    return value if 1 <= value <= 8 else 1


def _bits(data: bytes, image: Any, mode: str) -> int:
    """Bits of a channel as stored; Pillow reduces some depths to 8 while it loads them."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        value = image.tag_v2.get(_BITS, 1)
        return int(value[0] if isinstance(value, tuple) else value)
    if image.format == "JPEG2000":
        # ITU-T T.800 A.5.1: the depth of the first component.
        return (data[data.index(b"\xff\x4f\xff\x51") + 42] & 0x7F) + 1
    if image.format == "PPM" and image.mode == "RGB":
        return 16 if _largest(data) > 255 else 8
    if mode.startswith("I;16") or (image.format == "PPM" and mode == "I"):
        return 16
    return _MODE_BITS.get(mode, 8)


def _largest(data: bytes) -> int:
    """The largest value of a PPM by its header: after magic number, width and height."""
    header = re.sub(rb"#[^\r\n]*", b" ", data[:4096]).split(None, 4)
    return int(header[3])


def _pages(data: bytes) -> int:
    """The number of pictures in a file, counted on a copy: a damaged page must not harm the first.

    A TIFF of many pages is read from page to page, the other formats announce their number.
    """
    from PIL import Image

    try:
        with Image.open(TimedBytes(data), formats=PILLOW_FORMATS) as image:
            # To count the pages of a TIFF all are looked at; here one more is enough.
            if image.format == "TIFF":
                return 2 if getattr(image, "is_animated", False) else 1
            return int(getattr(image, "n_frames", 1))
    except (TooSlow, OSError, SyntaxError, ValueError, EOFError, struct.error, OverflowError):
        return 1


def _is_colour(image: Any) -> bool:
    """Whether the channels differ, by more than JPEG makes them differ in a grey picture."""
    if image.mode in ("1", "L", "LA", "La") or image.mode.startswith(("I", "F")):
        return False
    return any(has_colour(np.asarray(strip.convert("RGB"))) for strip in _strips(image))


def _is_transparent(image: Any) -> bool:
    if not image.has_transparency_data:
        return False
    return any(strip.convert("RGBA").getextrema()[3][0] < 255 for strip in _strips(image))


def _strips(image: Any) -> Iterator[Any]:
    """The picture a few rows at a time: no copy of all of it is held."""
    rows = max(1, 2**18 // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))
