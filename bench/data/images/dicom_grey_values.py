"""From the stored values of a DICOM image to 8 bits, by the file's rescale and VOI table or window.

DICOM PS3.3 C.11.1 (modality) and C.11.2 (VOI).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

from bench.data.images.pixels import Pixels, UnreadableImage, by_table


def windowed(pixels: Pixels, record: FileDataset) -> tuple[Pixels, bool]:
    """The pixels under the file's modality and VOI tables, and whether they must still be inverted.

    Without a VOI table or window the stored values are kept: a rescale would change nothing but
    their direction, so a negative slope inverts them.
    """
    if _has_voi_table(record):
        return by_table(pixels, _voi_table(record)), False
    if _has_voi_window(record):
        return by_table(pixels, _voi_window(record)), False
    if record.get("ModalityLUTSequence"):
        return by_table(pixels, lambda stored: _rescaled(stored, record)), False
    return pixels, float(record.get("RescaleSlope") or 1) < 0


def has_window(record: FileDataset) -> bool:
    """Whether the file has a VOI table or window of its own."""
    return _has_voi_table(record) or _has_voi_window(record)


def _has_voi_table(record: FileDataset) -> bool:
    tables = record.get("VOILUTSequence")
    return bool(tables) and None not in (tables[0].get("LUTDescriptor"), tables[0].get("LUTData"))


def _has_voi_window(record: FileDataset) -> bool:
    return None not in (record.get("WindowCenter"), record.get("WindowWidth"))


def _rescaled(stored: Pixels, record: FileDataset) -> Pixels:
    """Stored values through the modality table or the rescale, if there is one."""
    # Wide enough that no table's offset wraps around.
    wide = stored.astype(np.int64) if stored.dtype.kind in "iu" else stored
    values: Pixels = apply_modality_lut(wide, record)
    if not np.isfinite(values).all():
        raise UnreadableImage("it holds values that are not finite")
    return values


def _voi_table(record: FileDataset) -> Callable[[Pixels], NDArray[np.uint8]]:
    """Stored values to 8 bits through the first VOI LUT, whose nominal depth is the full range."""
    item = record.VOILUTSequence[0]
    entries, first, depth = (int(number) for number in item.LUTDescriptor)
    if depth == 8:
        # pydicom computes the places in the table with the type of its entries.
        item.LUTDescriptor = [entries, first, 16]

    def apply(stored: Pixels) -> NDArray[np.uint8]:
        values = _rescaled(stored, record)
        inside = np.clip(np.rint(values), first, first + (entries or 2**16) - 1).astype(np.int64)
        grey = apply_voi(inside, record) * (255.0 / (2**depth - 1))
        return _eight_bit(grey)

    return apply


def _voi_window(record: FileDataset) -> Callable[[Pixels], NDArray[np.uint8]]:
    """Stored values to 8 bits through the first window."""
    # Values far below and far above the window give its output range, which pydicom inverts where
    # the rescale slope is negative.
    with np.errstate(over="ignore"):
        black, white = apply_windowing(np.array([-1e30, 1e30]), record)
    if not np.isfinite([black, white]).all() or black == white:
        raise UnreadableImage("its window has no range")

    def apply(stored: Pixels) -> NDArray[np.uint8]:
        with np.errstate(over="ignore"):
            values = apply_windowing(_rescaled(stored, record), record)
        grey = (values - black) * (255.0 / (white - black))
        return _eight_bit(grey)

    return apply


def _eight_bit(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
