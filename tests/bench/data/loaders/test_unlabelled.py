"""Images without labels: a CSV of paths is read as a manifest is."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.data.loaders.unlabelled import find_unlabelled, load_unlabelled
from bench.errors import UnusableInput


@pytest.fixture
def images(tmp_path: Path, draw: SimpleNamespace) -> Path:
    for number in range(3):
        draw.picture(tmp_path / "images" / f"{number}.png")
    return tmp_path


def table(root: Path, header: str, *cells: str, name: str = "paths.csv") -> Path:
    lines = [header, *(f"images/{n}.png,{cell}" for n, cell in enumerate(cells))]
    (root / name).write_text("\n".join(lines) + "\n")
    return root / name


def test_a_column_that_is_not_there(images: Path) -> None:
    file = table(images, "path,patient", "a", "a", "b")
    with pytest.raises(UnusableInput, match="patient_id=nosuch: there is no such column"):
        load_unlabelled(file, {"patient_id": "nosuch"}, False)
    found = load_unlabelled(file, {"patient_id": "patient"}, False)
    assert list(found.table["patient_id"]) == ["a", "a", "b"]


def test_columns_by_other_names(images: Path) -> None:
    file = table(images, "Where,Whose,path", "a,x", "a,y", "b,z")
    columns = {"path": "Where", "patient_id": "Whose"}
    assert find_unlabelled(images, columns) == file
    found = load_unlabelled(file, columns, False)
    assert list(found.table["path"]) == [f"images/{n}.png" for n in range(3)]
    assert list(found.table["patient_id"]) == ["a", "a", "b"]


@pytest.mark.parametrize("word", ["nan", "NA", "n/a", "None", "<NA>"])
def test_no_value_is_no_patient(images: Path, word: str) -> None:
    found = load_unlabelled(table(images, "path,patient_id", word, word, "b"), {}, False)
    assert list(found.table["patient_id"]) == ["images/0.png", "images/1.png", "b"]


def test_a_table_is_found_whatever_its_ending_and_its_neighbours(images: Path) -> None:
    (images / "broken.csv").write_text('a,"b\n1,"2\n')
    (images / ".hidden.csv").write_text("path\nimages/0.png\n")
    file = table(images, "path,patient_id", "a", "a", "b", name="PATHS.CSV")
    assert find_unlabelled(images, {}) == file
    assert find_unlabelled(file, {}) == file


def test_a_table_with_labels_is_not_unlabelled(images: Path) -> None:
    assert find_unlabelled(table(images, "path,label", "1", "0", "1"), {}) is None
    assert find_unlabelled(images, {}) is None
