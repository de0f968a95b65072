"""Published sets whose files and tables do not agree: no row is counted twice, moved, or lost."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from bench.data import load_lesions
from bench.errors import UnusableInput

Tree = Callable[[str], Path]
Edited = Callable[..., Path]


def lost(root: Path) -> dict[str, str]:
    return dict(load_lesions(root).left_out[["crop_id", "reason"]].to_numpy())


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"]
)
@pytest.mark.parametrize("content", ["half", "none", "text"])
def test_a_damaged_excel_file(tree: Tree, part: str, content: str) -> None:
    pytest.importorskip("openpyxl")
    root = tree("cmmd")
    file = (root / "CMMD_clinicaldata_revision.csv").rename(root / "whole.txt")
    excel = root / "CMMD_clinicaldata_revision.xlsx"
    pd.read_csv(file).to_excel(excel, index=False)
    with zipfile.ZipFile(excel) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert part in parts
    with zipfile.ZipFile(excel, "w") as archive:
        for name, data in parts.items():
            damaged = {"half": data[: len(data) // 2], "none": b"", "text": b"no XML"}[content]
            archive.writestr(name, damaged if name == part else data)
    with pytest.raises(UnusableInput, match=r"revision\.xlsx: .*(is not a table of Excel|no rows)"):
        load_lesions(root)


def test_an_excel_file_whose_packed_bytes_are_damaged(tree: Tree) -> None:
    pytest.importorskip("openpyxl")
    root = tree("cmmd")
    file = (root / "CMMD_clinicaldata_revision.csv").rename(root / "whole.txt")
    excel = root / "CMMD_clinicaldata_revision.xlsx"
    pd.read_csv(file).to_excel(excel, index=False)
    data = bytearray(excel.read_bytes())
    with zipfile.ZipFile(excel) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    data[start + 60 : start + 90] = b"\xff" * 30
    excel.write_bytes(data)
    with pytest.raises(UnusableInput, match=r"revision\.xlsx: is not a table of Excel"):
        load_lesions(root)


@pytest.mark.parametrize("damage", ["text", "proportions"])
@pytest.mark.parametrize("name", ["benign (4)_mask.png", "benign (4)_mask_1.png"])
def test_a_crop_of_some_of_its_masks_is_no_crop(
    tree: Tree, draw: SimpleNamespace, damage: str, name: str
) -> None:
    """It would show one lesion of two."""
    root = tree("busi")
    file = root / "benign" / name
    if damage == "text":
        file.write_bytes(b"no picture")
    else:
        draw.mask(file, (1, 1, 9, 9), (120, 120))
    dataset = load_lesions(root)
    crop = "benign/benign (4).png:lesion"
    assert crop not in set(dataset.table["crop_id"])
    reason = lost(root)[crop]
    assert ("proportions" in reason) if damage == "proportions" else reason.startswith("its mask:")


def manifest(root: Path) -> None:
    pictures = sorted(path for path in root.rglob("*.png") if "mask" not in path.name)
    lines = [
        f"{path.relative_to(root).as_posix()},{path.parent.name},p{number // 2}"
        for number, path in enumerate(path for path in pictures if path.parent.name != "normal")
    ]
    (root / "mine.csv").write_text("\n".join(["path,label,patient_id", *lines]) + "\n")


@pytest.mark.parametrize("name", ["busi", "image-folder"])
def test_a_manifest_takes_the_place_of_class_folders(tree: Tree, name: str) -> None:
    root = tree(name)
    if name == "image-folder":
        for file in ("train/loose.png", "extra/other.png"):
            (root / file).unlink()
    manifest(root)
    dataset = load_lesions(root)
    assert dataset.name == "folder"
    assert dataset.patient_ids
    assert load_lesions(root, name).name == name


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("e1,s,a1,L,CC", "e2,s,a1,L,CC", "exams"),
        ("e1,s,a1,L,CC", "e1,s,a1,R,CC", "sides"),
        ("e1,s,a1,L,CC", "e1,s,a1,L,MLO", "views"),
    ],
)
def test_two_tables_that_contradict_each_other(
    edited: Edited, old: str, new: str, what: str
) -> None:
    """Else one image would be of two patients, one in training and one in test."""
    root = edited("vindr", "finding_annotations.csv", old, new)
    dataset = load_lesions(root)
    assert "a1_1" not in set(dataset.table["crop_id"])
    assert lost(root)["a1_1"] == f"the two tables name different {what} for this image"
    assert dataset.table.groupby("path")["patient_id"].nunique().max() == 1


def test_findings_of_an_image_whose_rows_contradict_each_other(tree: Tree) -> None:
    root = tree("vindr")
    file = root / "breast-level_annotations.csv"
    row = next(line for line in file.read_text().splitlines() if ",a1," in line)
    file.write_text(file.read_text() + row.replace("training", "test") + "\n")
    assert not set(load_lesions(root).table["crop_id"]) & {"a1", "a1_1"}
    assert lost(root)["a1_1"] == "the rows of its image contradict each other"


def test_a_finding_that_stands_twice_is_one(tree: Tree) -> None:
    root = tree("vindr")
    before = load_lesions(root)
    file = root / "finding_annotations.csv"
    lines = file.read_text().splitlines()
    twice = lines[1].replace("20.5,", "20.50,")
    file.write_text("\n".join([*lines[:2], lines[1], twice, *lines[2:]]) + "\n")
    after = load_lesions(root)
    assert list(after.table["crop_id"]) == list(before.table["crop_id"])
    assert after.source_tables["totals"].equals(before.source_tables["totals"])
    reasons = dict(after.left_out[["crop_id", "reason"]].to_numpy())
    for line in (3, 4):
        name = f"finding_annotations.csv line {line}"
        assert reasons[name] == "the table has the same row twice"


def test_one_image_without_a_patient_does_not_take_the_others_ids(tree: Tree) -> None:
    root = tree("inbreast")
    folder = root / "AllDICOMs"
    next(folder.glob("50997515*")).rename(folder / "50997515.dcm")
    dataset = load_lesions(root)
    assert dataset.patient_ids
    assert any(line.startswith("1 images have no patient") for line in dataset.notices)
    for file in list(folder.iterdir()):
        file.rename(folder / f"{file.name.split('_')[0].split('.')[0]}.dcm")
    assert not load_lesions(root).patient_ids


@pytest.mark.parametrize(
    "names",
    [
        ["D1-0021_R_MLO_Malignant.png"],
        ["png/D1-0021_R_MLO.png", "jpg/D1-0021_R_MLO.jpg"],
        ["D1-0021-right-mlo.tif"],
    ],
)
def test_a_mammogram_and_its_conversion_are_one(
    tree: Tree, draw: SimpleNamespace, names: list[str]
) -> None:
    root = tree("cmmd")
    before = load_lesions(root)
    for name in names:
        draw.picture(root / "CMMD" / name)
    after = load_lesions(root)
    assert after.table.equals(before.table)
    reasons = lost(root)
    for name in names:
        assert reasons[f"CMMD/{name}"] == "its mammogram is used in another format"


def test_two_conversions_of_a_mammogram_are_one(tree: Tree, draw: SimpleNamespace) -> None:
    root = tree("cmmd")
    draw.picture(root / "CMMD" / "D2-0002_L_CC_Malignant.jpg")
    assert load_lesions(root).table["path"].str.contains("D2-0002_L").sum() == 1
    # Another view is another mammogram.
    draw.picture(root / "CMMD" / "D2-0002_L_MLO_Malignant.png")
    assert load_lesions(root).table["path"].str.contains("D2-0002_L").sum() == 2


def test_a_conversion_of_a_mammogram_without_a_view(tree: Tree, draw: SimpleNamespace) -> None:
    """It may be the same; that is told, and nothing is counted twice."""
    root = tree("cmmd")
    draw.mammogram(root / "CMMD" / "x" / "1.dcm", PatientID="D2-0009", ImageLaterality="L")
    draw.picture(root / "CMMD" / "D2-0009_L_CC.png")
    paths = load_lesions(root).table["path"]
    assert paths[paths.str.contains("D2-0009|x/1")].tolist() == ["CMMD/x/1.dcm"]


def test_rows_without_a_name_are_not_the_same_row(tree: Tree) -> None:
    root = tree("rsna")
    file = root / "train.csv"
    lines = file.read_text().replace("2,10006,", "2,,").splitlines()
    file.write_text("\n".join([*lines[:2], lines[1], *lines[2:]]) + "\n")
    reasons = list(load_lesions(root).left_out["reason"])
    assert reasons.count("the table gives no patient_id or no image_id") == 3


@pytest.mark.parametrize("cell", ["", "both", "?"])
def test_rows_of_cmmd_without_a_side(tree: Tree, cell: str) -> None:
    root = tree("cmmd")
    rows = [f"D2-0009,{cell},51,2,mass,{word}," for word in ("Malignant", "Benign", "Benign")]
    file = root / "CMMD_clinicaldata_revision.csv"
    text = file.read_text()
    file.write_text(text + "\n".join([*rows, ",L,50,2,mass,Benign,"]) + "\n")
    before, reasons = text.count("\n"), load_lesions(root).left_out
    unnamed = reasons[reasons["reason"] == "the table gives no ID1 or no LeftRight"]
    assert len(unnamed) == 4
    assert f"CMMD_clinicaldata_revision.csv line {before + 4}" in set(unnamed["crop_id"])
    assert "its rows contradict each other" not in set(reasons["reason"])


def test_files_of_inbreast_that_no_row_uses(tree: Tree, draw: SimpleNamespace) -> None:
    root = tree("inbreast")
    around = [(20.0, 30.0), (99.5, 30.0), (99.5, 89.0)]
    draw.outlines(root / "AllXML" / "22678646.xml", [("Mass", around)])  # its image has BI-RADS 3
    draw.outlines(root / "AllXML" / "53581460.xml", [("Mass", around)])  # its image is missing
    draw.outlines(root / "AllXML" / "99999999.xml", [("Mass", around)])
    draw.outlines(root / "other" / "50997461.xml", [("Mass", around)])
    draw.mammogram(root / "AllDICOMs" / "99999999_dddd4444_MG_R_CC_ANON.dcm")
    found = lost(root)
    assert found["22678646_outlines"] == found["53581460_outlines"] == "its image is left out"
    assert found["AllXML/99999999.xml"] == "the table has no row for these outlines"
    assert found["other/50997461.xml"] == "another file has the outlines of this image"
    name = "AllDICOMs/99999999_dddd4444_MG_R_CC_ANON.dcm"
    assert found[name] == "the table has no row for this image"


def test_files_of_vindr_that_no_row_names(tree: Tree, draw: SimpleNamespace) -> None:
    root = tree("vindr")
    draw.mammogram(root / "images" / "e9" / "z9.dicom")
    found = lost(root)
    assert found["images/e9/z9.dicom"] == "neither table has a row for this image"


def test_boxes_of_no_finite_size(edited: Edited) -> None:
    root = edited("vindr", "finding_annotations.csv", "20.5,30.25,99.5", "-1e308,30.25,1e308")
    assert lost(root)["a1_1"] == "its box is of no finite size"


def test_outlines_of_no_finite_size(tree: Tree, draw: SimpleNamespace) -> None:
    root = tree("inbreast")
    far = float("9" * 308)
    points = [(-far, 30.0), (far, 30.0), (99.5, 89.0)]
    draw.outlines(root / "AllXML" / "50997461.xml", [("Mass", points)])
    assert lost(root)["50997461_1"] == "its box is of no finite size"
