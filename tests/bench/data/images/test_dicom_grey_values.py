"""DICOM: padding, tables and windows that cannot be applied, and delimiters that end nothing."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from bench.data.crops.regions import cut_out
from bench.data.images.decoding import decode
from bench.data.images.dicom import read_header
from bench.data.images.pixels import to_eight_bit

# 106 grey levels of tissue beside padding that is far away from them.
TISSUE = np.arange(106, dtype=np.uint16).repeat(10).reshape(20, 53) * 3 + 1000
WHERE = np.zeros(TISSUE.shape, bool)
WHERE[:, 40:] = True


def dicom(
    pixels: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, **elements: Any
) -> FileDataset:
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
    if pixels.dtype.kind == "f":
        record.FloatPixelData = pixels.tobytes()
        del record.BitsStored, record.HighBit, record.PixelRepresentation
    else:
        record.add_new("PixelData", "OW", pixels.tobytes())
    for keyword, value in elements.items():
        setattr(record, keyword, value)
    return record


def saved(record: FileDataset) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


def padded(value: int, dtype: Any = np.uint16) -> NDArray[Any]:
    return np.where(WHERE, value, TISSUE).astype(dtype)


def assert_tissue(data: bytes, inverted: bool = False) -> None:
    """Padding is black, and the tissue has the whole range to itself."""
    eight = to_eight_bit(decode(data, "x.dcm").pixels)
    assert not eight[WHERE].any()
    alone = to_eight_bit(TISSUE[~WHERE].reshape(20, 40))
    expected = 255 - alone if inverted else alone
    np.testing.assert_allclose(eight[~WHERE].reshape(20, 40), expected, atol=int(inverted))
    assert len(np.unique(eight)) == len(np.unique(alone))


# --- padding


@pytest.mark.parametrize("value", [0, 65535, 4000])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_takes_no_part_in_minimum_and_maximum(value: int, photometric: str) -> None:
    record = dicom(padded(value), PhotometricInterpretation=photometric, PixelPaddingValue=value)
    assert_tissue(saved(record), inverted=photometric == "MONOCHROME1")


def test_padding_of_signed_pixels_however_it_is_written() -> None:
    pixels = padded(-2000, np.int16)
    for value, kind in ((-2000, "SS"), (63536, "US")):
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
            record = dicom(pixels, syntax)
            record.add_new("PixelPaddingValue", kind, value)
            assert_tissue(saved(record))
    twelve = dicom(padded(-2000, np.int16), BitsStored=12, HighBit=11)
    twelve.add_new("PixelPaddingValue", "US", -2000 % 2**12)
    assert_tissue(saved(twelve))


def test_padding_up_to_a_range_limit_in_either_order() -> None:
    pixels = padded(30)
    pixels[:5, 40:] = 60
    pixels[5:9, 40:] = 45
    for value, limit in ((30, 60), (60, 30)):
        record = dicom(pixels, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
        assert_tissue(saved(record))
    alone = dicom(TISSUE, PixelPaddingRangeLimit=1100)
    np.testing.assert_array_equal(decode(saved(alone), "x").pixels, TISSUE)


def test_padding_of_compressed_and_float_pixels() -> None:
    record = dicom(padded(0), PixelPaddingValue=0)
    record.compress(RLELossless, generate_instance_uid=False)
    assert_tissue(saved(record))
    for value in (-1e9, float("nan")):
        pixels = np.where(WHERE, value, TISSUE).astype(np.float32)
        assert_tissue(saved(dicom(pixels, FloatPixelPaddingValue=value)))


def test_padding_is_black_under_a_window() -> None:
    window = {"WindowCenter": 1200, "WindowWidth": 400}
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        shown = {"PhotometricInterpretation": photometric, **window}
        with_value = saved(dicom(padded(65535), PixelPaddingValue=65535, **shown))
        without = saved(dicom(TISSUE, **shown))
        expected = np.where(WHERE, 0, decode(without, "x", "voi").pixels)
        np.testing.assert_array_equal(decode(with_value, "x", "voi").pixels, expected)


def test_padding_takes_no_part_in_the_range_of_a_region() -> None:
    pixels = np.full((40, 40), 100, np.uint16)
    pixels[10:30, 10:30] = np.arange(400).reshape(20, 20) + 3000
    pixels[10:30, 20:] = 0
    decoded = decode(saved(dicom(pixels, PixelPaddingValue=0)), "x")
    region = cut_out(decoded.pixels, (20, 20, 10), decoded.padding)
    assert not region[:, 10:].any()
    np.testing.assert_array_equal(region[:, :10], to_eight_bit(pixels[10:30, 10:20]))
    nothing = cut_out(decoded.pixels, (20, 25, 5), decoded.padding)
    assert not nothing.any()


def test_padding_that_is_not_there_or_is_all_changes_nothing() -> None:
    for value in (7, 65535):
        data = saved(dicom(TISSUE, PixelPaddingValue=value))
        np.testing.assert_array_equal(decode(data, "x").pixels, TISSUE)
    flat = np.full((5, 6), 9, np.uint16)
    data = saved(dicom(flat, PixelPaddingValue=9))
    np.testing.assert_array_equal(decode(data, "x").pixels, flat)


def test_padding_of_eight_bits_leaves_the_others_as_they_are() -> None:
    pixels = np.where(WHERE, 255, TISSUE % 200 + 20).astype(np.uint8)
    expected = np.where(WHERE, 0, pixels)
    data = saved(dicom(pixels, PixelPaddingValue=255))
    np.testing.assert_array_equal(decode(data, "x").pixels, expected)


# --- tables and windows


def table(descriptor: list[int], data: bytes | None) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    if data is not None:
        item.add_new("LUTData", "OW", data)
    return item


WINDOW = {"WindowCenter": 1200, "WindowWidth": 400}
UNUSABLE: dict[str, list[Dataset]] = {
    "no item": [],
    "empty item": [Dataset()],
    "no data": [table([300, 1000, 16], None)],
    "too few entries": [table([300, 1000, 16], b"\1\2" * 20)],
    "no depth": [table([300, 1000], b"\1\2" * 300)],
    "depth 0": [table([300, 1000, 0], b"\1\2" * 300)],
}


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_table_that_is_none_counts_as_absent(keyword: str, name: str) -> None:
    expected = decode(saved(dicom(TISSUE, **WINDOW)), "x", "voi").pixels
    data = saved(dicom(TISSUE, **WINDOW, **{keyword: UNUSABLE[name]}))
    np.testing.assert_array_equal(decode(data, "x", "voi").pixels, expected)
    decoded = decode(saved(dicom(TISSUE, **{keyword: UNUSABLE[name]})), "x", "voi")
    assert not decoded.windowed
    np.testing.assert_array_equal(decoded.pixels, TISSUE)


def test_the_first_usable_table_or_window_is_taken() -> None:
    usable = table([400, 1000, 16], np.arange(400, dtype="<u2")[::-1].tobytes())
    expected = decode(saved(dicom(TISSUE, VOILUTSequence=[usable])), "x", "voi").pixels
    data = saved(dicom(TISSUE, VOILUTSequence=[Dataset(), usable]))
    np.testing.assert_array_equal(decode(data, "x", "voi").pixels, expected)
    expected = decode(saved(dicom(TISSUE, **WINDOW)), "x", "voi").pixels
    data = saved(dicom(TISSUE, WindowCenter=[7, 1200, 9], WindowWidth=[0, 400, 50]))
    np.testing.assert_array_equal(decode(data, "x", "voi").pixels, expected)


def test_tables_of_one_byte_an_entry_and_of_odd_depths() -> None:
    entries = (np.arange(400) * 255 // 399).astype(np.uint8)
    narrow, wide = table([400, 1000, 8], entries.tobytes()), entries.astype("<u2").tobytes()
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        one = decode(saved(dicom(TISSUE, **{keyword: [narrow]})), "x", "voi").pixels
        two = saved(dicom(TISSUE, **{keyword: [table([400, 1000, 8], wide)]}))
        np.testing.assert_array_equal(decode(two, "x", "voi").pixels, one)
    twelve = table([400, 1000, 12], (np.arange(400, dtype="<u2") * 10).tobytes())
    decoded = decode(saved(dicom(TISSUE, ModalityLUTSequence=[twelve])), "x", "voi").pixels
    np.testing.assert_array_equal(decoded, (TISSUE - 1000) * 10)


@pytest.mark.parametrize("function", ["", "OTHER"])
def test_a_window_function_that_is_empty_or_unknown(function: str) -> None:
    decoded = decode(saved(dicom(TISSUE, **WINDOW, VOILUTFunction=function)), "x", "voi")
    expected = decode(saved(dicom(TISSUE, **WINDOW)), "x", "voi").pixels if not function else TISSUE
    assert decoded.windowed == (not function)
    np.testing.assert_array_equal(decoded.pixels, expected)


def test_a_rescale_that_is_none_counts_as_absent() -> None:
    expected = decode(saved(dicom(TISSUE, **WINDOW)), "x", "voi").pixels
    for slope, intercept in (("0", "5"), ("", ""), ("1", ""), ("", "0")):
        data = saved(dicom(TISSUE, RescaleSlope=slope, RescaleIntercept=intercept, **WINDOW))
        np.testing.assert_array_equal(decode(data, "x", "voi").pixels, expected)


def test_float_pixels_are_windowed() -> None:
    pixels = TISSUE.astype(np.float32)
    expected = decode(saved(dicom(TISSUE, **WINDOW)), "x", "voi").pixels
    decoded = decode(saved(dicom(pixels, **WINDOW)), "x", "voi").pixels
    np.testing.assert_array_equal(decoded, expected)


# --- delimiters


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("tag", [0xE00D, 0xE0DD, 0xE000])
@pytest.mark.parametrize("count", [1, 3])
def test_a_stray_delimiter_ends_nothing(tmp_path: Path, syntax: UID, tag: int, count: int) -> None:
    data = saved(dicom(TISSUE, syntax, SeriesInstanceUID="1.2.3", **WINDOW))
    stray = struct.pack("<HHL", 0xFFFE, tag, 0) * count
    for before in (0x00280002, 0x00280010, 0x00281050, 0x7FE00010):
        place = data.index(struct.pack("<HH", before >> 16, before & 0xFFFF))
        changed = data[:place] + stray + data[place:]
        (tmp_path / "x.dcm").write_bytes(changed)
        header = read_header(tmp_path / "x.dcm")
        assert (header.rows, header.series, header.problem) == (20, "1.2.3", "")
        np.testing.assert_array_equal(decode(changed, "x").pixels, TISSUE)
        assert decode(changed, "x", "voi").windowed


def test_delimiters_without_end_cost_little() -> None:
    data = saved(dicom(TISSUE))
    place = data.index(struct.pack("<HH", 0x0028, 0x0010))
    many = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) * 200_000
    with pytest.raises(Exception, match="far too long"):
        decode(data[:place] + many + data[place:], "x.dcm")
