"""What is said of a trained extractor is about all of its folds, not about the last one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.execution.features import Features
from bench.execution.tasks import Answer
from bench.planning.extractor import Extractor
from bench.record.extractor_totals import ExtractorTotals

FOLD: Any = None
NETWORK = Extractor("net", SimpleNamespace(), "scratch", recipe=SimpleNamespace(name="quick"))  # type: ignore[arg-type]


def features(training: str | None = None, seconds: float = 2.0, digest: str = "a") -> Features:
    profile = {
        "precision": "float32",
        "extraction_s": seconds,
        "images_per_s": 50.0,
        "weights_digest": digest,
        "feature_width": 8,
        "notes": "",
    }
    networks: Any = ()
    if training:
        networks = (SimpleNamespace(key=training, costs={"network_time_s": 10.0}),)
    return Features(np.zeros((4, 8)), "origin", 0.1, profile, trained=networks)


def totals_of(*found: Features | str) -> ExtractorTotals:
    totals = ExtractorTotals(NETWORK)
    for one in found:
        failed = isinstance(one, str)
        totals.add(Answer(FOLD, (), None if failed else one, {}, one if failed else "ok"))
    return totals


def test_a_fold_that_failed_is_said_whichever_it_is() -> None:
    for found in (("net: no", features("t1")), (features("t1"), "net: no")):
        totals = totals_of(*found)
        assert totals.status == "net: no (in 1 of 2 folds)"
        assert totals.row()["status"] == totals.status
        assert totals.line(1.0).endswith("net: no (in 1 of 2 folds)")
    assert totals_of("net: no", "net: no").status == "net: no"
    assert totals_of("net: no", "net: no").line(1.0) == "net: no"
    assert totals_of(features("t1")).status == "ok"


def test_times_are_sums_over_the_trainings() -> None:
    totals = totals_of(features("t1", 2.0, "a"), features("t2", 4.0, "b"), features("t2", 4.0, "b"))
    row = totals.row()
    assert row["extraction_s"] == pytest.approx(6.0)
    assert row["images_per_s"] == pytest.approx(50.0)
    # Two networks have no digest in common; what they share stays.
    assert row["weights_digest"] is None
    assert row["feature_width"] == 8
    assert "trained in 20 s (2 networks), 50 crops/s" in totals.line(1.0)


def test_frozen_features_of_all_folds_count_once() -> None:
    once = features()
    assert totals_of(once, once, once).row()["extraction_s"] == pytest.approx(2.0)
