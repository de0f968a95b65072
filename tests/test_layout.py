"""The layout stays one that a stranger can find their way in: small folders, small files."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "classifiers", "extractors", "reports")
FILES = [file for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py"))]
MOST_LINES, FEWEST_LINES = 400, 25
MOST_FILES = 15
# Folders of many small files of one kind.
MORE_FILES = {"bench/commands": 20, "classifiers": 24, "reports/tables": 30, "extractors": 16}


def place(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=place)
def test_a_file_has_one_concern(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= MOST_LINES
    assert lines >= FEWEST_LINES or file.name == "__init__.py"


def test_folders_are_small_and_at_most_two_levels_deep() -> None:
    folders: dict[str, int] = defaultdict(int)
    for file in FILES:
        folders[place(file.parent)] += file.name != "__init__.py"
    too_full = {
        name: count for name, count in folders.items() if count > MORE_FILES.get(name, MOST_FILES)
    }
    assert not too_full
    assert all(name.count("/") <= 2 for name in folders)


def test_a_class_has_one_meaning() -> None:
    """No two classes of the packages have the same name; the skeleton of a plugin is a template."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in FILES:
        if "skeleton" not in file.parts:
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(place(file))
    assert not {name: files for name, files in places.items() if len(files) > 1}
