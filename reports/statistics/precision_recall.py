"""Average precision and the precision-recall curve: what is found among what is called positive.

The ROC curve does not show how many alarms are false where positives are rare; precision does. Its
value for a system that ranks nothing is the prevalence, which in a data set is a choice.

References
----------
.. [1] J. Davis and M. Goadrich, "The relationship between precision-recall and ROC curves",
   International Conference on Machine Learning, 2006.
.. [2] K. Boyd, K. H. Eng and C. D. Page, "Area under the precision-recall curve: point estimates
   and confidence intervals", ECML PKDD 2013 (average precision, and intervals on the logit scale).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.systems.rows import Floats, ScoredRows

_GRID = np.linspace(0, 1, 101)


def average_precision(rows: ScoredRows, weight: Floats) -> Floats:
    """The mean precision at the rank of each positive row, (draws,), for weights (n, draws).

    Rows are ranked within their fold only, because the scores of separately fitted classifiers have
    no common zero. Tied rows enter together. NaN where no positive row has weight.
    """
    total, positives = np.zeros(weight.shape[1]), np.zeros(weight.shape[1])
    for number in np.unique(rows.fold):
        inside = rows.fold == number
        true, called = _counts(rows.positive[inside], rows.score[inside], weight[inside])
        total += (np.diff(true, axis=0, prepend=0) * _precision(true, called)).sum(axis=0)
        positives += true[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = total / positives
    return found


def average_precision_of_chance(rows: ScoredRows) -> float:
    """The average precision of one score for all rows: the prevalence, weighted over folds."""
    alike = rows._replace(score=np.zeros(len(rows.score)))
    return float(average_precision(alike, np.ones((len(alike.score), 1)))[0])


def mean_precision_recall(repeats: Sequence[ScoredRows]) -> tuple[Floats, Floats]:
    """Recall and precision of a system; over folds averaged at equal recall.

    Folds weigh by their positive rows. Precision at a recall is that of the first threshold which
    reaches it; nothing is interpolated. Both arrays are empty without a positive row.
    """
    curves, positives = [], []
    for rows in repeats:
        for number in np.unique(rows.fold):
            fold = rows.where(rows.fold == number)
            if fold.positive.any():
                true, called = _counts(fold.positive, fold.score, np.ones((len(fold.score), 1)))
                recall, precision = true[:, 0] / true[-1, 0], _precision(true, called)[:, 0]
                first = np.searchsorted(recall, _GRID - 1e-12)
                curves.append(precision[first])
                positives.append(int(fold.positive.sum()))
    if not curves:
        return np.empty(0), np.empty(0)
    return _GRID, np.average(curves, axis=0, weights=positives)


def _counts(positive: NDArray[np.bool_], score: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weights of true positives and of all rows called, (distinct scores, draws), from the top."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    ordered = weight[order]
    true = np.cumsum(np.where(positive[order, None], ordered, 0), axis=0)[last]
    return true, np.cumsum(ordered, axis=0)[last]


def _precision(true: Floats, called: Floats) -> Floats:
    share: Floats = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    return share
