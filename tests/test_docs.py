"""What README and docs import exists, and the places that they name are there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
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
