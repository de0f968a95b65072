"""Every layout that CBIS-DDSM comes in: the right file is each row's crop, or the row is listed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from bench.data import CropSettings, build_stack, load_lesions, write_phantom
from bench.data.images.decoding import decode
from bench.errors import UnusableInput

MISSING = "no image file of its series is there"


LAYOUTS = ("kaggle", "nbia", "uid", "png")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One phantom, with all the traps, in every layout."""
    folder = tmp_path_factory.mktemp("layouts")
    for layout in LAYOUTS:
        write_phantom(folder / layout, patients=20, seed=2, layout=layout)
    return {layout: folder / layout for layout in LAYOUTS}


def rows_of(root: Path, **named: Path) -> pd.DataFrame:
    """The lesion table without the columns that depend on the layout."""
    found = load_lesions(root, **named)
    assert found.synthetic
    return found.table.drop(columns=["path", "mask_path", "film_path"])


@pytest.fixture(scope="module")
def expected(layouts: dict[str, Path]) -> pd.DataFrame:
    return rows_of(layouts["uid"])


def test_every_layout_gives_the_same_lesions(
    layouts: dict[str, Path], expected: pd.DataFrame
) -> None:
    assert len(expected) > 40
    left_out = [load_lesions(root).left_out[["crop_id", "reason"]] for root in layouts.values()]
    for layout, root in layouts.items():
        pd.testing.assert_frame_equal(rows_of(root), expected, obj=layout)
    for one in left_out:
        # The row of the phantom whose series is missing everywhere.
        assert one["reason"].tolist() == [MISSING]
        assert one["crop_id"].tolist() == left_out[0]["crop_id"].tolist()


@pytest.mark.parametrize("region", ["crop", "context", "full"])
def test_the_lossless_layouts_give_the_same_pixels(
    layouts: dict[str, Path], tmp_path: Path, region: str
) -> None:
    stacks = {
        layout: build_stack(load_lesions(root), CropSettings(region=region), tmp_path)
        for layout, root in layouts.items()
    }
    assert stacks["nbia"].digests == stacks["uid"].digests == stacks["png"].digests
    sizes = ["crop_id", "crop_height", "crop_width"]
    for stack in stacks.values():
        pd.testing.assert_frame_equal(stack.table[sizes], stacks["uid"].table[sizes])
    reasons = " ".join(stacks["kaggle"].left_out["reason"])
    assert ("different proportions" in reasons) == (region == "context")


