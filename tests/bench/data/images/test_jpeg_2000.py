"""JPEG 2000 in DICOM: the JP2 container, and headers that contradict PixelRepresentation."""

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    SecondaryCaptureImageStorage,
)

from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage

SMOOTH = (np.add.outer(np.arange(48), np.arange(40)) * 300 + 20_000).astype(np.uint16)
SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
FTYP = struct.pack(">L4s4sL4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(content), kind) + content


def jp2(pixels: NDArray[Any]) -> bytes:
    """A JP2 file as Pillow writes it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False)
    return stream.getvalue()


def codestream(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    return stream.getvalue()


def dicom(
    frame: bytes, shape: tuple[int, int], syntax: UID = JPEG2000Lossless, **elements: Any
) -> bytes:
    """A file around one compressed frame of 16 bits."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = SecondaryCaptureImageStorage
    record.SOPInstanceUID = "2.25.1"
    record.Rows, record.Columns = shape
    record.BitsAllocated = record.BitsStored = 16
    record.HighBit, record.SamplesPerPixel, record.PixelRepresentation = 15, 1, 0
    record.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in elements.items():
        setattr(record, keyword, value)
    record.PixelData = encapsulate([frame])
    record["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("pixels", [SMOOTH, (SMOOTH >> 8).astype(np.uint8)])
def test_a_jp2_container_is_taken_off(pixels: NDArray[Any]) -> None:
    bits = 8 * pixels.dtype.itemsize
    sizes = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    decoded = decode(dicom(jp2(pixels), pixels.shape, **sizes), "x.dcm").pixels
    assert decoded.dtype == pixels.dtype
    np.testing.assert_array_equal(decoded, pixels)


def test_boxes_of_every_length_lead_to_the_codestream() -> None:
    stream = codestream(SMOOTH)
    for boxes in (
        FTYP + box(b"jp2h", b"x" * 37) + box(b"uuid", b"y" * 99) + box(b"jp2c", stream),
        FTYP + struct.pack(">L4s", 0, b"jp2c") + stream,
        FTYP + struct.pack(">L4sQ", 1, b"jp2c", 16 + len(stream)) + stream,
        box(b"jp2c", stream) + box(b"xml ", b"<later/>"),
    ):
        decoded = decode(dicom(SIGNATURE + boxes, SMOOTH.shape), "x.dcm").pixels
        np.testing.assert_array_equal(decoded, SMOOTH)


def test_all_decoders_read_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = get_decoder(JPEG2000Lossless)
    for name, plugin in dict(decoder._available).items():
        monkeypatch.setattr(decoder, "_available", {name: plugin})
        decoded = decode(dicom(jp2(SMOOTH), SMOOTH.shape), "x.dcm").pixels
        np.testing.assert_array_equal(decoded, SMOOTH)


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        (b"", "holds no JPEG 2000 image"),
        (b"\0" * 99, "not JPEG 2000|holds no JPEG 2000 image"),
        (struct.pack(">L4s", 3, b"ftyp") * 20, "holds no JPEG 2000 image"),
        (box(b"free", b"") * 100_000, "twice as long|holds no JPEG 2000 image"),
        (struct.pack(">L4sQ", 1, b"ftyp", 2**63), "holds no JPEG 2000 image"),
        (box(b"jp2h", b"\0\0\0\x0apclr  "), "palette"),
        (box(b"jp2c", b"\0" * 60), "not JPEG 2000"),
        (box(b"jp2c", codestream(SMOOTH)[:30]), "cannot be decoded"),
        (box(b"jp2c", codestream(SMOOTH[:24])), "40 x 48 pixels, the compressed image 40 x 24"),
    ],
)
def test_a_damaged_container_is_refused(boxes: bytes, reason: str) -> None:
    for syntax in (JPEG2000Lossless, HTJ2KLossless):
        if not get_decoder(syntax).is_available:
            continue
        with pytest.raises(UnreadableImage, match=reason) as caught:
            decode(dicom(SIGNATURE + boxes, SMOOTH.shape, syntax), "x.dcm")
        assert len(str(caught.value).splitlines()) == 1


def resigned(frame: bytes) -> bytes:
    """The same codestream with the other sign in its header."""
    place = frame.index(b"\xff\x4f\xff\x51") + 42
    return frame[:place] + bytes([frame[place] ^ 0x80]) + frame[place + 1 :]


def signed_codestream(pixels: NDArray[np.int16], bits: int) -> bytes:
    openjpeg = pytest.importorskip("openjpeg.utils", reason="pylibjpeg-openjpeg writes signed")
    data: bytes = openjpeg.encode_array(
        pixels, bits_stored=bits, photometric_interpretation=2, use_mct=False
    )
    return data


def steps(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels.astype(np.int64) - int(pixels.min())


@pytest.mark.parametrize("decoder_name", ["pylibjpeg", "pillow"])
@pytest.mark.parametrize("representation", [0, 1])
def test_a_sign_that_contradicts_the_header_wraps_nothing_around(
    monkeypatch: pytest.MonkeyPatch, decoder_name: str, representation: int
) -> None:
    """The values cross the middle of the range, where a wrong reading jumps by 65,536."""
    decoder = get_decoder(JPEG2000Lossless)
    if decoder_name not in decoder._available:
        pytest.skip(f"{decoder_name} is not installed")
    plugin = decoder._available[decoder_name]
    monkeypatch.setattr(decoder, "_available", {decoder_name: plugin})
    noise = np.random.default_rng(1).integers(0, 900, SMOOTH.shape, np.uint16)
    unsigned = SMOOTH + noise
    signed = (unsigned.astype(np.int32) - 32768).astype(np.int16)
    frames = {
        "unsigned": codestream(unsigned),
        "unsigned, header says signed": resigned(codestream(unsigned)),
        "signed": signed_codestream(signed, 16),
        "signed, header says unsigned": resigned(signed_codestream(signed, 16)),
    }
    for name, frame in frames.items():
        data = dicom(frame, SMOOTH.shape, PixelRepresentation=representation)
        decoded = decode(data, "x.dcm")
        np.testing.assert_array_equal(steps(decoded.pixels), steps(unsigned), err_msg=name)
        is_signed = frame[42] >> 7
        assert decoded.facts.contradictory == (is_signed != representation)


def test_the_bits_are_kept_where_they_are_the_smoother_reading() -> None:
    """As in CT: -2000 around a patient, written as unsigned 13 bits."""
    openjpeg = pytest.importorskip("openjpeg.utils", reason="pylibjpeg-openjpeg writes 13 bits")
    values = np.full(SMOOTH.shape, -2000, np.int16)
    values[10:30, 10:30] = np.arange(-100, 300).reshape(20, 20)
    frame = openjpeg.encode_array(
        (values & 0x1FFF).astype(np.uint16),
        bits_stored=13,
        photometric_interpretation=2,
        use_mct=False,
    )
    data = dicom(frame, SMOOTH.shape, PixelRepresentation=1, BitsStored=13, HighBit=12)
    np.testing.assert_array_equal(decode(data, "x.dcm").pixels, values)
