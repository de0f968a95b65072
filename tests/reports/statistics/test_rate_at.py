"""The sensitivity at 90 % specificity does not contradict the row that it stands in."""

import numpy as np
import pandas as pd
import pytest

from reports.statistics.roc import rate_at
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.tables.operating_points import operating_points
from reports.tables.summary import _figures, measured


def five_folds(seed: int, shift: float) -> tuple[ScoredRows, np.ndarray]:
    """Five folds of six negatives and six positives, each with a threshold of its own."""
    rng = np.random.default_rng(seed)
    fold = np.repeat(np.arange(5), 12)
    positive = np.tile(np.arange(12) < 6, 5)
    threshold = rng.normal(size=5)[fold]
    score = threshold + (rng.normal(shift * positive, 1) - shift / 2).round(1)
    rows = ScoredRows(positive, score, score > threshold, np.arange(60), fold)
    return rows, threshold


def test_one_false_positive_in_a_fold_of_six_is_not_too_many() -> None:
    fold = np.repeat(np.arange(5), 12)
    positive = np.tile(np.arange(12) < 6, 5)
    called = positive.copy()
    # Three of 30 negatives are called positive, in two folds; three positives are missed.
    called[[6, 7, 18]] = True
    called[[24, 36, 48]] = False
    # The false positives rank above all positives of their fold.
    score = np.where(called, 1.0, -1.0)
    score[[6, 7, 18]] = 3.0
    rows = ScoredRows(positive, score, called, np.arange(60), fold)
    assert rate_at(rows, np.ones((60, 1))) == pytest.approx(0.9)


@pytest.mark.parametrize("shift", [0.5, 2.0, 3.0])
def test_a_row_at_ninety_percent_is_not_contradicted(shift: float) -> None:
    seen = 0
    for seed in range(100):
        rows, threshold = five_folds(seed, shift)
        sensitivity = rows.called[rows.positive].mean()
        specificity = (~rows.called[~rows.positive]).mean()
        once = np.ones((60, 1))
        found = rate_at(rows, once, threshold=threshold)[0]
        reverse = rate_at(rows, once, reverse=True, threshold=threshold)[0]
        if specificity >= 0.9 - 1e-12:
            assert found >= sensitivity - 1e-12
            seen += 1
        else:
            assert found <= sensitivity + 1e-12
        if sensitivity >= 0.9 - 1e-12:
            assert reverse >= specificity - 1e-12
        else:
            assert reverse <= specificity + 1e-12
    assert seen or shift < 1


def test_summary_and_operating_points_take_the_thresholds_of_the_folds() -> None:
    rows, threshold = five_folds(0, 2.0)
    expected = rate_at(rows, np.ones((60, 1)), threshold=threshold)[0]
    assert expected != rate_at(rows, np.ones((60, 1)))[0]
    assert measured(rows, threshold)["sensitivity_at_90_specificity"] == expected
    units = pd.DataFrame({"repeat": 0, "fold": range(5), "threshold": threshold[::12]})
    system = PooledSystem({}, units, (rows,), "ok")
    name = "sensitivity_at_90_specificity"
    assert _figures(system, [name])[name] == expected
    found = operating_points({("group",): [system]})
    assert found["sensitivity_at_90_specificity"].tolist() == [expected]
    low, high = found[
        ["sensitivity_at_90_specificity_ci_low", "sensitivity_at_90_specificity_ci_high"]
    ].to_numpy()[0]
    assert low <= expected <= high
