"""A report is known to stand exactly as long as nothing that it is made from, or of it, changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports import build_report, unchanged
from reports.unchanged import RECORD, report_stands


@pytest.fixture
def folder(reported_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reported_run, tmp_path / "run"))


def manifest_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def test_a_copy_stands_and_the_command_line_does_not_matter(folder: Path) -> None:
    manifest = manifest_of(folder)
    assert report_stands(folder, manifest)
    manifest["run"] |= {"command": "python -m bench all --cache elsewhere", "created": "later"}
    assert report_stands(folder, manifest)
    manifest["run"]["name"] = "another"
    assert not report_stands(folder, manifest)


def altered(name: str) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        file = next(iter(sorted(folder.glob(name))))
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)

    return alter


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: next(iter(sorted(folder.glob(name)))).unlink()


CHANGES = {
    "a table of the run": altered("predictions.parquet"),
    "another table of the run": removed("lesions.parquet"),
    "an image": altered("images/one.png"),
    "a new image": lambda folder: (folder / "images" / "new.png").write_bytes(b"png"),
    "the page": altered("report.html"),
    "no page": removed("report.html"),
    "a figure": altered("figures/*.pdf"),
    "no figure": removed("figures/*.svg"),
    "a printed table": altered("tables/*.tex"),
    "the methods text": removed("paper/methods.txt"),
    "no record": removed(RECORD),
    "a damaged record": lambda folder: (folder / RECORD).write_text("[1, 2]"),
    "an empty record": lambda folder: (folder / RECORD).write_text('{"written": {}}'),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_does_not_stand_once_something_changes(
    folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    assert not report_stands(folder, manifest_of(folder))


@pytest.mark.parametrize("name", ["source_digest", "_version"])
def test_it_does_not_stand_with_other_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(unchanged, name, lambda *_: "another")
    assert not report_stands(folder, manifest_of(folder))


def test_a_report_that_is_built_again_stands(folder: Path) -> None:
    (folder / "report.html").unlink()
    build_report(folder)
    assert report_stands(folder, manifest_of(folder))
