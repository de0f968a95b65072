"""Intervals from bootstrap draws, and what stands where the draws have nothing to tell.

With 12 of 12 malignant crops found every draw finds all of them, too, and a percentile interval is
the single number 1: as if nothing worse were possible. There the score interval of Wilson over the
patients takes its place; elsewhere the percentile interval stays.

References
----------
.. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
   of the American Statistical Association 22, 1927.
.. [2] L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion",
   Statistical Science 16, 2001 (its coverage near 0 and 1).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from reports.systems.rows import Floats, ScoredRows

LEVEL = 0.95

# Leaving out draws narrows an interval; above this undefined share there is none.
MAX_UNDEFINED = 0.05

# What is nearer to 0 or 1 is there.
_NEAR = 1e-12


def interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of (draws,) values; NaN where too many of them are undefined."""
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - MAX_UNDEFINED) * len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bounded_interval(
    drawn: Floats, measure: str, repeats: Sequence[ScoredRows], level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a measure; Wilson's where the measure is at 0 or 1 in all draws.

    Parameters
    ----------
    drawn : Floats, shape (draws,)
        Values of the measure in the draws of a patient bootstrap.
    measure : str
        One of `reports.statistics.measures.MEASURES`, or another name.
    repeats : Sequence[ScoredRows]
        The rows that the draws were made from.
    level : float
        Of the interval.

    Returns
    -------
    tuple[float, float]
        Lower and upper limit. NaN where too many draws are undefined, and where all are at a bound
        of a measure that is no share of patients (MCC, F1, average precision).

    Notes
    -----
    Wilson's interval is of the patients that have rows in the measure's denominator, one trial
    each: crops of a patient are alike, so that more of them are hardly more trials. Of patients in
    both classes, which an AUC compares, those of the smaller class count.
    `tests/reports/statistics/test_bounded_intervals.py` has the coverage.
    """
    low, high = interval(drawn, level)
    if np.isnan(low):
        return low, high
    # Sums of floats may miss a bound by their last digit.
    bound = round(low)
    if not (abs(low - bound) < _NEAR and abs(high - bound) < _NEAR):
        return low, high
    trials = _patients_behind(measure, repeats)
    return _wilson(bound, trials, level) if trials else (float("nan"), float("nan"))


# The rows in the denominator of each measure that is a share; an AUC and the balanced accuracy have
# those of either class.
_DENOMINATORS: dict[str, tuple[Callable[[ScoredRows], NDArray[np.bool_]], ...]] = {
    "accuracy": (lambda rows: np.ones(len(rows.positive), dtype=np.bool_),),
    "sensitivity": (lambda rows: rows.positive,),
    "specificity": (lambda rows: ~rows.positive,),
    "ppv": (lambda rows: rows.called,),
    "npv": (lambda rows: ~rows.called,),
    "auc": (lambda rows: rows.positive, lambda rows: ~rows.positive),
    "balanced_accuracy": (lambda rows: rows.positive, lambda rows: ~rows.positive),
}


def _patients_behind(measure: str, repeats: Sequence[ScoredRows]) -> int:
    """Patients with rows in the measure's denominator, over all repeats; 0 where it is no share."""
    return min(
        (
            len(np.unique(np.concatenate([rows.patient[of(rows)] for rows in repeats])))
            for of in _DENOMINATORS.get(measure, ())
        ),
        default=0,
    )


def _wilson(rate: int, trials: int, level: float) -> tuple[float, float]:
    """Wilson's interval at a rate of 0 or 1: equation 4 of Brown, Cai and DasGupta."""
    from scipy import stats

    z2 = float(stats.norm.isf((1 - level) / 2)) ** 2
    away = z2 / (trials + z2)
    return (1 - away, 1.0) if rate else (0.0, away)
