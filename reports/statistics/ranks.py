"""Which systems cannot be told from the highest, and mean ranks over settings.

References
----------
.. [1] P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing, 1993 (the maximum of |t|).
.. [2] J. Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of
   Machine Learning Research 7, 2006 (mean ranks, Nemenyi's critical difference).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics.bootstrap import DRAWS, LEVEL, interval
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


def as_high_as_the_highest(value: Floats, drawn: Floats) -> NDArray[np.bool_]:
    """Which systems cannot be told from the one with the highest value.

    Parameters
    ----------
    value : Floats, shape (k,)
        The measured values.
    drawn : Floats, shape (k, draws)
        Bootstrap values of the same systems from the same draws.

    Returns
    -------
    NDArray[np.bool_], shape (k,)
        True where the simultaneous interval of the difference to the highest, over all pairs of
        the systems, contains zero.
    """
    kept = drawn[:, np.isfinite(drawn).all(axis=0)]
    if len(value) == 1 or kept.shape[1] < 2:
        return np.ones(len(value), dtype=bool)
    first, second = np.triu_indices(len(value), 1)
    differences = kept[first] - kept[second]
    observed = value[first] - value[second]
    error = differences.std(axis=1, ddof=1)
    equal = error == 0
    scaled = np.abs(differences - observed[:, None])[~equal] / error[~equal, None]
    limit = np.quantile(scaled.max(axis=0), LEVEL) if len(scaled) else 0.0
    apart = np.where(equal, observed != 0, np.abs(observed) > limit * error)
    highest = int(np.argmax(value))
    told = np.zeros(len(value), dtype=bool)
    for i, j, is_apart in zip(first, second, apart, strict=True):
        if highest in (i, j):
            told[j if i == highest else i] = is_apart
    return ~told


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
