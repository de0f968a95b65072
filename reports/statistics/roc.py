"""ROC curves to draw, with a bounded number of points, and rates at an operating point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics.measures import roc_points
from reports.systems.rows import Floats, ScoredRows

MOST_POINTS = 200

LIMIT = 0.90


def mean_roc(repeats: Sequence[ScoredRows]) -> tuple[Floats, Floats]:
    """False and true positive rates of a system, at most MOST_POINTS of them.

    With one fold it is the curve of that fold. The curves of several, of one repeat or more, are
    averaged at equal false positive rates (vertical averaging [1]_), weighted by their numbers of
    pairs, so that the area is the AUC of the tables. A fold without one of the classes has no
    pairs; both arrays are empty where no fold has any.

    References
    ----------
    .. [1] T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.
    """
    curves, pairs = [], []
    for rows in repeats:
        for number in np.unique(rows.fold):
            positive = rows.positive[rows.fold == number]
            weight = int(positive.sum()) * int((~positive).sum())
            if weight:
                curves.append(roc_points(positive, rows.score[rows.fold == number]))
                pairs.append(weight)
    if not curves:
        return np.empty(0), np.empty(0)
    if len(curves) == 1:
        return _thinned(*_corners(*curves[0]))
    grid = np.linspace(0, 1, 101)
    true = np.average([np.interp(grid, *curve) for curve in curves], axis=0, weights=pairs)
    return np.append(0.0, grid), np.append(0.0, true)


def _corners(false: Floats, true: Floats) -> tuple[Floats, Floats]:
    """The points that do not lie on a straight line between their neighbours."""
    across, up = np.diff(false), np.diff(true)
    bends = ~np.isclose(across[:-1] * up[1:], across[1:] * up[:-1], rtol=0, atol=1e-12)
    keep = np.concatenate([[True], bends, [True]])
    return false[keep], true[keep]


def _thinned(false: Floats, true: Floats) -> tuple[Floats, Floats]:
    """At most MOST_POINTS points, evenly spaced by number, with both ends."""
    if len(false) <= MOST_POINTS:
        return false, true
    kept = np.linspace(0, len(false) - 1, MOST_POINTS).round().astype(int)
    return false[kept], true[kept]


def rate_at(
    rows: ScoredRows, weight: Floats, reverse: bool = False, threshold: ArrayLike = 0.0
) -> Floats:
    """Sensitivity at a specificity of at least LIMIT, (draws,), for weights (n, draws).

    Over folds all thresholds are moved by the same amount, as far as it takes. Unmoved they give
    the sensitivity and specificity of the rows, which the result can therefore not contradict. Only
    thresholds between rows count, no interpolation; NaN without rows of both classes.

    Parameters
    ----------
    rows : ScoredRows
        The pooled rows of one repeat.
    weight : Floats, shape (n, draws)
        How often each row counts.
    reverse : bool, default False
        Specificity at a sensitivity of at least LIMIT instead.
    threshold : ArrayLike, default 0.0
        A number or (n,): the threshold of each row's fold.

    Returns
    -------
    Floats, shape (draws,)
        The rate in each draw.
    """
    margin = rows.score - np.asarray(threshold, dtype=np.float64)
    # The specificity of a score is the sensitivity of its negative for the other class.
    of_class = ~rows.positive if reverse else rows.positive
    return _rate(of_class, -margin if reverse else margin, weight)


def _rate(positive: NDArray[np.bool_], score: Floats, weight: Floats) -> Floats:
    order = np.argsort(-score, kind="stable")
    # Tied rows enter together.
    last = np.append(np.diff(score[order]) != 0, True)
    true = np.cumsum(np.where(positive[order, None], weight[order], 0), axis=0)
    false = np.cumsum(np.where(positive[order, None], 0, weight[order]), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        allowed = false[last] / false[-1] <= 1 - LIMIT + 1e-12
        rate: Floats = np.max(np.where(allowed, true[last], 0), axis=0, initial=0) / true[-1]
    return np.where((true[-1] > 0) & (false[-1] > 0), rate, np.nan)
