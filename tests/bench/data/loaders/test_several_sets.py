"""Several published sets below one folder: nobody is given the first one unasked."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data import load_lesions
from bench.errors import UnusableInput

Tree = Callable[[str], Path]


def test_several_published_sets_in_one_folder(tree: Tree) -> None:
    root = tree("cmmd").parent
    assert load_lesions(root).name == "cmmd"
    tree("inbreast")
    with pytest.raises(UnusableInput, match=r"holds several data sets \(inbreast, cmmd\); name "):
        load_lesions(root)
    assert load_lesions(root, "inbreast").name == "inbreast"
    assert load_lesions(root / "cmmd").name == "cmmd"


def test_what_lies_at_the_path_itself_is_the_set(tree: Tree) -> None:
    root = tree("inbreast")
    shutil.copytree(root, root / "old")
    assert load_lesions(root).source.root == root


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("inbreast", "INbreast.csv"),
        ("rsna", "train.csv"),
        ("cmmd", "CMMD_clinicaldata_revision.csv"),
    ],
)
def test_several_tables_of_one_set(tree: Tree, name: str, table: str) -> None:
    """The one with the published name counts, else nobody knows which."""
    root = tree(name)
    for copy in ("train_a.csv", "train_b.csv"):
        shutil.copy(root / table, root / copy)
    before = load_lesions(root, name)
    (root / table).unlink()
    for asked in (name, "auto"):
        with pytest.raises(UnusableInput, match=r"several tables .*\(train_a.csv, train_b.csv\)"):
            load_lesions(root, asked)
    (root / "train_b.csv").unlink()
    assert load_lesions(root).table.equals(before.table)


def test_mini_mias_twice_in_one_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Info.txt").write_text("mdb001 G NORM\n")
        (tmp_path / name / "mdb001.pgm").write_bytes(b"P5\n")
    with pytest.raises(UnusableInput, match=r"holds several data sets \(a, b\)"):
        load_lesions(tmp_path)


@pytest.mark.parametrize("name", ["inbreast", "vindr", "cmmd", "rsna", "busi"])
def test_one_set_twice_in_one_folder(tree: Tree, name: str) -> None:
    root = tree(name)
    again = root.parent / "again"
    shutil.copytree(root, again)
    with pytest.raises(UnusableInput, match=rf"holds several data sets \(again/?.*, {name}/?.*\)"):
        load_lesions(root.parent)
    with pytest.raises(UnusableInput, match="holds several data sets"):
        load_lesions(root.parent, name)
    assert load_lesions(again).name == name


def test_cbis_ddsm_twice_in_one_folder(cbis_tables: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(cbis_tables, tmp_path / name / "csv")
    with pytest.raises(UnusableInput, match=r"holds several data sets \(a, b\)"):
        load_lesions(tmp_path)
