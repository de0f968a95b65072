"""The real names, tables and files of CBIS-DDSM: every crop but the one that is missing."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.data import CropSettings, Dataset, build_stack, load_lesions
from bench.data.cbis_ddsm.case_tables import find_tables, read_tables
from bench.data.crops.rotated import rotated_rows
from bench.data.images.decoding import decode
from bench.errors import UnusableInput
from bench.planning.protocols import PROTOCOLS

MISSING = "no image file of its series is there"


def files_of(dataset: Dataset) -> dict[str, str]:
    """crop_id -> the crop's own file name."""
    names = dataset.table["path"].str.rsplit("/", n=1).str[-1]
    return dict(zip(dataset.table["crop_id"], names, strict=True))


@pytest.fixture(scope="module")
def kaggle(kaggle_tree: Path) -> Dataset:
    return load_lesions(kaggle_tree)


def test_the_real_listing_gives_every_crop_but_one(kaggle: Dataset) -> None:
    assert kaggle.name == "cbis-ddsm"
    assert len(kaggle.table) == 3567
    assert kaggle.left_out[["crop_id", "reason"]].to_numpy().tolist() == [
        ["Calc-Training_P_01563_RIGHT_MLO_2", MISSING]
    ]
    assert not any("belong to no row" in notice for notice in kaggle.notices)
    assert kaggle.table["path"].is_unique


def test_the_traps_of_the_real_listing(kaggle: Dataset) -> None:
    rows = kaggle.table.set_index("crop_id")
    names = files_of(kaggle)
    assert names["Mass-Training_P_00634_RIGHT_MLO_1"] == "2-242.jpg"
    # The two columns of this row are swapped.
    swapped = rows.loc["Calc-Training_P_00474_LEFT_MLO_1"]
    assert Path(swapped["path"]).name == "1-207.jpg"
    assert Path(swapped["mask_path"]).name == "1-224.jpg"
    own_series = rows["path"].str.split("/").str[-2] != rows["mask_path"].str.split("/").str[-2]
    assert own_series.sum() == 104
    assert (rows["mask_path"] != "").all()
    assert (rows["film_path"] != "").all()
    assert rows["film_path"].nunique() == 3103


def test_the_real_rows_of_the_official_split(kaggle: Dataset, cbis_tables: Path) -> None:
    everything = read_tables(find_tables(cbis_tables)).rows
    (fold,) = PROTOCOLS["official"].split(everything, 1, 0).folds
    # 2,864 training rows less the 83 of the 31 shared patients; nothing is taken out of test.
    assert (len(fold.train), len(fold.test)) == (2781, 704)
    split = PROTOCOLS["official"].split(kaggle.rows("all"), 1, 0)
    assert (len(split.folds[0].train), len(split.folds[0].test)) == (2780, 704)
    assert "31 patients stand in both splits" in split.notices[0]
    audit = PROTOCOLS["pooled-official"].split(kaggle.rows("all"), 1, 0)
    assert (len(audit.folds[0].train), len(audit.folds[0].test)) == (2863, 704)
    assert "31 patients stand on both sides" in audit.notices[0]
    assert "with 83 training and 60 test crops" in audit.notices[0]


def test_rotated_mass_crops_have_the_counts_of_the_published_study(kaggle: Dataset) -> None:
    """5,272 pictures, 3,691 for training and 1,581 for testing (Ragab et al. 2021)."""
    rows = rotated_rows(kaggle.rows("mass"))
    (fold,) = PROTOCOLS["rotated-holdout"].split(rows, 1, 0).folds
    assert (len(fold.train), len(fold.test)) == (3691, 1581)
    assert set(rows["split"].iloc[[*fold.train, *fold.test]]) == {"train"}


