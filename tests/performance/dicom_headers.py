"""Compares reading the headers of mammogram-sized DICOM files with reading their pixels, too.

    python tests/performance/dicom_headers.py [FILES]

Writes uncompressed 16-bit films of 4700 x 2700 pixels to a temporary folder (12 by default) and
reads them in both ways, five times in each order, all files cached. Prints the median milliseconds
a file and the ratio. The header alone should be at least five times as fast.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from bench.data.images.decoding import decode
from bench.data.images.dicom import read_header

ROWS, COLUMNS = 4700, 2700
ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [write(Path(folder), number) for number in range(int((sys.argv[1:] or ["12"])[0]))]
        ways: dict[str, Callable[[Path], object]] = {
            "header": read_header,
            "header and pixels": lambda file: decode(file.read_bytes(), file.name),
        }
        for read in ways.values():  # files and imports become cached
            scan(files, read)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for repeat in range(2 * ROUNDS):
            for name in sorted(ways, reverse=bool(repeat % 2)):
                seconds[name].append(scan(files, ways[name]))
    median = {name: statistics.median(seconds[name]) for name in ways}
    for name in ways:
        print(f"{name:<20}{1000 * median[name] / len(files):>9.3f} ms a file")
    print(f"{'ratio':<20}{median['header and pixels'] / median['header']:>9.1f}")


def scan(files: list[Path], read: Callable[[Path], object]) -> float:
    """Seconds for all files."""
    started = time.perf_counter()
    for file in files:
        read(file)
    return time.perf_counter() - started


def write(folder: Path, number: int) -> Path:
    """A film with the elements that the films of CBIS-DDSM have, and noise for pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    record = FileDataset("film.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = SecondaryCaptureImageStorage
    record.SOPInstanceUID = f"2.25.{number + 1}"
    record.StudyDate, record.Modality = "20170829", "MG"
    record.SeriesDescription = "full mammogram images"
    record.PatientName = record.PatientID = f"Mass-Training_P_{number:05}_LEFT_CC"
    record.StudyInstanceUID, record.SeriesInstanceUID = f"2.25.1.{number}", f"2.25.2.{number}"
    record.SeriesNumber, record.InstanceNumber = 1, 1
    record.PatientOrientation, record.Laterality = "CC", "L"
    record.SamplesPerPixel, record.PhotometricInterpretation = 1, "MONOCHROME2"
    record.Rows, record.Columns = ROWS, COLUMNS
    record.BitsAllocated = record.BitsStored = 16
    record.HighBit, record.PixelRepresentation = 15, 0
    rng = np.random.default_rng(number)
    record.add_new("PixelData", "OW", rng.bytes(ROWS * COLUMNS * 2))
    file = folder / f"{number}.dcm"
    pydicom.dcmwrite(file, record, enforce_file_format=True)
    return file


if __name__ == "__main__":
    main()
