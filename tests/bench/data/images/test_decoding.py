"""From a file's bytes to pixels: 8 and 16 bits, DICOM, and every way a file can be bad."""

import io
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from bench.data.crops.regions import fit_square
from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage, to_eight_bit


def encoded(pixels: NDArray[np.generic], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def dicom(pixels: NDArray[np.generic], photometric: str = "MONOCHROME2") -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.Rows, record.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    record.BitsAllocated = record.BitsStored = bits
    record.HighBit, record.PixelRepresentation, record.SamplesPerPixel = bits - 1, 0, 1
    record.PhotometricInterpretation = photometric
    record.PixelData = pixels.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, record)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunk += struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + chunk


PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.mark.parametrize("kind", ["PNG", "PPM", "TIFF", "BMP"])
def test_eight_bits_come_back_as_they_are(kind: str) -> None:
    np.testing.assert_array_equal(decode(encoded(PIXELS, kind), "x").pixels, PIXELS)


@pytest.mark.parametrize("kind", ["PNG", "PPM", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_own_range(kind: str) -> None:
    pixels = np.array([[37455, 65535], [51495, 37455]], np.uint16)
    eight = to_eight_bit(decode(encoded(pixels, kind), "x").pixels)
    assert eight.tolist() == [[0, 255], [128, 0]]


def test_sixteen_bits_all_alike_become_zero() -> None:
    with np.errstate(all="raise"):
        assert not to_eight_bit(np.full((3, 4), 65535, np.uint16)).any()


def in_floats(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """What `to_eight_bit` is to give, in doubles throughout."""
    values = pixels.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * 255.0 / (high - low)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i2", ">i2", "i1", "<u4", "<i4", "<f4"])
def test_eight_bits_through_a_table_are_those_of_the_formula(kind: str) -> None:
    rng = np.random.default_rng(11)
    span = 2.0**16 if kind == "<f4" else 2.0 ** (8 * np.dtype(kind).itemsize)
    lowest = -span / 2 if np.dtype(kind).kind == "i" else 0
    for _ in range(40):
        low, high = np.sort(rng.integers(0, int(span), 2)) + lowest
        pixels = rng.uniform(low, high + 1, (31, 57)).astype(kind)
        if pixels.min() == pixels.max():
            continue
        with np.errstate(all="raise"):
            eight = to_eight_bit(pixels)
        np.testing.assert_array_equal(eight, in_floats(pixels))


def test_every_step_between_two_values_is_rounded_as_by_the_formula() -> None:
    whole = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(to_eight_bit(whole), in_floats(whole))
    # With 510 steps every other one lies on a half.
    halves = np.arange(3000, 3511, dtype=np.uint16).reshape(7, 73)
    np.testing.assert_array_equal(to_eight_bit(halves), in_floats(halves))


def test_a_film_is_made_eight_bit_without_a_wider_copy() -> None:
    film = np.arange(2**22, dtype=np.uint32).astype(np.uint16).reshape(2048, 2048)
    tracemalloc.start()
    try:
        eight = to_eight_bit(film)
        # The result has 4 million bytes; one copy in doubles would have 32 million.
        assert tracemalloc.get_traced_memory()[1] < eight.nbytes + 6_000_000
    finally:
        tracemalloc.stop()


def test_an_unknown_window_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="own, voi"):
        decode(encoded(PIXELS), "x.png", window="best")


def test_nothing_is_warned_of() -> None:
    # Pillow warns of the transparency.
    palette = Image.fromarray(PIXELS).convert("P")
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=bytes(range(4)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(stream.getvalue(), "x.png").pixels.shape == PIXELS.shape


def test_colour_becomes_one_channel() -> None:
    pixels = decode(encoded(np.full((5, 6, 3), 77, np.uint8)), "x").pixels
    assert pixels.shape == (5, 6)
    assert (pixels == 77).all()


def test_dicom_and_its_inverted_form() -> None:
    pixels = np.array([[100, 300], [200, 100]], np.uint16)
    assert to_eight_bit(decode(dicom(pixels), "x").pixels).tolist() == [[0, 255], [128, 0]]
    inverted = to_eight_bit(decode(dicom(pixels, "MONOCHROME1"), "x").pixels)
    assert inverted.tolist() == [[255, 0], [128, 255]]
    eight = np.array([[0, 10], [20, 255]], np.uint8)
    assert decode(dicom(eight, "MONOCHROME1"), "x").pixels.tolist() == [[255, 245], [235, 0]]


@pytest.mark.parametrize(
    "name", [f"Calc_Test_ROI_{number}_1-1.png" for number in ("07570", "10820", "11317")]
)
def test_real_sixteen_bit_crops(shared_data: Path, name: str) -> None:
    file = shared_data / "cbis-ddsm" / "loose" / name
    if not file.is_file():
        pytest.skip(f"no {name} in the shared data")
    data = file.read_bytes()
    pixels = decode(data, name).pixels
    # The PNG's own header: width, height, bits.
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    assert (*pixels.shape, pixels.dtype.itemsize * 8) == (height, width, bits)
    assert bits == 16
    # Such crops use a part of the range, and not 8 bits of it.
    assert pixels.min() > 10_000
    assert len(np.unique(pixels)) > 256
    eight = to_eight_bit(pixels)
    assert (eight.min(), eight.max()) == (0, 255)
    np.testing.assert_array_equal(eight, in_floats(pixels))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "x.png", "empty"),
        (b"<html>not found</html>", "x.png", "not an image"),
        (b"path,label\n", "x.jpg", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "x.png", "not an image"),
        (b"nothing", "x.dcm", "DICOM without an image"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 50, "x", "DICOM without an image"),
        (encoded(PIXELS)[:-25], "x.png", "cannot be decoded"),
        (encoded(np.tile(PIXELS, (40, 40)), "JPEG")[:600], "x.jpg", "cannot be decoded"),
        (encoded(PIXELS, "PPM")[:-1], "x.pgm", "cannot be decoded"),
        (dicom(PIXELS.astype(np.uint16))[:-3], "x.dcm", "cannot be decoded"),
        (dicom(np.ones((0, 0), np.uint16)), "x.dcm", "0 x 0"),
        (png_header(2**15, 2**15), "x.png", "too many pixels"),
        (png_header(2**14, 2**13 + 1), "x.png", "16384 x 8193"),
        (b"P5 32768 32768 255\n" + b"\0" * 999, "x.pgm", "too many pixels"),
        (b"P5 16384 8193 255\n" + b"\0" * 999, "x.pgm", "16384 x 8193"),
    ],
)
def test_bad_files_say_why(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason) as caught:
        decode(data, name)
    assert len(str(caught.value).splitlines()) == 1


