"""What README and docs import exists, the places that they name are there, and a notebook runs."""

import ast
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(file for file in (ROOT / "docs").rglob("*.md") if "results" not in file.parts),
]
PACKAGES = ("bench", "classifiers", "extractors", "reports")


def page_name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_what_an_example_imports_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_places_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    names = set(re.findall(rf"`((?:{'|'.join(PACKAGES)}|tests|docs)/[\w/.-]*)`", text))
    missing = sorted(name for name in names if not (ROOT / name).exists())
    assert not missing
    links = set(re.findall(r"\]\((?!https?:|#)([^)#]+)", text))
    broken = sorted(link for link in links if not (page.parent / link).exists())
    assert not broken


def test_the_notebook_of_the_readme_runs_on_a_folder(tmp_path, monkeypatch, capsys) -> None:
    """Class folders without an official split and without patient ids, block after block."""
    rng = np.random.default_rng(0)
    for name in ("benign", "malignant"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(6):
            picture = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "own" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text("utf-8")
    part = text.split("## Use the parts in a notebook")[1].split("\n## ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", part, re.DOTALL))
    assert "GroupKFold(5)" in code
    own = code.replace('builtin_phantom("cache")', f"Path({str(tmp_path / 'own')!r})")
    assert own != code
    names = {"Path": Path}
    exec(own, names)
    assert "auc" in capsys.readouterr().out
    assert np.isfinite(next(iter(names["scores"].values()))).all()
