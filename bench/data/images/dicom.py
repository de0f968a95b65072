"""DICOM files: their headers without their pixels, and their pixels in one channel.

Of a header only the few fields of `Header` are handed on. Files may be hostile: whatever they
announce, reading one ends soon, takes little memory, and gives a result or `UnreadableImage`.
"""

import io
import math
import re
import stat
import warnings
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGExtended12Bit

from bench.data.images.bounds import MAX_MEMORY, Reserve, check_memory, time_limit
from bench.data.images.dicom_codestream import (
    check_codestream,
    contradicted_bits,
    not_wrapped_around,
)
from bench.data.images.dicom_grey_values import has_window, windowed
from bench.data.images.dicom_padding import PADDING, padding_of, without_padding
from bench.data.images.dicom_values import (
    COLOURS,
    announced_size,
    count_of,
    facts_of,
    inverted,
    pixel_bytes,
    pixel_memory,
    stored_values,
    whole,
)
from bench.data.images.pixels import (
    INSTALL,
    MAX_BYTES,
    Decoded,
    UnreadableImage,
    check_size,
    has_colour,
    luminance,
    reason,
)

# The number of reads after which pydicom is stopped. A header of a hundred elements takes some two
# hundred; wrong lengths can cost a read for every eight bytes, again and again.
MAX_READS = 20_000
# A longer value of a field that is read is nonsense; other elements are skipped unread.
MAX_VALUE = 2**16
# The part of a deflated file that is inflated for its header, and what else may stand before its
# pixels.
MAX_INFLATED = 2**20
_MORE_INFLATED = 2**24
# Of a pixel, in the process that decodes a compressed image.
_DECODER_BYTES = 16

_IDENTITY = ("SeriesInstanceUID", "SeriesDescription", "PatientID")
_VIEW = ("ImageLaterality", "Laterality", "ViewPosition", "ViewCodeSequence")
_SHAPE = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
)
_GREY_VALUES = (
    "HighBit",
    "PixelRepresentation",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
)
_STORED = ("HighBit", "PixelRepresentation")
_PIXELS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_UNDEFINED = 0xFFFFFFFF
# Items and delimiters have higher tags than all elements; a stray one may lie anywhere.
_DELIMITERS = 0xFFFE0000
_ITEM_DELIMITERS = (b"\xfe\xff\x0d\xe0", b"\xff\xfe\xe0\x0d")

_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class Header:
    """The fields of a file's header that are read.

    `patient_id` and `series_description` are free text and may identify a person: whoever reads a
    header keeps what they mean, not the text.

    Attributes
    ----------
    series : str
        SeriesInstanceUID; "" if absent or not a UID.
    patient_id, series_description : str
        The element's text, without spaces around it, of at most `MAX_VALUE` characters; "" if
        absent.
    rows, columns : int
        In pixels; 0 if absent.
    problem : str
        Why the pixels cannot be read, as far as header and size of the file show; else "".
    laterality, view : str
        The side and the view as written, the latter perhaps as a code; "" if absent.
    """

    series: str
    patient_id: str = field(repr=False)
    series_description: str = field(repr=False)
    rows: int
    columns: int
    problem: str
    laterality: str = ""
    view: str = ""


