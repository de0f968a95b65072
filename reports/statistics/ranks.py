"""Mean ranks of systems over settings.

References
----------
.. [1] J. Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of
   Machine Learning Research 7, 2006 (mean ranks, Nemenyi's critical difference).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.bootstrap import DRAWS
from reports.statistics.intervals import LEVEL, interval
from reports.systems.rows import Floats

# Below this number of settings nothing is averaged over them.
FEWEST_SETTINGS = 5


class MeanRanks(NamedTuple):
    """Mean ranks of systems over settings; rank 1 is the highest value.

    Attributes
    ----------
    mean, low, high : Floats, shape (k,)
        The mean rank of each system, and its 95 % interval from resampling settings.
    critical : float
        Nemenyi's critical difference: mean ranks that differ by less are not told apart.
    settings : int
        How many settings.
    """

    mean: Floats
    low: Floats
    high: Floats
    critical: float
    settings: int


def critical_difference(systems: int, settings: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of mean ranks of `systems` over `settings`."""
    from scipy.stats import studentized_range

    quantile = studentized_range.ppf(level, systems, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(systems * (systems + 1) / (6 * settings)))


def mean_ranks(values: ArrayLike, draws: int = DRAWS, seed: int = 0) -> MeanRanks | None:
    """Mean ranks over settings; None for fewer than `FEWEST_SETTINGS` of them or one system.

    Parameters
    ----------
    values : ArrayLike, shape (settings, k)
        A value for each system in each setting; none may be missing.
    draws, seed : int
        Of the resampling of settings.

    Returns
    -------
    MeanRanks | None
        Ties share their mean rank.

    Raises
    ------
    ValueError
        For a value that is missing.
    """
    from scipy.stats import rankdata

    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) < FEWEST_SETTINGS or table.shape[1] < 2:
        return None
    if not np.isfinite(table).all():
        raise ValueError("values must be finite: a setting with a missing value is not complete")
    ranks = rankdata(-table, axis=1)
    taken = np.random.default_rng(seed).integers(0, len(table), (draws, len(table)))
    limits = np.array([interval(column) for column in ranks[taken].mean(axis=1).T])
    critical = critical_difference(table.shape[1], len(table))
    return MeanRanks(ranks.mean(axis=0), limits[:, 0], limits[:, 1], critical, len(table))
