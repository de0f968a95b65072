"""Figures drawn in other processes are the same, and what goes wrong there is told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.evaluation import Evaluation
from reports.figures import every_figure
from reports.figures.drawing import Drawing
from reports.figures.processes import Drawers
from reports.systems.run_folder import read_run


def ready() -> None:
    """Nothing to import."""


def with_torch(shared: Any, number: int) -> Drawing | None:
    assert "torch" not in sys.modules
    return None


def failing(shared: Any, number: int) -> Drawing | None:
    raise ValueError(f"figure {number} of {shared}")


def test_figures_of_many_systems_are_drawn_elsewhere_and_are_the_same(
    made_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = every_figure.draw_all(Evaluation.of(read_run(made_run)))
    drawn: list[int] = []
    submit = Drawers.submit

    def counted(self: Drawers, *arguments: Any) -> Callable[[], list[Drawing | None]]:
        drawn.extend(arguments[2])
        return submit(self, *arguments)

    monkeypatch.setattr(Drawers, "submit", counted)
    monkeypatch.setattr(every_figure, "_MANY_SYSTEMS", 1)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    assert every_figure.draw_all(Evaluation.of(read_run(made_run))) == here
    assert drawn
    assert capfd.readouterr() == ("", "")


def test_where_no_process_can_be_started_figures_are_drawn_here(
    made_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(every_figure, "_MANY_SYSTEMS", 1)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    monkeypatch.setattr("reports.figures.processes.Drawers", refused)
    assert every_figure.draw_all(Evaluation.of(read_run(made_run)))


# A script as anyone writes it, without a main guard; its functions are those of this file.
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_processes
from reports.figures.processes import Drawers
with Drawers(2, test_processes.ready) as drawers:
    print(drawers.submit(getattr(test_processes, sys.argv[2]), "a run", [1, 0])())
"""


def script(tmp_path: Path, name: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    command = [sys.executable, str(file), str(Path(__file__).parent), name]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_script_needs_no_guard_and_its_processes_import_no_torch(tmp_path: Path) -> None:
    ended = script(tmp_path, "with_torch")
    assert (ended.stdout, ended.stderr) == ("[None, None]\n", "")


def test_what_fails_in_a_process_is_raised_with_its_own_traceback(tmp_path: Path) -> None:
    ended = script(tmp_path, "failing")
    assert ended.returncode == 1
    assert "ValueError: figure 0 of a run" in ended.stderr
    assert "in failing" in ended.stderr