def read_header(file: Path) -> Header:
    """The header of a DICOM file; its pixels are not read.

    Raises
    ------
    UnreadableImage
        If the file cannot be read or is not DICOM; the message is one line.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("it is not a file")
        with file.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _header(stream, status.st_size)
    except UnreadableImage:
        raise
    except OSError as error:
        # pydicom raises the same type, without a number, for what is wrong inside a file.
        cannot_read = f"the file cannot be read ({error.strerror})"
        raise UnreadableImage(cannot_read if error.errno else reason(error)) from error
    except Exception as error:  # hostile files make pydicom raise anything
        raise UnreadableImage(reason(error)) from error


def decode_dicom(data: bytes, window: str, reserve: Reserve) -> Decoded:
    """The one channel of a DICOM image, dense tissue bright, colour made grey.

    The arguments are as for `decoding.decode`.

    Raises
    ------
    UnreadableImage
        If the header shows that the pixels cannot be read; a damaged file may raise anything.
    """
    keywords = (*_SHAPE, *_GREY_VALUES, *PADDING, *_OFFSETS, *_PIXELS.values())
    record, announced = _read(io.BytesIO(data), len(data), keywords, pixels=True)
    _check_pixels(record, announced)
    needed = pixel_memory(record, len(data))
    check_memory(needed, announced_size(record))
    check_codestream(record)
    if record.file_meta.TransferSyntaxUID.is_encapsulated:
        needed += min(MAX_MEMORY, _DECODER_BYTES * int(record.Rows) * int(record.Columns))
    reserve(needed)
    contradicted = contradicted_bits(record)
    pixels = stored_values(record)
    if pixels.ndim == 3:
        colour = has_colour(pixels)
        return Decoded(luminance(pixels), replace(facts_of(record), colour=colour))
    if contradicted:
        pixels = not_wrapped_around(pixels, contradicted)
    padding, is_descending = padding_of(pixels, record), False
    if window == "voi":
        pixels, is_descending = windowed(pixels, record)
    lowest_is_white = record.get("PhotometricInterpretation") == "MONOCHROME1"
    if lowest_is_white != is_descending:
        pixels = inverted(pixels)
    pixels = without_padding(pixels, padding)
    facts = replace(facts_of(record), contradictory=contradicted > 0)
    is_windowed = window == "voi" and has_window(record)
    return Decoded(pixels, facts, windowed=is_windowed, padding=padding)


@dataclass(frozen=True)
class _Announced:
    """The element with the pixels: its length by the header, and the bytes left in the file."""

    length: int
    left: int

    @property
    def present(self) -> int:
        """The number of its bytes that the file holds."""
        return min(self.length, self.left)


class _Deflated(Exception):
    """pydicom reads the whole rest of a file, as it does to inflate it without a limit."""


class _Stream:
    """The file as pydicom reads it: no header may take long, or much memory.

    Reads are counted and limited in length; what is skipped costs nothing.
    """

    def __init__(self, stream: BinaryIO, longest: int) -> None:
        self._stream = stream
        self._longest = longest
        self._reads = 0
        self._check_time = time_limit()
        self.tell = stream.tell
        self.seek = stream.seek

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        if size < 0:
            raise _Deflated("it is deflated twice")
        self._reads += 1
        if self._reads > MAX_READS:
            raise UnreadableImage(
                "its header or its list of fragments is damaged: it is far too long"
            )
        self._check_time()
        return self._stream.read(min(size, self._longest))


def _read(
    stream: BinaryIO, size: int, keywords: tuple[str, ...], pixels: bool
) -> tuple[FileDataset, _Announced | None]:
    """The requested elements, and the element with the pixels; with `pixels` they are read too."""
    try:
        record, announced = _parse(stream, size, keywords, pixels)
    except _Deflated:
        rest = stream.read(size if pixels else MAX_INFLATED)
        record, announced = _inflated(rest, keywords, pixels)
    if record.preamble is None and not any(keyword in record for keyword in keywords):
        raise UnreadableImage("it is not DICOM, or DICOM without an image")
    return record, announced


def _inflated(
    rest: bytes, keywords: tuple[str, ...], pixels: bool
) -> tuple[FileDataset, _Announced | None]:
    """As `_read`, from the deflated rest of a file: no more is inflated than its header announces.

    A few hundred kilobytes may inflate to gigabytes.
    """
    flat = zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, MAX_INFLATED)
    # From the inflated beginning it is not known how much would follow.
    record, announced = _parse(io.BytesIO(flat), MAX_BYTES, (*_SHAPE, *keywords), pixels=False)
    if not pixels:
        return record, announced
    if len(flat) == MAX_INFLATED:
        needed = pixel_memory(record, len(rest))
        check_memory(needed + _MORE_INFLATED, announced_size(record))
        most = _MORE_INFLATED + math.ceil(pixel_bytes(record))
        flat = zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, most)
    return _parse(io.BytesIO(flat), len(flat), keywords, pixels)


def _parse(
    stream: BinaryIO, size: int, keywords: tuple[str, ...], pixels: bool
) -> tuple[FileDataset, _Announced | None]:
    limited = _Stream(stream, size if pixels else MAX_VALUE)
    announced: list[_Announced] = []
    ended: list[int] = []
    last = max(_PIXELS)

    def is_end(tag: int, vr: str | None, length: int) -> bool:
        number = int(tag)  # pydicom's own comparison of tags is slow
        if number in _PIXELS:
            announced[:] = [_Announced(length, size - limited.tell())]
        # Nothing after the pixels is needed; a stray delimiter is no element.
        if (number in _PIXELS and not pixels) or last < number < _DELIMITERS:
            ended.append(number)
        return bool(ended)

    wanted: dict[str, Any] = {
        "stop_when": is_end,
        "defer_size": None if pixels else MAX_VALUE,
        "specific_tags": [tag_for_keyword(keyword) for keyword in keywords],
    }
    record = read_partial(limited, force=True, **wanted)
    # pydicom takes an item delimiter that closes no item for the end of the file.
    place = -1
    while not ended and place < limited.tell() and _is_behind_delimiter(limited):
        place = limited.tell()
        record.update(read_dataset(limited, *record.original_encoding, **wanted))
    if "TransferSyntaxUID" not in record.file_meta:
        implicit, _ = record.original_encoding
        record.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        )
    return record, announced[0] if announced else None


def _is_behind_delimiter(stream: _Stream) -> bool:
    place = stream.tell()
    if place < 8:
        return False
    stream.seek(place - 8)
    is_delimiter = stream.read(8)[:4] in _ITEM_DELIMITERS
    stream.seek(place)
    return is_delimiter


def _header(stream: BinaryIO, size: int) -> Header:
    record, announced = _read(stream, size, (*_IDENTITY, *_VIEW, *_SHAPE), pixels=False)
    problem = ""
    try:
        _check_pixels(record, announced)
    except UnreadableImage as error:
        problem = str(error)
    except Exception as error:  # any value may be nonsense
        problem = reason(error)
    series = _text(record, "SeriesInstanceUID")
    return Header(
        series=series if _UID.fullmatch(series) else "",
        patient_id=_text(record, "PatientID"),
        series_description=_text(record, "SeriesDescription"),
        rows=count_of(record, "Rows"),
        columns=count_of(record, "Columns"),
        problem=problem,
        laterality=_text(record, "ImageLaterality") or _text(record, "Laterality"),
        view=_text(record, "ViewPosition") or _code(record, "ViewCodeSequence"),
    )


def _code(record: FileDataset, keyword: str) -> str:
    try:
        return str(record[keyword][0].CodeValue).strip(" \0")
    except Exception:  # as in `_text`
        return ""


def _text(record: FileDataset, keyword: str) -> str:
    try:
        return str(record.get(keyword) or "").strip(" \0")
    except Exception:  # a value that cannot be converted is as good as none
        return ""


def _check_pixels(record: FileDataset, announced: _Announced | None) -> None:
    """Raise UnreadableImage if by its header the file has no single image that can be decoded."""
    if "Rows" not in record or "Columns" not in record or announced is None:
        raise UnreadableImage("it is DICOM without an image")
    frames, channels = (whole(record, key, 1) for key in ("NumberOfFrames", "SamplesPerPixel"))
    has_channels = record.get("PhotometricInterpretation") in COLOURS
    if frames != 1 or channels != (3 if has_channels else 1):
        raise UnreadableImage(f"it is DICOM with {frames} frames of {channels} channels")
    if record.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise UnreadableImage("it is DICOM in palette colours")
    rows, columns = whole(record, "Rows", 0), whole(record, "Columns", 0)
    check_size(columns, rows)
    syntax = record.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax and not syntax.is_encapsulated:
        # Two pixels side by side share their colour.
        samples = 2 if record.get("PhotometricInterpretation") == "YBR_FULL_422" else channels
        needed = math.ceil(rows * columns * samples * whole(record, "BitsAllocated", 0) / 8)
        _check_length(needed, announced)
    else:
        _check_decoder(syntax, whole(record, "BitsStored", 0))


def _check_length(needed: int, announced: _Announced) -> None:
    if announced.length == _UNDEFINED:
        raise UnreadableImage("its pixels are compressed, although its header says they are not")
    # One more byte makes the length even; twice the length means that rows or columns are wrong.
    if announced.present < needed or announced.present >= max(2 * needed, needed + 2):
        raise UnreadableImage(
            f"it cannot be decoded: its pixels need {needed} bytes, {announced.present} are there"
        )


def _check_decoder(syntax: UID, bits_stored: int) -> None:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        name = syntax.name if syntax.is_transfer_syntax else "unknown"
        raise UnreadableImage(f"its transfer syntax is not supported ({name})") from None
    # Pillow claims this syntax, but decodes only its 8-bit half.
    twelve_bits = syntax == JPEGExtended12Bit and bits_stored > 8
    if not decoder.is_available or (twelve_bits and decoder.available_plugins == ("pillow",)):
        raise UnreadableImage(f"it is compressed ({syntax.name}): {INSTALL}")