def test_a_dicom_header_with_absurd_numbers_is_not_decoded() -> None:
    record = pydicom.dcmread(io.BytesIO(dicom(PIXELS.astype(np.uint16))))
    record.Rows = record.Columns = 60000
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, record)
    with pytest.raises(UnreadableImage, match="60000 x 60000"):
        decode(stream.getvalue(), "x.dcm")


def test_a_gigapixel_header_costs_no_memory() -> None:
    files = [png_header(2**15, 2**15), b"P5 32768 32768 255\n", b"P5 16384 8193 65535\n"]
    tracemalloc.start()
    try:
        for data in files:
            with pytest.raises(UnreadableImage):
                decode(data, "x")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_padding_keeps_proportions() -> None:
    square = fit_square(np.full((50, 100), 200, np.uint8), 64, "pad")
    # 100 columns become 64 and 50 rows 32, with 16 rows of zeros above and below.
    assert (square[16:48] == 200).all()
    assert not square[:16].any()
    assert not square[48:].any()
    tall = fit_square(np.full((100, 25), 200, np.uint8), 9, "pad")
    # 25 columns become 2.25, so 2; of the 7 that are left 3 stand on the left and 4 on the right.
    assert np.flatnonzero(tall.any(axis=0)).tolist() == [3, 4]
    thread = fit_square(np.full((1, 5000), 200, np.uint8), 64, "pad")
    assert np.flatnonzero(thread.any(axis=1)).tolist() == [31]


def test_stretching_fills_the_square() -> None:
    assert (fit_square(np.full((50, 100), 200, np.uint8), 64, "stretch") == 200).all()


def test_reduction_does_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    small = fit_square(stripes, 32, "pad")
    assert small.min() > 110
    assert small.max() < 145


def test_a_tiff_whose_zero_is_white_is_turned_over(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 20
    plain, inverted = tmp_path / "a.tif", tmp_path / "b.tif"
    Image.fromarray(pixels).save(plain)
    Image.fromarray(pixels).save(inverted, tiffinfo={262: 0})
    np.testing.assert_array_equal(decode(plain.read_bytes(), plain.name).pixels, pixels)
    found = decode(inverted.read_bytes(), inverted.name).pixels.astype(int)
    assert (np.diff(found.ravel()) == -20).all()
