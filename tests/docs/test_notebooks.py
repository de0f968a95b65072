"""The notebooks of examples/: what they import exists, and three of them run from top to bottom."""

import ast
import builtins
import importlib
import json
import os
import re
import symtable
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
PACKAGES = ("bench", "classifiers", "extractors", "reports")
# The real data and a session of theirs; nobody has run it there.
NOT_HERE = "kaggle_colab"
LONGEST_S = 180


def notebook_name(file: Path) -> str:
    return file.stem


def cells_of(file: Path, kind: str = "code") -> list[str]:
    content = json.loads(file.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def as_python(cell: str) -> str:
    """A cell without what only Jupyter understands; a file that it writes is read as it is.

    A command becomes a text with its values in braces, which are names of the notebook.
    """
    if cell.startswith("%%writefile"):
        return ""
    # With its continued lines.
    command = re.compile(r"^( *)[!%]((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
    return command.sub(lambda match: f"{match[1]}f{match[2]!r}", cell)


def files_written(file: Path) -> list[str]:
    cells = cells_of(file)
    return [cell.split("\n", 1)[1] for cell in cells if cell.startswith("%%writefile")]


def whole(file: Path) -> str:
    return "\n".join(map(as_python, cells_of(file)))


def test_there_are_four() -> None:
    assert {file.stem for file in NOTEBOOKS} == {"phantom", "folder", "plugin", NOT_HERE}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=notebook_name)
def test_it_is_committed_without_outputs(file: Path) -> None:
    content = json.loads(file.read_text("utf-8"))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert content["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=notebook_name)
def test_what_it_imports_exists(file: Path) -> None:
    for text in (whole(file), *files_written(file)):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES:
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=notebook_name)
def test_every_name_is_known_where_it_is_used(file: Path) -> None:
    """Cell by cell: a name is a builtin, or an earlier line gives it."""
    known = {*vars(builtins), "__file__"}
    for cell in map(as_python, cells_of(file)):
        table = symtable.symtable(cell, file.name, "exec")
        given = {one.get_name() for one in table.get_symbols() if one.is_assigned()}
        given |= {one.get_name() for one in table.get_symbols() if one.is_imported()}
        given |= {one.get_name() for one in table.get_symbols() if one.is_namespace()}
        assert used(table) - given <= known, used(table) - given - known
        known |= given


def used(table: symtable.SymbolTable) -> set[str]:
    """The names that a cell takes from outside, in its functions as well."""
    names = {
        one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()
    }
    if table.get_type() == "module":
        names = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    return names.union(*(used(inner) for inner in table.get_children()))


def test_the_one_that_nobody_has_run_says_so() -> None:
    (file,) = (file for file in NOTEBOOKS if file.stem == NOT_HERE)
    assert "Nobody has run this notebook there yet" in cells_of(file, "markdown")[0]


@pytest.mark.slow
def test_three_run_from_top_to_bottom_in_three_minutes(tmp_path, monkeypatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    started = time.perf_counter()
    for file in NOTEBOOKS:
        if file.stem == NOT_HERE:
            continue
        folder = tmp_path / file.stem
        folder.mkdir()
        notebook = nbformat.read(file, as_version=4)
        ran = client.NotebookClient(
            notebook, timeout=LONGEST_S, resources={"metadata": {"path": str(folder)}}
        )
        ran.execute()
        printed = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
        # A command within a cell ends no cell that it fails in.
        assert "bench: " not in printed, printed
        assert "Traceback" not in printed, printed
    # In the words of the notebooks: a minute each.
    assert time.perf_counter() - started < LONGEST_S
