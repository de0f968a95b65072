"""What decoders share: limits, the scaling to 8 bits, and the error for an unreadable image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Four times the largest mammogram. Pillow's own protection stands above it and stays on.
MAX_PIXELS = 2**27

# Larger than any image within MAX_PIXELS at 16 bits; such a file is not even read.
MAX_BYTES = 2**29

# What a reason ends in where a decoder would help; so it holds for this machine alone.
INSTALL = "pip install 'vit-svm-bench[dicom]'"

# Of a mask that was scaled or saved as JPEG, fewer pixels than this lie between its two values.
MOST_BETWEEN = 0.03

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Decoded:
    """What a decoder makes of one file.

    Attributes
    ----------
    pixels : Pixels, shape (height, width)
        One channel at native size.
    windowed : bool
        Whether a VOI table or window of the file was applied.
    """

    pixels: Pixels
    windowed: bool = False


class UnreadableImage(Exception):
    """A file that yields no pixels; the message says why in a few words."""


def to_eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Pixels as 8 bits: unchanged if they are, else scaled by their own minimum and maximum.

    Pixels that are all alike become 0.
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    lowest, span = float(low), float(high) - float(low)

    def scaled(values: Pixels) -> NDArray[np.uint8]:
        # Values that no pixel has may not fit 8 bits; what a cast makes of them differs by machine.
        inside = np.clip(values, low, high).astype(np.float64)
        return np.rint((inside - lowest) * 255.0 / span).astype(np.uint8)

    return by_table(pixels, scaled)


def by_table(pixels: Pixels, function: Callable[[Pixels], Pixels]) -> Pixels:
    """`function(pixels)` for a function of single values, computed once for each possible value.

    Integers of at most 16 bits go through a table, a few rows at a time: a film of 27 million
    pixels needs no copy in a wider type. The function is given every value of the type, also those
    that no pixel has. Other types are handed over as they are.
    """
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        return function(pixels)
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    every = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned)
    table = function(every.view(pixels.dtype))
    codes = pixels.view(unsigned)
    found = np.empty(pixels.shape, table.dtype)
    rows = max(1, 2**18 // max(1, pixels.shape[1]))
    for top in range(0, len(codes), rows):
        np.take(table, codes[top : top + rows], out=found[top : top + rows], mode="clip")
    return found


def has_two_values(pixels: Pixels) -> bool:
    """Whether nearly every pixel has one of two values, as in a mask that JPEG blurred a little."""
    low, high = float(pixels.min()), float(pixels.max())
    margin = 0.1 * (high - low)
    between = (pixels > low + margin) & (pixels < high - margin)
    return float(np.mean(between)) < MOST_BETWEEN


def check_size(width: int, height: int) -> None:
    if width <= 0 or height <= 0:
        raise UnreadableImage(f"its header announces {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise UnreadableImage(
            f"its header announces {width} x {height} pixels, more than {limit} million"
        )


def reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is not an image"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "its header announces too many pixels"
    said = " ".join(str(error).split())[:120]
    return "it cannot be decoded: " + "".join(filter(str.isprintable, said))
