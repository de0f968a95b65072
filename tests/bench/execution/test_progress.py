"""Off a terminal a long training says how far it is, and not too often."""

from pathlib import Path

import pytest

from bench.execution import progress
from bench.execution.progress import Progress

FOLD = "mass, official, repeat 0, fold 0"
TRAINING = f"cnn_baseline, {FOLD}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def lines(log: Path, pieces: list[int], unit: str) -> list[str]:
    with Progress() as shown:
        shown.log_to(log)
        with shown.step("cnn_baseline", 40, unit, FOLD) as step:
            for number in pieces:
                step(number)
    return [line.split("  ")[1] for line in log.read_text().splitlines()] if log.exists() else []


def test_a_training_tells_its_first_epoch_and_then_waits(log: Path) -> None:
    assert lines(log, [1] * 40, "epochs") == [f"{TRAINING}: trained for 1 of 40 epochs"]


def test_after_the_pause_it_tells_again_but_for_the_end(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    assert lines(log, [1, 20, 19], "epochs") == [
        f"{TRAINING}: trained for 1 of 40 epochs",
        f"{TRAINING}: trained for 21 of 40 epochs",
    ]


def test_a_training_from_the_store_and_crops_tell_nothing(log: Path) -> None:
    assert lines(log, [], "epochs") == []
    assert lines(log, [10, 30], "crops") == []
