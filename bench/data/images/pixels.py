"""What decoders share: limits, the scaling to 8 bits, and the error for an unreadable image."""

import re
import struct
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Four times the largest mammogram. Pillow's own limit is higher and stays on.
MAX_PIXELS = 2**27

# Larger than any image within MAX_PIXELS at 16 bits; such a file is not even read.
MAX_BYTES = 2**29

# The beginning of a reason that another moment might not give.
UNREADABLE = "the file cannot be read"

# The end of a reason where an optional decoder would help; it holds for this machine alone.
INSTALL = "pip install 'vit-svm-bench[dicom]'"

# In a mask that was scaled or saved as JPEG, a smaller share of pixels lies between its two values.
MOST_BETWEEN = 0.03

# JPEG makes the channels of a grey picture differ by so much, in 8 bits.
GREY_DIFFERENCE = 2

Pixels = NDArray[Any]


@dataclass(frozen=True)
class FileFacts:
    """What a file tells of how it was made, and what decoding did with it.

    Attributes
    ----------
    format : str
        PNG, JPEG, TIFF, DICOM, ...
    bits : int
        Bits of a channel as stored.
    mode : str
        The colour mode: L, RGB, P, ..., or DICOM's photometric interpretation.
    decoder : str
        What decoded the pixels.
    pages : int, default 1
        The number of pictures in the file; the first is taken.
    rotated : bool, default False
        Whether its EXIF orientation was applied.
    colour : bool, default False
        Whether its channels differ; they are made one.
    transparent : bool, default False
        Whether some of it is transparent, which is ignored.
    contradictory : bool, default False
        Whether its compressed image has signed values where its header says unsigned, or the
        reverse; the pixels are those of the two readings in which neighbours are more alike.
    reduced : bool, default False
        Whether more bits than 8 were stored and 8 are read.
    """

    format: str
    bits: int
    mode: str
    decoder: str
    pages: int = 1
    rotated: bool = False
    colour: bool = False
    transparent: bool = False
    contradictory: bool = False
    reduced: bool = False


@dataclass(frozen=True)
class Decoded:
    """What a decoder makes of one file.

    Attributes
    ----------
    pixels : Pixels, shape (height, width)
        One channel at native size.
    windowed : bool
        Whether a VOI table or window of the file was applied.
    facts : FileFacts
        What the file tells of how it was made.
    padding : NDArray[np.bool_] | None, shape (height, width)
        The pixels that show nothing; None where all show something.
    """

    pixels: Pixels
    facts: FileFacts
    windowed: bool = False
    padding: NDArray[np.bool_] | None = None


class UnreadableImage(Exception):
    """A file without usable pixels; the message says why in a few words."""


def to_eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Pixels as 8 bits: 8-bit pixels unchanged, others scaled by their own minimum and maximum.

    Pixels of one value become 0.
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    lowest, span = float(low), float(high) - float(low)

    def scaled(values: Pixels) -> NDArray[np.uint8]:
        # Values that no pixel has may not fit 8 bits, and such a cast differs between machines.
        inside = np.clip(values, low, high).astype(np.float64)
        return np.rint((inside - lowest) * 255.0 / span).astype(np.uint8)

    return by_table(pixels, scaled)


def by_table(pixels: Pixels, function: Callable[[Pixels], Pixels]) -> Pixels:
    """`function(pixels)` for an elementwise function, computed once for each possible value.

    Integers of at most 16 bits go through a look-up table, a few rows at a time: a film of 27
    million pixels needs no copy in a wider type. The function is given every value of the type,
    also those that no pixel has. For other types it is applied to the pixels themselves, a few rows
    at a time as well.
    """
    rows = max(1, 2**18 // max(1, pixels.shape[1]))
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        strips = [function(pixels[top : top + rows]) for top in range(0, len(pixels), rows)]
        return np.concatenate(strips) if len(strips) > 1 else strips[0]
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    every = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned)
    table = function(every.view(pixels.dtype))
    codes = pixels.view(unsigned)
    values = np.empty(pixels.shape, table.dtype)
    for top in range(0, len(codes), rows):
        np.take(table, codes[top : top + rows], out=values[top : top + rows], mode="clip")
    return values


def luminance(colours: Pixels) -> Pixels:
    """One channel of red, green and blue, weighted as Pillow does (ITU-R BT.601), in their type.

    Parameters
    ----------
    colours : Pixels, shape (height, width, 3)
        Integers.

    Returns
    -------
    Pixels, shape (height, width)
        Pixels whose channels are equal keep their value.
    """
    grey = np.empty(colours.shape[:2], colours.dtype.newbyteorder("="))
    rows = max(1, 2**18 // colours.shape[1])
    for top in range(0, len(grey), rows):
        strip = colours[top : top + rows].astype(np.int64)
        grey[top : top + rows] = (strip @ np.array([19595, 38470, 7471]) + 0x8000) >> 16
    return grey


def has_colour(colours: Pixels) -> bool:
    """Whether channels differ, by more than JPEG makes them differ in a grey picture."""
    most = GREY_DIFFERENCE << (8 * (colours.dtype.itemsize - 1))
    rows = max(1, 2**18 // colours.shape[1])
    return any(
        np.abs(np.diff(colours[top : top + rows].astype(np.int64), axis=2)).max() > most
        for top in range(0, len(colours), rows)
    )


def has_two_values(pixels: Pixels) -> bool:
    """Whether nearly every pixel has one of two values, as in a mask, even one saved as JPEG."""
    low, high = float(pixels.min()), float(pixels.max())
    margin = 0.1 * (high - low)
    between = (pixels > low + margin) & (pixels < high - margin)
    return float(np.mean(between)) < MOST_BETWEEN


def check_size(width: int, height: int) -> None:
    """Raise UnreadableImage if an image has no pixels or more than `MAX_PIXELS`."""
    if width <= 0 or height <= 0:
        raise UnreadableImage(f"its header announces {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise UnreadableImage(
            f"its header announces {width} x {height} pixels, more than {limit} million"
        )


# Errors that speak of a decoder's own variables, not of the file.
_OF_PROGRAMS = (
    *(TypeError, AttributeError, LookupError, AssertionError, ArithmeticError, NameError),
    *(struct.error, RecursionError, UnicodeError),
)
_NOT_A_NUMBER = re.compile(
    r"(?:invalid literal for int\(\) with base \d+|could not convert string to float): (.+)"
)
_MISSING = re.compile(r"Missing required element: \(\w{4},\w{4}\) '([^']+)'")
_ALL_FAILED = "Unable to decode as exceptions were raised by all available plugins: "
_LONGEST_REASON = 160


def reason(error: Exception) -> str:
    """A decoder's error in a few words on one line, to be shown to the user."""
    from PIL import Image

    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "its header announces too many pixels"
    return f"it cannot be decoded: {_words(error)}"


def _words(error: Exception) -> str:
    message = "".join(filter(str.isprintable, " ".join(str(error).split())))
    message = message.removeprefix(_ALL_FAILED)
    number = _NOT_A_NUMBER.fullmatch(message)
    if number:
        return f"it has {textwrap.shorten(number[1], 40, placeholder=' ...')} in place of a number"
    if isinstance(error, zlib.error):
        return "its deflated data are damaged"
    if missing := _MISSING.match(message):
        return f"its header has no {missing[1]}"
    if not message or isinstance(error, _OF_PROGRAMS):
        return f"it is damaged, or its decoder does not know its kind ({type(error).__name__})"
    return textwrap.shorten(message, _LONGEST_REASON, placeholder=" ...")
