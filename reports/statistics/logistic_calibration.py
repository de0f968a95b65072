"""Calibration of probabilities on other data: in the large, slope and intercept, with intervals.

References
----------
.. [1] D. R. Cox, "Two further applications of a model for binary regression", Biometrika 45, 1958.
.. [2] B. Van Calster et al., "Calibration: the Achilles heel of predictive analytics", BMC Medicine
   17, 2019.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import DRAWS, draw_patients
from reports.statistics.intervals import interval
from reports.systems.rows import Floats, ScoredRows

NAMES = ("calibration_in_the_large", "calibration_slope", "calibration_intercept")

# Log-odds of a probability of 0 or 1 are those of this distance from it.
_SMALLEST = 1e-12
# Steps of Newton's method, the largest one, and the last one of a fit that has converged.
_STEPS, _LARGEST, _LAST = 60, 5.0, 1e-8
# A slope beyond it is a separation of the classes and has no value.
_STEEPEST = 1e3
# Draws that are fitted at once.
_CHUNK = 100


def calibrated(repeats: Sequence[ScoredRows], found: Sequence[Floats]) -> dict[str, float]:
    """Calibration of probabilities, means over repeats, with intervals over patients.

    Parameters
    ----------
    repeats : Sequence[ScoredRows]
        The test rows of each repeat.
    found : Sequence[Floats], shape (n,) each
        Their probabilities.

    Returns
    -------
    dict[str, float]
        Each of NAMES with _ci_low and _ci_high: the intercept of a logistic model of the outcome on
        the log-odds with slope 1; slope and intercept of the model with both. NaN where there is no
        such model: a class is missing, or a log-odds separates the classes.
    """
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    multiplicity = draw_patients(len(everyone), DRAWS, seed=0)
    values, draws = [], []
    for rows, probability in zip(repeats, found, strict=True):
        odds = log_odds(probability)
        patient = np.searchsorted(everyone, rows.patient)
        value = _models(odds, rows.positive, np.ones((len(odds), 1)), np.zeros(3))[:, 0]
        chunks = [
            _models(odds, rows.positive, multiplicity[patient, start : start + _CHUNK], value)
            for start in range(0, DRAWS, _CHUNK)
        ]
        values.append(value)
        draws.append(np.hstack(chunks))
    mean, drawn = np.mean(values, axis=0), np.mean(draws, axis=0)
    result: dict[str, float] = {}
    for name, value, of_draws in zip(NAMES, mean, drawn, strict=True):
        low, high = interval(of_draws) if np.isfinite(value) else (np.nan, np.nan)
        result |= {name: float(value), f"{name}_ci_low": low, f"{name}_ci_high": high}
    return result


def log_odds(probability: Floats) -> Floats:
    """The log-odds of probabilities, (n,); 0 and 1 count as a very small distance from them."""
    clipped = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    return odds


def _models(
    odds: Floats, positive: NDArray[np.bool_], weights: NDArray[Any], start: Floats
) -> Floats:
    """NAMES for each column of weights, (n, k) -> (3, k); begun at the values `start`, (3,)."""
    large, slope, intercept = np.nan_to_num(start)
    (in_the_large,) = _fitted(odds, positive, weights, np.array([large]))
    both = _fitted(odds, positive, weights, np.array([intercept, slope]))
    return np.stack([in_the_large, both[1], both[0]])


def _fitted(
    odds: Floats, positive: NDArray[np.bool_], weights: NDArray[Any], start: Floats
) -> Floats:
    """Weighted logistic models by Newton's method, all columns of weights at once.

    `start` is an intercept, (1,), for a slope of 1, or intercept and slope, (2,); the result has
    its shape by the number of columns.
    """
    weight = weights.astype(np.float64)
    design = np.stack([np.ones_like(odds), odds])[: len(start)]
    offset = odds if len(start) == 1 else np.zeros_like(odds)
    outcome = positive.astype(np.float64)[:, None]
    found = np.repeat(start[:, None], weight.shape[1], axis=1)
    step = np.full_like(found, np.inf)
    for _ in range(_STEPS):
        linear = offset[:, None] + design.T @ found
        fitted = 1 / (1 + np.exp(-np.clip(linear, -500, 500)))
        gradient = design @ (weight * (outcome - fitted))
        curvature = weight * fitted * (1 - fitted)
        step = _solved([moment @ curvature for moment in (odds**0, odds, odds**2)], gradient)
        found = found + np.clip(step, -_LARGEST, _LARGEST)
        if not (np.abs(step) > _LAST).any():
            break
    converged = (np.abs(step) <= _LAST).all(axis=0) & (np.abs(found) < _STEEPEST).all(axis=0)
    result: Floats = np.where(converged & _both_classes(weight, positive), found, np.nan)
    return result


def _solved(moments: Sequence[Floats], gradient: Floats) -> Floats:
    """Newton's steps, (1 or 2, k), from the moments of the log-odds; NaN where there is none."""
    a, b, d = moments
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if len(gradient) == 1:
            return gradient / a
        steps = np.stack([d * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]])
        solved: Floats = steps / (a * d - b * b)
    return solved


def _both_classes(weight: Floats, positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = (weight[positive].sum(axis=0) > 0) & (
        weight[~positive].sum(axis=0) > 0
    )
    return there
