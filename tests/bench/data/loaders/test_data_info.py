"""`data info` of every layout: totals beside the published ones, licence, citation, and JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app

Tree = Callable[[str], Path]


def info(root: Path, *options: str) -> str:
    ended = CliRunner().invoke(app, ["data", "info", str(root), *options])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def totals(found: dict[str, Any]) -> dict[str, list[int | None]]:
    return {
        row["of"]: [row["in_tables"], row["used"], row["published"]]
        for row in found["tables"]["totals"]
    }


@pytest.mark.parametrize(
    ("name", "words", "rows", "lesions", "patients", "images"),
    [
        ("inbreast", "Moreira", 10, [None, 4, None], [None, 3, 115], [8, 6, 410]),
        ("vindr", "10.13026/br2v-7517", 11, [6, 4, 2254], [3, 3, 5000], [9, 8, 20000]),
        ("cmmd", "CC BY 4.0", 5, [None, 4, None], [4, 3, 1775], [None, 5, 3728]),
        ("rsna", "non-commercial", 5, [None, 3, None], [3, 3, 11913], [6, 5, 54706]),
        ("busi", "Al-Dhabyani", 8, [4, 3, 647], [None, 5, 600], [5, 5, 780]),
        ("image-folder", "", 14, [None, 14, None], [None, 14, None], [None, 14, None]),
    ],
)
def test_data_info(
    tree: Tree,
    name: str,
    words: str,
    rows: int,
    lesions: list[int | None],
    patients: list[int | None],
    images: list[int | None],
) -> None:
    root = tree(name)
    printed = info(root)
    assert f"{name}: " in printed
    assert words in printed
    assert "Totals" in printed
    found = json.loads(info(root, "--json"))
    assert found["dataset"] == name
    assert totals(found) == {
        # Crops of lesions have rows of their own, beside those of whole images.
        "rows": [None, rows, None],
        "lesions": lesions,
        "patients": patients,
        "images": images,
    }
    assert found["tables"]["rows_left_out"]
    assert all(notice in printed for notice in found["notices"])


def test_totals_of_cbis_ddsm(kaggle_tree: Path) -> None:
    found = json.loads(info(kaggle_tree, "--json"))
    assert totals(found) == {
        "rows": [3568, 3567, 3568],
        "lesions": [2050, 2050, 2050],
        "patients": [1566, 1566, 1566],
        "images": [3103, 3103, 3103],
    }
    assert len(found["tables"]["rows_left_out"]) == 1


@pytest.mark.parametrize(
    ("name", "table"), [("vindr", "breast-level_annotations.csv"), ("cmmd", "")]
)
def test_a_row_without_a_patient_is_no_patient(tree: Tree, name: str, table: str) -> None:
    root = tree(name)
    before = totals(json.loads(info(root, "--json")))["patients"]
    file = root / (table or "CMMD_clinicaldata_revision.csv")
    row = file.read_text().splitlines()[-1]
    file.write_text(file.read_text() + row[row.index(",") :].replace("c3", "c4") + "\n")
    assert totals(json.loads(info(root, "--json")))["patients"] == before


def test_a_phantom_has_no_published_totals(phantom: Path) -> None:
    found = json.loads(info(phantom, "--json"))
    assert [row["published"] for row in found["tables"]["totals"]] == [None] * 4
    assert found["synthetic"]


def test_a_folder_is_shown_without_what_it_does_not_have(
    tmp_path: Path, save: Callable[..., Path]
) -> None:
    """No empty columns, no shared patients without a split, no counts a second time."""
    for name in ("benign", "malignant"):
        for n in range(3):
            save(tmp_path / "two" / name / f"{n}.png")
            for part in ("train", "test"):
                save(tmp_path / "split" / part / name / f"{n}.png")
            save(tmp_path / "three" / name / f"{n}.png")
            save(tmp_path / "three" / "normal" / f"{n}.png")
    two, split, three = (info(tmp_path / name) for name in ("two", "split", "three"))
    assert two.partition("Totals")[2].splitlines()[1].split() == ["of", "used"]
    assert "Crops" in two
    assert "Patients in both splits" not in two
    assert "Patients in both splits" in split
    assert "Pathologies" not in two + split
    assert "Pathologies" in three
