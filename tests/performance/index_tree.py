"""Measures how long `data info` takes on a full-size CBIS-DDSM tree, the first and second time.

    python tests/performance/index_tree.py

Builds two trees of the real tables and the real names with small made-up images (10,237 JPEGs in
Kaggle's folders, 10,239 DICOMs in NBIA's), runs `python -m bench data info` on each twice, and
prints seconds and peak memory. Needs the shared data (BENCH_TEST_DATA, else ../shared/data).
"""

import csv
import gzip
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bench.data.cbis_ddsm.case_tables import find_tables, read_tables

SHARED = Path(os.environ.get("BENCH_TEST_DATA", "../shared/data")) / "cbis-ddsm"


def main() -> None:
    if not SHARED.is_dir():
        print(f"no shared data at {SHARED}: nothing is measured")
        return
    rows = read_tables(find_tables(SHARED / "csv")).rows
    for name, write in (("Kaggle, JPEG", write_kaggle), ("NBIA, DICOM", write_nbia)):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            shutil.copytree(SHARED / "csv", root / "csv")
            files = write(root, rows)
            print(f"{name}: {files} files")
            for run in ("first", "second"):
                seconds, crops, memory = run_info(root, Path(folder) / "cache")
                print(f"  {run:<7} run {seconds:6.2f} s   peak {memory:4.0f} MiB   {crops}")


def run_info(root: Path, cache: Path) -> tuple[float, str, float]:
    """Seconds of `data info` with all its imports, its line on the crops, and peak MiB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "bench", "data", "info", str(root), "--cache", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, done.stdout.splitlines()[0].partition(" at ")[0], memory


def write_kaggle(root: Path, rows: pd.DataFrame) -> int:
    """Every file of the real listing; the first of a pair is the crop."""
    films, masks = set(rows["film_series"]), set(rows["mask_series"]) - set(rows["crop_series"])
    images = {kind: jpeg(kind) for kind in ("crop", "mask", "film")}
    names = 0
    with gzip.open(SHARED / "kaggle_jpeg_listing.csv.gz", "rt") as stream:
        for row in csv.DictReader(stream):
            series, name = row["series_uid_folder"], row["file"]
            kind = "mask" if name[0] == "2" or series in masks else "crop"
            folder = root / "jpeg" / series
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(images["film" if series in films else kind])
            names += 1
    return names


def write_nbia(root: Path, rows: pd.DataFrame) -> int:
    """Every file of the real series table, in the folders of the NBIA Data Retriever."""
    masks = set(rows["mask_series"]) - set(rows["crop_series"])
    count = 0
    for series, subject, study, description, number in nbia_series():
        kinds = ["crop", "mask"] if number == 2 else ["mask" if series in masks else "crop"]
        if description.startswith("full"):
            kinds = ["film"]
        folder = f"{subject}/07-20-2016-DDSM-{study[-5:]}/1.000000-{description}-{series[-5:]}"
        (root / "CBIS-DDSM" / folder).mkdir(parents=True)
        for place, kind in enumerate(kinds, start=1):
            file = root / "CBIS-DDSM" / folder / f"1-{place}.dcm"
            file.write_bytes(dicom(kind, subject, study, series))
            count += 1
    return count


def nbia_series() -> Iterator[tuple[str, str, str, str, int]]:
    """Series UID, subject, study UID, description, number of images."""
    table = pd.read_csv(SHARED / "nbia_series_6775.csv.gz", dtype=str)
    for row in table.itertuples(index=False, name=None):
        yield (*row[:4], int(row[4]))


def pixels(kind: str) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    if kind == "mask":
        values = np.zeros((120, 90), np.uint8)
        values[30:70, 20:50] = 255
    return np.kron(values, np.ones((3, 3), np.uint8)) if kind == "film" else values


def jpeg(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(kind)).save(stream, "JPEG")
    return stream.getvalue()


def dicom(kind: str, subject: str, study: str, series: str) -> bytes:
    from pydicom import Dataset, FileMetaDataset, dcmwrite
    from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = series + ".1"
    record = Dataset()
    record.file_meta = meta
    words = {"crop": "cropped images", "mask": "ROI mask images", "film": "full mammogram images"}
    record.SeriesDescription = words[kind]
    record.PatientID = record.PatientName = subject
    record.StudyInstanceUID, record.SeriesInstanceUID = study, series
    record.SOPClassUID = SecondaryCaptureImageStorage
    values = pixels(kind)
    record.Rows, record.Columns = values.shape
    record.SamplesPerPixel, record.PixelRepresentation = 1, 0
    record.PhotometricInterpretation = "MONOCHROME2"
    record.BitsAllocated = record.BitsStored = 8
    record.HighBit = 7
    record.PixelData = values.tobytes()
    stream = io.BytesIO()
    dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


if __name__ == "__main__":
    main()
