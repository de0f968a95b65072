"""Differences of all pairs of systems at once, from the same bootstrap draws over patients.

Which of many systems cannot be told from the highest is a question about all pairs, not about one:
a difference must be so large that, were there none, hardly any of the pairs would show one like it.
How large is read from the largest standardised difference of each draw.

References
----------
.. [1] P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing, 1993 (the largest
   statistic of each draw).
.. [2] R. Beran, "Balanced simultaneous confidence sets", Journal of the American Statistical
   Association 83, 1988 (intervals that hold at once).
"""

from typing import NamedTuple

import numpy as np

from reports.statistics.bootstrap import LEVEL, MAX_UNDEFINED
from reports.systems.rows import Floats


class PairwiseDifferences(NamedTuple):
    """The differences of all pairs (i, j), i < j, in the order (0, 1), (0, 2), …, (1, 2), ….

    Attributes
    ----------
    low, high : Floats, shape (pairs,)
        The 95 % percentile interval of a pair looked at alone.
    error : Floats, shape (pairs,)
        The standard deviation over the draws.
    """

    low: Floats
    high: Floats
    error: Floats


def defined_draws(values: Floats) -> Floats | None:
    """The draws in which every system has a value; None where these are too few.

    Parameters
    ----------
    values : Floats, shape (systems, draws)
        A measure of each system in each draw.

    Returns
    -------
    Floats | None, shape (systems, defined)
        The columns without NaN; None where more than MAX_UNDEFINED of all have one.
    """
    defined = values[:, ~np.isnan(values).any(axis=0)]
    enough = defined.shape[1] >= max((1 - MAX_UNDEFINED) * values.shape[1], 2)
    return defined if enough else None


def pairwise(values: Floats) -> PairwiseDifferences:
    """The intervals and standard errors of all pairs.

    Parameters
    ----------
    values : Floats, shape (systems, draws)
        From `defined_draws`.

    Returns
    -------
    PairwiseDifferences
        Each looked at alone.
    """
    levels = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    found = []
    for first in range(len(values) - 1):
        differences = values[first] - values[first + 1 :]
        limits = np.quantile(differences, levels, axis=1)
        found.append(np.vstack([limits, differences.std(axis=1, ddof=1)]))
    return PairwiseDifferences(*(np.hstack(found) if found else np.empty((3, 0))))


def critical_value(values: Floats, level: float = LEVEL) -> float:
    """How many standard errors a difference must have among all pairs at once.

    Parameters
    ----------
    values : Floats, shape (systems, draws)
        From `defined_draws`.
    level : float, default LEVEL
        The share of draws in which no pair's difference is further from its mean.

    Returns
    -------
    float
        The quantile of the largest standardised difference; NaN without a pair that varies.
    """
    largest = np.zeros(values.shape[1])
    for first in range(len(values) - 1):
        differences = values[first] - values[first + 1 :]
        error = differences.std(axis=1, ddof=1)
        varies = error > 0
        if varies.any():
            away = differences[varies] - differences[varies].mean(axis=1, keepdims=True)
            standardised = np.abs(away) / error[varies, None]
            largest = np.maximum(largest, standardised.max(axis=0))
    return float(np.quantile(largest, level)) if largest.any() else float("nan")
