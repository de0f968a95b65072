"""The standard error of the AUC by formula, by which the bootstrap over patients is checked.

DeLong's form [1]_ takes crops as independent. Obuchowski's [2]_ adds up what the crops of a patient
contribute, so that only patients have to be independent; with one crop a patient both are the same.

References
----------
.. [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more
   correlated receiver operating characteristic curves: a nonparametric approach", Biometrics 44,
   1988.
.. [2] N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53, 1997.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.systems.rows import Floats, ScoredRows


class AnalyticAuc(NamedTuple):
    """An AUC and its standard errors; undefined values are NaN.

    Attributes
    ----------
    value : float
        The AUC; over folds that of pairs within a fold.
    by_crop, by_patient : float
        Its standard error by DeLong, crops being independent, and by Obuchowski, patients being so.
    """

    value: float
    by_crop: float
    by_patient: float


def analytic_auc(rows: ScoredRows) -> AnalyticAuc:
    """The AUC of one repeat with its standard errors.

    Parameters
    ----------
    rows : ScoredRows
        The pooled rows of one repeat. Folds are independent, so their variances are added with the
        squares of their shares of all pairs.

    Returns
    -------
    AnalyticAuc
        The standard error by patient is NaN where a patient is in two folds, as under an audit, and
        where only one patient has rows of a class.
    """
    values, pairs, variances = [], [], []
    for number in np.unique(rows.fold):
        fold = rows.where(rows.fold == number)
        n_pairs = int(fold.positive.sum()) * int((~fold.positive).sum())
        if not n_pairs:
            continue
        placed = placements(fold.positive, fold.score)
        values.append(placed[fold.positive].mean())
        pairs.append(n_pairs)
        deviation = placed - values[-1]
        crops = np.arange(len(placed))
        variances.append([_variance(fold.positive, deviation, of) for of in (crops, fold.patient)])
    if not pairs:
        return AnalyticAuc(*(float("nan"),) * 3)
    share = np.array(pairs) / sum(pairs)
    # A difference of two nearly equal sums can fall below 0 by rounding.
    by_crop, by_patient = np.sqrt(np.maximum(share**2 @ np.array(variances), 0))
    if _in_two_folds(rows):
        by_patient = float("nan")
    return AnalyticAuc(float(share @ np.array(values)), float(by_crop), float(by_patient))


def placements(positive: NDArray[np.bool_], score: Floats) -> Floats:
    """For each row, (n,), the share of rows of the other class that it is ranked rightly against.

    A positive row should lie above, a negative one below; ties count half.
    """
    from scipy.stats import rankdata

    among_own = np.empty(len(score))
    for side in (positive, ~positive):
        among_own[side] = rankdata(score[side])
    below = rankdata(score) - among_own
    others = np.where(positive, (~positive).sum(), positive.sum())
    share: Floats = below / others
    return np.where(positive, share, 1 - share)


def _variance(positive: NDArray[np.bool_], deviation: Floats, cluster: NDArray[np.int64]) -> float:
    """Obuchowski's variance of the AUC; with a cluster a row it is DeLong's."""
    clusters, number = np.unique(cluster, return_inverse=True)
    total, sums = 0.0, []
    for side in (positive, ~positive):
        of_cluster = np.bincount(number[side], deviation[side], len(clusters)) / side.sum()
        total += _unbiased(len(np.unique(number[side]))) * float(of_cluster @ of_cluster)
        sums.append(of_cluster)
    return total + 2 * _unbiased(len(clusters)) * float(sums[0] @ sums[1])


def _unbiased(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else float("nan")


def _in_two_folds(rows: ScoredRows) -> bool:
    places = np.unique(np.stack([rows.patient, rows.fold]), axis=1)
    return bool(places.shape[1] > len(np.unique(rows.patient)))
