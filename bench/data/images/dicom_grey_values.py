"""From the stored values of a DICOM image to 8 bits, by the file's rescale and VOI table or window.

DICOM PS3.3 C.11.1 (modality) and C.11.2 (VOI).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

from bench.data.images.pixels import Pixels, UnreadableImage, by_table


def windowed(pixels: Pixels, record: FileDataset) -> tuple[Pixels, bool]:
    """The pixels under the file's modality and VOI tables, and whether they must still be inverted.

    Without a VOI table or window the stored values are kept: a rescale would change nothing but
    their direction, so a negative slope inverts them. What cannot be applied, such as an empty
    table or a window of no width, is taken out of the record and counts as absent.
    """
    _keep_usable(record)
    if _has_voi_table(record):
        return by_table(pixels, _voi_table(record)), False
    if _has_voi_window(record):
        return by_table(pixels, _voi_window(record)), False
    if record.get("ModalityLUTSequence"):
        return by_table(pixels, lambda stored: _rescaled(stored, record)), False
    return pixels, float(record.get("RescaleSlope") or 1) < 0


def has_window(record: FileDataset) -> bool:
    """Whether the file has a VOI table or window; after `windowed` one that is usable."""
    return _has_voi_table(record) or _has_voi_window(record)


def _has_voi_table(record: FileDataset) -> bool:
    return bool(record.get("VOILUTSequence"))


def _has_voi_window(record: FileDataset) -> bool:
    return None not in (record.get("WindowCenter"), record.get("WindowWidth"))


def _keep_usable(record: FileDataset) -> None:
    """Reduce tables, window and rescale to the first of each kind that can be applied."""
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        items = (_table(item, record) for item in record.get(keyword) or ())
        table = next((item for item in items if item is not None), None)
        _set(record, keyword, None if table is None else [table])
    if record.get("ModalityLUTSequence"):
        modality = record.ModalityLUTSequence[0]
        entries, first, depth = modality.LUTDescriptor
        # pydicom makes a type of the depth; there is none of 12 bits.
        depth = 8 if depth == 8 and max(modality.LUTData) < 256 else 16
        modality.LUTDescriptor = [entries, first, depth]
    function = _function(record)
    _set(record, "VOILUTFunction", function or None)
    pairs = zip(_numbers(record, "WindowCenter"), _numbers(record, "WindowWidth"), strict=False)
    pair = next((pair for pair in pairs if _is_window(*pair, function)), (None, None))
    _set(record, "WindowCenter", pair[0])
    _set(record, "WindowWidth", pair[1])
    if "RescaleSlope" in record or "RescaleIntercept" in record:
        slope = (*_numbers(record, "RescaleSlope"), 1.0)[0]
        intercept = (*_numbers(record, "RescaleIntercept"), 0.0)[0]
        usable = math.isfinite(slope) and math.isfinite(intercept) and slope != 0
        _set(record, "RescaleSlope", slope if usable else None)
        _set(record, "RescaleIntercept", intercept if usable else None)
    # pydicom asks for the range of the stored values, which cancels out here.
    record.BitsStored = record.get("BitsStored") or record.get("BitsAllocated") or 16
    record.PixelRepresentation = record.get("PixelRepresentation") or 0


def _set(record: FileDataset, keyword: str, value: Any) -> None:
    if value is not None:
        setattr(record, keyword, value)
    elif keyword in record:
        delattr(record, keyword)


def _numbers(record: FileDataset, keyword: str) -> list[float]:
    """The values of an element; none if it is absent or no number."""
    try:
        value = record.get(keyword)
        several = value if isinstance(value, MultiValue | list | tuple) else [value]
        return [] if value is None else [math.nan if one == "" else float(one) for one in several]
    except (TypeError, ValueError):
        return []


def _function(record: FileDataset) -> str:
    """What makes a window a function; LINEAR where nothing is said."""
    value = record.get("VOILUTFunction")
    first = value if isinstance(value, str) or not value else value[0]
    return str(first or "LINEAR").strip().upper()


def _is_window(centre: float, width: float, function: str) -> bool:
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return False
    finite = math.isfinite(centre) and math.isfinite(width)
    return finite and (width >= 1 if function == "LINEAR" else width > 0)


def _table(item: Dataset, record: FileDataset) -> Dataset | None:
    """A look-up table in the one form that pydicom takes: 16 bits an entry, all entries there."""
    try:
        entries, first, depth = (int(number) for number in item.LUTDescriptor)
        count = entries or 2**16
        data = item.LUTData
        if isinstance(data, bytes):
            order = "<" if record.file_meta.TransferSyntaxUID.is_little_endian else ">"
            # Tables of 8 bits may have one byte for an entry.
            wide = len(data) >= 2 * count
            values = np.frombuffer(data, f"{order}u2" if wide else "u1")
        else:
            values = np.atleast_1d(np.asarray(data, np.int64))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    if not (0 < depth <= 16 and len(values) >= count and values[:count].max() < 2**16):
        return None
    table = Dataset()
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries, first, depth])
    table.add_new("LUTData", "US", values[:count].tolist())
    return table


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
