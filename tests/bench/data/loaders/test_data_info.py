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
    ("name", "words", "rows", "images"),
    [
        ("inbreast", "Moreira", [8, 10, 410], [8, 6, 410]),
        ("vindr", "10.13026/br2v-7517", [9, 11, 20000], [9, 8, 20000]),
        ("cmmd", "CC BY 4.0", [5, 5, None], [None, 5, 3728]),
        ("rsna", "non-commercial", [6, 5, 54706], [6, 5, 54706]),
        ("busi", "Al-Dhabyani", [5, 8, 780], [5, 5, 780]),
        ("image-folder", "", [None, 14, None], [None, 14, None]),
    ],
)
def test_data_info(
    tree: Tree, name: str, words: str, rows: list[int | None], images: list[int | None]
) -> None:
    root = tree(name)
    printed = info(root)
    assert f"{name}: " in printed
    assert words in printed
    assert "Totals" in printed
    found = json.loads(info(root, "--json"))
    assert found["dataset"] == name
    assert totals(found)["rows"] == rows
    assert totals(found)["images"] == images
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


def test_a_phantom_has_no_published_totals(phantom: Path) -> None:
    found = json.loads(info(phantom, "--json"))
    assert [row["published"] for row in found["tables"]["totals"]] == [None] * 4
    assert found["synthetic"]
