"""A plan says what a run would download, and how large it is."""

import pytest

from bench.estimates.downloads import download_lines
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from extractors.create import size_of

# Of one the library says the size of the file; of the other only the network is known.
TOLD, COUNTED = "torchvision:resnet18", "timm:vit_tiny_patch16_384"


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Lines of a plan, with empty caches of weights."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def prepare(data, extractors, **more):
        options = {
            "data": data, "cache": tmp_path / "store", "extractors": [extractors],
            "classifiers": ["linear"], "protocols": ["patient-cv"], "repeats": 1, **more,
        }  # fmt: skip
        return list(download_lines(prepare_job(Configuration.checked(options))))

    return prepare


@pytest.fixture
def folder(tmp_path, save):
    """Ten images of each class."""
    for name in ("benign", "malignant"):
        for number in range(10):
            save(tmp_path / "set" / name / f"{name}{number}.png")
    return tmp_path / "set"


def test_what_is_downloaded_is_told_with_its_size(lines, folder):
    (line,) = lines(folder, f"{TOLD},{COUNTED},bundled:efficientnet_lite0,vit_128_p16")
    # 46,830,571 bytes, as torchvision's entry of the weights says in MB.
    assert line.startswith("2 checkpoints, about ")
    assert f"{TOLD} 46.8 MB" in line
    assert f"{COUNTED} {4 * size_of(COUNTED).parameters / 1e6:.1f} MB" in line
    assert "efficientnet" not in line


def test_a_part_of_a_fusion_counts_once(lines, folder):
    (line,) = lines(folder, f"{TOLD},fusion:{TOLD}+bundled:efficientnet_lite0")
    assert line.startswith("1 checkpoint, about 46.8 MB")


def test_nothing_is_told_where_nothing_is_downloaded(lines, folder, phantom):
    assert not lines(folder, "bundled:efficientnet_lite0")
    assert not lines(folder, TOLD, offline=True)
    # Weights are drawn for synthetic pictures.
    assert not lines(phantom, TOLD, subset=["mass"])
