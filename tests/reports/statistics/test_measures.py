"""Measures agree with scikit-learn where it defines them, and are undefined, not 0, elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from reports import measures, sensitivity_at_specificity
from reports.statistics.measures import MEASURES, roc_points

# Few distinct scores, so that ties are the rule.
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=40
)


def as_arrays(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    return y, score / 2, weight.astype(float)


@given(ROWS, st.sampled_from([-1.0, 0.0, 0.5]))
@settings(max_examples=200, deadline=None)
def test_agrees_with_scikit_learn(rows: list[tuple[int, int, int]], threshold: float) -> None:
    y, score, weight = as_arrays(rows)
    assume(weight[y == 1].sum() > 0)
    assume(weight[y == 0].sum() > 0)
    called = score > threshold
    found = measures(y, score, threshold, weight)
    how = {"sample_weight": weight}
    wanted = {
        "accuracy": metrics.accuracy_score(y, called, **how),
        "auc": metrics.roc_auc_score(y, score, **how),
        "sensitivity": metrics.recall_score(y, called, **how),
        "specificity": metrics.recall_score(y, called, pos_label=0, **how),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, called, **how),
        "ppv": metrics.precision_score(y, called, zero_division=math.nan, **how),
        "npv": metrics.precision_score(y, called, pos_label=0, zero_division=math.nan, **how),
        "f1": metrics.f1_score(y, called, **how),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-12, err_msg=name)
    one_sided = weight[called].sum() == 0 or weight[~called].sum() == 0
    if one_sided:
        assert math.isnan(found["mcc"])
    else:
        wanted_mcc = metrics.matthews_corrcoef(y, called, sample_weight=weight)
        np.testing.assert_allclose(found["mcc"], wanted_mcc, atol=1e-12)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_area_under_the_points_is_the_auc(rows: list[tuple[int, int, int]]) -> None:
    y, score, _ = as_arrays(rows)
    false, true = roc_points(y, score)
    if len(false):
        np.testing.assert_allclose(np.trapezoid(true, false), measures(y, score)["auc"], atol=1e-12)
    else:
        assert math.isnan(measures(y, score)["auc"])


def test_keys_are_the_declared_ones() -> None:
    assert tuple(measures([0, 1], [0.1, 0.9])) == MEASURES


def test_undefined_is_never_zero() -> None:
    only_benign = measures([0, 0, 0], [-1.0, -2.0, 1.0])
    assert only_benign["specificity"] == pytest.approx(2 / 3)
    for name in ("auc", "sensitivity", "mcc", "balanced_accuracy", "npv"):
        assert math.isnan(only_benign[name]) == (name != "npv"), name
    never_positive = measures([0, 1], [-1.0, -1.0])
    assert math.isnan(never_positive["mcc"])
    assert math.isnan(never_positive["ppv"])
    assert never_positive["sensitivity"] == 0
    assert all(math.isnan(value) for value in measures([], []).values())


def test_a_score_on_the_threshold_is_negative() -> None:
    assert measures([1, 0], [0.5, 0.5], threshold=0.5)["sensitivity"] == 0


def test_every_row_may_have_its_own_threshold() -> None:
    assert measures([1, 1], [0.2, 0.8], threshold=[0.1, 0.9])["sensitivity"] == 0.5


def test_the_auc_compares_within_folds_only() -> None:
    # Perfect in each fold; the second fold's scores lie below the first's.
    y, score, fold = [0, 1, 0, 1], [10.0, 11.0, 0.0, 1.0], [0, 0, 1, 1]
    assert measures(y, score)["auc"] == 0.75
    assert measures(y, score, fold=fold)["auc"] == 1.0


def test_constant_scores_have_an_auc_of_one_half() -> None:
    assert measures([0, 1, 1, 0], [3.0] * 4)["auc"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.0]), "y has 2 rows and score has 1"),
        (([0, 2], [0.0, 1.0]), "y must hold 0 and 1 only, got .*2"),
        (([0, 1], [0.0, math.nan]), "score must be finite, got nan in row 1"),
        (([0, 1], [0.0, math.inf]), "score must be finite, got inf in row 1"),
        (([0, 1], ["a", "b"]), "score must be numbers"),
        (([[0, 1]], [[0.0, 1.0]]), "one-dimensional"),
        (([0, 1], [0.0, 1.0], [0.0, 0.0, 0.0]), "threshold has shape"),
        (([0, 1], [0.0, 1.0], 0.0, [1.0]), "weight has shape"),
        (([0, 1], [0.0, 1.0], 0.0, [1.0, -1.0]), "weight must not be negative"),
    ],
)
def test_bad_input_is_named(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measures(*arguments)  # type: ignore[arg-type]


def test_sensitivity_at_specificity_takes_existing_thresholds_only() -> None:
    y = np.array([0] * 10 + [1] * 4)
    score = np.array([*range(10), 20, 8.5, 8.4, 0.5])
    # One benign row in ten may stand above the threshold: 8.5 and 8.4 lie under that one alone.
    assert sensitivity_at_specificity(y, score, 0.90) == 0.75
    assert sensitivity_at_specificity(y, score, 1.0) == 0.25
    assert math.isnan(sensitivity_at_specificity([1, 1], [0.0, 1.0]))
    with pytest.raises(ValueError, match=r"specificity must lie in 0\.\.1"):
        sensitivity_at_specificity(y, score, 90)
