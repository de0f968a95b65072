"""The manifest names the version of all that can change a figure."""

import re
import tomllib
from pathlib import Path

import pytest

from bench import provenance

# Of what pyproject.toml asks for, what only prints, downloads, measures or lays out text.
CHANGES_NO_FIGURE = {
    *("huggingface-hub", "threadpoolctl", "fonttools", "jinja2"),
    *("typer", "rich", "pydantic", "platformdirs", "psutil"),
}


def test_every_dependency_that_can_change_a_figure_is_recorded() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[^\w-]", text)[0] for text in project["dependencies"]}
    assert asked >= CHANGES_NO_FIGURE
    assert asked - CHANGES_NO_FIGURE <= set(provenance.PACKAGES)
    assert {"statsmodels", "kornia", "vit-pytorch", "scipy"} <= set(provenance.packages())


def test_what_is_optional_is_recorded_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provenance, "OPTIONAL_PACKAGES", ("pytest", "no-such-distribution"))
    found = provenance.packages()
    assert found["pytest"] == pytest.__version__
    assert "no-such-distribution" not in found
