"""One image file to pixels, and pixels to the square of the stack. Nothing here knows a data set.

Every way in which a file can be bad ends in `UnreadableImage`, so that one bad crop never ends a
run.
"""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Four times the largest mammogram. Pillow's own protection stands above it and stays on.
MAX_PIXELS = 2**27
# Larger than any image within MAX_PIXELS at 16 bits; such a file is not even read.
MAX_BYTES = 2**29
# Formats that Pillow decodes by itself; others may start programs or nest files.
PILLOW_FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "BMP")
WINDOWS = ("own", "voi")

# What a reason ends in where a decoder would help; so it holds for this machine alone.
INSTALL = "pip install 'vit-svm-bench[dicom]'"
# Of a mask that was scaled or saved as JPEG, fewer pixels than this lie between its two values.
MOST_BETWEEN = 0.03

Pixels = NDArray[Any]


class UnreadableImage(Exception):
    """A file that yields no pixels; the message says why in a few words."""


def decode(data: bytes, name: str, window: str = "own") -> Pixels:
    """The one channel of an image, native size, in the file's own range.

    Parameters
    ----------
    data : the file's bytes.
    name : the file's name; only its ending is looked at, for DICOM without a preamble.
    window : "own" for the values as stored, or "voi" for those that the DICOM file's own rescale
        and VOI table or window make of them; other formats, and DICOM with neither, know "own"
        alone.

    Returns
    -------
    array (height, width), uint8, or a wider type for images of more than 8 bits. Under a window it
    is uint8 over the window's output range.

    Raises
    ------
    UnreadableImage
        If the file is empty, cut short, too large, or not an image.
    """
    from bench.data.dicom import decode_dicom

    if window not in WINDOWS:
        raise ValueError(f"window {window!r} is not one of {', '.join(WINDOWS)}")
    if not data:
        raise UnreadableImage("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = decode_dicom(data, window) if _is_dicom(data, name) else _decode_picture(data)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(reason(error)) from error
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnreadableImage("it holds values that are not finite")
    return pixels


def has_window(data: bytes, name: str) -> bool:
    """Whether an image that decodes has grey values of its own to show: DICOM's VOI alone."""
    from bench.data.dicom import is_windowed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _is_dicom(data, name) and is_windowed(data)


def _is_dicom(data: bytes, name: str) -> bool:
    return data[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom"))


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


def fit_square(pixels: NDArray[np.uint8], size: int, fit: str) -> NDArray[np.uint8]:
    """The crop as a square of `size` pixels.

    Bilinear interpolation as Pillow does it: the filter widens with the reduction, which keeps fine
    structures from aliasing. With fit "pad" the longest side becomes `size`, the other keeps its
    proportion, and zeros fill the rest evenly (the odd one below or right). "stretch" ignores
    proportions.
    """
    from PIL import Image

    height, width = pixels.shape
    longest = max(height, width)
    new_height, new_width = size, size
    if fit == "pad":
        # Half a pixel is rounded up, by integers: the same on every machine.
        new_height = max(1, (2 * height * size + longest) // (2 * longest))
        new_width = max(1, (2 * width * size + longest) // (2 * longest))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    resized = image.resize((new_width, new_height), Image.Resampling.BILINEAR)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    square[top : top + new_height, left : left + new_width] = np.asarray(resized)
    return square


def _decode_picture(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
        check_size(image.width, image.height)
        image.load()
        if image.mode.startswith(("I", "F")):
            pixels = np.array(image)
            # Pillow turns over 8-bit TIFFs whose 0 is white, but no others (TIFF 6.0, tag 262).
            white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0  # type: ignore[attr-defined]
            return pixels.max() - pixels if white_is_zero else pixels
        return np.array(image.convert("L"))


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
