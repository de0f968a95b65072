"""One image file to pixels, and pixels to the square of the stack. Nothing here knows a data set.

Every way in which a file can be bad ends in `UnreadableImage`, so that one bad crop never ends a
run.
"""

import io
import warnings

import numpy as np

from bench.data.images.pixels import Pixels, UnreadableImage, check_size, reason

# Formats that Pillow decodes by itself; others may start programs or nest files.
PILLOW_FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "BMP")

WINDOWS = ("own", "voi")


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
    from bench.data.images.dicom import decode_dicom

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
    from bench.data.images.dicom import is_windowed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _is_dicom(data, name) and is_windowed(data)


def _is_dicom(data: bytes, name: str) -> bool:
    return data[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom"))


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
