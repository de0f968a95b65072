"""Each published set from a tree that looks like it: rows, labels, rules, and what is left out."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.data import CropSettings, Dataset, build_stack, load_lesions
from bench.errors import UnusableInput
from bench.planning.reference_points import reference_points

Tree = Callable[[str], Path]


def rows_of(dataset: Dataset, subset: str) -> pd.DataFrame:
    return dataset.rows(subset).set_index("crop_id")


def lost(dataset: Dataset) -> dict[str, str]:
    return dict(dataset.left_out[["crop_id", "reason"]].to_numpy())


def square(row: pd.Series) -> list[float]:
    return list(row[["centre_row", "centre_column", "half_side"]])


def test_inbreast(tree: Tree, tmp_path: Path) -> None:
    dataset = load_lesions(tree("inbreast"))
    assert dataset.name == "inbreast"
    images = rows_of(dataset, "images")
    assert list(images["label"]) == [0, 0, 1, 1, 0, 1]
    assert list(images["assessment"]) == ["1", "1", "4a", "4c", "2", "6"]
    assert list(images["density"].fillna("")) == ["4", "", "3", "3", "3", "1"]
    assert list(images["patient_id"].unique()) == ["aaaa1111", "bbbb2222", "cccc3333"]
    assert images.loc["50997461", "lesion_id"] == images.loc["50997515", "lesion_id"]
    assert set(images["laterality"]) == {"LEFT", "RIGHT"}
    assert dataset.subsets["images"].positive == "BI-RADS 4-6"
    assert dataset.subsets["images"].negative == "BI-RADS 1-2"
    (rule,) = dataset.table["label_from"].unique()
    assert rule == "BI-RADS of the image: 4, 5, 6 positive; 1, 2 negative; 0 and 3 left out"
    masses = rows_of(dataset, "mass")
    assert list(masses["label"]) == [1, 0]
    assert square(masses.iloc[0]) == [60, 60, 40]
    assert set(dataset.rows("lesions")["subset"]) == {"mass", "calc"}
    reasons = lost(dataset)
    assert reasons["22678646"] == "BI-RADS 3 of the image is on neither side"
    assert reasons["53581460"] == "no image file of this name is there"
    assert "'unnamed'" in reasons["50997461_3"]
    assert "outside the image of 160 x 200" in reasons["50997461_4"]
    assert "cannot be read" in reasons["53581406_outlines"]
    assert len(reasons) == 5
    notices = " ".join(dataset.notices)
    assert "2 outlines of single calcifications in 1 images" in notices
    assert "so the report has no rows for readers" in notices
    stack = build_stack(dataset, CropSettings(32), tmp_path)
    assert len(stack.table) == len(dataset.table)
    crops = stack.table.set_index("crop_id")
    assert crops.loc[masses.index[0], "crop_height"] == 80
    assert crops.loc["50997461", "crop_height"] == 200


def test_vindr(tree: Tree, tmp_path: Path) -> None:
    dataset = load_lesions(tree("vindr"))
    images = rows_of(dataset, "images")
    assert dict(images["label"]) == {"a1": 1, "a2": 1, "a3": 0, "b1": 0, "b2": 1, "c1": 1, "c3": 0}
    assert images.loc["a1", "lesion_id"] == images.loc["a2", "lesion_id"] == "e1_LEFT"
    assert list(images.loc[["a1", "c1"], "split"]) == ["train", "test"]
    assert images.loc["a1", "density"] == "C"
    assert images.loc["a1", "assessment"] == "4"
    findings = rows_of(dataset, "lesions")
    assert dict(findings["label"]) == {"a1_1": 1, "a2_1": 1, "a4_1": 0, "b2_1": 1}
    assert dict(findings["subset"]) == {
        "a1_1": "mass",
        "a2_1": "mass",
        "a4_1": "calc",
        "b2_1": "other",
    }
    assert findings.loc["a2_1", "abnormality"] == "suspicious calcification+mass"
    assert square(findings.loc["a1_1"]) == [60, 60, 40]
    # The image of b2 has half the size that the table gives.
    assert square(findings.loc["b2_1"])[:2] == [45, 30]
    assert dataset.subsets["lesions"].negative == "BI-RADS 3"
    assert set(dataset.table["label_from"]) == {
        "BI-RADS of the breast: 4, 5 positive; 1, 2 negative; 0, 3 and 6 left out",
        "BI-RADS of the finding: 4, 5 positive; 3 negative; findings without one left out",
    }
    reasons = lost(dataset)
    assert reasons.pop("a4") == "BI-RADS 3 of the breast is on neither side"
    assert reasons.pop("c2") == "no image file of this name is there"
    assert reasons.pop("a1_2") == "it has no BI-RADS of the finding"
    assert "other proportions" in reasons.pop("c1_1")
    assert not reasons
    stack = build_stack(dataset, CropSettings(32), tmp_path)
    assert len(stack.table) == len(dataset.table)


def test_cmmd(tree: Tree, tmp_path: Path) -> None:
    root = tree("cmmd")
    dataset = load_lesions(root)
    rows = rows_of(dataset, "images")
    assert dict(rows["label"]) == {
        "D1-0001_RIGHT_1": 0,
        "D1-0001_RIGHT_2": 0,
        "D1-0021_LEFT_1": 0,
        "D1-0021_RIGHT_1": 1,
        "D2-0002_LEFT_1": 1,
    }
    assert list(rows.sort_index()["view"]) == ["CC", "MLO", "CC", "MLO", "CC"]
    assert set(rows["abnormality"]) == {"calcification", "mass", "both"}
    assert rows.loc["D1-0001_RIGHT_1", "lesion_id"] == rows.loc["D1-0001_RIGHT_2", "lesion_id"]
    assert rows["patient_id"].nunique() == 3
    assert dataset.subsets["images"].positive == "malignant"
    reasons = lost(dataset)
    assert reasons.pop("D2-0009_LEFT") == "no image of this breast is there"
    assert set(reasons.values()) == {
        "the clinical table has no row for this breast",
        "neither its header nor its name says whose it is, and which side",
    }
    assert len(build_stack(dataset, CropSettings(32), tmp_path).table) == 5


def test_cmmd_from_an_excel_file(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree("cmmd")
    from_csv = load_lesions(root)
    pytest.importorskip("openpyxl")
    file = root / "CMMD_clinicaldata_revision.csv"
    pd.read_csv(file).to_excel(file.with_suffix(".xlsx"), index=False)
    file.unlink()
    pd.testing.assert_frame_equal(load_lesions(root).table, from_csv.table)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        UnusableInput, match=r"is an Excel file: pip install 'vit-svm-bench\[excel\]'"
    ):
        load_lesions(root)
    monkeypatch.undo()
    file.with_suffix(".xlsx").write_bytes(b"PK no archive")
    with pytest.raises(UnusableInput, match="is not a table of Excel"):
        load_lesions(root)


def test_rsna(tree: Tree, tmp_path: Path) -> None:
    dataset = load_lesions(tree("rsna"))
    rows = rows_of(dataset, "images")
    assert list(rows["label"]) == [0, 0, 1, 1, 0]
    assert list(rows["view"]) == ["CC", "MLO", "CC", "AT", "CC"]
    assert list(rows["lesion_id"].unique()) == ["10006_LEFT", "10038_RIGHT", "10042_LEFT"]
    assert rows.loc["10042_102733848", "path"] == "png/10042_102733848.png"
    assert set(rows["split"]) == {"none"}
    assert list(rows["assessment"])[2:] == ["0 (follow-up)", "0 (follow-up)", "2 (normal)"]
    assert lost(dataset) == {"10042_294481519": "no image file of this name is there"}
    assert len(build_stack(dataset, CropSettings(32), tmp_path).table) == 5


def test_busi(tree: Tree, tmp_path: Path) -> None:
    dataset = load_lesions(tree("busi"))
    images, lesions = rows_of(dataset, "images"), rows_of(dataset, "lesions")
    assert list(images["label"]) == [0, 0, 1, 1, 0]
    assert dataset.subsets["images"].negative == "benign or normal"
    assert list(lesions["label"]) == [0, 0, 1]
    # Both masks of benign (4) are in one box; the mask of half the size counts twice.
    assert [square(row) for _, row in lesions.iterrows()] == [
        [55, 47, 37],
        [65, 50, 45],
        [50, 40, 40],
    ]
    assert not dataset.patient_ids
    assert lost(dataset) == {"malignant/malignant (2).png:lesion": "it has no mask"}
    stack = build_stack(dataset, CropSettings(32), tmp_path)
    assert len(stack.table) == 8
    assert not np.isnan(stack.table["mean_intensity"]).any()


def test_image_folder(tree: Tree) -> None:
    dataset = load_lesions(tree("image-folder"))
    rows = dataset.rows("all")
    counts = rows.groupby(["split", "label"]).size()
    assert dict(counts) == {("train", 0): 5, ("train", 1): 5, ("test", 0): 2, ("test", 1): 2}
    assert rows["patient_id"].is_unique
    assert not dataset.patient_ids
    assert "2 images of val join training" in dataset.notices
    assert any("every image counts as a patient" in line for line in dataset.notices)
    assert "no official split" not in dataset.notices
    reasons = lost(dataset)
    assert "it is a mask" in reasons.pop("train/benign/train0_mask.png")
    assert reasons == {
        "train/loose.png": "it lies in no class folder",
        "extra/other.png": "it lies outside test, train, val",
    }


def test_an_image_folder_is_a_set_of_ones_own(tree: Tree) -> None:
    dataset = load_lesions(tree("image-folder"))
    assert dataset.own
    assert not dataset.numbering
    for name in ("busi", "rsna"):
        published = load_lesions(tree(name))
        assert not published.own
        assert published.numbering == name


def test_classes_of_an_image_folder_may_be_written_in_two_ways(tree: Tree) -> None:
    root = tree("image-folder")
    (root / "test" / "benign").rename(root / "test" / "Benign")
    assert dict(load_lesions(root).rows("all")["pathology"].value_counts())["Benign"] == 7
    named = load_lesions(root, positive="benign").rows("all")
    assert named["label"].sum() == 7


@pytest.mark.parametrize("name", ["inbreast", "vindr"])
def test_readers_are_not_measured_by_themselves(tree: Tree, name: str) -> None:
    dataset = load_lesions(tree(name))
    for subset in dataset.subsets:
        points = [extractor for extractor, _ in reference_points(dataset.rows(subset))]
        assert "none" in points
        assert not any(point.startswith("reader:") for point in points)


def test_readers_of_pathology_stay(tree: Tree) -> None:
    rows = load_lesions(tree("rsna")).rows("images")
    assert "reader:assessment" in [extractor for extractor, _ in reference_points(rows)]


@pytest.mark.parametrize("name", ["inbreast", "vindr", "cmmd", "rsna", "busi"])
def test_a_set_is_found_one_level_below(tree: Tree, name: str) -> None:
    root = tree(name)
    other = root.parent.parent / "around"
    other.mkdir()
    root.rename(other / "Release 1.0")
    assert load_lesions(other).name == name