def test_descriptions_come_before_pixels(
    kaggle: Dataset, kaggle_tree: Path, cbis_tables: Path, tmp_path: Path
) -> None:
    """With dicom_info.csv no picture is opened: an empty file is a crop if it is described so."""
    (tmp_path / "jpeg").mkdir()
    rows = kaggle.table.head(40)
    lines = []
    for path, kind in [
        *((path, "cropped images") for path in rows["path"]),
        *((path, "ROI mask images") for path in rows["mask_path"]),
    ]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
        lines.append(("CBIS-DDSM/" + path, kind))
    shutil.copytree(cbis_tables, tmp_path / "csv")
    with (tmp_path / "csv" / "dicom_info.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("image_path", "SeriesDescription"), *lines])
    found = load_lesions(tmp_path)
    pd.testing.assert_series_equal(found.table["path"], rows["path"])


def test_the_real_descriptions(
    shared_data: Path, cbis_tables: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    excerpt = shared_data / "cbis-ddsm" / "kaggle_dicom_info_excerpt.csv"
    shutil.copytree(cbis_tables, tmp_path / "csv")
    shutil.copy(excerpt, tmp_path / "csv" / "dicom_info.csv")
    rows = pd.read_csv(excerpt, dtype=str)
    for path in rows["image_path"]:
        save(tmp_path / Path(path).relative_to("CBIS-DDSM"))
    names = files_of(load_lesions(tmp_path))
    assert names["Mass-Training_P_00634_RIGHT_MLO_1"] == "2-242.jpg"
    # Its mask has no description.
    assert names["Calc-Test_P_00562_LEFT_CC_2"] == "1-052.jpg"
    crops = rows[rows["SeriesDescription"] == "cropped images"]
    assert {Path(path).name for path in crops["image_path"]} == set(names.values())


def test_the_real_files(shared_data: Path, tmp_path: Path) -> None:
    """DICOMs in NBIA's folders and loose, and PNGs whose names keep five digits of the series."""
    root = shared_data / "cbis-ddsm"
    found = load_lesions(root)
    assert dict(zip(found.table["crop_id"], found.table["path"], strict=True)) == {
        "Calc-Training_P_00474_LEFT_MLO_1": "loose/1-207.dcm",
        "Calc-Test_P_00038_LEFT_CC_1": "nbia_download/CBIS-DDSM/Calc-Test_P_00038_LEFT_CC_1/"
        "08-29-2017-DDSM-94942/1.000000-ROI mask images-18515/1-1.dcm",
        "Calc-Test_P_00038_LEFT_MLO_1": "nbia_download/CBIS-DDSM/Calc-Test_P_00038_LEFT_MLO_1/"
        "08-29-2017-DDSM-11739/1.000000-ROI mask images-88680/1-1.dcm",
        "Calc-Test_P_00038_RIGHT_CC_2": "loose/Calc_Test_ROI_07570_1-1.png",
        "Calc-Test_P_00299_RIGHT_MLO_1": "loose/Calc_Test_ROI_10820_1-1.png",
        "Calc-Test_P_00562_LEFT_CC_2": "loose/Calc_Test_ROI_11317_1-1.png",
    }
    for path in found.table["path"]:
        pixels = decode((root / path).read_bytes(), path).pixels
        assert pixels.dtype == np.uint16
        assert int(pixels.max()) > 255
    stack = build_stack(found, CropSettings(), tmp_path)
    sizes = dict(zip(stack.table["crop_id"], stack.table["crop_width"], strict=True))
    assert sizes["Calc-Training_P_00474_LEFT_MLO_1"] == 1065
    assert sizes["Calc-Test_P_00562_LEFT_CC_2"] == 97
    masks = dict(zip(found.table["path"], found.table["mask_path"], strict=True))
    assert masks["loose/Calc_Test_ROI_11317_1-1.png"] == "loose/Calc_Test_ROI_11317_1-2.png"


def test_five_digits_decide_only_where_all_rows_are_known(
    shared_data: Path, cbis_tables: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    """The name of a real film ends in the same digits as the series of another row's crop."""
    rows = read_tables(find_tables(cbis_tables)).rows
    whole = rows[(rows["subset"] == "calc") & (rows["split"] == "test")].iloc[0]
    save(tmp_path / "images" / f"Calc_Test_ROI_{whole['crop_series'][-5:]}_1-1.png")
    found = load_lesions(tmp_path / "images", tables=cbis_tables)
    assert list(found.table["crop_id"]) == [whole["crop_id"]]
    ending = rows["crop_series"].str[-5:]
    train = rows[(rows["subset"] == "calc") & (rows["split"] == "train")]
    repeated = train[train["crop_series"].str[-5:].duplicated(keep=False)]
    assert len(repeated) >= 2
    name = f"Calc_Train_ROI_{ending[repeated.index[0]]}_1-1.png"
    save(tmp_path / "images" / name)
    reasons = load_lesions(tmp_path / "images", tables=cbis_tables).left_out.set_index("crop_id")
    assert "fits several rows" in reasons["reason"][repeated["crop_id"].iloc[0]]
    part = tmp_path / "part"
    part.mkdir()
    table = "calc_case_description_test_set.csv"
    text = (cbis_tables / table).read_bytes()
    (part / table).write_bytes(text[: text.rindex(b"\r\n", 0, -2) + 2])
    with pytest.raises(UnusableInput, match="no usable crop"):
        load_lesions(tmp_path / "images", tables=part)
