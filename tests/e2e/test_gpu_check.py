"""The check prepared for a GPU: its shares of time, and all of it in small on a processor."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "performance" / "gpu.py"


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_not_reached_is_said(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpu.SHARES, "memory", 0.3)
    works = {name: lambda: time.sleep(0.2) or {"loss": 1.0} for name in ("one", "two", "three")}
    rows = list(gpu.section("memory", works))
    assert [row["status"] for row in rows] == ["ok", "not reached", "not reached"]
    assert rows[0]["loss"] == 1.0


def test_a_work_is_cut_short_where_the_whole_time_is_over(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "STARTED", time.monotonic())
    monkeypatch.setattr(gpu, "SECONDS", gpu.LAST_SECONDS + 0.3)
    started = time.monotonic()
    (row,) = gpu.section("memory", {"endless": lambda: time.sleep(60)})
    assert row["status"] == "not reached"
    assert time.monotonic() - started < 10


def test_a_failure_ends_neither_the_section_nor_the_others(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    works = {
        "wrong": lambda: {"cosine": 0.5, "why": "features do not agree"},
        "broken": lambda: {}["nothing"],
        "right": lambda: {"cosine": 1.0, "why": None},
    }
    rows = list(gpu.section("memory", works))
    assert [row["status"] for row in rows] == ["failed", "failed", "ok"]
    assert rows[0]["cosine"] == 0.5
    assert rows[1]["why"] == "KeyError: 'nothing'"
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.slow
def test_the_small_check_runs_to_its_end_on_a_processor(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small", "--device", "cpu", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(done.stdout.splitlines()[-1]) == found
    assert {row["section"] for row in found["rows"]} == {
        *("resume", "memory", "features", "training", "whole")
    }
    assert not [row for row in found["rows"] if row["status"] == "failed"]
