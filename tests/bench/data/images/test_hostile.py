"""Small files that announce gigabytes or hours: each is refused or decoded within the bounds.

Memory and time are those of a process of its own, as the operating system counts them.
"""

import contextlib
import io
import struct
import subprocess
import sys
import threading
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
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from bench.data.images.bounds import MAX_MEMORY, MAX_SECONDS, Room
from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage, to_eight_bit

MEASURED = """
import resource, sys, time
from bench.data.images import bounds, isolated
bounds.MAX_SECONDS = isolated.MAX_SECONDS = float(sys.argv[2])
from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage, to_eight_bit
from pathlib import Path
start = time.process_time()
try:
    pixels = decode(Path(sys.argv[1]).read_bytes(), sys.argv[1], "voi").pixels
    said = "read", to_eight_bit(pixels).shape
except UnreadableImage as error:
    said = "refused", str(error)
took = time.process_time() - start
isolated._end_all()
child = resource.getrusage(resource.RUSAGE_CHILDREN)
took += child.ru_utime + child.ru_stime
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(took, int(peak), child.ru_maxrss, *said, sep="|")
"""
# What Python, numpy and the decoders take themselves, in two processes.
LIBRARIES = 2**28 + 2**27


def measured(
    data: bytes, folder: Path, ending: str, seconds: float = MAX_SECONDS
) -> tuple[float, int, str, str]:
    """Seconds of processor time, bytes, whether it was read, and its shape or the reason."""
    file = folder / f"hostile{ending}"
    file.write_bytes(data)
    command = [sys.executable, "-c", MEASURED, str(file), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    took, own, child, outcome, said = done.stdout.strip().split("|")
    return float(took), (int(own) + int(child)) * 1024, outcome, said


def picture(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def black_png(shape: tuple[int, ...], kind: type) -> bytes:
    return picture(np.zeros(shape, kind), "PNG", compress_level=1)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose second scan, of a few bytes, comes again and again."""
    data = picture(np.zeros((side, side), np.uint8), "JPEG", progressive=True)
    tables = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
    end = data.index(b"\xff", data.index(b"\xff\xda", tables) + 12)
    while data[end + 1] == 0:
        end = data.index(b"\xff", end + 2)
    return data[:end] + (data[data.index(b"\xff\xda", tables) : end]) * count + b"\xff\xd9"


def tiff(side: int, *edits: tuple[int, int, int], count: int = 1) -> bytes:
    """A deflated TIFF of floats, all of them zero, with other entries in its directory."""
    row = zlib.compress(bytes(4 * side * side), 9)
    values = {
        256: (4, 1, side), 257: (4, 1, side), 258: (3, 1, 32), 259: (3, 1, 8), 262: (3, 1, 1),
        273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, side), 279: (4, 1, len(row)), 339: (3, 1, 3),
    }  # fmt: skip
    values |= {tag: (kind, 1, value) for tag, kind, value in edits}
    body = struct.pack("<2sHL", b"II", 42, 8 + len(row)) + row
    directory = struct.pack("<H", len(values))
    for tag, (kind, number, value) in sorted(values.items()):
        directory += struct.pack("<HHLL", tag, kind, number, value)
    length = len(directory) + 4
    places = [len(body) + length * index for index in range(1, count)] + [0]
    return body + b"".join(directory + struct.pack("<L", place) for place in places)


def dicom(syntax: UID, pixels: bytes, **elements: Any) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID, record.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    record.SamplesPerPixel, record.PhotometricInterpretation = 1, "MONOCHROME1"
    record.BitsAllocated = record.BitsStored = 16
    record.HighBit, record.PixelRepresentation = 15, 1
    for keyword, value in elements.items():
        setattr(record, keyword, value)
    record.add_new("PixelData", "OB" if syntax.is_encapsulated else "OW", pixels)
    record.file_meta.TransferSyntaxUID = syntax
    record["PixelData"].is_undefined_length = syntax.is_encapsulated
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


def deflated(side: int, bits: int) -> bytes:
    size = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    pixels = bytes(side * side * bits // 8)
    return dicom(DeflatedExplicitVRLittleEndian, pixels, Rows=side, Columns=side, **size)


def jpeg_2000(side: int, precinct: int = 0, levels: int = 5, layers: int = 1) -> bytes:
    """A codestream without data; precincts of so few pixels would need as many structures."""
    size = struct.pack(">HHLLLLLLLLHBBB", 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 15, 1, 1)
    style = struct.pack(">BBHBBBBBB", 1, 0, layers, 0, levels, 0, 0, 0, 1)
    style += bytes([precinct * 0x11]) * (levels + 1)
    quantization = struct.pack(">HB", 4 + 3 * levels, 0x40) + b"\x80" * (3 * levels + 1)
    stream = b"\xff\x4f\xff\x51" + size
    stream += b"\xff\x52" + struct.pack(">H", len(style) + 2) + style + b"\xff\x5c" + quantization
    part = b"\0" * 4096
    stream += b"\xff\x90" + struct.pack(">HHLBB", 10, 0, 14 + len(part), 0, 1) + b"\xff\x93" + part
    frame = stream + b"\xff\xd9"
    return dicom(JPEG2000Lossless, encapsulate([frame]), Rows=side, Columns=side)


def chunks(count: int) -> bytes:
    """A PNG with so many chunks of no data before its picture."""
    data = picture(np.zeros((9, 9), np.uint8), "PNG")
    place = data.index(b"IDAT") - 4
    empty = struct.pack(">L4sL", 0, b"tESt", zlib.crc32(b"tESt"))
    return data[:place] + empty * count + data[place:]


def exif(side: int) -> bytes:
    turned = Image.Exif()
    turned[274] = 6
    return picture(np.zeros((side, side, 3), np.uint8), "JPEG", exif=turned)


HUGE = 11_500
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty scans": (lambda: scans(8000, 2000), ".jpg"),
    "empty scans, fewer": (lambda: scans(8000, 100), ".jpg"),
    "float TIFF": (lambda: tiff(HUGE), ".tif"),
    "TIFF with huge tiles": (
        lambda: tiff(64, (322, 4, 2**17), (323, 4, 2**14), (324, 4, 8), (325, 4, 64)), ".tif",
    ),
    "TIFF with many pages": (lambda: tiff(64, count=200_000), ".tif"),
    "deflated DICOM, 16 bits": (lambda: deflated(HUGE, 16), ".dcm"),
    "deflated DICOM, 32 bits": (lambda: deflated(8000, 32), ".dcm"),
    "RGB PNG": (lambda: black_png((HUGE, HUGE, 3), np.uint8), ".png"),
    "16-bit PNG": (lambda: black_png((HUGE, HUGE), np.uint16), ".png"),
    "PNG of many chunks": (lambda: chunks(4_000_000), ".png"),
    "EXIF orientation": (lambda: exif(HUGE), ".jpg"),
    "JPEG of many segments": (
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 10_000_000 + exif(9)[2:], ".jpg",
    ),
    "plain PGM": (lambda: b"P2 4000 4000 255 " + b"0 " * 16_000_000, ".pgm"),
    "PGM of an odd maximum": (lambda: b"P5 6000 6000 4095 " + bytes(72_000_000), ".pgm"),
    "JPEG 2000 of small precincts": (lambda: jpeg_2000(8000, 1), ".dcm"),
    "JPEG 2000 of many layers": (lambda: jpeg_2000(4000, 7, 32, 65535), ".dcm"),
    "large JPEG 2000": (lambda: jpeg_2000(HUGE, 15), ".dcm"),
    "DICOM of many fragments": (
        lambda: dicom(
            RLELossless, b"\xfe\xff\0\xe0\0\0\0\0" * 1_000_000, Rows=3000, Columns=3000
        ),
        ".dcm",
    ),
    "DICOM of many frames": (
        lambda: dicom(
            ExplicitVRLittleEndian, bytes(200), Rows=9, Columns=9, NumberOfFrames=2**31 - 1
        ),
        ".dcm",
    ),
}  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_more_than_a_gigabyte_and_ten_seconds(tmp_path: Path, name: str) -> None:
    make, ending = HOSTILE[name]
    # A shorter time, so that the test takes less: what is made of the rest is the same.
    took, peak, outcome, said = measured(make(), tmp_path, ending, MAX_SECONDS / 3)
    print(f"{name}: {took:.1f} s, {peak / 2**20:.0f} MiB, {outcome}, {said}")
    assert peak < MAX_MEMORY + LIBRARIES
    # Two processes start, and a limit is noticed a little late.
    assert took < MAX_SECONDS / 3 + 4


@pytest.mark.parametrize("side", [(4000, 6000), (6000, 4000)])
def test_a_large_mammogram_is_far_from_the_bounds(tmp_path: Path, side: tuple[int, int]) -> None:
    pixels = np.zeros(side, np.uint16)
    pixels[::7] = 4095
    shape = {"Rows": side[0], "Columns": side[1], "BitsStored": 12, "HighBit": 11}
    for data, ending in (
        (dicom(ExplicitVRLittleEndian, pixels.tobytes(), **shape, PixelRepresentation=0), ".dcm"),
        (picture(pixels, "PNG", compress_level=1), ".png"),
        (picture(pixels, "TIFF", compression="tiff_lzw"), ".tif"),
    ):
        needed: list[int] = []
        decode(data, f"x{ending}", reserve=needed.append)
        assert len(needed) == 1
        assert pixels.nbytes < needed[0] < MAX_MEMORY // 2
        _, peak, outcome, _ = measured(data, tmp_path, ending)
        assert outcome == "read"
        assert peak < MAX_MEMORY // 2 + LIBRARIES


@pytest.mark.parametrize(
    "values", [(-1.7e308, 1.7e308), (0.0, 1.7e308), (0.0, np.inf), (0.0, np.nan)]
)
def test_a_range_that_is_no_number(values: tuple[float, float]) -> None:
    shape = {"Rows": 2, "Columns": 2, "BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}
    data = dicom(ExplicitVRLittleEndian, b"", **shape)
    record = pydicom.dcmread(io.BytesIO(data))
    del record.PixelData, record.PixelRepresentation
    record.PhotometricInterpretation = "MONOCHROME2"
    record.DoubleFloatPixelData = np.tile(values, 2).tobytes()
    stream = io.BytesIO()
    record.save_as(stream)
    with pytest.raises(UnreadableImage, match=r"not finite|too far to be scaled"):
        decode(stream.getvalue(), "x.dcm")


def test_room_is_shared() -> None:
    room, most, now, lock = Room(10), [0], [0], threading.Lock()

    def work(count: int) -> None:
        with room.held(count):
            with lock:
                now[0] += count
                most[0] = max(most[0], now[0])
            threading.Event().wait(0.002)
            with lock:
                now[0] -= count

    threads = [threading.Thread(target=work, args=(1 + number % 6,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 5 < most[0] <= 10
    with room.held(50):  # more than there is, when nobody else holds any
        pass


def test_what_a_library_prints_does_not_reach_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tiff(64, (339, 3, 77), (32997, 4, 5), (279, 4, 9))
    with contextlib.suppress(UnreadableImage):
        to_eight_bit(decode(data, "x.tif").pixels)
    assert capfd.readouterr() == ("", "")
    # What Pillow logs is caught here; in a process of its own it would be printed.
    assert measured(tiff(64, (277, 3, 1027)), tmp_path, ".tif")[2] == "refused"
