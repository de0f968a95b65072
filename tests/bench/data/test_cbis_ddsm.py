"""CBIS-DDSM: the counts of the real tables, their traps, and which file is the crop."""

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data import load_lesions
from bench.data.cbis_ddsm import Found, _notices
from bench.data.cbis_kaggle import _many_valued, resolve_kaggle
from bench.data.cbis_tables import find_tables, read_tables
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput


@pytest.fixture(scope="module")
def real_rows(cbis_tables: Path) -> pd.DataFrame:
    return read_tables(find_tables(cbis_tables)).rows


def test_the_real_counts(real_rows: pd.DataFrame) -> None:
    counts = real_rows.groupby(["subset", "split"]).size()
    assert counts.to_dict() == {
        ("mass", "train"): 1318,
        ("mass", "test"): 378,
        ("calc", "train"): 1546,
        ("calc", "test"): 326,
    }
    assert real_rows.groupby(["subset", "split"])["label"].sum().to_dict() == {
        ("mass", "train"): 637,
        ("mass", "test"): 147,
        ("calc", "train"): 544,
        ("calc", "test"): 129,
    }
    assert real_rows["patient_id"].nunique() == 1566
    assert real_rows["lesion_id"].nunique() == 2050
    assert real_rows["crop_id"].is_unique
    assert len(shared_patients(real_rows)) == 31
    for kind in ("mass", "calc"):
        assert shared_patients(real_rows[real_rows["subset"] == kind]) == []
    labels = real_rows.groupby("patient_id")["label"].agg(["min", "max"])
    assert (labels["min"] < labels["max"]).sum() == 56


def test_real_cells_are_stripped_and_absent_ones_empty(real_rows: pd.DataFrame) -> None:
    assert real_rows["crop_id"].iloc[0] == "Mass-Training_P_00001_LEFT_CC_1"
    assert real_rows["lesion_id"].iloc[0] == "mass_P_00001_LEFT_1"
    assert not real_rows["mask_cell"].str.contains(r"\s").any()
    train = real_rows[real_rows["split"] == "train"]
    mass, calc = (train[train["subset"] == kind] for kind in ("mass", "calc"))
    assert list(mass[["shape", "margins"]].isna().sum()) == [4, 43]
    assert list(calc[["calc_type", "calc_distribution"]].isna().sum()) == [20, 376]
    assert set(real_rows["density"]) == {0, 1, 2, 3, 4}


def test_one_real_series_is_missing(
    real_rows: pd.DataFrame, shared_data: Path, tmp_path: Path
) -> None:
    with gzip.open(shared_data / "cbis-ddsm" / "kaggle_jpeg_listing.csv.gz", "rt") as stream:
        for line in csv.DictReader(stream):
            folder = tmp_path / "jpeg" / line["series_uid_folder"]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / line["file"]).touch()
    resolved = resolve_kaggle(Found(tmp_path, tmp_path), real_rows)
    missing = [
        crop_id
        for crop_id, one in zip(real_rows["crop_id"], resolved, strict=True)
        if "missing" in one.reason
    ]
    assert missing == ["Calc-Training_P_01563_RIGHT_MLO_2"]


def test_real_descriptions_tell_crop_from_mask(
    shared_data: Path, cbis_tables: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    excerpt = shared_data / "cbis-ddsm" / "kaggle_dicom_info_excerpt.csv"
    shutil.copytree(cbis_tables, tmp_path / "csv")
    shutil.copy(excerpt, tmp_path / "csv" / "dicom_info.csv")
    rows = pd.read_csv(excerpt, dtype=str)
    for path in rows["image_path"]:
        save(tmp_path / Path(path).relative_to("CBIS-DDSM"))
    cases = read_tables(find_tables(tmp_path / "csv"))
    resolved = resolve_kaggle(Found(tmp_path, tmp_path / "csv"), cases.rows)
    names = {
        crop_id: Path(one.path).name
        for crop_id, one in zip(cases.rows["crop_id"], resolved, strict=True)
        if not one.reason
    }
    assert names["Mass-Training_P_00634_RIGHT_MLO_1"] == "2-242.jpg"
    assert names["Calc-Test_P_00562_LEFT_CC_2"] == "1-052.jpg"
    crops = rows[rows["SeriesDescription"] == "cropped images"]
    assert {Path(path).name for path in crops["image_path"]} == set(names.values())


def test_what_a_reader_must_know_of_the_real_set(cbis_tables: Path) -> None:
    notices = _notices(read_tables(find_tables(cbis_tables)))
    assert notices == [
        "3 lesions have conflicting pathology between views: "
        "mass_P_00419_LEFT_1, mass_P_00419_LEFT_2, mass_P_01623_RIGHT_1",
        "31 patients stand in both train and test once mass and calc are pooled",
    ]


def test_rows_in_the_wrong_table_and_absent_cells(shared_data: Path, tmp_path: Path) -> None:
    variants = shared_data / "cbis-ddsm" / "csv_variants"
    name = "calc_case_description_test_set.csv"
    shutil.copy(variants / "mass_rows_appended__calc_test.csv", tmp_path / name)
    tables = read_tables(find_tables(tmp_path))
    assert len(tables.rows) == 326
    assert len(tables.left_out) == 378
    assert tables.left_out[0].crop_id.startswith("Mass-Test_P_")
    shutil.copy(variants / "NA_cells__calc_test.csv", tmp_path / name)
    assert read_tables(find_tables(tmp_path)).rows["calc_type"].isna().sum() == 4


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("columns_2017__mass_train.csv", "no column left or right breast"),
        ("truncated__calc_train.csv", "no column subtlety"),
    ],
)
def test_other_forms_are_refused(
    shared_data: Path, tmp_path: Path, variant: str, said: str
) -> None:
    kind = variant.split("__")[1][:4]
    file = tmp_path / f"{kind}_case_description_train_set.csv"
    shutil.copy(shared_data / "cbis-ddsm" / "csv_variants" / variant, file)
    with pytest.raises(UnusableInput, match=said) as caught:
        read_tables(find_tables(tmp_path))
    assert file.name in str(caught.value)


