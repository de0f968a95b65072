"""Intervals on calibration: slopes against the bootstrap, errors against known truths."""

import numpy as np
import pytest

from reports.statistics.calibration_error import error_interval
from reports.statistics.logistic_calibration import NAMES, calibrated
from reports.statistics.probabilities import calibration_error
from reports.statistics.robust_calibration import robust_calibration
from reports.systems.rows import ScoredRows


def made(
    n: int = 600, shift: float = 0.0, stretch: float = 1.0, seed: int = 0, crops: int = 2
) -> ScoredRows:
    """Crops of patients with true log-odds, and probabilities whose log-odds are others."""
    random = np.random.default_rng(seed)
    odds = np.repeat(random.normal(size=n // crops), crops)
    outcome = np.repeat(random.random(n // crops), crops) < 1 / (1 + np.exp(-odds))
    probability = 1 / (1 + np.exp(-(stretch * odds + shift)))
    return ScoredRows(
        outcome, probability, probability > 0.5, np.arange(n) // crops, np.zeros(n, int)
    )


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.7, 2.0), (-1.0, 0.5)])
def test_values_are_those_of_the_bootstrap_and_ends_are_near(shift: float, stretch: float) -> None:
    rows = made(shift=shift, stretch=stretch)
    one, other = robust_calibration([rows], [rows.score]), calibrated([rows], [rows.score])
    for name in NAMES:
        assert one[name] == pytest.approx(other[name], abs=1e-5)
        width = other[f"{name}_ci_high"] - other[f"{name}_ci_low"]
        for end in ("_ci_low", "_ci_high"):
            assert one[f"{name}{end}"] == pytest.approx(other[f"{name}{end}"], abs=0.15 * width)


def test_what_has_no_model_is_nan() -> None:
    rows = made()
    separated = rows._replace(score=np.where(rows.positive, 0.9, 0.1))
    found = robust_calibration([separated], [separated.score])
    assert np.isnan(found["calibration_slope"])
    one_class = rows.where(rows.positive)
    assert np.isnan(list(robust_calibration([one_class], [one_class.score]).values())).all()
    constant = np.full(len(rows.score), rows.positive.mean())
    found = robust_calibration([rows], [constant])
    assert found["calibration_in_the_large"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(found["calibration_slope"])


def test_slopes_hold_the_truth() -> None:
    """200 samples of 75 patients, two crops each, of probabilities twice too extreme."""
    held = 0
    for seed in range(200):
        rows = made(150, stretch=2.0, seed=seed)
        found = robust_calibration([rows], [rows.score])
        held += found["calibration_slope_ci_low"] <= 0.5 <= found["calibration_slope_ci_high"]
    assert 0.91 <= held / 200 <= 0.985


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (1.0, 1.0), (0.0, 3.0)])
def test_errors_hold_the_truth(shift: float, stretch: float) -> None:
    """A calibrated system has an error of 0; of the others it is that of a very large sample."""
    large = made(400_000, shift, stretch, seed=99)
    truth = 0.0 if (shift, stretch) == (0, 1) else calibration_error(large.positive, large.score)
    held = 0
    for seed in range(150):
        rows = made(200, shift, stretch, seed=seed)
        low, high = error_interval([rows], [rows.score], draws=400, seed=seed)
        held += low <= truth <= high
    assert held / 150 >= 0.92


def test_few_patients_have_no_interval_of_the_error() -> None:
    rows = made(80)
    assert np.isnan(error_interval([rows], [rows.score])).all()
