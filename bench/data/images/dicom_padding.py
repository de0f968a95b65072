"""Pixels that fill up a DICOM image and show nothing: PixelPaddingValue (PS3.3 C.7.5.1.1.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from bench.data.images.pixels import Pixels

# Of the padding value and its range limit: integer pixels, and the two kinds of floats.
PADDING = (
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    *("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
)


def padding_of(stored: Pixels, record: FileDataset) -> NDArray[np.bool_] | None:
    """The pixels that are padding; None where there are none, or no others.

    Parameters
    ----------
    stored : Pixels, shape (height, width)
        The values as stored.
    record : FileDataset
        The header.

    Returns
    -------
    NDArray[np.bool_] | None, shape (height, width)
        True for padding.
    """
    ends = _ends(stored, record)
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if np.isnan(low) or np.isnan(high):
        is_padding: NDArray[np.bool_] = np.isnan(stored)
    else:
        is_padding = (stored >= low) & (stored <= high)
    return is_padding if is_padding.any() and not is_padding.all() else None


def without_padding(pixels: Pixels, is_padding: NDArray[np.bool_] | None) -> Pixels:
    """Displayed pixels whose padding is as dark as the darkest other pixel, or black in 8 bits.

    So it takes no part in minimum and maximum.
    """
    if is_padding is None or not is_padding.any() or is_padding.all():
        return pixels
    darkest = 0 if pixels.dtype == np.uint8 else pixels[~is_padding].min()
    return np.where(is_padding, pixels.dtype.type(darkest), pixels)


def _ends(stored: Pixels, record: FileDataset) -> list[Any]:
    """The value and the range limit, in the type of the pixels; empty if there are none."""
    is_float = stored.dtype.kind == "f"
    prefix = {4: "Float", 8: "DoubleFloat"}[stored.dtype.itemsize] if is_float else ""
    ends = []
    for keyword in (f"{prefix}PixelPaddingValue", f"{prefix}PixelPaddingRangeLimit"):
        try:
            value = record.get(keyword)
            if value is not None:
                ends.append(float(value) if prefix else _fitting(int(value), record))
        except (TypeError, ValueError):  # nonsense is no padding
            value = None
        if value is None:
            break
    return ends


def _fitting(value: int, record: FileDataset) -> int:
    """The value as the pixels have it: files write signed ones as unsigned, or with fewer bits."""
    is_signed = int(record.get("PixelRepresentation") or 0) == 1
    allocated = int(record.BitsAllocated)
    value = _wrapped(value, allocated, is_signed)
    stored = int(record.get("BitsStored") or allocated)
    return _wrapped(value, stored, is_signed) if is_signed and value >= 0 else value


def _wrapped(value: int, bits: int, is_signed: bool) -> int:
    value %= 2**bits
    return value - 2**bits if is_signed and value >= 2 ** (bits - 1) else value
