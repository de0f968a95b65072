"""Intervals on the differences of all pairs of systems at once, from the same bootstrap draws.

Who looks at many systems looks at many differences. These intervals hold all true differences
together with a probability of 95 %, so any pair may be picked after the figures were seen, and so
may the highest system. The largest standardised deviation over all pairs is taken in each draw; its
95 % quantile is the number of standard errors that each interval extends.

References
----------
.. [1] P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing, 1993, chapter 2.
.. [2] J. P. Romano and M. Wolf, "Exact and approximate stepdown methods for multiple hypothesis
   testing", Journal of the American Statistical Association 100, 2005 (the maximum of studentised
   bootstrap differences).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.statistics.intervals import LEVEL, MAX_UNDEFINED
from reports.systems.rows import Floats

# Systems that agree in all draws but for rounding do not differ.
_SMALLEST_ERROR = 1e-12


class PairwiseDifferences(NamedTuple):
    """The differences of all pairs (i, j), i < j, in the order (0, 1), (0, 2), …, (1, 2), ….

    Attributes
    ----------
    low, high : Floats, shape (pairs,)
        The 95 % percentile interval of a pair looked at alone.
    error : Floats, shape (pairs,)
        The standard deviation over the draws; 0 where two systems agree in every draw.
    """

    low: Floats
    high: Floats
    error: Floats


class AllPairs(NamedTuple):
    """Every pair of k systems; undefined values are NaN.

    Attributes
    ----------
    critical : float
        How many standard errors an interval extends to either side.
    difference : Floats, shape (k, k)
        The value of the row's system less that of the column's.
    error : Floats, shape (k, k)
        Standard errors of the differences; 0 where two systems agree in every draw.
    """

    critical: float
    difference: Floats
    error: Floats

    @property
    def low(self) -> Floats:
        """The lower ends of all intervals, (k, k)."""
        ends: Floats = self.difference - self.critical * self.error
        return ends

    @property
    def high(self) -> Floats:
        """The upper ends of all intervals, (k, k)."""
        ends: Floats = self.difference + self.critical * self.error
        return ends

    @property
    def told_apart(self) -> NDArray[np.bool_]:
        """Which pairs differ, (k, k): those whose interval does not hold 0."""
        apart: NDArray[np.bool_] = np.abs(self.difference) > self.critical * self.error
        return apart


def defined_draws(drawn: Floats) -> Floats | None:
    """The draws in which every system has a value; None where these are too few.

    Parameters
    ----------
    drawn : Floats, shape (k, draws)
        A measure of each system in each draw.

    Returns
    -------
    Floats | None, shape (k, defined)
        The columns without NaN; None where more than `MAX_UNDEFINED` of all have one.
    """
    defined = drawn[:, ~np.isnan(drawn).any(axis=0)]
    enough = defined.shape[1] >= max((1 - MAX_UNDEFINED) * drawn.shape[1], 2)
    return defined if enough else None


def pairwise(drawn: Floats) -> PairwiseDifferences:
    """The intervals and standard errors of all pairs, each looked at alone.

    Parameters
    ----------
    drawn : Floats, shape (k, draws)
        From `defined_draws`.

    Returns
    -------
    PairwiseDifferences
        Of the k (k - 1) / 2 pairs.
    """
    levels = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    found = [
        np.vstack([np.quantile(differences, levels, axis=1), _errors(differences)])
        for differences in _against_those_after(drawn)
    ]
    return PairwiseDifferences(*(np.hstack(found) if found else np.empty((3, 0))))


def critical_value(value: Floats, drawn: Floats, level: float = LEVEL) -> float:
    """How many standard errors a difference must have where all pairs are looked at.

    Parameters
    ----------
    value : Floats, shape (k,)
        The measure of each system.
    drawn : Floats, shape (k, draws)
        From `defined_draws`.
    level : float, default LEVEL
        The share of draws in which no pair's difference is further from its value.

    Returns
    -------
    float
        The quantile of the largest standardised difference; 0 where no pair varies, NaN where there
        is no pair or a value is undefined.
    """
    if len(value) < 2 or np.isnan(value).any():
        return float("nan")
    largest = np.zeros(drawn.shape[1])
    for place, differences in enumerate(_against_those_after(drawn)):
        error = _errors(differences)
        varies = error > 0
        if varies.any():
            away = np.abs(differences - (value[place] - value[place + 1 :])[:, None])[varies]
            largest = np.maximum(largest, (away / error[varies, None]).max(axis=0))
    return float(np.quantile(largest, level))


def _against_those_after(drawn: Floats) -> Iterator[Floats]:
    """Each system less all that follow: all pairs at once would take gigabytes."""
    for place in range(len(drawn) - 1):
        yield drawn[place] - drawn[place + 1 :]


def _errors(differences: Floats) -> Floats:
    error: Floats = differences.std(axis=1, ddof=1)
    error[error < _SMALLEST_ERROR] = 0
    return error


def all_pairs(value: Floats, drawn: Floats, level: float = LEVEL) -> AllPairs:
    """Simultaneous intervals on the differences of k systems.

    Parameters
    ----------
    value : Floats, shape (k,)
        The measure of each system.
    drawn : Floats, shape (k, draws)
        The same measure in each bootstrap draw, the same draws for all systems. A draw in which one
        of them is undefined is left out.
    level : float
        The probability with which all intervals hold together.

    Returns
    -------
    AllPairs
        All NaN where more than `MAX_UNDEFINED` of the draws are left out, or a value is undefined.
    """
    difference = np.subtract.outer(value, value)
    defined = defined_draws(drawn)
    if defined is None or np.isnan(value).any():
        nothing = np.full_like(difference, np.nan)
        return AllPairs(float("nan"), nothing, nothing)
    error = np.zeros_like(difference)
    error[np.triu_indices(len(value), 1)] = pairwise(defined).error
    return AllPairs(critical_value(value, defined, level), difference, error + error.T)