def test_a_context_shows_the_crop_and_more(layouts: dict[str, Path], tmp_path: Path) -> None:
    """The crop of a phantom is cut from its film, about its mask."""
    found = load_lesions(layouts["uid"])
    crops = build_stack(found, CropSettings(size=64), tmp_path).table.set_index("crop_id")
    wide = build_stack(found, CropSettings(size=64, region="context", margin=2.0), tmp_path)
    sides = wide.table.set_index("crop_id")["crop_height"]
    longest = crops.loc[sides.index, ["crop_height", "crop_width"]].max(axis=1)
    # The mask fills 80 % of the crop, and its context is twice as large.
    assert sides.div(longest).between(1.5, 1.7).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_folder_too_high_or_too_low(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path, layout: str
) -> None:
    inner = tmp_path / "download" / "set"
    shutil.copytree(layouts[layout], inner)
    pd.testing.assert_frame_equal(rows_of(inner.parent), expected)
    for name in ("csv", "jpeg", "CBIS-DDSM"):
        if (inner / name).is_dir():
            pd.testing.assert_frame_equal(rows_of(inner / name), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tables_may_lie_elsewhere(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path, layout: str
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts[layout], root)
    shutil.move(root / "csv", tmp_path / "tables")
    pd.testing.assert_frame_equal(rows_of(root, tables=tmp_path / "tables"), expected)
    with pytest.raises(UnusableInput, match="no such folder of case tables"):
        load_lesions(root, tables=tmp_path / "absent")
    (tmp_path / "above").mkdir()
    shutil.move(tmp_path / "tables", tmp_path / "above" / "csv")
    pd.testing.assert_frame_equal(rows_of(root, tables=tmp_path / "above"), expected)
    (root / "other.csv").write_text("a,b")
    with pytest.raises(UnusableInput, match=r"no CBIS-DDSM case tables.*other.csv"):
        load_lesions(root, tables=root)
    with pytest.raises(UnusableInput, match="--tables"):
        load_lesions(root)


def test_without_what_describes_the_files(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path
) -> None:
    for layout, name in (("kaggle", "csv/dicom_info.csv"), ("nbia", "metadata.csv")):
        root = tmp_path / layout
        shutil.copytree(layouts[layout], root)
        described = load_lesions(root).table
        (root / name).unlink()
        pd.testing.assert_frame_equal(load_lesions(root).table, described)
        pd.testing.assert_frame_equal(rows_of(root), expected)


def convert(root: Path, bits: int) -> None:
    """Every DICOM file of a tree to PNG in its place, as users do."""
    for file in sorted(root.rglob("*.dcm")):
        pixels = decode(file.read_bytes(), file.name).pixels
        if bits == 8 and pixels.dtype == np.uint16:
            pixels = (pixels >> 8).astype(np.uint8)
        Image.fromarray(pixels).save(file.with_suffix(".png"))
        file.unlink()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("layout", ["nbia", "uid"])
def test_dicoms_that_were_converted_to_png(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path, layout: str, bits: int
) -> None:
    """Nothing describes such a file any more: its values and its size do."""
    original = load_lesions(layouts[layout]).table
    root = tmp_path / "set"
    shutil.copytree(layouts[layout], root)
    convert(root, bits)
    pd.testing.assert_frame_equal(rows_of(root), expected)
    for column in ("path", "mask_path", "film_path"):
        names = original[column].str.replace(".dcm", ".png")
        pd.testing.assert_series_equal(load_lesions(root).table[column], names)


def test_pngs_in_one_folder_named_by_their_case(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path
) -> None:
    shutil.copytree(layouts["png"] / "csv", tmp_path / "csv")
    shutil.copy(layouts["png"] / "PHANTOM.json", tmp_path)
    for file in sorted(layouts["png"].rglob("*.png")):
        case = file.relative_to(layouts["png"]).parts[0]
        number = len(list(tmp_path.glob(f"{case}_?-1.png"))) + 1
        shutil.copy(file, tmp_path / f"{case}_{number}-1.png")
    pd.testing.assert_frame_equal(rows_of(tmp_path), expected)


def test_files_that_fit_no_row_are_told_where_nothing_fits(
    layouts: dict[str, Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    shutil.copytree(layouts["png"] / "csv", tmp_path / "csv")
    save(tmp_path / "images" / "lesion-1.png")
    with pytest.raises(UnusableInput, match="no usable crop") as caught:
        load_lesions(tmp_path)
    assert "1 image file belongs to no row of the tables: images/lesion-1.png" in str(caught.value)


def test_notices_count_what_is_there(layouts: dict[str, Path], tmp_path: Path) -> None:
    """Patients of both splits whose files are missing are no patients of this set."""
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    assert any("are in both" in notice for notice in load_lesions(root).notices)
    for case in root.glob("Calc-Test_*"):
        shutil.rmtree(case)
    assert not any("are in both" in notice for notice in load_lesions(root).notices)


def test_dicoms_without_order(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path
) -> None:
    """A heap of files with names that mean nothing: their headers say whose they are."""
    shutil.copytree(layouts["nbia"] / "csv", tmp_path / "csv")
    shutil.copy(layouts["nbia"] / "PHANTOM.json", tmp_path)
    for number, file in enumerate(sorted(layouts["nbia"].rglob("*.dcm"))):
        shutil.copy(file, tmp_path / f"{number:05d}.DCM")
    pd.testing.assert_frame_equal(rows_of(tmp_path), expected)


def test_the_richest_format_is_taken(layouts: dict[str, Path], tmp_path: Path) -> None:
    """PNGs that stand beside the DICOMs they were made of change nothing."""
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    expected = load_lesions(root).table
    for file in sorted(root.rglob("*.dcm")):
        pixels = decode(file.read_bytes(), file.name).pixels
        Image.fromarray((pixels >> 8).astype(np.uint8)).save(file.with_suffix(".png"))
    pd.testing.assert_frame_equal(load_lesions(root).table, expected)


def test_formats_that_are_mixed_are_told(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    convert(root / load_lesions(root).table["crop_id"].iloc[0], 16)
    (notice,) = (n for n in load_lesions(root).notices if "more than one format" in n)
    assert "DICOM" in notice
    assert "PNG" in notice


def test_an_unreadable_dicom_is_listed_with_its_reason(
    layouts: dict[str, Path], expected: pd.DataFrame, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["nbia"], root)
    rows = load_lesions(root).table
    no_header, cut, gone = (root / rows["path"].iloc[place] for place in (0, 5, 9))
    no_header.write_bytes(b"not a DICOM file at all")
    cut.write_bytes(cut.read_bytes()[:-1000])
    gone.unlink()
    found = load_lesions(root)
    reasons = found.left_out.set_index("crop_id")["reason"]
    assert len(found.table) == len(expected) - 3
    for place in (0, 5, 9):
        assert reasons[rows["crop_id"].iloc[place]]
    # The masks of these rows are still there and are taken for no crop.
    assert reasons[rows["crop_id"].iloc[9]] == "none of its image files is a crop"


def test_what_is_described_as_a_mask_is_never_a_crop(
    layouts: dict[str, Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    row = load_lesions(root).table.iloc[0]
    (root / row["path"]).unlink()
    save(root / row["mask_path"])
    left_out = load_lesions(root).left_out.set_index("crop_id")["reason"]
    assert left_out[row["crop_id"]] == "none of its image files is a crop"


def test_two_crops_of_one_row_are_not_guessed(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    row = load_lesions(root).table.iloc[0]
    crop = root / row["path"]
    shutil.copy(crop, crop.with_name("000009.dcm"))
    left_out = load_lesions(root).left_out.set_index("crop_id")["reason"]
    assert "more than one of its files is a crop" in left_out[row["crop_id"]]


def test_files_of_no_row_and_links_out_are_told(
    layouts: dict[str, Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    save(root / "jpeg" / "1.2.3.4" / "1-001.png")
    (tmp_path / "elsewhere").mkdir()
    (root / "more").symlink_to(tmp_path / "elsewhere")
    notices = load_lesions(root).notices
    assert "1 image file belongs to no row of the tables: jpeg/1.2.3.4/1-001.png" in notices
    assert any("not followed: more" in notice for notice in notices)


def test_tables_without_images(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    shutil.rmtree(root / "jpeg")
    with pytest.raises(UnusableInput, match="case tables, but no images"):
        load_lesions(root)
    (tmp_path / "jpeg").mkdir()
    (root / "jpeg").symlink_to(tmp_path / "jpeg")
    with pytest.raises(UnusableInput, match="not followed: jpeg"):
        load_lesions(root)


def test_a_part_of_a_download_can_be_looked_at(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    cases = sorted(path for path in root.iterdir() if path.name.startswith(("Mass", "Calc")))
    rows = load_lesions(root).table
    kept = rows[rows["pathology"] == "BENIGN"].iloc[0]
    for case in cases:
        if case.name != kept["crop_id"]:
            shutil.rmtree(case)
    found = load_lesions(root)
    assert list(found.table["crop_id"]) == [kept["crop_id"]]
    assert any("holds one class only (benign)" in notice for notice in found.notices)


def test_a_phantom_is_known_from_wherever_it_is_looked_at(
    layouts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "above" / "set"
    shutil.copytree(layouts["kaggle"], inner)
    shutil.copytree(inner / "csv", tmp_path / "tables")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "jpeg").symlink_to(inner / "jpeg")
    for root, tables in (
        (inner, None),
        (inner / "jpeg", None),
        (inner.parent, None),
        (inner.parent, tmp_path / "tables"),
        (inner / "jpeg", tmp_path / "tables"),
        (tmp_path / "links" / "jpeg", tmp_path / "tables"),
    ):
        assert load_lesions(root, tables=tables).synthetic, root
    for name in ("jpeg", "csv"):
        monkeypatch.chdir(inner / name)
        assert load_lesions(".").synthetic
    # A marker in a folder far above says nothing of the sets below it.
    (inner / "PHANTOM.json").rename(tmp_path / "above" / "PHANTOM.json")
    assert not load_lesions(inner).synthetic


def test_a_phantom_among_other_images_is_refused(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    (root / "PHANTOM.json").unlink()
    case = load_lesions(root).table["crop_id"].iloc[0]
    (root / "made").mkdir()
    shutil.move(root / case, root / "made" / case)
    (root / "made" / "PHANTOM.json").write_text("{}")
    with pytest.raises(UnusableInput, match="is a phantom that lies among other images"):
        load_lesions(root)


@pytest.mark.parametrize("layout", ["nbia", "uid", "png"])
def test_the_files_of_another_set_are_no_files_of_this_one(
    layouts: dict[str, Path], cbis_tables: Path, tmp_path: Path, layout: str
) -> None:
    """A phantom's cases are named as real ones are; its series are others."""
    shutil.copytree(layouts[layout], tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "csv")
    (tmp_path / "set" / "PHANTOM.json").unlink()
    with pytest.raises(UnusableInput, match="no usable crop"):
        load_lesions(tmp_path / "set", tables=cbis_tables)


def test_a_second_picture_beside_a_crop_is_not_guessed(
    layouts: dict[str, Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["png"], root)
    rows = load_lesions(root).table
    for place, shape in ((0, (20, 20)), (3, (600, 600))):
        save((root / rows["path"].iloc[place]).with_name("preview.png"), shape)
    left_out = load_lesions(root).left_out.set_index("crop_id")["reason"]
    for place in (0, 3):
        assert "more than one of its files is a crop" in left_out[rows["crop_id"].iloc[place]]


def test_what_is_no_mask_is_not_taken_for_one(
    layouts: dict[str, Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    row = load_lesions(root).table.iloc[0]
    save(root / row["mask_path"], (300, 250))
    (root / "csv" / "dicom_info.csv").unlink()
    left_out = load_lesions(root).left_out.set_index("crop_id")["reason"]
    assert "more than one of its files is a crop" in left_out[row["crop_id"]]


def test_dicom_is_looked_at_again_once_it_can_be_decoded(
    layouts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this machine cannot do is not kept: the advice to install a decoder has to work."""
    pytest.importorskip("openjpeg", reason="no encoder of JPEG 2000 here")
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEG2000Lossless

    root, cache = tmp_path / "set", tmp_path / "cache"
    shutil.copytree(layouts["uid"], root)
    expected = load_lesions(root, cache=cache).table
    file = root / expected["path"].iloc[0]
    record = pydicom.dcmread(file)
    record.compress(JPEG2000Lossless)
    record.save_as(file)
    decoder = get_decoder(JPEG2000Lossless)
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_available", {})
        found = load_lesions(root, cache=cache)
        assert "vit-svm-bench[dicom]" in found.left_out["reason"].iloc[0]
        build_stack(found, CropSettings(size=32), cache)
    pd.testing.assert_frame_equal(load_lesions(root, cache=cache).table, expected)


def test_places_that_cannot_be_looked_at_are_told(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    (root / "x.png").symlink_to("x.png")
    found = load_lesions(root)
    assert any("1 files or folders cannot be accessed: x.png" in notice for notice in found.notices)


def test_dicom_info_does_not_set_jpeg_before_png(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["kaggle"], root)
    for file in sorted(root.glob("jpeg/*/*.jpg")):
        with Image.open(file) as image:
            image.point(lambda value: value).save(file.with_suffix(".png"))
    found = load_lesions(root)
    assert found.table["path"].str.endswith(".png").mean() > 0.9


def test_a_header_comes_before_the_folder(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    rows = load_lesions(root).table
    first, second = rows["path"].iloc[0], rows["path"].iloc[4]
    moved = (root / second).with_name("000007.dcm")
    (root / first).rename(moved)
    found = load_lesions(root).table.set_index("crop_id")["path"]
    assert found[rows["crop_id"].iloc[0]] == moved.relative_to(root).as_posix()
    assert found[rows["crop_id"].iloc[4]] == second


def test_what_is_described_as_a_mask_is_no_film(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["uid"], root)
    row = load_lesions(root).table.iloc[0]
    film, mask = root / row["film_path"], root / row["mask_path"]
    record = pydicom.dcmread(film)
    record.SeriesDescription = pydicom.dcmread(mask).SeriesDescription
    record.save_as(film)
    found = load_lesions(root).table.set_index("crop_id")
    assert found.loc[row["crop_id"], "film_path"] == ""


def test_a_damaged_mask_does_not_cost_its_crop(layouts: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layouts["png"], root)
    row = load_lesions(root).table.iloc[0]
    mask = root / row["mask_path"]
    mask.write_bytes(mask.read_bytes()[:-200])
    found = load_lesions(root).table.set_index("crop_id")
    assert found.loc[row["crop_id"], "path"] == row["path"]
    assert found.loc[row["crop_id"], "mask_path"] == ""
