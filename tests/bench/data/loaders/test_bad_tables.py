"""Tables of published sets with what goes wrong in tables: one line, or a row left out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data import load_lesions
from bench.errors import UnusableInput

Edited = Callable[..., Path]
# A table of each set, and a column without which it cannot be read.
TABLES = [
    ("inbreast", "INbreast.csv", "Bi-Rads", ";"),
    ("vindr", "breast-level_annotations.csv", "breast_birads", ","),
    ("vindr", "finding_annotations.csv", "xmin", ","),
    ("cmmd", "CMMD_clinicaldata_revision.csv", "classification", ","),
    ("rsna", "train.csv", "cancer", ","),
]


def refusal(root: Path, dataset: str) -> str:
    with pytest.raises(UnusableInput) as caught:
        load_lesions(root, dataset)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(("name", "table", "column", "mark"), TABLES)
def test_a_missing_column(edited: Edited, name: str, table: str, column: str, mark: str) -> None:
    message = refusal(edited(name, table, column, "other"), name)
    assert f"{table}: no column {column}; the first line holds" in message


@pytest.mark.parametrize(("name", "table", "column", "mark"), TABLES)
def test_a_doubled_column(edited: Edited, name: str, table: str, column: str, mark: str) -> None:
    root = edited(name, table, column, f"{column}{mark}{column.upper()}")
    assert f"{table}: column {column} occurs more than once" in refusal(root, name)


@pytest.mark.parametrize(("name", "table", "column", "mark"), TABLES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_line_ends_and_delimiters(
    tree: Callable[[str], Path], name: str, table: str, column: str, mark: str, encoding: str
) -> None:
    root = tree(name)
    before = load_lesions(root).table
    text = (root / table).read_text().replace("\n", "\r\n")
    if "[" not in text:
        text = text.replace(mark, "\t")
    (root / table).write_bytes((text + "\r\n\r\n").encode(encoding))
    assert load_lesions(root).table.equals(before)


@pytest.mark.parametrize(("name", "table", "column", "mark"), TABLES)
def test_a_table_without_rows(
    tree: Callable[[str], Path], name: str, table: str, column: str, mark: str
) -> None:
    root = tree(name)
    header = (root / table).read_text().splitlines()[0]
    (root / table).write_text(header + "\n" + mark * header.count(mark) + "\n")
    assert "no rows that can be read" in refusal(root, name)


@pytest.mark.parametrize(
    ("name", "table", "old", "new"),
    [
        ("inbreast", "INbreast.csv", ";22678622;", ";22678622.0;"),
        ("inbreast", "INbreast.csv", ";22678622;", ";'22678622;"),
        ("inbreast", "INbreast.csv", ";22678622;", ";2,2678622E+07;"),
        ("inbreast", "INbreast.csv", ";3;4a", ";3.0; BI-RADS: 4A"),
        ("inbreast", "INbreast.csv", ";1;6", ";1;6,0"),
        ("rsna", "train.csv", "10006,462822612", "10006.0, 462822612.0 "),
        ("rsna", "train.csv", "55.0,1,1,1", "55.0,1.0,1,1"),
        ("rsna", "train.csv", "61.0,0,", "61.0,False,"),
        ("vindr", "breast-level_annotations.csv", "BI-RADS 4", "4"),
        ("vindr", "breast-level_annotations.csv", "BI-RADS 5", "birads_5"),
        ("vindr", "breast-level_annotations.csv", "BI-RADS 5", "BI_RADS 5"),
        ("vindr", "breast-level_annotations.csv", "BI-RADS 4", "bi_rads_4"),
        ("vindr", "finding_annotations.csv", "20.5,", "'20.5,"),
        ("cmmd", "CMMD_clinicaldata_revision.csv", "D1-0001,R", "d1-0001,right"),
        ("cmmd", "CMMD_clinicaldata_revision.csv", "Malignant", " malignant\u00a0"),
    ],
)
def test_numbers_as_text_are_numbers(
    tree: Callable[[str], Path], name: str, table: str, old: str, new: str
) -> None:
    root = tree(name)
    before = load_lesions(root)
    text = (root / table).read_text()
    assert old in text
    (root / table).write_text(text.replace(old, new))
    after = load_lesions(root)
    columns = ["crop_id", "patient_id", "label", "assessment", "path"]
    there = [column for column in columns if column in before.table]
    assert after.table[there].equals(before.table[there])
    assert after.left_out.equals(before.left_out)


@pytest.mark.parametrize(
    ("name", "table", "old", "new", "reason"),
    [
        ("inbreast", "INbreast.csv", ";3;4a", ";3;none of it", "'none of it' is no BI-RADS of the"),
        ("inbreast", "INbreast.csv", ";3;4a", ";3;", "it has no BI-RADS of the image"),
        ("inbreast", "INbreast.csv", ";22678622;", ";;", "the table gives no File Name"),
        ("inbreast", "INbreast.csv", ";22678622;4;1", "", "another number of cells"),
        ("rsna", "train.csv", "61.0,0,", "61.0,maybe,", "cancer is 'maybe', not 0 or 1"),
        ("rsna", "train.csv", "2,10006,462822612", "2,,462822612", "no patient_id"),
        ("rsna", "train.csv", "29,False", "29,False,more", "another number of cells"),
        ("vindr", "breast-level_annotations.csv", "training", "later", "split is 'later'"),
        ("vindr", "finding_annotations.csv", "20.5,", "wide,", "its box is incomplete"),
        ("vindr", "finding_annotations.csv", "20.5,", "99.5,", "its box has no area"),
        ("cmmd", "CMMD_clinicaldata_revision.csv", "Benign", "Unknown", "'Unknown', not Benign"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason(
    edited: Edited, name: str, table: str, old: str, new: str, reason: str
) -> None:
    dataset = load_lesions(edited(name, table, old, new))
    assert any(reason in line for line in dataset.left_out["reason"])


def test_repeated_and_contradicting_rows(tree: Callable[[str], Path]) -> None:
    root = tree("rsna")
    file = root / "train.csv"
    row = "2,10006,462822612,L,CC,61.0,0,0,0,,0,,29,False\n"
    file.write_text(file.read_text() + row)
    dataset = load_lesions(root)
    assert len(dataset.table) == 5
    assert "the table has the same row twice" in set(dataset.left_out["reason"])
    file.write_text(file.read_text() + row.replace("61.0,0", "61.0,1"))
    dataset = load_lesions(root)
    assert "10006_462822612" not in set(dataset.table["crop_id"])
    assert list(dataset.left_out["reason"]).count("its rows contradict each other") == 3


@pytest.mark.parametrize("name", ["inbreast", "vindr", "cmmd", "rsna", "busi", "image-folder"])
def test_a_set_that_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert "looked for" in refusal(tmp_path / "empty", name)
    (tmp_path / "file.csv").write_text("a,b\n1,2\n")
    assert "looked for" in refusal(tmp_path / "file.csv", name)


def test_tables_without_images(tree: Callable[[str], Path]) -> None:
    """Of BUSI, which has no table, without its pictures."""
    reasons = {
        **dict.fromkeys(("inbreast", "vindr", "rsna"), "no image file of this name is there"),
        "cmmd": "no image of this breast is there",
        "busi": "it is a mask, and its picture is missing",
    }
    for name, reason in reasons.items():
        root = tree(name)
        for file in [*root.rglob("*.dcm"), *root.rglob("*.dicom"), *root.rglob("*.png")]:
            if "_mask" not in file.name:
                file.unlink()
        assert "no usable crop; all" in refusal(root, name)
        assert reason in refusal(root, name)


def test_links_out_of_the_root_are_left_out(tree: Callable[[str], Path], tmp_path: Path) -> None:
    root = tree("rsna")
    file = root / "train_images" / "10006" / "462822612.dcm"
    file.rename(tmp_path / "elsewhere.dcm")
    file.symlink_to(tmp_path / "elsewhere.dcm")
    reasons = load_lesions(root).left_out["reason"]
    assert any("symbolic link leads out" in reason for reason in reasons)
    assert len(load_lesions(root, follow_links=True).table) == 5
