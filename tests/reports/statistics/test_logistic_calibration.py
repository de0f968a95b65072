"""Calibration in the large, slope and intercept against statsmodels, and on made data."""

import numpy as np
import pytest
import statsmodels.api as sm

from reports.statistics.logistic_calibration import NAMES, calibrated
from reports.systems.rows import ScoredRows


def made(n=600, shift=0.0, stretch=1.0, seed=0):
    """Outcomes of true log-odds, and probabilities whose log-odds are others."""
    random = np.random.default_rng(seed)
    odds = random.normal(size=n)
    positive = random.random(n) < 1 / (1 + np.exp(-odds))
    probability = 1 / (1 + np.exp(-(stretch * odds + shift)))
    patient = np.arange(n) // 2
    return ScoredRows(positive, probability, probability > 0.5, patient, np.zeros(n, int))


def test_the_values_are_those_of_logistic_models():
    rows = made(shift=0.7, stretch=2.0)
    found = calibrated([rows], [rows.score])
    odds = np.log(rows.score / (1 - rows.score))
    family = sm.families.Binomial()
    one = sm.GLM(rows.positive.astype(float), np.ones(len(odds)), family, offset=odds).fit()
    both = sm.GLM(rows.positive.astype(float), sm.add_constant(odds), family).fit()
    expected = (one.params[0], both.params[1], both.params[0])
    assert [found[name] for name in NAMES] == pytest.approx(list(expected), abs=1e-6)


def test_intervals_hold_what_was_put_in():
    """Probabilities that are too high, and too extreme, show as such; right ones do not."""
    right, high, extreme = made(), made(shift=1.0), made(stretch=3.0)
    for rows, large, slope in ((right, 0.0, 1.0), (high, -1.0, 1.0), (extreme, None, 1 / 3)):
        found = calibrated([rows], [rows.score])
        if large is not None:
            low, top = (found[f"calibration_in_the_large_ci_{end}"] for end in ("low", "high"))
            assert low < large < top
        low, top = (found[f"calibration_slope_ci_{end}"] for end in ("low", "high"))
        assert low < slope < top
        assert top - low < 0.8


@pytest.mark.parametrize("score", [[0.1, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0]])
def test_separated_classes_have_no_slope(score):
    rows = ScoredRows(
        np.array([False, False, True, True]), np.array(score), np.array(score) > 0.5,
        np.arange(4), np.zeros(4, int),
    )  # fmt: skip
    found = calibrated([rows], [rows.score])
    assert np.isnan(found["calibration_slope"])
    assert np.isnan(found["calibration_slope_ci_low"])


def test_one_class_has_no_calibration():
    rows = made()._replace(positive=np.ones(600, bool))
    assert all(np.isnan(value) for value in calibrated([rows], [rows.score]).values())


def test_a_constant_probability_has_no_slope_but_a_level():
    rows = made()
    found = calibrated([rows], [np.full(600, rows.positive.mean())])
    assert found["calibration_in_the_large"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(found["calibration_slope"])
