"""What the tests of the data package share: the real sets, a phantom, small images."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import write_phantom

REPOSITORY = Path(__file__).resolve().parents[3]


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
def classes(tmp_path: Path, save: Callable[..., Path]) -> Path:
    """Three benign and three malignant images, one folder a class."""
    root = tmp_path / "set"
    for name in ("benign", "malignant"):
        for number in range(3):
            save(root / name / f"{name}{number}.png")
    return root
