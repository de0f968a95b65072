"""The values of a DICOM image as they are stored, what its header says of them, and their cost."""

import math
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import get_decoder, pixel_array

from bench.data.images.isolated import isolated
from bench.data.images.pixels import FileFacts, Pixels, UnreadableImage

# Colour that pydicom makes red, green and blue.
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# Arrays of a picture's own type that are held at once, and those of the type that holds twice the
# range, where values are signed and must be inverted.
_ARRAYS, _ARRAYS_OF_SIGNED = 4, 8
# Colours are converted in floats.
_ARRAYS_OF_COLOUR = 16


def count_of(record: FileDataset, keyword: str) -> int:
    """A number of the header; 0 where it has none."""
    try:
        return int(record.get(keyword) or 0)
    except Exception:  # any value may be nonsense
        return 0


def whole(record: FileDataset, keyword: str, otherwise: int) -> int:
    """A number of the header; raises UnreadableImage where the element holds something else."""
    try:
        return int(record.get(keyword) or otherwise)
    except Exception:  # pydicom converts a value when it is asked for
        value = getattr(record.get_item(keyword), "value", None)
        shown = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        shown = "".join(filter(str.isprintable, shown))[:24].strip()
        raise UnreadableImage(f"its {keyword} is {shown!r}, not a number") from None


def pixel_bytes(record: FileDataset) -> float:
    """The bytes of its pixels, uncompressed."""
    values = count_of(record, "Rows") * count_of(record, "Columns")
    return (
        values * max(1, count_of(record, "SamplesPerPixel")) * count_of(record, "BitsAllocated") / 8
    )


def pixel_memory(record: FileDataset, content: int) -> int:
    """The bytes that decoding takes at most, with a file of `content` bytes and its pixels."""
    is_signed = count_of(record, "PixelRepresentation") == 1
    arrays = _ARRAYS_OF_SIGNED if is_signed else _ARRAYS
    if record.get("PhotometricInterpretation") in COLOURS:
        arrays = _ARRAYS_OF_COLOUR
    return 2 * content + math.ceil(arrays * pixel_bytes(record))


def announced_size(record: FileDataset) -> str:
    """Its width, height and bits in words."""
    rows, columns, bits = (count_of(record, key) for key in ("Rows", "Columns", "BitsAllocated"))
    return f"{columns} x {rows} pixels of {bits} bits"


# Group 0028 with all that says how pixels are stored, and what holds them.
_IMAGE, _HOLDERS = 0x0028, 0x7FE0


def facts_of(record: FileDataset) -> FileFacts:
    """What the header tells of how the file was made, and who decodes it."""
    syntax = record.file_meta.TransferSyntaxUID
    # pydicom asks its plugins in this order, and the first that can decode does.
    plugins = get_decoder(syntax).available_plugins if syntax.is_encapsulated else ()
    return FileFacts(
        "DICOM",
        int(record.get("BitsStored") or record.get("BitsAllocated") or 0),
        str(record.get("PhotometricInterpretation") or "unknown"),
        f"pydicom with {plugins[0]}" if plugins else "pydicom",
    )


def stored_values(record: FileDataset) -> Pixels:
    """The pixels as they are stored; compressed ones are decoded in another process."""
    # No copy where every bit is stored; else pydicom clears the other bits, in a copy.
    view_only = record.get("BitsStored") == record.get("BitsAllocated")
    if record.file_meta.TransferSyntaxUID.is_encapsulated:
        pixels, _ = isolated(_pixel_array, _plain(record), view_only)
    else:
        pixels, _ = _pixel_array(record, view_only)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _pixel_array(record: Dataset, view_only: bool) -> tuple[Pixels, dict[str, Any]]:
    is_colour = record.get("PhotometricInterpretation") in COLOURS
    pixels: Pixels = pixel_array(
        record, raw=not is_colour, view_only=view_only, allow_excess_frames=False
    )
    return pixels, {}


def _plain(record: FileDataset) -> Dataset:
    """The elements of a record without its file, which cannot be sent to another process."""
    plain = Dataset()
    for tag in record:
        if tag.tag.group in (_IMAGE, _HOLDERS):
            plain.add(tag)
    plain.file_meta = record.file_meta
    plain.set_original_encoding(*record.original_encoding)
    return plain


def inverted(pixels: Pixels) -> Pixels:
    """The pixels with white and black exchanged within the range that they use."""
    if pixels.dtype == np.uint8:
        return np.uint8(255) - pixels
    if pixels.dtype.kind == "i":
        # The range may be wider than the signed type.
        wider = f"i{min(2 * pixels.dtype.itemsize, 8)}"
        pixels = pixels.astype(wider)
    inverted: Pixels = pixels.max() - pixels
    return inverted
