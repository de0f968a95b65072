"""One image file to pixels, and pixels to the square of the stack. Nothing here knows a data set.

Every way in which a file can be bad ends in `UnreadableImage`, so that one bad crop never ends a
run.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Four times the largest mammogram. Pillow's own protection stands above it and stays on.
MAX_PIXELS = 2**27
# Larger than any image within MAX_PIXELS at 16 bits; such a file is not even read.
MAX_BYTES = 2**29
# Formats that Pillow decodes by itself; others may start programs or nest files.
PILLOW_FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "BMP")

Pixels = NDArray[Any]


class UnreadableImage(Exception):
    """A file that yields no pixels; the message says why in a few words."""


def decode(data: bytes, name: str) -> Pixels:
    """The one channel of an image, native size, in the file's own range.

    Parameters
    ----------
    data : the file's bytes.
    name : the file's name; only its ending is looked at, for DICOM without a preamble.

    Returns
    -------
    array (height, width), uint8, or a wider type for images of more than 8 bits.

    Raises
    ------
    UnreadableImage
        If the file is empty, cut short, too large, or not an image.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    is_dicom = data[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom"))
    try:
        pixels = _decode_dicom(data) if is_dicom else _decode_picture(data)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(_reason(error)) from error
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnreadableImage("it holds values that are not finite")
    return pixels


def to_eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Pixels as 8 bits: unchanged if they are, else scaled by their own minimum and maximum.

    Pixels that are all alike become 0.
    """
    if pixels.dtype == np.uint8:
        return pixels
    values = pixels.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    return np.rint((values - low) * 255.0 / (high - low)).astype(np.uint8)


def cut_square(pixels: Pixels, row: int, column: int, half_side: int) -> Pixels:
    """The square of rows `row - half_side` … `row + half_side - 1`, columns alike; zero outside."""
    height, width = pixels.shape
    square = np.zeros((2 * half_side, 2 * half_side), pixels.dtype)
    top, left = row - half_side, column - half_side
    rows = slice(max(top, 0), max(min(top + 2 * half_side, height), 0))
    columns = slice(max(left, 0), max(min(left + 2 * half_side, width), 0))
    inside = pixels[rows, columns]
    if inside.size:
        down, right = rows.start - top, columns.start - left
        square[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    return square


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
        _check_size(image.width, image.height)
        image.load()
        if image.mode.startswith(("I", "F")):
            return np.array(image)
        return np.array(image.convert("L"))


def _decode_dicom(data: bytes) -> Pixels:
    import pydicom

    record = pydicom.dcmread(io.BytesIO(data), force=True)
    if "Rows" not in record or "Columns" not in record:
        raise UnreadableImage("it is DICOM without an image")
    frames = int(record.get("NumberOfFrames") or 1)
    channels = int(record.get("SamplesPerPixel") or 1)
    if frames != 1 or channels != 1:
        raise UnreadableImage(f"it is DICOM with {frames} frames of {channels} channels")
    _check_size(int(record.Columns), int(record.Rows))
    pixels: Pixels = record.pixel_array
    if record.get("PhotometricInterpretation") == "MONOCHROME1":
        # White is low there: turned over within the range that is used, so that dense tissue is
        # bright in every crop.
        pixels = np.uint8(255) - pixels if pixels.dtype == np.uint8 else pixels.max() - pixels
    return pixels


def _check_size(width: int, height: int) -> None:
    if width <= 0 or height <= 0:
        raise UnreadableImage(f"its header announces {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise UnreadableImage(
            f"its header announces {width} x {height} pixels, more than {limit} million"
        )


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is not an image"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "its header announces too many pixels"
    return "it cannot be decoded: " + " ".join(str(error).split())[:120]
