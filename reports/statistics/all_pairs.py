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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import LEVEL, MAX_UNDEFINED
from reports.systems.rows import Floats

# Systems that agree in all draws but for rounding do not differ.
_SMALLEST_ERROR = 1e-12


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
    defined = drawn[:, ~np.isnan(drawn).any(axis=0)]
    difference = np.subtract.outer(value, value)
    error = np.zeros_like(difference)
    enough = defined.shape[1] >= max((1 - MAX_UNDEFINED) * drawn.shape[1], 2)
    if not enough or np.isnan(value).any():
        nothing = np.full_like(difference, np.nan)
        return AllPairs(float("nan"), nothing, nothing)
    largest = np.zeros(defined.shape[1])
    for one in range(len(value) - 1):
        # One system against all that follow: all pairs at once would take gigabytes.
        of_draws = defined[one] - defined[one + 1 :]
        spread = of_draws.std(axis=1, ddof=1)
        spread[spread < _SMALLEST_ERROR] = 0
        error[one, one + 1 :] = error[one + 1 :, one] = spread
        differ = spread > 0
        if differ.any():
            away = np.abs(of_draws[differ] - difference[one, one + 1 :][differ, None])
            largest = np.maximum(largest, (away / spread[differ, None]).max(axis=0))
    return AllPairs(float(np.quantile(largest, level)), difference, error)
