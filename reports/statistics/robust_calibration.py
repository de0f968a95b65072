"""Calibration in the large, slope and intercept, with intervals that let crops of one be alike.

The models are those of `logistic_calibration`; the intervals come from the scatter of patients (the
cluster-robust covariance) in place of 2,000 fits, which every system of a run can afford.

References
----------
.. [1] D. R. Cox, "Two further applications of a model for binary regression", Biometrika 45, 1958.
.. [2] K.-Y. Liang and S. L. Zeger, "Longitudinal data analysis using generalized linear models",
   Biometrika 73, 1986 (the covariance).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.statistics.logistic_calibration import NAMES, log_odds
from reports.systems.rows import Floats, ScoredRows


def robust_calibration(repeats: Sequence[ScoredRows], found: Sequence[Floats]) -> dict[str, float]:
    """Calibration of probabilities with 95 % intervals, means over repeats.

    Parameters
    ----------
    repeats : Sequence[ScoredRows]
        The test rows of each repeat.
    found : Sequence[Floats], shape (n,) each
        Their probabilities.

    Returns
    -------
    dict[str, float]
        Each of NAMES with _ci_low and _ci_high, the ends too being means over repeats. NaN where
        there is no such model: a class or all but one patient is missing, the log-odds separate the
        classes, or they are one value.
    """
    of_repeats = [
        _models(log_odds(probability), rows.positive, rows.patient)
        for rows, probability in zip(repeats, found, strict=True)
    ]
    values = np.mean(of_repeats, axis=0)
    return {
        f"{name}{end}": float(value)
        for name, row in zip(NAMES, values, strict=True)
        for end, value in zip(("", "_ci_low", "_ci_high"), row, strict=True)
    }


def _models(odds: Floats, positive: NDArray[np.bool_], patient: NDArray[np.int64]) -> Floats:
    """Value, low and high of each of NAMES, (3, 3)."""
    nothing = np.full((1, 3), np.nan)
    if positive.all() or not positive.any() or len(np.unique(patient)) < 2:
        return np.repeat(nothing, 3, axis=0)
    ones = np.ones((len(odds), 1))
    (large,) = _fitted(ones, positive, patient, offset=odds)
    if _separated(odds, positive):
        return np.vstack([large, nothing, nothing])
    intercept, slope = _fitted(np.column_stack([ones, odds]), positive, patient)
    return np.vstack([large, slope, intercept])


def _fitted(
    design: Floats,
    positive: NDArray[np.bool_],
    patient: NDArray[np.int64],
    offset: Floats | None = None,
) -> Floats:
    """Value, low and high of each coefficient of a logistic model, (coefficients, 3)."""
    import statsmodels.api as sm

    model = sm.GLM(positive.astype(np.float64), design, sm.families.Binomial(), offset=offset)
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": patient}, use_t=True)
    return np.column_stack([fitted.params, fitted.conf_int()])


def _separated(odds: Floats, positive: NDArray[np.bool_]) -> bool:
    """Whether no finite slope fits best, or any slope does because there is one value only."""
    one, other = odds[positive], odds[~positive]
    return bool(one.min() >= other.max() or other.min() >= one.max())
