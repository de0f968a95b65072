"""What the tests of the data package share: the real sets, a phantom, small images."""

import csv
import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from bench.data import write_phantom
from bench.data.cbis_ddsm.case_tables import find_tables, read_tables

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("BENCH_TEST_DATA", "../shared/data"))
    folder = folder if folder.is_absolute() else REPOSITORY / folder
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set BENCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def mias_archive(shared_data: Path) -> Path:
    archive = shared_data / "mias" / "all-mias.tar.gz"
    if not archive.is_file():
        pytest.skip("mini-MIAS is not in the shared data")
    return archive


@pytest.fixture(scope="session")
def mias_folder(mias_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mias")
    with tarfile.open(mias_archive) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def cbis_tables(shared_data: Path) -> Path:
    folder = shared_data / "cbis-ddsm" / "csv"
    if not folder.is_dir():
        pytest.skip("the CBIS-DDSM tables are not in the shared data")
    return folder


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test looks into the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def kaggle_listing(shared_data: Path) -> list[tuple[str, str]]:
    """(series folder, file) of the real Kaggle set."""
    with gzip.open(shared_data / "cbis-ddsm" / "kaggle_jpeg_listing.csv.gz", "rt") as stream:
        return [(row["series_uid_folder"], row["file"]) for row in csv.DictReader(stream)]


@pytest.fixture(scope="session")
def kaggle_tree(
    cbis_tables: Path,
    kaggle_listing: list[tuple[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The real tables with a small made-up image under every name of the real Kaggle set.

    The listing has no pixels, so that the first file of a pair is drawn as the crop, but for the
    one pair that is known to be the other way round, and the one row with swapped columns.
    """
    root = tmp_path_factory.mktemp("kaggle")
    shutil.copytree(cbis_tables, root / "csv")
    rows = read_tables(find_tables(cbis_tables)).rows
    films = set(rows["film_series"])
    masks = set(rows["mask_series"]) - set(rows["crop_series"])
    swapped = rows[rows["crop_id"] == "Calc-Training_P_00474_LEFT_MLO_1"].iloc[0]
    masks = masks - {swapped["mask_series"]} | {swapped["crop_series"]}
    (turned,) = rows.loc[rows["crop_id"] == "Mass-Training_P_00634_RIGHT_MLO_1", "crop_series"]
    images = {kind: _jpeg(kind) for kind in ("crop", "mask", "film")}
    for series, name in kaggle_listing:
        kind = "mask" if (name[0] == "2") != (series == turned) or series in masks else "crop"
        folder = root / "jpeg" / series
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(images["film" if series in films else kind])
    return root


def _jpeg(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    if kind != "crop":
        pixels = np.kron(pixels, np.ones((3, 3), np.uint8))
    if kind == "mask":
        pixels[:] = 0
        pixels[30:70, 20:50] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "phantom"
    write_phantom(folder, patients=24, seed=3)
    return folder


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write a small grey image; the pixels depend on the path, so that no two are alike."""

    def write(path: Path, shape: tuple[int, int] = (12, 16)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(path.name.encode("utf-8", "surrogateescape")))
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def dicom_file() -> Callable[..., bytes]:
    """Write a DICOM file of 12 bits of noise; arguments by keyword go into its header."""

    def write(**elements: int | str) -> bytes:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        record = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
        record.SOPClassUID, record.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
        record.Rows, record.Columns = 12, 16
        record.BitsAllocated, record.BitsStored, record.HighBit = 16, 12, 11
        record.SamplesPerPixel, record.PixelRepresentation = 1, 0
        record.PhotometricInterpretation = "MONOCHROME2"
        noise = np.random.default_rng(3).integers(0, 4096, (12, 16), np.uint16)
        record.PixelData = noise.tobytes()
        for keyword, value in elements.items():
            setattr(record, keyword, value)
        stream = io.BytesIO()
        dcmwrite(stream, record, enforce_file_format=True)
        return stream.getvalue()

    return write


@pytest.fixture
def classes(tmp_path: Path, save: Callable[..., Path]) -> Path:
    """Three benign and three malignant images, one folder a class."""
    root = tmp_path / "set"
    for name in ("benign", "malignant"):
        for number in range(3):
            save(root / name / f"{name}{number}.png")
    return root
