"""Compressed images in DICOM, before they are decoded: their size, and the container of JP2.

The size must be the one that the header of the file announces.
"""

import struct

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    HTJ2K,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from bench.data.images.pixels import Pixels, UnreadableImage, by_table

_CODESTREAM = b"\xff\x4f\xff\x51"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
# Boxes of a JP2 file before its codestream: a file has less than ten.
_MOST_BOXES = 100
_JPEG_2000 = (*JPEG2000TransferSyntaxes, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)


_ITEM = b"\xfe\xff\x00\xe0"
_MOST_FRAGMENTS = 2**14


def check_codestream(record: FileDataset) -> None:
    """Raise UnreadableImage unless a compressed image is what the header announces.

    A JPEG 2000 codestream in a JP2 container is taken out of it, in the record.

    Decoders rely on the compressed image: one that claimed 60000 x 60000 pixels in a small file
    kept a decoder busy for minutes and filled 14 GB.
    """
    syntax = record.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    columns, rows = int(record.Columns), int(record.Rows)
    samples = int(record.get("SamplesPerPixel") or 1)
    # Each is looked at on its own; a picture has one, or one for every 64 kB.
    fragments = record.PixelData.count(_ITEM)
    if fragments > _MOST_FRAGMENTS:
        raise UnreadableImage(f"its pixels are in {fragments} fragments, far too many")
    frame = get_frame(record.PixelData, 0, number_of_frames=1)
    if len(frame) > 2**16 + rows * columns * samples * int(record.BitsAllocated) // 4:
        raise UnreadableImage(
            "it cannot be decoded: compressed, it is twice as long as it should be"
        )
    if syntax == RLELossless:
        return
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        width, height, channels = _jpeg_size(frame)
    else:
        codestream = _unwrapped(frame)
        width, height, channels = _jpeg_2000_size(codestream)
        if codestream is not frame:
            _replace_frame(record, codestream)
    if (width, height, channels) != (columns, rows, samples):
        raise UnreadableImage(
            f"it cannot be decoded: its header announces {columns} x {rows} pixels, the "
            f"compressed image {width} x {height} of {channels} channels"
        )


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    """Width, height and channels of JPEG or JPEG-LS: ITU-T T.81 B.2.2, T.87 C.2.2."""
    start_of_frame = {0xFFF7, *range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}
    place = 2
    while frame[:2] == b"\xff\xd8":
        marker, length = struct.unpack_from(">HH", frame, place)
        if marker in start_of_frame:
            _, height, width, channels = struct.unpack_from(">BHHB", frame, place + 4)
            return width, height, channels
        # Only tables and comments may come before; a decoder may see more in other markers.
        if not (0xFFC0 <= marker < 0xFFFF) or 0xFFD0 <= marker <= 0xFFDA:
            break
        place += 2 + length
    raise UnreadableImage("it cannot be decoded: its compressed image is not JPEG")


def _unwrapped(frame: bytes) -> bytes:
    """The codestream of a JP2 file (ITU-T T.800 I.5); the frame itself where it is none.

    DICOM PS3.5 A.4.4 forbids the container, but many mammograms have it, and pydicom loops on a box
    of length 0.
    """
    if not frame.startswith(_JP2_SIGNATURE):
        return frame
    place = 0
    for _ in range(_MOST_BOXES):
        if place + 16 > len(frame):
            break
        length, kind = struct.unpack_from(">L4s", frame, place)
        start = place + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", frame, start)
            start += 8
        # 0 means up to the end of the file; only the last box may have it.
        end = len(frame) if length == 0 else place + length
        if kind == b"jp2h" and b"pclr" in frame[start:end]:
            raise UnreadableImage("it is JPEG 2000 in palette colours")
        if kind == b"jp2c":
            return frame[start:end]
        if end < start:
            break
        place = end
    raise UnreadableImage("it cannot be decoded: its JP2 container holds no JPEG 2000 image")


def _replace_frame(record: FileDataset, frame: bytes) -> None:
    record.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    record["PixelData"].is_undefined_length = True
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in record:
            delattr(record, keyword)


def _jpeg_2000_size(frame: bytes) -> tuple[int, int, int]:
    """Width, height and channels of a JPEG 2000 codestream: ITU-T T.800 A.5.1."""
    if not frame.startswith(_CODESTREAM):
        raise UnreadableImage("it cannot be decoded: its compressed image is not JPEG 2000")
    right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
    (channels,) = struct.unpack_from(">H", frame, 40)
    return right - left, bottom - top, channels


def contradicted_bits(record: FileDataset) -> int:
    """The bits of a JPEG 2000 image that has signed values where its file has none, or the reverse.

    0 where codestream and PixelRepresentation agree. `check_codestream` has been called before.
    """
    if record.file_meta.TransferSyntaxUID not in _JPEG_2000:
        return 0
    depth = get_frame(record.PixelData, 0, number_of_frames=1)[42]
    is_signed, bits = depth >> 7, (depth & 0x7F) + 1
    return bits if is_signed != int(record.get("PixelRepresentation") or 0) else 0


def not_wrapped_around(pixels: Pixels, bits: int) -> Pixels:
    """The values of an image for which codestream and PixelRepresentation disagree.

    They are either the same bits or shifted by half the range, and decoders differ in what they
    take. With the wrong one, values wrap around in the middle of the range: the one is right in
    which neighbours are more alike.
    """
    if not 1 < bits <= 8 * pixels.dtype.itemsize:
        return pixels
    half = 2 ** (bits - 1)
    # Adding half the range wraps around within it.
    lowest = -half if pixels.dtype.kind == "i" else 0

    def shift(values: Pixels) -> Pixels:
        wide = (values.astype(np.int64) - lowest + half) % (2 * half) + lowest
        narrow: Pixels = wide.astype(pixels.dtype)
        return narrow

    shifted = by_table(pixels, shift)
    return shifted if _roughness(shifted) < _roughness(pixels) else pixels


def _roughness(pixels: Pixels) -> int:
    """The sum of the differences between neighbours."""
    rows = max(1, 2**18 // pixels.shape[1])
    total = 0
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows + 1].astype(np.int64)
        total += int(np.abs(np.diff(strip, axis=0)).sum())
        total += int(np.abs(np.diff(strip[:rows], axis=1)).sum())
    return total
