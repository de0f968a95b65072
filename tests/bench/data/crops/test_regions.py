"""What a region shows of a lesion: hand-computed squares, borders, masks that do not fit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data import CropSettings, build_stack, load_lesions
from bench.data.crops.regions import (
    RegionCut,
    cut_out,
    marked_box,
    plan_cuts,
    square_around,
)
from bench.data.images.pixels import UnreadableImage
from bench.data.lesions import SubsetInfo, finish
from bench.data.sources import FolderSource
from bench.errors import UnusableInput


def mask(shape: tuple[int, int], rows: slice, columns: slice, inside: int = 255) -> np.ndarray:
    pixels = np.zeros(shape, np.uint8)
    pixels[rows, columns] = inside
    return pixels


def test_a_square_is_centred_on_the_mask() -> None:
    box = mask((100, 200), slice(40, 60), slice(100, 140))
    # 20 x 40 pixels about (50, 120): the longer side is 40.
    assert square_around(marked_box(box), (100, 200), 1.0) == (50, 120, 20)
    assert square_around(marked_box(box), (100, 200), 1.5) == (50, 120, 30)
    assert square_around(marked_box(mask((9, 9), slice(4, 5), slice(4, 5))), (9, 9), 1.0)[2] == 1


def test_a_mask_of_another_scale_is_reconciled() -> None:
    box = mask((50, 100), slice(20, 30), slice(50, 70))
    assert square_around(marked_box(box), (100, 200), 1.0) == (50, 120, 20)
    # One per cent is a rounding of sizes, not another picture.
    assert square_around(marked_box(box), (101, 200), 1.0)[1:] == (120, 20)
    with pytest.raises(UnreadableImage, match="different proportions"):
        square_around(marked_box(box), (103, 200), 1.0)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (mask((50, 100), slice(20, 30), slice(50, 70)), "different proportions: 100 x 50 and 200"),
        (np.zeros((100, 100), np.uint8), "one value everywhere"),
        (np.arange(10_000).reshape(100, 100).astype(np.uint16), "many values"),
    ],
)
def test_a_mask_that_does_not_fit(pixels: np.ndarray, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        square_around(marked_box(pixels), (200, 200), 1.5)


def test_beyond_the_border_is_zero_and_scales_nothing() -> None:
    """16-bit pixels are scaled by what is shown of them, not by the zeros beyond the film."""
    film = np.full((20, 20), 40_000, np.uint16)
    film[0, 0], film[1, 1], film[10, 10] = 50_000, 60_000, 65_000
    square = cut_out(film, (0, 0, 3))
    assert square.shape == (6, 6)
    assert not square[:3].any()
    assert not square[:, :3].any()
    assert (square[3, 3], square[4, 4], square[5, 5]) == (128, 255, 0)
    assert cut_out(film, None).max() == 255
    assert not cut_out(film, (500, 500, 4)).any()


def test_what_is_read_for_each_region() -> None:
    table = pd.DataFrame(
        {
            "path": ["c1", "c2", "c3"],
            "film_path": ["f1", "", "f3"],
            "mask_path": ["m1", "m2", ""],
        }
    )
    assert plan_cuts(table, "crop", 1.5) == [RegionCut("c1"), RegionCut("c2"), RegionCut("c3")]
    none, no_mask = (
        "there is no full image of it",
        "there is no mask that says where its lesion lies",
    )
    assert plan_cuts(table, "full", 1.5) == [RegionCut("f1"), none, RegionCut("f3")]
    assert plan_cuts(table, "context", 1.5) == [RegionCut("f1", "m1"), none, no_mask]


def test_lesions_that_are_cut_from_films() -> None:
    table = pd.DataFrame(
        {
            "path": ["f1", "f1"],
            "centre_row": [30.0, None],
            "centre_column": [40.0, None],
            "half_side": [5.0, None],
        }
    )
    assert plan_cuts(table, "crop", 2.5) == [RegionCut("f1", square=(30, 40, 5)), RegionCut("f1")]
    assert plan_cuts(table, "full", 2.5) == [RegionCut("f1"), RegionCut("f1")]
    context, film = plan_cuts(table, "context", 2.5)
    assert context == RegionCut("f1", square=(30, 40, 13))
    assert isinstance(film, str)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two lesions in one film of noise, the second without a mask that fits."""
    rng = np.random.default_rng(0)
    film = rng.integers(0, 65536, (120, 90), dtype=np.uint16)
    Image.fromarray(film).save(tmp_path / "film.png")
    Image.fromarray(film[40:60, 30:50]).save(tmp_path / "crop.png")
    Image.fromarray(mask((120, 90), slice(40, 60), slice(30, 50))).save(tmp_path / "mask1.png")
    Image.fromarray(mask((90, 120), slice(40, 60), slice(30, 50))).save(tmp_path / "mask2.png")
    return tmp_path


