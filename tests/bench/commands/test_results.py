"""A run ends with the rows that a person wants, and gives its scores away as a CSV."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.commands.predictions import write_predictions
from bench.commands.results import print_results
from reports.systems.run_folder import Run
from reports.systems.schema import SUMMARY_COLUMNS, SYSTEM_COLUMNS

ROLES = {"net": "network", "other": "network", "selected": "selection", "none": "reference point"}


def row(extractor: str, classifier: str, auc: float, **more: object) -> dict[str, object]:
    known = {
        "subset": "mass", "protocol": "official", "extractor": extractor, "weights": "tag",
        "classifier": classifier, "train_fraction": 1.0, "auc": auc, "auc_ci_low": auc - 0.1,
        "auc_ci_high": auc + 0.1, "training_time_s": 63.0, "status": "ok",
    }  # fmt: skip
    return dict.fromkeys(SUMMARY_COLUMNS) | known | more


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [
        *(row("net", f"kernel{n}", 0.6 + n / 100) for n in range(7)),
        row("other", "linear", 0.9, weights="random"),
        row("other", "broken", np.nan, status="it broke"),
        row("net", "linear", 0.99, protocol="image-cv"),
        row("net", "half", 0.98, train_fraction=0.5),
        row("selected", "selected", 0.5),
        row("none", "majority", 0.4),
    ]
    (tmp_path / "tables").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "tables" / "summary.csv", index=False)
    manifest = {
        "audits": ["image-cv"],
        "data": {"synthetic": True, "patient_ids": True},
        "extractors": [{"name": name, "role": role} for name, role in ROLES.items()],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("width", [None, 80, 100])
def test_the_end_of_a_run(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int | None,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width or ""))
    print_results(run)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    systems = [" ".join(line.split()[2:4]) for line in lines if line.startswith("mass")]
    # Five of the eight that compete, with what is always shown; no audit and no learning curve.
    assert systems == [
        *("other linear", "net kernel6", "net kernel5", "net kernel4", "net kernel3"),
        *("selected selected", "none majority"),
    ]
    assert "0.900 [0.800, 1.000]" in printed
    assert "1 min 3 s" in printed
    assert "synthetic" in printed
    assert "3 further rows stand" in printed
    assert "the row `selected` is not" in " ".join(printed.split())
    assert "±" not in printed  # one repeat
    assert max(map(len, lines)) <= (width or 1000)


def test_each_of_few_extractors_is_shown_and_nothing_is_said_of_a_row_that_is_not_there(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "")
    path = run / "tables" / "summary.csv"
    rows = [row("net", f"kernel{n}", 0.6 + n / 100, auc_std=0.01) for n in range(6)]
    pd.DataFrame([*rows, row("other", "linear", 0.2), row("none", "majority", 0.1)]).to_csv(path)
    print_results(run)
    printed = capsys.readouterr().out
    systems = [line.split()[2] for line in printed.splitlines() if line.startswith("mass")]
    assert systems == [*["net"] * 5, "other", "none"]
    assert "1 further row stands" in printed
    assert "the row `selected`" not in printed
    assert "mean ± standard deviation" in printed


def test_scores_are_written_with_what_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces that are smaller than a unit; read again, they are what they were."""
    monkeypatch.setattr("bench.commands.predictions.PIECE", 7)
    generator = np.random.default_rng(0)
    names = dict.fromkeys(SYSTEM_COLUMNS, "x") | {"train_fraction": 1.0, "seed": 0}
    units = pd.DataFrame(
        [names | {"unit": u, "extractor": u, "threshold": t} for u, t in (("=a", 0.5), ("b", 0.1))]
    )
    scores = pd.DataFrame(
        {
            "unit": ["=a"] * 10 + ["b"] * 10, "repeat": 0, "fold": [0, 1] * 10,
            "crop_id": [f"c{n}" for n in range(10)] * 2, "lesion_id": "l", "patient_id": "ä",
            "rotation": 0, "score": generator.random(20), "label": [0, 1] * 10,
        }
    )  # fmt: skip
    nothing = pd.DataFrame()
    run = Run(tmp_path, {}, units, scores, nothing, nothing, nothing)
    assert write_predictions(run, tmp_path / "p.csv") == 20
    found = pd.read_csv(tmp_path / "p.csv", encoding="utf-8", dtype={"score": str})
    # Not every version of pandas reads a number to its last bit.
    found["score"] = [float(text) for text in found["score"]]
    assert found["score"].tolist() == scores["score"].tolist()
    assert found["extractor"].tolist() == ["'=a"] * 10 + ["b"] * 10
    assert found["threshold"].tolist() == [0.5] * 10 + [0.1] * 10
    assert (found["called"] == (found["score"] > found["threshold"])).all()
    assert set(found["patient_id"]) == {"ä"}
    assert len(found.columns) == len(SYSTEM_COLUMNS) + 10
