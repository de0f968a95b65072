"""What a report shows is computed once, however many tables, figures and texts use it."""

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import reports
from reports import build_report
from reports.wanted import read_wanted

PACKAGE = str(Path(reports.__file__).parent)
ONCE = (
    *("run_folder.read_run", "pooling.pool", "focus.close_groups", "focus.headline_groups"),
    *("pairs.pairs", "every_table.every_table", "summary.summary", "entries.grouped"),
    *("methods.methods", "references.references", "answers.answers"),
)


@pytest.fixture
def folder(make_run: Callable[..., Path], tmp_path: Path) -> Path:
    """A run with an audit and its twin."""
    protocols = (("patient-cv", 1, 2), ("image-cv", 1, 2))
    names = ("torchvision:resnet18", "timm:vit_small_patch16_224")
    made = make_run(tmp_path / "run", names, subsets=("mass",), protocols=protocols, n=24)
    manifest = made / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace('{"schema"', '{"audits": ["image-cv"], "schema"')
    )
    return made


def calls(action: Callable[[Path], object], folder: Path) -> Counter[str]:
    """How often the functions of the package are called, by file and name."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGE):
            found[f"{Path(file).stem}.{frame.f_code.co_name}"] += 1

    sys.setprofile(count)
    try:
        action(folder)
    finally:
        sys.setprofile(None)
    return found


def test_a_report_computes_each_part_once(folder: Path) -> None:
    found = calls(build_report, folder)
    assert {name: found[name] for name in ONCE} == dict.fromkeys(ONCE, 1)
    assert (folder / "tables" / "leakage_audit.csv").is_file()


def test_what_a_report_asks_for_is_read_once_and_without_tables(folder: Path) -> None:
    found = calls(read_wanted, folder)
    once = ONCE[:3]
    assert {name: found[name] for name in once} == dict.fromkeys(once, 1)
    assert found["every_table.every_table"] == 0


def test_the_count_sees_a_second_call(folder: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(folder, tmp_path / "again"))
    found = calls(lambda one: (read_wanted(one), read_wanted(again)), folder)
    assert found["focus.close_groups"] == 2