def dataset_of(root: Path):
    rows = pd.DataFrame(
        {
            "crop_id": ["a", "b", "c"],
            "lesion_id": ["a", "b", "c"],
            "patient_id": ["p", "q", "r"],
            "laterality": "LEFT",
            "view": "CC",
            "abnormality": "mass",
            "abnormality_id": 1,
            "pathology": ["BENIGN", "MALIGNANT", "BENIGN"],
            "label": [0, 1, 0],
            "split": ["train", "test", "train"],
            "path": "crop.png",
            "subset": "mass",
            "mask_path": ["mask1.png", "mask2.png", "mask3.png"],
            "film_path": "film.png",
        }
    )
    return finish("cbis-ddsm", FolderSource(root), rows, [], {"mass": SubsetInfo(("mass",))})


def test_stacks_of_every_region(films: Path, tmp_path: Path) -> None:
    dataset, cache = dataset_of(films), tmp_path / "cache"
    crop = build_stack(dataset, CropSettings(size=40), cache)
    assert len(crop.table) == 3
    context = build_stack(dataset, CropSettings(size=40, region="context", margin=2.0), cache)
    assert list(context.table["crop_id"]) == ["a"]
    assert list(context.table[["crop_height", "crop_width"]].iloc[0]) == [40, 40]
    film = np.asarray(Image.open(films / "film.png"))
    np.testing.assert_array_equal(context.images[0], cut_out(film, (50, 40, 20)))
    reasons = dict(zip(context.left_out["crop_id"], context.left_out["reason"], strict=True))
    assert "different proportions" in reasons["b"]
    assert reasons["c"] == "its mask: the file is missing"
    full = build_stack(dataset, CropSettings(size=120, region="full"), cache)
    np.testing.assert_array_equal(full.images[2][:, 15:105], cut_out(film, None))


def test_each_setting_has_a_stack_of_its_own(films: Path, tmp_path: Path) -> None:
    dataset = dataset_of(films)
    settings = [
        CropSettings(size=40),
        CropSettings(size=40, region="full"),
        CropSettings(size=40, region="context"),
        CropSettings(size=40, region="context", margin=2.0),
        CropSettings(size=40, region="context", window="voi"),
    ]
    for one in settings:
        build_stack(dataset, one, tmp_path / "cache")
    assert len(list((tmp_path / "cache").rglob("*.stack"))) == len(settings)
    # A margin means nothing to a crop.
    build_stack(dataset, CropSettings(size=40, margin=3.0), tmp_path / "cache")
    assert len(list((tmp_path / "cache").rglob("*.stack"))) == len(settings)
    assert [one.region_name for one in settings[1:4]] == ["full", "context:1.5", "context:2"]


def test_a_changed_mask_is_seen(films: Path, tmp_path: Path) -> None:
    dataset, wanted = dataset_of(films), CropSettings(size=40, region="context")
    first = build_stack(dataset, wanted, tmp_path / "cache").digests
    moved = mask((120, 90), slice(60, 80), slice(30, 50))
    Image.fromarray(moved).save(films / "mask1.png")
    assert build_stack(dataset, wanted, tmp_path / "cache").digests != first


def test_a_folder_has_crops_only(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"region context.*there is no full image of it"):
        build_stack(load_lesions(classes), CropSettings(region="context"), tmp_path)


def test_mias_has_a_context(mias_archive: Path, tmp_path: Path) -> None:
    stack = build_stack(load_lesions(mias_archive), CropSettings(region="context"), tmp_path)
    assert set(stack.table["subset"]) == {"crops"}
    assert len(stack.table) == 119
    expected = 2 * np.ceil(1.5 * stack.table["half_side"].astype(float))
    assert (stack.table["crop_height"] == expected).all()
