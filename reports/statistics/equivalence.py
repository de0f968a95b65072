"""Whether two systems are equally good within a declared margin: two one-sided tests.

That a difference was not seen does not show that there is none. Equivalence is shown where both of
two hypotheses are rejected: that the system is worse by the margin or more, and that it is better
by the margin or more.

References
----------
.. [1] D. J. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach
   for assessing the equivalence of average bioavailability", Journal of Pharmacokinetics and
   Biopharmaceutics 15, 1987.
"""

import numpy as np

from reports.statistics.intervals import LEVEL, MAX_UNDEFINED
from reports.systems.rows import Floats

# Declared before any figure is known: a difference of AUC that would not change a choice.
MARGIN = 0.05

# The interval that belongs to two one-sided tests at 5 %.
LEVEL_OF_TWO = 1 - 2 * (1 - LEVEL)

EQUIVALENT, NOT_SHOWN = "equivalent", "not shown"


def two_one_sided(
    difference: float, standard_error: float, freedom: float, margin: float = MARGIN
) -> float:
    """The p-value of equivalence: the larger one of the two one-sided tests.

    Parameters
    ----------
    difference, standard_error, freedom : float
        The estimate, its standard error and degrees of freedom; infinite ones mean a normal
        distribution.
    margin : float
        The smallest difference, to either side, that would matter.

    Returns
    -------
    float
        NaN where the difference or its error is undefined.

    Raises
    ------
    ValueError
        For a margin that is not above 0.
    """
    from scipy import stats

    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin}")
    if np.isnan(difference) or np.isnan(standard_error) or not freedom > 0:
        return float("nan")
    if standard_error == 0:
        return float(abs(difference) >= margin)
    nearest = (margin - abs(difference)) / standard_error
    return float(stats.t.sf(nearest, freedom))


def equivalence_verdict(p: float, alpha: float = 1 - LEVEL) -> str:
    """EQUIVALENT or NOT_SHOWN; empty where nothing was tested."""
    if np.isnan(p):
        return ""
    return EQUIVALENT if p < alpha else NOT_SHOWN


def probability_higher(differences: Floats) -> float:
    """The share of bootstrap draws in which the first system is higher; ties count half.

    Parameters
    ----------
    differences : Floats, shape (draws,)
        The first system less the second in each draw.

    Returns
    -------
    float
        In 0..1; NaN where more than `MAX_UNDEFINED` of the draws are undefined. It is a statement
        on the draws: other patients, given the trained models, not a probability of being better.
    """
    defined = differences[~np.isnan(differences)]
    if len(defined) < (1 - MAX_UNDEFINED) * len(differences) or not len(defined):
        return float("nan")
    return float((defined > 0).mean() + (defined == 0).mean() / 2)
