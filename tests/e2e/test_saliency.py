"""A run writes overlays of what it can explain, a line on what it cannot, and keeps the maps."""

import json

import pandas as pd
import pytest
from PIL import Image

PLUGIN = """
import torch
from extractors import register


@register("tiny-net", input_size=64)
def tiny_net():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 7, stride=8), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
    )


@register("flat-vit", input_size=16)
def flat_vit():
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 6))
"""


@pytest.fixture
def options(tmp_path, phantom):
    file = tmp_path / "nets.py"
    file.write_text(PLUGIN)
    return (
        *("all", "--data", phantom, "--plugin", file, "--extractors", "tiny-net,flat-vit"),
        *("--classifiers", "medium_gaussian", "--subset", "mass", "--protocols", "official"),
    )


def test_overlays_are_written_and_kept(tmp_path, bench, options):
    ended = bench(*options, "--out", "first")
    assert ended.status == 0, ended.err
    first, second = json.loads((tmp_path / "first/manifest.json").read_text())["saliency"]
    assert (first["extractor"], first["kind"]) == ("tiny-net", "CNN")
    assert 4 <= len(first["crops"]) <= 12
    # The stored scores of the unit are those that were explained.
    rows = pd.read_parquet(tmp_path / "first/predictions.parquet")
    rows = rows[rows["unit"] == first["unit"]].set_index("crop_id")
    for crop in first["crops"]:
        assert crop["score"] == rows["score"][crop["crop_id"]]
        for name in ("plain", "overlay"):
            assert Image.open(tmp_path / "first" / crop[name]).size == (128, 128)
    assert second["kind"] == "other network"
    assert second["problem"].startswith("flat-vit: has no layer with places in the image")
    assert "no saliency map: flat-vit" in ended.err
    page = (tmp_path / "first/report.html").read_text()
    assert "No map: flat-vit: has no layer" in page

    kept = sorted((tmp_path / "cache" / "saliency").rglob("*.safetensors"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    again = bench(*options, "--out", "second")
    assert again.status == 0
    assert kept[0].stat().st_mtime_ns == written
    repeated = json.loads((tmp_path / "second/manifest.json").read_text())["saliency"]
    assert repeated == [first, second]
    for crop in first["crops"]:
        pictures = [(tmp_path / run / crop["overlay"]).read_bytes() for run in ("first", "second")]
        assert pictures[0] == pictures[1]