@pytest.fixture
def copy(phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantom, tmp_path / "copy"))


def table_of(root: Path, name: str = "mass_case_description_train_set.csv") -> Path:
    return root / "csv" / name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("pathology", "outcome", "no column pathology"),
        ("MALIGNANT", "UNSURE", "column pathology: cannot understand 'UNSURE'"),
        (",LEFT,", ",MIDDLE,", "column left or right breast: cannot understand 'MIDDLE'"),
        ("/000000.dcm", "", "cannot understand"),
    ],
)
def test_a_table_that_cannot_be_understood(copy: Path, old: str, new: str, said: str) -> None:
    file = table_of(copy)
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(UnusableInput, match=said) as caught:
        load_lesions(copy)
    assert file.name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_row_given_twice_is_refused(copy: Path) -> None:
    file = table_of(copy)
    text = file.read_bytes().decode()
    body = text.split("\r\n", 1)[1]
    file.write_bytes((text + body).encode())
    with pytest.raises(UnusableInput, match="more than one row describes Mass-Training_P_"):
        load_lesions(copy)


def test_the_tables_may_lie_elsewhere(copy: Path, tmp_path: Path) -> None:
    expected = load_lesions(copy).table
    for given in (copy / "csv", copy / "jpeg"):
        found = load_lesions(given)
        assert len(found.table) == len(expected)
        assert found.synthetic
    shutil.move(copy / "csv", tmp_path / "tables")
    pd.testing.assert_frame_equal(load_lesions(copy, tables=tmp_path / "tables").table, expected)
    with pytest.raises(UnusableInput, match="no such folder of case tables"):
        load_lesions(copy, tables=tmp_path / "absent")
    with pytest.raises(UnusableInput, match="no CBIS-DDSM case tables"):
        load_lesions(copy, tables=copy / "jpeg")


def test_without_descriptions_the_pixels_tell(copy: Path) -> None:
    described = load_lesions(copy).table
    (copy / "csv" / "dicom_info.csv").unlink()
    pd.testing.assert_frame_equal(load_lesions(copy).table, described)


def test_swapped_columns_lead_to_the_crop_all_the_same(copy: Path) -> None:
    expected = load_lesions(copy).table
    for file in (copy / "csv").glob("*_set.csv"):
        text = file.read_text()
        swapped = text.replace("cropped image file path,ROI mask", "ROI mask file path,cropped")
        file.write_text(swapped.replace("cropped file path", "cropped image file path"))
    pd.testing.assert_frame_equal(load_lesions(copy).table, expected)


def test_missing_series_and_missing_crops_are_listed(copy: Path) -> None:
    rows = load_lesions(copy).table
    first, second = (copy / rows["path"].iloc[place] for place in (0, 5))
    shutil.rmtree(first.parent)
    second.unlink()
    left_out = load_lesions(copy).left_out.set_index("crop_id")["reason"]
    assert "missing" in left_out[rows["crop_id"].iloc[0]]
    assert left_out[rows["crop_id"].iloc[5]]
    assert len(left_out) == 2


def test_what_is_described_as_a_mask_is_never_a_crop(copy: Path, save: Callable[..., Path]) -> None:
    row = load_lesions(copy).table.iloc[0]
    folder = (copy / row["path"]).parent
    (copy / row["path"]).unlink()
    for mask in folder.iterdir():
        save(mask)
    left_out = load_lesions(copy).left_out
    assert dict(left_out[["crop_id", "reason"]].to_numpy()) == {
        row["crop_id"]: "no file of the series is a crop"
    }


def test_two_crops_in_one_series_are_not_guessed(copy: Path) -> None:
    rows = load_lesions(copy).table
    crop = copy / rows["path"].iloc[0]
    shutil.copy(crop, crop.with_name("3-999.jpg"))
    info = copy / "csv" / "dicom_info.csv"
    name = f"{crop.parent.name}/{crop.name}"
    lines = info.read_text().splitlines()
    line = next(line for line in lines if name in line)
    info.write_text("\n".join([*lines, line.replace(crop.stem + ".", "3-999.")]) + "\n")
    left_out = load_lesions(copy).left_out
    assert list(left_out["crop_id"]) == [rows["crop_id"].iloc[0]]
    assert "more than one file" in left_out["reason"].iloc[0]


def test_tables_without_images(copy: Path) -> None:
    shutil.rmtree(copy / "jpeg")
    with pytest.raises(UnusableInput, match="case tables, but no images"):
        load_lesions(copy)


def test_a_mask_is_known_by_its_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 80), dtype=np.uint8)).save(tmp_path / "2-001.jpg")
    mask = np.zeros((60, 50), np.uint8)
    mask[20:40, 15:35] = 255
    Image.fromarray(mask).save(tmp_path / "1-001.jpg", quality=90)
    # The mask is the smaller of the two here: size alone would be wrong.
    assert _many_valued(tmp_path, ["1-001.jpg", "2-001.jpg"]) == ["2-001.jpg"]
