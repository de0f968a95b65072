"""Masks among pictures are left out with a reason, in folders and CSVs; pictures never are."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bench.data import CropSettings, build_stack, load_lesions
from bench.data.companions import is_two_valued


def mask(path: Path, values: tuple[int, int] = (0, 255), side: int = 64) -> Path:
    pixels = np.full((side, side), values[0], np.uint8)
    pixels[side // 4 : side // 2, side // 4 : side // 2] = values[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def as_csv(root: Path) -> Path:
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))
    lines = [f"{path},{path.partition('/')[0]}" for path in paths]
    (root.parent / "set.csv").write_text(
        "\n".join(["path,label", *(f"{root.name}/{line}" for line in lines)])
    )
    return root.parent / "set.csv"


@pytest.mark.parametrize(
    "name",
    [
        *("benign0_mask.png", "benign0_mask_1.png", "benign0-mask.png", "benign0_seg.png"),
        *("benign0_GT.bmp", "benign0_roi.jpg", "mask_benign0.png", "masks/benign0.png"),
        *("benign0_segmentation.png", "benign0.mask.png", "benign0mask.png"),
    ],
)
@pytest.mark.parametrize("manifest", [False, True])
def test_masks_by_name(classes: Path, name: str, manifest: bool) -> None:
    mask(classes / "benign" / name)
    dataset = load_lesions(as_csv(classes) if manifest else classes)
    assert len(dataset.table) == 6
    (reason,) = dataset.left_out["reason"]
    assert "is a mask" in reason
    assert "named after another picture" in reason


@pytest.mark.parametrize("values", [(0, 1), (0, 0), (255, 10)])
def test_masks_of_other_values(classes: Path, values: tuple[int, int]) -> None:
    mask(classes / "benign" / "benign0_mask.png", values)
    assert len(load_lesions(classes).table) == 6


def test_a_picture_with_the_name_of_a_mask_stays(classes: Path, save: Callable[..., Path]) -> None:
    save(classes / "benign" / "benign0_mask.png", (40, 40))
    save(classes / "malignant" / "malignant1_2.png", (40, 40))
    dataset = load_lesions(classes)
    assert len(dataset.table) == 8
    assert dataset.left_out.empty
    (notice,) = [notice for notice in dataset.notices if "mask" in notice]
    assert "1 pictures are named like masks" in notice
    assert "benign/benign0_mask.png" in notice


@pytest.mark.parametrize("values", [(0, 128, 255), (0, 1, 2), (0, 40, 80, 120, 160, 200)])
def test_a_map_of_several_regions_is_a_mask_by_its_name(
    classes: Path, values: tuple[int, ...]
) -> None:
    regions = np.repeat(np.array(values, np.uint8), 10)
    path = classes / "benign" / "benign0_mask.png"
    Image.fromarray(np.tile(regions, (30, 1))).save(path)
    assert load_lesions(classes).left_out["path"].tolist() == ["benign/benign0_mask.png"]


@pytest.mark.parametrize("manifest", [False, True])
def test_masks_with_soft_edges_are_pointed_out(classes: Path, manifest: bool) -> None:
    for path in (classes / "malignant").glob("*.png"):
        made = Image.open(mask(path.with_name(f"{path.stem}_mask.png")))
        made.filter(ImageFilter.GaussianBlur(4)).save(path.with_name(f"{path.stem}_mask.png"))
    dataset = load_lesions(as_csv(classes) if manifest else classes)
    assert any("3 pictures are named like masks" in notice for notice in dataset.notices)


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("manifest", [False, True])
def test_two_values_among_many(classes: Path, tmp_path: Path, ending: str, manifest: bool) -> None:
    mask(classes / "malignant" / f"other.{ending}")
    dataset = load_lesions(as_csv(classes) if manifest else classes)
    stack = build_stack(dataset, CropSettings(32), tmp_path / "store")
    assert len(stack.table) == len(stack.images) == 6
    (reason,) = stack.left_out["reason"]
    assert "two values" in reason


@pytest.mark.parametrize("quality", [95, 75, 50, 20])
@pytest.mark.parametrize(
    ("name", "side"),
    [
        *(("benign0_mask.jpg", side) for side in (32, 48, 96, 256)),
        *(("other.jpg", side) for side in (96, 256)),
    ],
)
def test_masks_saved_as_jpeg(
    classes: Path, tmp_path: Path, quality: int, name: str, side: int
) -> None:
    rows, columns = np.mgrid[:side, :side] - side / 2
    disc = (rows**2 + columns**2 < (0.15 * side) ** 2).astype(np.uint8) * 255
    Image.fromarray(disc).save(classes / "benign" / name, quality=quality)
    stack = build_stack(load_lesions(classes), CropSettings(32), tmp_path / "store")
    assert len(stack.table) == 6


def test_a_set_of_two_valued_pictures_stays(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        for number in range(4):
            mask(tmp_path / "set" / name / f"{name}{number}.png", side=32 + 4 * number)
    dataset = load_lesions(tmp_path / "set")
    assert len(build_stack(dataset, CropSettings(32), tmp_path / "store").table) == 8


def test_a_folder_of_masks_is_no_class(classes: Path) -> None:
    for number in range(3):
        mask(classes / "masks" / f"benign{number}.png")
    dataset = load_lesions(classes)
    assert len(dataset.table) == 6
    assert set(dataset.left_out["path"].str.partition("/")[0]) == {"masks"}


def test_a_dark_picture_with_a_bright_spot_is_no_mask() -> None:
    dark = np.random.default_rng(0).integers(0, 20, (100, 100)).astype(np.uint8)
    dark[5:8, 5:30] = 255
    assert not is_two_valued(dark)
    assert not is_two_valued(np.zeros((9, 9), np.uint8))


def test_counting_the_values_of_a_film_takes_little_memory() -> None:
    film = np.arange(2000 * 3000, dtype=np.uint32).reshape(2000, 3000).astype(np.uint16)
    tracemalloc.start()
    try:
        assert not is_two_valued(film)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * film.nbytes


def test_a_value_between_two_counts_for_what_it_is() -> None:
    """Half of the few pixels are 1 off, of 16 bits, where what JPEG adds is allowed for."""
    pixels = np.zeros((100, 100), np.uint16)
    pixels[:10] = np.tile([4000, 4001], (10, 50))
    assert is_two_valued(pixels)
    pixels[:10] = np.tile([3700, 4000], (10, 50))
    assert not is_two_valued(pixels)


def test_a_folder_of_masks_may_be_named_after_a_class(
    classes: Path, save: Callable[..., Path]
) -> None:
    for name in ("benign", "malignant"):
        for number in range(3):
            mask(classes / f"{name} GT" / f"{name}{number}.png")
    dataset = load_lesions(classes)
    assert len(dataset.table) == 6
    assert set(dataset.left_out["path"].str.partition("/")[0]) == {"benign GT", "malignant GT"}
    assert dataset.subsets["all"].negative == "benign"
    assert not any("put together" in notice for notice in dataset.notices)
    # One of pictures is a class.
    for path in (classes / "malignant GT").iterdir():
        save(path, (40, 40))
    assert len(load_lesions(classes).table) == 9


@pytest.mark.parametrize("manifest", [False, True])
@pytest.mark.parametrize("name", ["benign0_overlay.png", "benign0-heatmap.png", "benign0_mask.png"])
def test_a_picture_drawn_over_another_stays_with_it(
    classes: Path, save: Callable[..., Path], name: str, manifest: bool
) -> None:
    save(classes / "benign" / name, (40, 40))
    dataset = load_lesions(as_csv(classes) if manifest else classes)
    assert any("kept in one fold" in notice for notice in dataset.notices)
    stem = dataset.table["path"].str.contains("benign0")
    assert stem.sum() == 2
    assert dataset.table.loc[stem, "group_id"].nunique() == 1
    assert dataset.table["group_id"].nunique() == 6
