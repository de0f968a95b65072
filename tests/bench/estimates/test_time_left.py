"""The time that is left knows that trainings take longest, and what came from the store."""

import pytest

from bench.estimates.effort import effort_of
from bench.estimates.time_left import TimeLeft
from bench.execution.progress import Progress, RemainingColumn
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.rules import Rules

EXPECTED = {"frozen": 10.0, "other": 10.0, "net": 300.0, "deep": 600.0}
TRAINED = ("net", "deep")


def test_trainings_to_come_count_as_what_they_are() -> None:
    """Counted as one step like the others, they would take 20 s each."""
    left = TimeLeft(EXPECTED, TRAINED)
    assert left.after("frozen", 20.0, computed=True) == pytest.approx(2 * 910.0)


def test_each_kind_is_judged_by_its_own() -> None:
    left = TimeLeft(EXPECTED, TRAINED)
    left.after("frozen", 20.0, computed=True)
    assert left.after("net", 150.0, computed=True) == pytest.approx(10 * 2 + 600 / 2)


def test_what_came_from_the_store_says_nothing() -> None:
    left = TimeLeft(EXPECTED, TRAINED)
    assert left.after("frozen", 0.1, computed=False) is None
    assert left.after("other", 0.1, computed=False) is None
    assert left.after("net", 300.0, computed=True) == pytest.approx(600.0)
    assert left.after("deep", 0.1, computed=False) == 0


def test_what_was_not_expected_does_no_harm() -> None:
    left = TimeLeft({}, ())
    assert left.after("none", 1.0, computed=True) is None


def test_a_training_is_expected_to_take_longer_than_frozen_features(phantom, tmp_path) -> None:
    options = {
        "data": phantom, "cache": tmp_path / "store", "subset": ["mass"], "repeats": 1,
        "extractors": ["random:vit_128_p16,vit_128_p16"],
    }  # fmt: skip
    job = prepare_job(Configuration.checked(options))
    expected = effort_of(job, (Rules(threads=2),)).expected
    epochs = job.recipes["vit_128_p16"].epochs
    assert expected["vit_128_p16"] > epochs * expected["random:vit_128_p16"] > 0


def test_lines_say_what_is_left_where_it_is_known(tmp_path) -> None:
    with Progress() as progress:
        progress.log_to(tmp_path / "log.txt")
        progress.expect(3)
        progress.finished("one")
        progress.finished("two", 3700.0)
        progress.finished("three", 1.0)
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        *("[1/3] one", "[2/3] two; about 1 h 1 min left", "[3/3] three"),
    ]


def test_the_bar_of_the_whole_run_shows_what_it_was_told(monkeypatch) -> None:
    from rich.progress import Progress as Bars

    monkeypatch.setattr("bench.execution.progress.time.monotonic", lambda: 100.0)
    bars = Bars(RemainingColumn(compact=True))
    bars.add_task("whole run", total=3, ends=100.0 + 3725)
    bars.add_task("whole run", total=3, ends=None)
    told, unknown = bars.tasks
    assert RemainingColumn().render(told).plain == "1:02:05"
    assert RemainingColumn().render(unknown).plain == "-:--"
