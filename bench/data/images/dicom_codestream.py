"""Check, before a compressed DICOM image is decoded, that it has the size that its header says."""

import struct

from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from bench.data.images.pixels import UnreadableImage


def check_codestream(record: FileDataset) -> None:
    """Raise UnreadableImage unless a compressed image is what the header announces.

    Decoders rely on the compressed image: one that claimed 60000 x 60000 pixels in a small file
    kept a decoder busy for minutes and filled 14 GB.
    """
    syntax = record.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    columns, rows = int(record.Columns), int(record.Rows)
    frame = get_frame(record.PixelData, 0, number_of_frames=1)
    if len(frame) > 2**16 + rows * columns * int(record.BitsAllocated) // 4:
        raise UnreadableImage(
            "it cannot be decoded: compressed, it is twice as long as it should be"
        )
    if syntax == RLELossless:
        return
    is_jpeg = syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes
    width, height, channels = _jpeg_size(frame) if is_jpeg else _jpeg_2000_size(frame)
    if (width, height, channels) != (columns, rows, 1):
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


def _jpeg_2000_size(frame: bytes) -> tuple[int, int, int]:
    """Width, height and channels of a JPEG 2000 codestream: ITU-T T.800 A.5.1."""
    # A JP2 file around the codestream is forbidden (DICOM PS3.5 A.4.4); pydicom may loop on it.
    if not frame.startswith(b"\xff\x4f\xff\x51"):
        raise UnreadableImage("it cannot be decoded: its compressed image is not JPEG 2000")
    right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
    (channels,) = struct.unpack_from(">H", frame, 40)
    return right - left, bottom - top, channels
