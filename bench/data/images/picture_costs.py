"""What decoding a picture costs, by its header: memory, and time where a decoder goes on."""

import math
from typing import Any

from bench.data.images import tiff_directory as tiff
from bench.data.images.bounds import check_memory
from bench.data.images.pixels import UnreadableImage
from bench.data.images.wide_colour import raw_mode

# Bytes of a pixel in Pillow's memory by the beginning of its mode; all other modes take four.
_PILLOW_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
# Of colours of 16 bits, which are put together from their two bytes.
_WIDE_BYTES = 32
# A pass over a million pixels of a JPEG takes about 10 ms; ten passes or so make a picture.
_MOST_SCANNED = 400_000_000
_LEAST_SCANS = 24
_START_OF_SCAN = b"\xff\xda"
_JPEG_IN_TIFF = (6, 7)


def checked_memory(data: bytes, image: Any) -> int:
    """The bytes that decoding a picture takes at most, with the file's own, by its header.

    Raises
    ------
    UnreadableImage
        If that is more than `MAX_MEMORY`, or if decoding it would take far too long.
    """
    pixels = image.width * image.height
    loaded = _PILLOW_BYTES.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    # An EXIF orientation is applied to a copy; the channel that is taken is another one.
    needed = 2 * loaded + (1 if image.mode[0] not in "IF" else loaded)
    within = 0
    if image.mode.startswith("RGB") and raw_mode(image):
        needed = _WIDE_BYTES
    if image.format == "JPEG":
        _check_scans(data.count(_START_OF_SCAN), pixels)
        if image.info.get("progressive"):
            needed += 2 * len(image.getbands())  # its coefficients
    if image.format == "TIFF":
        within = _tiff_part(data)
    total: int = len(data) + pixels * needed + within
    bits = 8 * loaded
    check_memory(total, f"{image.width} x {image.height} pixels of {bits} bits")
    return total


def _tiff_part(data: bytes) -> int:
    """The bytes of the largest strip or tile, of which a decoder holds one."""
    fields = tiff.directory(data)

    def first(tag: int, otherwise: int) -> int:
        return (fields.get(tag) or (otherwise,))[0]

    width, height = first(tiff.WIDTH, 0), first(tiff.HEIGHT, 0)
    bits = sum(fields.get(tiff.BITS) or (1,))
    bits = max(bits, first(tiff.BITS, 1) * first(tiff.SAMPLES, 1))
    if tiff.TILE_OFFSETS in fields:
        across, down = first(tiff.TILE_WIDTH, 0), first(tiff.TILE_HEIGHT, 0)
        lengths, starts = fields.get(tiff.TILE_LENGTHS, ()), fields[tiff.TILE_OFFSETS]
    else:
        across, down = width, min(height, first(tiff.STRIP_ROWS, height))
        lengths, starts = fields.get(tiff.STRIP_LENGTHS, ()), fields.get(tiff.STRIP_OFFSETS, ())
    part = across * down * max(32, bits) // 8
    check_memory(part, f"parts of {across} x {down} pixels of {bits} bits")
    if across > 0 and down > 0:
        parts = math.ceil(width / across) * math.ceil(height / down)
        if parts * across * down > 4 * width * height + 2**24:
            raise UnreadableImage(f"its tiles of {across} x {down} pixels are larger than itself")
    if first(tiff.COMPRESSION, 1) in _JPEG_IN_TIFF:
        if sum(lengths) > 2 * len(data):
            raise UnreadableImage("its TIFF directory is damaged: its parts overlap")
        for start, length in zip(starts, lengths, strict=False):
            scans = data.count(_START_OF_SCAN, start, start + length)
            _check_scans(scans, across * down)
    return part


def _check_scans(scans: int, pixels: int) -> None:
    """Raise UnreadableImage if a JPEG goes over its pixels so often that it would take minutes.

    A scan of a few bytes may cost as much as any other. A picture has ten or so; where they are
    counted in all of a file, those of a thumbnail are among them.
    """
    if scans > _LEAST_SCANS and scans * pixels > _MOST_SCANNED:
        raise UnreadableImage(
            f"it is a JPEG that goes over its {pixels} pixels {scans} times, which takes too long"
        )
