"""DICOM: headers without pixels, windows, compressed pixels, and headers that lie."""

import contextlib
import importlib.util
import io
import os
import struct
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from bench.data.images.decoding import decode
from bench.data.images.dicom import MAX_VALUE, Header, read_header
from bench.data.images.pixels import UnreadableImage, to_eight_bit

Array = NDArray[Any]

# A ramp with every value of 12 bits, and noise that no codec can take for granted.
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
NOISE = np.random.default_rng(5).integers(0, 65536, (37, 23), dtype=np.uint16)
LARGER = np.tile(NOISE, (2, 2))  # the encoder of JPEG 2000 wants 32 pixels a side


def dicom(pixels: Array, syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> FileDataset:
    """A data set around pixels; `elements` by keyword replace what stands in it, None removes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = SecondaryCaptureImageStorage
    record.SOPInstanceUID = "2.25.1"
    record.Rows, record.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    record.BitsAllocated = record.BitsStored = bits
    record.HighBit, record.SamplesPerPixel = bits - 1, 1
    record.PixelRepresentation = int(pixels.dtype.kind == "i")
    record.PhotometricInterpretation = "MONOCHROME2"
    record.add_new("PixelData", "OW", pixels.tobytes())
    for keyword, value in elements.items():
        if value is None:
            delattr(record, keyword)
        else:
            setattr(record, keyword, value)
    return record


def saved(record: FileDataset) -> bytes:
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


def file_of(folder: Path, data: bytes) -> Path:
    file = folder / "x.dcm"
    file.write_bytes(data)
    return file


def with_lut(keyword: str, entries: list[int], first: int, depth: int) -> dict[str, Any]:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 2**16, first, depth])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    return {keyword: [item]}


# --- headers


def test_a_header_says_what_is_kept_and_no_more(tmp_path: Path) -> None:
    record = dicom(
        NOISE,
        SeriesInstanceUID="1.2.3.4",
        SeriesDescription="cropped images",
        PatientID="Mass-Training_P_00001_LEFT_CC_1",
        PatientName="Doe^Jane",
        AccessionNumber="77",
    )
    header = read_header(file_of(tmp_path, saved(record)))
    assert header == Header(
        "1.2.3.4", "Mass-Training_P_00001_LEFT_CC_1", "cropped images", 37, 23, problem=""
    )
    for text in ("Doe", "P_00001", "cropped"):
        assert text not in repr(header)


def test_a_series_is_a_uid_or_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = saved(dicom(NOISE, SeriesInstanceUID="1.2.Jane"))
    assert read_header(file_of(tmp_path, data)).series == ""


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_file_without_preamble_is_read(tmp_path: Path, syntax: UID) -> None:
    record = dicom(NOISE, syntax, SeriesInstanceUID="1.2.3")
    whole, stream = saved(record), io.BytesIO()
    del record.file_meta, record.preamble
    pydicom.dcmwrite(stream, record, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    bare = stream.getvalue()
    for data in (whole, whole[132:], bare):
        header = read_header(file_of(tmp_path, data))
        assert (header.series, header.rows, header.problem) == ("1.2.3", 37, "")
        np.testing.assert_array_equal(decode(data, "x.dcm").pixels, NOISE)


def test_other_byte_order_and_deflated_files(tmp_path: Path) -> None:
    swapped = saved(dicom(NOISE.byteswap(), ExplicitVRBigEndian))
    deflated = saved(dicom(np.tile(NOISE, (40, 40)), DeflatedExplicitVRLittleEndian))
    assert read_header(file_of(tmp_path, swapped)).problem == ""
    assert decode(swapped, "x").pixels.dtype == np.uint16
    np.testing.assert_array_equal(decode(swapped, "x").pixels, NOISE)
    header = read_header(file_of(tmp_path, deflated))
    assert (header.rows, header.columns, header.problem) == (37 * 40, 23 * 40, "")
    np.testing.assert_array_equal(decode(deflated, "x").pixels, np.tile(NOISE, (40, 40)))


def test_a_header_costs_no_pixels(tmp_path: Path) -> None:
    file = file_of(tmp_path, saved(dicom(np.zeros((3000, 3000), np.uint16))))
    read_header(file)  # the imports
    tracemalloc.start()
    try:
        assert read_header(file).rows == 3000
        # The file has 18 million bytes.
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_header_costs_no_compressed_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = dicom(NOISE, RLELossless, SeriesInstanceUID="1.2.3")
    record.PixelData = encapsulate([bytes(4000)], fragments_per_frame=1000)
    record["PixelData"].is_undefined_length = True
    file = file_of(tmp_path, saved(record))
    monkeypatch.setattr("bench.data.images.dicom.MAX_READS", 500)
    header = read_header(file)
    assert (header.series, header.rows, header.problem) == ("1.2.3", 37, "")


def test_a_field_that_is_far_too_long_hides_no_other(tmp_path: Path) -> None:
    record = dicom(NOISE, ImplicitVRLittleEndian, SeriesInstanceUID="1.2.3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record.PatientID = "x" * 200_000
        data = saved(record)
    header = read_header(file_of(tmp_path, data))
    assert (header.series, header.rows, header.problem) == ("1.2.3", 37, "")
    assert header.patient_id == "x" * MAX_VALUE


PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"Rows": None}, "without an image"),
    ({"Columns": None}, "without an image"),
    ({"PixelData": None}, "without an image"),
    ({"NumberOfFrames": 3}, "3 frames of 1 channels"),
    ({"SamplesPerPixel": 3}, "1 frames of 3 channels"),
    ({"Rows": 0}, "23 x 0 pixels"),
    ({"Rows": 60000, "Columns": 60000}, "60000 x 60000 pixels, more than"),
    ({"Rows": 38}, "need 1748 bytes, 1702 are there"),
    ({"Rows": 18}, "need 828 bytes, 1702 are there"),
    ({"BitsAllocated": 32}, "need 3404 bytes, 1702 are there"),
    ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette"),
]


@pytest.mark.parametrize(("elements", "reason"), PROBLEMS)
def test_header_and_decoder_tell_the_same_problem(
    tmp_path: Path, elements: dict[str, Any], reason: str
) -> None:
    data = saved(dicom(NOISE, **elements))
    header = read_header(file_of(tmp_path, data))
    assert reason in header.problem
    with pytest.raises(UnreadableImage) as caught:
        decode(data, "x.dcm")
    assert str(caught.value) == header.problem


def test_a_cut_file_is_a_problem_that_its_size_tells(tmp_path: Path) -> None:
    data = saved(dicom(NOISE))
    assert read_header(file_of(tmp_path, data)).problem == ""
    cut = read_header(file_of(tmp_path, data[:-2]))
    assert (cut.rows, cut.columns) == (37, 23)
    assert "need 1702 bytes, 1700 are there" in cut.problem


def test_one_byte_may_fill_up_an_odd_length(tmp_path: Path) -> None:
    for side in (1, 3):
        pixels = np.arange(side * side, dtype=np.uint8).reshape(side, side) + 7
        data = saved(dicom(pixels, PixelData=pixels.tobytes() + b"\0"))
        assert read_header(file_of(tmp_path, data)).problem == ""
        np.testing.assert_array_equal(decode(data, "x").pixels, pixels)


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    mpeg = wrapped(b"x", MPEG2MPML, NOISE)
    unknown = saved(dicom(NOISE)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.77")
    for data, reason in ((mpeg, "MPEG2 Main Profile"), (unknown, "unknown")):
        problem = read_header(file_of(tmp_path, data)).problem
        assert problem.startswith("its transfer syntax is not supported")
        assert reason in problem


def test_what_is_no_dicom_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"x", b"path,label\n" * 50, b"<html>not found</html>"):
        with pytest.raises(UnreadableImage, match="not DICOM"):
            read_header(file_of(tmp_path, data))
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_header(tmp_path / "absent.dcm")
    with pytest.raises(UnreadableImage, match="not a file"):
        read_header(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.dcm")
        with pytest.raises(UnreadableImage, match="not a file"):
            read_header(tmp_path / "pipe.dcm")


START = b"\0" * 128 + b"DICM"
SEQUENCE = struct.pack("<HHL", 0x0008, 0x1140, 0xFFFFFFFF)  # of undefined length
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
EMPTY_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
UNKNOWN = struct.pack("<HHL", 0x0009, 0x1001, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<HHL", 0x0020, 0x000E, 0x7FFFFFF0) + b"\1" * 2_000_000,
        struct.pack("<HHL", 0x0008, 0x0005, 0x7FFFFFF0) + b"\1" * 2_000_000,
        struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 0xFFFFFFF0) + b"\1" * 2_000_000,
        SEQUENCE + EMPTY_ITEM * 250_000,
        (SEQUENCE + ITEM) * 100_000,
        SEQUENCE + (ITEM + UNKNOWN) * 100_000,
        UNKNOWN + b"\1" * 2_000_000,
    ],
    ids=["value", "charset", "meta", "items", "nested", "searched", "endless"],
)
def test_lengths_that_lie_cost_little(tmp_path: Path, body: bytes) -> None:
    """Before reads were counted some of these took minutes or a gigabyte."""
    file = file_of(tmp_path, START + body)
    started = time.process_time()
    with pytest.raises(UnreadableImage) as caught:
        decode(START + body, "x.dcm")
    assert len(str(caught.value).splitlines()) == 1
    tracemalloc.start()
    try:
        # A header without an image is one too, if nothing worse is found.
        with contextlib.suppress(UnreadableImage):
            assert read_header(file).problem
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    # Not a speed: the border between an end and none.
    assert time.process_time() - started < 60


def test_a_deflated_bomb_stays_small(tmp_path: Path) -> None:
    meta = saved(dicom(NOISE, DeflatedExplicitVRLittleEndian))
    head = meta[: meta.index(b"1.2.840.10008.1.2.1.99") + 22]
    squeeze = zlib.compressobj(9, wbits=-15)
    body = squeeze.compress(bytes(300_000_000)) + squeeze.flush()
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImage):
            read_header(file_of(tmp_path, head + body))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_nothing_is_warned_of_or_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = dicom(NOISE, PixelData=NOISE.tobytes() + b"\0" * 8)
    data = saved(record)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(file_of(tmp_path, data)).problem == ""
        np.testing.assert_array_equal(decode(data, "x").pixels, NOISE)
    assert capfd.readouterr() == ("", "")


# --- values and windows


def test_signed_values_turn_over_without_wrapping() -> None:
    pixels = np.array([[-32768, 0], [1000, 32767]], np.int16)
    inverted = decode(saved(dicom(pixels, PhotometricInterpretation="MONOCHROME1")), "x").pixels
    assert inverted.tolist() == [[65535, 32767], [31767, 0]]


def test_bits_that_are_not_stored_do_not_count() -> None:
    pixels = RAMP | np.uint16(0xF000)
    data = saved(dicom(pixels, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(decode(data, "x").pixels, RAMP)
    signed = (RAMP.astype(np.int16) - 2048) & 0x0FFF
    data = saved(dicom(signed.astype(np.int16), BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(decode(data, "x").pixels, RAMP.astype(np.int16) - 2048)


def linear(values: Array, centre: float, width: float) -> Array:
    """PS3.3 C.11.2.1.2.1, with an output from 0 to 255, not yet rounded."""
    inside = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    inside[values <= centre - 0.5 - (width - 1) / 2] = 0
    inside[values > centre - 0.5 + (width - 1) / 2] = 255
    return inside


def assert_rounded(pixels: Array, exact: Array) -> None:
    """Each pixel is the nearest whole number; on a half it may be either."""
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels, exact, rtol=0, atol=0.5 + 1e-6)


def twelve(pixels: Array = RAMP, **elements: Any) -> bytes:
    return saved(dicom(pixels, BitsStored=12, HighBit=11, **elements))


def test_the_first_window_is_applied_and_fills_eight_bits() -> None:
    data = twelve(WindowCenter=[2000, 100], WindowWidth=[1000, 100])
    pixels = decode(data, "x", window="voi").pixels
    assert_rounded(pixels, linear(RAMP.astype(float), 2000, 1000))
    assert (pixels.min(), pixels.max()) == (0, 255)
    # Without the asking the values are those in the file.
    np.testing.assert_array_equal(decode(data, "x").pixels, RAMP)


def test_a_window_counts_in_rescaled_values() -> None:
    data = twelve(WindowCenter=1000, WindowWidth=800, RescaleSlope=0.5, RescaleIntercept=100)
    expected = linear(RAMP * 0.5 + 100, 1000, 800)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_a_window_is_applied_only_where_the_file_has_one() -> None:
    window = {"WindowCenter": 1000, "WindowWidth": 800}
    assert decode(twelve(**window), "x", window="voi").windowed
    assert decode(twelve(**with_lut("VOILUTSequence", [0, 9], 0, 8)), "x", window="voi").windowed
    assert not decode(twelve(**window), "x").windowed
    assert not decode(twelve(WindowCenter=1000), "x", window="voi").windowed
    assert not decode(twelve(RescaleSlope=0.5, RescaleIntercept=100), "x", "voi").windowed
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "PNG")
    assert not decode(stream.getvalue(), "x.png", window="voi").windowed


def test_a_negative_slope_makes_low_stored_values_bright() -> None:
    rescale = {"RescaleSlope": -1, "RescaleIntercept": 4095}
    data = twelve(WindowCenter=1000, WindowWidth=800, **rescale)
    expected = linear(4095.0 - RAMP, 1000, 800)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)
    assert expected[0, 0] == 255
    unwindowed = twelve(**rescale)
    np.testing.assert_array_equal(decode(unwindowed, "x", window="voi").pixels, 4095 - RAMP)
    both = twelve(PhotometricInterpretation="MONOCHROME1", **rescale)
    np.testing.assert_array_equal(decode(both, "x", window="voi").pixels, RAMP)


def test_signed_values_are_windowed() -> None:
    stored = RAMP.astype(np.int16) - 2048
    data = twelve(stored, WindowCenter=-100, WindowWidth=500)
    expected = linear(stored.astype(float), -100, 500)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_other_window_functions() -> None:
    exact = twelve(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")
    values = RAMP.astype(float)
    # PS3.3 C.11.2.1.3.2 and C.11.2.1.3.1
    expected = np.clip((values - 2000) / 1000 + 0.5, 0, 1) * 255
    assert_rounded(decode(exact, "x", window="voi").pixels, expected)
    sigmoid = twelve(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID")
    expected = 255 / (1 + np.exp(-4 * (values - 2000) / 1000))
    assert_rounded(decode(sigmoid, "x", window="voi").pixels, expected)


@pytest.mark.parametrize(
    ("centre", "width"),
    [(100, 0), (100, 0.5), (100, -40), ("nan", 10), (100, "inf"), ("", 10), (100, ""), ("x", 10)],
)
def test_a_window_that_is_none_counts_as_absent(centre: Any, width: Any) -> None:
    data = twelve(WindowCenter="1234.5", WindowWidth="5432.5")
    assert b"1234.5" in data
    data = data.replace(b"1234.5", str(centre).ljust(6).encode())
    data = data.replace(b"5432.5", str(width).ljust(6).encode())
    decoded = decode(data, "x", window="voi")
    assert not decoded.windowed
    np.testing.assert_array_equal(decoded.pixels, RAMP)
    np.testing.assert_array_equal(decode(data, "x").pixels, RAMP)


@pytest.mark.parametrize("depth", [8, 9, 10, 12, 16])
def test_a_voi_table_comes_before_a_window(depth: int) -> None:
    # 300 entries: more than an 8-bit place can count. The last one holds for all that lies above.
    entries = (np.arange(300) * (2**depth - 1) // 299).tolist()
    data = twelve(WindowCenter=1, WindowWidth=1, **with_lut("VOILUTSequence", entries, 1000, depth))
    places = np.clip(RAMP.astype(int) - 1000, 0, 299)
    expected = np.array(entries)[places] * (255 / (2**depth - 1))
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_a_voi_table_takes_rescaled_values() -> None:
    entries = list(range(0, 65536, 256))
    data = twelve(
        RescaleSlope=-2,
        RescaleIntercept=4000,
        **with_lut("VOILUTSequence", entries, 500, 16),
    )
    places = np.clip(4000 - 2 * RAMP.astype(int) - 500, 0, 255)
    expected = np.array(entries)[places] * (255 / 65535)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_values_far_above_a_voi_table_get_its_last_entry() -> None:
    # Rescaled they go up to 409500, which 16 bits cannot hold.
    entries = list(range(0, 65536, 64))
    data = twelve(
        RescaleSlope=100, RescaleIntercept=0, **with_lut("VOILUTSequence", entries, 0, 16)
    )
    places = np.clip(100 * RAMP.astype(int), 0, 1023)
    expected = np.array(entries)[places] * (255 / 65535)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_a_modality_table_is_applied_with_and_without_a_window() -> None:
    entries = [(value * value) // 256 for value in range(4096)]
    table = with_lut("ModalityLUTSequence", entries, 0, 16)
    squared = np.array(entries)[RAMP]
    alone = decode(twelve(**table), "x", window="voi").pixels
    np.testing.assert_array_equal(alone, squared)
    data = twelve(WindowCenter=20000, WindowWidth=9000, **table)
    expected = linear(squared.astype(float), 20000, 9000)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)


def test_a_modality_table_that_begins_below_zero() -> None:
    # 32767 lies so far above the first place that 16 bits with a sign cannot count it.
    stored = np.array([[-32768, -2000], [-1999, 32767]], np.int16)
    data = saved(dicom(stored, **with_lut("ModalityLUTSequence", [5, 6, 7], -2000, 16)))
    assert decode(data, "x", window="voi").pixels.tolist() == [[5, 5], [6, 7]]


def test_without_table_or_window_the_values_are_the_files_own() -> None:
    for elements in ({}, {"RescaleSlope": 2, "RescaleIntercept": -5}, {"WindowCenter": 9}):
        np.testing.assert_array_equal(decode(twelve(**elements), "x", window="voi").pixels, RAMP)


def test_monochrome1_is_turned_over_once() -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    plain = decode(twelve(**window), "x", window="voi").pixels
    inverted = twelve(PhotometricInterpretation="MONOCHROME1", **window)
    np.testing.assert_array_equal(decode(inverted, "x", window="voi").pixels, 255 - plain)
    np.testing.assert_array_equal(decode(inverted, "x").pixels, 4095 - RAMP)


def test_wider_and_floating_values_are_windowed_too() -> None:
    pixels = RAMP.astype(np.uint32) * 1000
    data = saved(dicom(pixels, WindowCenter=2e6, WindowWidth=1e6))
    expected = linear(pixels.astype(float), 2e6, 1e6)
    assert_rounded(decode(data, "x", window="voi").pixels, expected)
    record = dicom(RAMP.astype(np.float32), PixelData=None, WindowCenter=2000, WindowWidth=1000)
    record.FloatPixelData = RAMP.astype(np.float32).tobytes()
    expected = linear(RAMP.astype(float), 2000, 1000)
    assert_rounded(decode(saved(record), "x", window="voi").pixels, expected)


def test_values_that_are_not_finite_are_refused_under_any_window() -> None:
    pixels = RAMP.astype(np.float32)
    pixels[3, 4] = np.nan
    table = with_lut("VOILUTSequence", list(range(256)), 0, 8)
    for elements in ({}, {"WindowCenter": 2000, "WindowWidth": 1000}, table):
        record = dicom(pixels, PixelData=None, **elements)
        record.FloatPixelData = pixels.tobytes()
        for window in ("own", "voi"):
            with pytest.raises(UnreadableImage, match="not finite"):
                decode(saved(record), "x", window=window)


def test_other_formats_ignore_the_window() -> None:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "PNG")
    np.testing.assert_array_equal(decode(stream.getvalue(), "x.png", window="voi").pixels, NOISE)


# --- compressed pixels


def jpeg_lossless(pixels: Array) -> bytes:
    """A lossless JPEG, as ITU-T T.81 annex H has it: predictor 1, every category 5 bits long."""
    height, width = pixels.shape
    left = np.zeros(pixels.shape, np.int64)
    left[:, 1:] = pixels[:, :-1]
    left[1:, 0] = pixels[:-1, 0]
    left[0, 0] = 2**15
    bits = []
    for difference in (pixels.astype(np.int64) - left).ravel().tolist():
        difference = (difference + 2**15) % 2**16 - 2**15
        if difference == -(2**15):
            bits.append(f"{16:05b}")
            continue
        size = abs(difference).bit_length()
        value = difference if difference >= 0 else difference + 2**size - 1
        bits.append(f"{size:05b}" + (f"{value:0{size}b}" if size else ""))
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    packed = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, *([0] * 4), 17, *([0] * 11), *range(17)])
    segments = (
        (0xFFC4, table),
        (0xFFC3, struct.pack(">BHHB3B", 16, height, width, 1, 1, 0x11, 0)),
        (0xFFDA, bytes([1, 1, 0, 1, 0, 0])),
    )
    head = b"".join(struct.pack(">HH", mark, len(body) + 2) + body for mark, body in segments)
    return b"\xff\xd8" + head + packed + b"\xff\xd9"


def jpeg_baseline(pixels: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def wrapped(frame: bytes, syntax: UID, pixels: Array, **elements: Any) -> bytes:
    record = dicom(pixels, syntax, PixelData=encapsulate([frame]), **elements)
    record["PixelData"].is_undefined_length = True
    record["PixelData"].VR = "OB"
    return saved(record)


def compressed(pixels: Array, syntax: UID) -> bytes:
    if syntax == JPEGLosslessSV1:
        return wrapped(jpeg_lossless(pixels), syntax, pixels)
    record = dicom(pixels)
    needed = {JPEG2000Lossless: "openjpeg", JPEGLSLossless: "jpeg_ls"}.get(syntax)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"no {needed} to write {syntax.name}; pip install 'vit-svm-bench[dicom]'")
    record.compress(syntax, generate_instance_uid=False)
    return saved(record)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1])
@pytest.mark.parametrize("pixels", [LARGER, RAMP, (LARGER >> 8).astype(np.uint8)])
def test_lossless_compression_comes_back(tmp_path: Path, syntax: UID, pixels: Array) -> None:
    if pixels.dtype == np.uint8 and syntax == JPEGLosslessSV1:
        pytest.skip("the encoder of this test writes 16 bits")
    data = compressed(pixels, syntax)
    if not get_decoder(syntax).is_available:
        pytest.skip(f"no decoder of {syntax.name}; pip install 'vit-svm-bench[dicom]'")
    header = read_header(file_of(tmp_path, data))
    assert (header.rows, header.columns, header.problem) == (*pixels.shape, "")
    decoded = decode(data, "x.dcm").pixels
    assert decoded.dtype == pixels.dtype
    np.testing.assert_array_equal(decoded, pixels)


def test_compressed_pixels_are_windowed() -> None:
    data = compressed(RAMP, RLELossless)
    record = pydicom.dcmread(io.BytesIO(data))
    record.WindowCenter, record.WindowWidth = 2000, 1000
    expected = linear(RAMP.astype(float), 2000, 1000)
    # The output range of 16 bits stored is wider than that of 12, and as 8 bits it is the same.
    assert_rounded(decode(saved(record), "x", window="voi").pixels, expected)


def test_eight_bit_jpeg_needs_no_extra(tmp_path: Path) -> None:
    smooth = (np.add.outer(np.arange(40), np.arange(50)) * 2).astype(np.uint8)
    for syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        data = wrapped(jpeg_baseline(smooth), syntax, smooth)
        assert read_header(file_of(tmp_path, data)).problem == ""
        assert np.abs(decode(data, "x").pixels.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize(
    ("syntax", "left"), [(JPEGLosslessSV1, ()), (JPEGLSLossless, ()), (JPEGExtended12Bit, "pillow")]
)
def test_a_missing_decoder_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: UID, left: str
) -> None:
    decoder = get_decoder(syntax)
    known = decoder._available
    kept = {name: known[name] for name in known if name == left}
    monkeypatch.setattr(decoder, "_available", kept)
    data = wrapped(jpeg_lossless(RAMP), syntax, RAMP, BitsStored=12, HighBit=11)
    problem = read_header(file_of(tmp_path, data)).problem
    assert problem == f"it is compressed ({syntax.name}): pip install 'vit-svm-bench[dicom]'"
    with pytest.raises(UnreadableImage) as caught:
        decode(data, "x.dcm")
    assert str(caught.value) == problem


def test_pillow_alone_is_enough_for_deep_jpeg_2000(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = get_decoder(JPEG2000Lossless)
    monkeypatch.setattr(decoder, "_available", {"pillow": decoder._available["pillow"]})
    data = compressed(LARGER, JPEG2000Lossless)
    assert read_header(file_of(tmp_path, data)).problem == ""
    np.testing.assert_array_equal(decode(data, "x.dcm").pixels, LARGER)


def patched(frame: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    start = frame.index(mark) + offset
    return frame[:start] + value + frame[start + len(value) :]


def test_a_compressed_image_larger_than_announced_is_not_decoded() -> None:
    """A decoder that believed the JPEG-LS one worked for five minutes and filled 14 GB."""
    huge = struct.pack(">HH", 60000, 60000)
    lossless, baseline = jpeg_lossless(NOISE), jpeg_baseline((NOISE >> 8).astype(np.uint8))
    jpeg_ls = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB3B", 11, 16, 60000, 60000, 1, 1, 0x11, 0)
    jpeg_2000 = struct.pack(
        ">4H8IH3B", 0xFF4F, 0xFF51, 41, 0, *[60000, 60000, 0, 0] * 2, 1, 15, 1, 1
    )
    for frame, syntax in (
        (patched(lossless, b"\xff\xc3", 5, huge), JPEGLosslessSV1),
        (patched(baseline, b"\xff\xc0", 5, huge), JPEGBaseline8Bit),
        (jpeg_ls, JPEGLSLossless),
        (jpeg_2000, JPEG2000Lossless),
    ):
        if not get_decoder(syntax).is_available:
            continue
        with pytest.raises(UnreadableImage, match="60000 x 60000"):
            decode(wrapped(frame, syntax, NOISE), "x")


@pytest.mark.parametrize(
    ("frame", "syntax", "reason"),
    [
        (b"\0\0", JPEGBaseline8Bit, "not JPEG"),
        (b"\xff\xd8", JPEGBaseline8Bit, "cannot be decoded"),
        (b"\xff\xd8\xff\xff\0\2\xff\xc0", JPEGBaseline8Bit, "not JPEG"),
        (b"\xff\xd8\xff\xe0\0\0" * 9, JPEGBaseline8Bit, "not JPEG"),
        (jpeg_baseline(NOISE.astype(np.uint8))[:300], JPEGBaseline8Bit, "cannot be decoded"),
        # A JP2 file whose box has the length 0: pydicom alone would never leave it.
        (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 99, JPEG2000Lossless, "no JPEG 2000"),
        (b"\xff\x4f\xff\x51\0", JPEG2000Lossless, "cannot be decoded"),
        (bytes(range(256)), RLELossless, "cannot be decoded"),
        (b"\0" * 200_000, RLELossless, "twice as long"),
    ],
)
def test_what_is_no_compressed_image_is_refused(frame: bytes, syntax: UID, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason) as caught:
        decode(wrapped(frame, syntax, NOISE), "x.dcm")
    assert len(str(caught.value).splitlines()) == 1


def test_of_two_compressed_frames_where_one_is_announced_the_first_is_taken() -> None:
    two = [pydicom.pixels.get_encoder(RLELossless).encode(dicom(one)) for one in (NOISE, NOISE + 1)]
    record = dicom(NOISE, RLELossless, PixelData=encapsulate(two))
    record["PixelData"].is_undefined_length = True
    np.testing.assert_array_equal(decode(saved(record), "x").pixels, NOISE)


def test_pixels_against_their_transfer_syntax(tmp_path: Path) -> None:
    data = compressed(NOISE, RLELossless)
    # The same length: RLE Lossless becomes Explicit VR Little Endian.
    data = data.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    assert "although its header says they are not" in read_header(file_of(tmp_path, data)).problem
    with pytest.raises(UnreadableImage, match="although its header says they are not"):
        decode(data, "x")
    data = saved(dicom(NOISE)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    with pytest.raises(UnreadableImage):
        decode(data, "x")


# --- real files


def test_the_real_crops(shared_data: Path, real_crops_of: Callable[[Path], list[Path]]) -> None:
    files = real_crops_of(shared_data / "cbis-ddsm")
    for file in files:
        header, record = read_header(file), pydicom.dcmread(file)
        assert header.series_description == "cropped images"
        assert header.series == record.SeriesInstanceUID
        assert header.patient_id == record.PatientID
        assert (header.rows, header.columns) == (record.Rows, record.Columns)
        assert header.problem == ""
        data = file.read_bytes()
        pixels = decode(data, file.name).pixels
        assert pixels.dtype == np.uint16
        assert pixels.shape == (record.Rows, record.Columns)
        assert pixels.min() == record.SmallestImagePixelValue
        assert pixels.max() == record.LargestImagePixelValue
        # They have neither a table nor a window.
        np.testing.assert_array_equal(decode(data, file.name, window="voi").pixels, pixels)
        eight = to_eight_bit(pixels)
        assert (eight.min(), eight.max()) == (0, 255)


@pytest.fixture
def real_crops_of() -> Callable[[Path], list[Path]]:
    """The three real crops, or a skip where they are not all there."""

    def find(folder: Path) -> list[Path]:
        files = sorted(folder.rglob("*.dcm"))
        if len(files) != 3:
            pytest.skip("the three real DICOM crops are not in the shared data")
        return files

    return find
