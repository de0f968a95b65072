"""Whatever is done to an image file, it gives sane pixels or one line: generated damage.

The examples are the same on every run. A decoder that raised anything else, warned, or took a
gigabyte for a file of a few kilobytes would fail here.
"""

import io
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from bench.data.images.decoding import decode
from bench.data.images.dicom import MAX_VALUE, Header, read_header
from bench.data.images.pixels import MAX_PIXELS, UnreadableImage, to_eight_bit

Array = NDArray[Any]
Edit = Callable[[FileDataset], object]

PIXELS = np.random.default_rng(9).integers(0, 4096, (19, 14), dtype=np.uint16)
WINDOWS = st.sampled_from(["own", "voi"])


def many(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def dicom(syntax: UID = ExplicitVRLittleEndian, *edits: Edit) -> bytes:
    """A valid file, then edited element by element, and written with nothing checked."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = SecondaryCaptureImageStorage
    record.SOPInstanceUID = "2.25.1"
    record.SeriesInstanceUID = "1.2.3"
    record.SeriesDescription = "cropped images"
    record.PatientID = "Mass-Training_P_00001_LEFT_CC_1"
    record.Rows, record.Columns = PIXELS.shape
    record.BitsAllocated, record.BitsStored, record.HighBit = 16, 12, 11
    record.PixelRepresentation, record.SamplesPerPixel = 0, 1
    record.PhotometricInterpretation = "MONOCHROME2"
    record.WindowCenter, record.WindowWidth = 2000, 3000
    record.add_new("PixelData", "OW", PIXELS.tobytes())
    if syntax == RLELossless:
        record.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        record.compress(RLELossless, generate_instance_uid=False)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for edit in edits:
            edit(record)
        pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


BASES = [dicom(), dicom(ImplicitVRLittleEndian), dicom(RLELossless)]
# Where the data set begins: what stands before it are preamble and file meta information.
HEADS = [base.index(b"\x08\x00\x16\x00") for base in BASES]


def outcome(data: bytes, name: str, window: str = "own") -> Array | None:
    """The pixels, None where the file is refused; fails for all that must not happen."""
    pixels = None
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pixels = decode(data, name, window=window).pixels
    except UnreadableImage as error:
        _is_one_line(str(error))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The files here have a few kilobytes; the tables of the windows take a few million bytes. The
    # rest must be the picture itself.
    assert peak < 50_000_000 + (0 if pixels is None else 3 * pixels.nbytes)
    if pixels is None:
        return None
    assert pixels.ndim == 2
    assert 0 < pixels.size <= MAX_PIXELS
    assert pixels.dtype.kind in "uif"
    eight = to_eight_bit(pixels)
    assert eight.dtype == np.uint8
    assert eight.shape == pixels.shape
    return pixels


def header_of(data: bytes, folder: Path) -> Header | None:
    """The header, None where the file is refused, checked as `outcome` does."""
    file = folder / "x.dcm"
    file.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            header = read_header(file)
        except UnreadableImage as error:
            _is_one_line(str(error))
            return None
    assert max(len(header.patient_id), len(header.series_description)) <= MAX_VALUE
    if header.problem:
        _is_one_line(header.problem)
    return header


def both(data: bytes, folder: Path, window: str = "own") -> Array | None:
    """`outcome`, and that the header sees no problem where there are pixels."""
    pixels, header = outcome(data, "x.dcm", window), header_of(data, folder)
    if pixels is not None:
        assert header is not None
        assert not header.problem
        assert (header.rows, header.columns) == pixels.shape
    return pixels


def _is_one_line(message: str) -> None:
    assert message.isprintable()
    assert 0 < len(message) < 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


# --- DICOM, byte by byte


@many(150)
@given(base=st.sampled_from(BASES), part=st.floats(0, 1), window=WINDOWS)
def test_dicom_cut_anywhere(folder: Path, base: bytes, part: float, window: str) -> None:
    cut = base[: int(part * len(base))]
    pixels = both(cut, folder, window)
    # Compressed pixels end in eight bytes that say so, and half of them may be wanting.
    assert pixels is None or len(base) - len(cut) < 8
    if pixels is not None and window == "own":
        np.testing.assert_array_equal(pixels, PIXELS)


@many(250)
@given(
    base=st.sampled_from(BASES),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    window=WINDOWS,
)
def test_dicom_with_other_bytes(
    folder: Path, base: bytes, places: list[tuple[float, int]], window: str
) -> None:
    data = bytearray(base)
    for part, value in places:
        data[int(part * (len(data) - 1))] = value
    both(bytes(data), folder, window)


@many(150)
@given(
    which=st.integers(0, len(BASES) - 1),
    element=st.integers(0, 20),
    length=st.sampled_from([0, 1, 7, 255, 4096, 2**16 - 1, 2**31 - 1, 2**32 - 2, 2**32 - 1]),
)
def test_dicom_with_wrong_lengths(folder: Path, which: int, element: int, length: int) -> None:
    """The length of one element, wherever it stands, is another one."""
    base = BASES[which]
    record = pydicom.dcmread(io.BytesIO(base))
    tags = [tag for tag in record if tag.tag != 0x7FE00010]
    tag = tags[element % len(tags)].tag
    start = base.index(struct.pack("<HH", tag.group, tag.elem), HEADS[which])
    data = bytearray(base)
    if which == 1:
        data[start + 4 : start + 8] = struct.pack("<L", length)
    else:
        data[start + 6 : start + 8] = struct.pack("<H", length % 2**16)
    both(bytes(data), folder)


# --- DICOM, element by element

SHORT = st.sampled_from([0, 1, 2, 7, 8, 9, 12, 13, 14, 16, 19, 31, 32, 64, 255, 32768, 65535])
NUMBERS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
TEXTS = st.sampled_from(["", "0", "1", "2", "-1", "1e99", "nan", "x", "1\\2", "9" * 12, " "])


@many(200)
@given(
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]),
    numbers=st.dictionaries(
        st.sampled_from([*NUMBERS, "SamplesPerPixel", "PlanarConfiguration"]), SHORT, max_size=3
    ),
    texts=st.dictionaries(
        st.sampled_from(
            ["NumberOfFrames", "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"]
        ),
        TEXTS,
        max_size=2,
    ),
    photometric=st.sampled_from(
        ["MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL_422", "", "X"]
    ),
    window=WINDOWS,
)
def test_dicom_with_nonsense_in_its_elements(
    folder: Path,
    syntax: UID,
    numbers: dict[str, int],
    texts: dict[str, str],
    photometric: str,
    window: str,
) -> None:
    def edit(record: FileDataset) -> None:
        for keyword, number in numbers.items():
            setattr(record, keyword, number)
        for keyword, text in texts.items():
            # As bytes, past the checks of the library that writes them.
            value = text.encode() + b" " * (len(text) % 2)
            tag = Tag(keyword)
            record._dict[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)
        record.PhotometricInterpretation = photometric

    both(dicom(syntax, edit), folder, window)


KEPT = st.sampled_from(
    [
        *NUMBERS,
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PixelData",
        "WindowWidth",
        "SeriesInstanceUID",
        "SeriesDescription",
        "PatientID",
    ]
)


@many(60)
@given(gone=st.sets(KEPT, min_size=1, max_size=3), window=WINDOWS)
def test_dicom_without_some_elements(folder: Path, gone: set[str], window: str) -> None:
    def edit(record: FileDataset) -> None:
        for keyword in gone:
            delattr(record, keyword)

    pixels = both(dicom(ExplicitVRLittleEndian, edit), folder, window)
    if gone & {"Rows", "Columns", "PixelData"}:
        assert pixels is None


SYNTAXES = (
    *(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99", ".5", ".77")),
    *(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 57, 70, 80, 81, 90, 91, 100, 201)),
    *("", "1", "no uid", "1.2.840.113619.5.2"),
)


@many(80)
@given(which=st.integers(0, len(BASES) - 1), name=st.sampled_from(SYNTAXES))
def test_dicom_under_another_transfer_syntax(folder: Path, which: int, name: str) -> None:
    base = BASES[which]
    start = base.index(b"\x02\x00\x10\x00UI")
    (length,) = struct.unpack_from("<H", base, start + 6)
    value = name.encode() + b"\0" * (len(name) % 2)
    head = base[:start] + b"\x02\x00\x10\x00UI" + struct.pack("<H", len(value)) + value
    both(head + base[start + 8 + length :], folder)


@many(60)
@given(
    depth=st.integers(1, 400),
    undefined=st.booleans(),
    keyword=st.sampled_from(["ReferencedImageSequence", "VOILUTSequence", "IconImageSequence"]),
    window=WINDOWS,
)
def test_dicom_with_deep_sequences(
    folder: Path, depth: int, undefined: bool, keyword: str, window: str
) -> None:
    """Sequences in sequences: the header may be refused, and nothing worse."""
    start, end = b"\xfe\xff\x00\xe0", struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    stop = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    name = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"SQ", 0)
    body = b""
    for _ in range(depth):
        if undefined:
            length = struct.pack("<L", 2**32 - 1)
            body = name + length + start + length + body + end + stop
        else:
            item = start + struct.pack("<L", len(body)) + body
            body = name + struct.pack("<L", len(item)) + item
    base, head = BASES[0], HEADS[0]
    place = base.index(struct.pack("<HH", 0x0028, 0x1050)) if tag > 0x00280000 else head
    both(base[:place] + body + base[place:], folder, window)


WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40)


@many(80)
@given(
    texts=st.dictionaries(
        st.sampled_from(["PatientName", "StudyDescription", "ImageComments", "Manufacturer"]), WORDS
    ),
    blob=st.binary(max_size=300),
    items=st.integers(0, 5),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]),
)
def test_elements_that_do_not_matter_change_no_pixel(
    folder: Path, texts: dict[str, str], blob: bytes, items: int, syntax: UID
) -> None:
    def edit(record: FileDataset) -> None:
        for keyword, text in texts.items():
            setattr(record, keyword, text)
        record.add_new(0x00091001, "UN", blob + b"\0" * (len(blob) % 2))
        item = Dataset()
        item.Rows, item.Columns, item.BitsAllocated = 1, 1, 8
        item.add_new("PixelData", "OW", b"\7\7")
        record.IconImageSequence = Sequence([item] * items)

    data = dicom(syntax, edit)
    pixels = both(data, folder)
    assert pixels is not None
    np.testing.assert_array_equal(pixels, PIXELS)
    header = header_of(data, folder)
    assert header == Header(
        "1.2.3", "Mass-Training_P_00001_LEFT_CC_1", "cropped images", *PIXELS.shape, ""
    )


# --- other formats


def picture(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pictures() -> list[bytes]:
    grey = Image.fromarray((PIXELS >> 4).astype(np.uint8))
    deep = Image.fromarray(PIXELS)
    tiled = Image.fromarray(np.tile((PIXELS >> 4).astype(np.uint8), (4, 4)))
    frames: dict[str, Any] = {"save_all": True, "append_images": [grey.rotate(180), grey]}
    return [
        *(picture(grey.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *(picture(grey.convert(mode), "JPEG") for mode in ("L", "RGB", "CMYK", "YCbCr")),
        picture(tiled, "JPEG", progressive=True),
        picture(grey.convert("P"), "PNG", transparency=bytes(range(200))),
        picture(grey, "PNG", **frames),
        picture(grey, "TIFF", **frames),
        *(picture(deep, kind) for kind in ("PNG", "PPM", "TIFF")),
        picture(tiled, "TIFF", compression="tiff_lzw"),
        picture(grey, "BMP"),
    ]


PICTURES = pictures()


@pytest.mark.parametrize("data", PICTURES)
def test_every_kind_of_picture_is_read(data: bytes) -> None:
    pixels = outcome(data, "x")
    assert pixels is not None
    assert pixels.shape in (PIXELS.shape, (4 * PIXELS.shape[0], 4 * PIXELS.shape[1]))


@many(150)
@given(base=st.sampled_from(PICTURES), part=st.floats(0, 1), window=WINDOWS)
def test_pictures_cut_anywhere(base: bytes, part: float, window: str) -> None:
    outcome(base[: int(part * len(base))], "x", window)


@many(300)
@given(
    base=st.sampled_from(PICTURES),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    name=st.sampled_from(["x.png", "x.jpg", "x.dcm"]),
)
def test_pictures_with_other_bytes(base: bytes, places: list[tuple[float, int]], name: str) -> None:
    data = bytearray(base)
    for part, value in places:
        # Most of them at the front, where the header is.
        data[int(part**3 * (len(data) - 1))] = value
    outcome(bytes(data), name)


SIDES = st.sampled_from([0, 1, 13, 15, 255, 4096, 16384, 65535])


@many(80)
@given(
    base=st.sampled_from(
        [one for one in PICTURES if one.startswith((b"\x89PNG", b"\xff\xd8", b"BM"))]
    ),
    width=SIDES,
    height=SIDES,
)
def test_pictures_that_announce_another_size(base: bytes, width: int, height: int) -> None:
    data = bytearray(base)
    if base.startswith(b"\x89PNG"):
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif base.startswith(b"BM"):
        data[18:26] = struct.pack("<ii", width, -height)
    else:
        progressive = base.find(b"\xff\xc2\0\x0b")
        start = progressive if progressive > 0 else base.index(b"\xff\xc0")
        data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    pixels = outcome(bytes(data), "x")
    if pixels is not None:
        # A JPEG that is short of data ends in grey; the others are refused.
        assert pixels.shape == (height, width)
