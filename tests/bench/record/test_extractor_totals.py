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
INFO: Any = SimpleNamespace(origin="scratch")
RECIPE: Any = SimpleNamespace(name="quick")
NETWORK = Extractor("net", INFO, "scratch", recipe=RECIPE)


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


def test_what_a_system_is_stands_in_its_row() -> None:
    found = features("t1")
    found.profile.update(family="CNN, transformer", training="frozen, from scratch")
    row = totals_of(found).row()
    assert row["family"] == "CNN, transformer"
    assert row["training"] == "frozen, from scratch"
    assert row["origin"] == "scratch"
    # Where nothing could be built, what was planned is said.
    failed = totals_of("net: no").row()
    assert (failed["training"], failed["origin"]) == ("from scratch", "scratch")
    assert failed["family"] is None


@pytest.mark.parametrize(
    ("origin", "trained", "training"),
    [
        ("pretrained", False, "frozen"),
        ("pretrained", True, "fine-tuned"),
        ("file", True, "fine-tuned"),
        ("random", False, "frozen"),
        ("random", True, "from scratch"),
        ("plugin", False, "frozen"),
        ("plugin", True, "trained"),
    ],
)
def test_how_weights_come_about_is_planned(origin: str, trained: bool, training: str) -> None:
    recipe: Any = SimpleNamespace(name="quick") if trained else None
    info: Any = SimpleNamespace(origin=origin)
    one = Extractor("a", info, "w", recipe=recipe)
    assert one.training == training
    both = Extractor("fusion:a+b", None, "w", parts=(one, NETWORK))
    assert both.training == ", ".join(dict.fromkeys([training, "from scratch"]))
    assert both.origin == f"{origin}, scratch"
