"""ROC curves thin enough to draw: one for each system, whatever the number of rows and repeats."""

from collections.abc import Sequence

import numpy as np

from reports.measures import Floats, roc_points
from reports.uncertainty import Rows

MOST_POINTS = 200


def mean_roc(repeats: Sequence[Rows]) -> tuple[Floats, Floats]:
    """False and true positive rates of a system, at most MOST_POINTS of them.

    One fold gives its own curve. Several, of one repeat or of more, are averaged at equal false
    positive rates (vertical averaging: Fawcett, Pattern Recognition Letters 27, 2006), each with
    its number of pairs for a weight, so that the area is the AUC of the tables. A fold without one
    of the classes has no pairs; empty where no fold has any.
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
        return _thinned(*_without_middles(*curves[0]))
    grid = np.linspace(0, 1, 101)
    true = np.average([np.interp(grid, *curve) for curve in curves], axis=0, weights=pairs)
    return np.append(0.0, grid), np.append(0.0, true)


def _without_middles(false: Floats, true: Floats) -> tuple[Floats, Floats]:
    """Without the points that lie on a straight line between their neighbours."""
    across, up = np.diff(false), np.diff(true)
    bends = ~np.isclose(across[:-1] * up[1:], across[1:] * up[:-1], rtol=0, atol=1e-12)
    keep = np.concatenate([[True], bends, [True]])
    return false[keep], true[keep]


def _thinned(false: Floats, true: Floats) -> tuple[Floats, Floats]:
    """At most MOST_POINTS points, evenly chosen, both ends among them."""
    if len(false) <= MOST_POINTS:
        return false, true
    kept = np.linspace(0, len(false) - 1, MOST_POINTS).round().astype(int)
    return false[kept], true[kept]
