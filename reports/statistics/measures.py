"""Measures of a binary classifier: pure functions of labels and scores.

Everything is computed from the confusion counts or, for the AUC, from weighted ranks, and every
function of counts takes arrays of any shape, so that 2,000 bootstrap draws cost one call. A measure
whose denominator is zero is undefined: NaN, never 0.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.systems.rows import Floats

MEASURES = (
    "accuracy",
    "auc",
    "sensitivity",
    "specificity",
    "mcc",
    "balanced_accuracy",
    "ppv",
    "npv",
    "f1",
)


def measures(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike = 0.0,
    weight: ArrayLike | None = None,
    fold: ArrayLike | None = None,
) -> dict[str, float]:
    """All measures of one classifier on one set of rows.

    Parameters
    ----------
    y : ArrayLike, shape (n,)
        Labels: 1 for the positive class (malignant) and 0 for the other.
    score : ArrayLike, shape (n,)
        Finite scores; higher means more likely positive.
    threshold : ArrayLike, shape () or (n,)
        A row whose score is **above** its threshold is called positive. Pooled folds, whose
        classifiers have different thresholds, need one for each row.
    weight : ArrayLike | None, shape (n,)
        Finite weights, none negative; every row counts once by default.
    fold : ArrayLike | None, shape (n,)
        Fold of each row. The AUC compares rows of one fold only, because the scores of separately
        fitted classifiers have no common zero [3]_. All rows are in one fold by default.

    Returns
    -------
    dict[str, float]
        One value for each of `MEASURES`; NaN where a measure is undefined, such as the sensitivity
        without a positive row.

    Raises
    ------
    ValueError
        For lengths that differ, labels other than 0 and 1, and scores, thresholds or weights that
        are not finite. The message names the argument.

    Notes
    -----
    The AUC is the Mann-Whitney statistic, in which ties count half [1]_; the MCC is Matthews'
    correlation coefficient [2]_.

    References
    ----------
    .. [1] J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver
       operating characteristic (ROC) curve", Radiology 143, 1982.
    .. [2] B. W. Matthews, "Comparison of the predicted and observed secondary structure of T4 phage
       lysozyme", Biochimica et Biophysica Acta 405, 1975.
    .. [3] G. Forman and M. Scholz, "Apples-to-apples in cross-validation studies", SIGKDD
       Explorations 12, 2010.
    """
    labels, scores, weights = check_rows(y, score, weight)
    counts = confusion(labels, calls(scores, threshold), weights)
    values = {"auc": auc(labels, scores, weights, check_folds(fold, scores))}
    values.update({name: float(value) for name, value in from_counts(*counts).items()})
    return {name: values[name] for name in MEASURES}


def check_rows(
    y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Labels as booleans, scores and weights as float64; raises ValueError as `measures` does."""
    labels = np.asarray(y)
    scores = _as_floats("score", score)
    if labels.ndim != 1 or scores.ndim != 1:
        raise ValueError(
            f"y and score must be one-dimensional, got shapes {labels.shape} and {scores.shape}"
        )
    if len(labels) != len(scores):
        raise ValueError(f"y has {len(labels)} rows and score has {len(scores)}")
    outside = ~np.isin(labels, (0, 1))
    if outside.any():
        raise ValueError(f"y must hold 0 and 1 only, got {labels[outside][0]!r}")
    if weight is None:
        return labels.astype(bool), scores, np.ones(len(scores))
    weights = _as_floats("weight", weight)
    if weights.shape != scores.shape:
        raise ValueError(f"weight has shape {weights.shape} and score has {scores.shape}")
    if (weights < 0).any():
        raise ValueError("weight must not be negative")
    return labels.astype(bool), scores, weights


def check_folds(fold: ArrayLike | None, score: Floats) -> NDArray[np.int64]:
    """Folds numbered from 0, (n,), all 0 by default; raises ValueError for another shape."""
    if fold is None:
        return np.zeros(len(score), dtype=np.int64)
    numbers = np.unique(np.asarray(fold), return_inverse=True)[1]
    if numbers.shape != score.shape:
        raise ValueError(f"fold has shape {numbers.shape} and score has {score.shape}")
    return numbers.astype(np.int64)


def _as_floats(name: str, values: ArrayLike) -> Floats:
    """Finite float64; the ValueError otherwise names the argument and the first bad row."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from None
    bad = ~np.isfinite(array)
    if bad.any():
        where = int(np.argmax(bad.reshape(-1)))
        raise ValueError(f"{name} must be finite, got {array.reshape(-1)[where]} in row {where}")
    return array


def calls(score: Floats, threshold: ArrayLike = 0.0) -> NDArray[np.bool_]:
    """Which rows are called positive: score > threshold (a number, or one for each row)."""
    limit = _as_floats("threshold", threshold)
    if limit.ndim and limit.shape != score.shape:
        raise ValueError(f"threshold has shape {limit.shape} and score has {score.shape}")
    called: NDArray[np.bool_] = score > limit
    return called


def confusion(
    positive: NDArray[np.bool_], called: NDArray[np.bool_], weight: Floats
) -> tuple[float, float, float, float]:
    """Weighted TP, FN, FP, TN of (n,) labels and calls."""
    return (
        float(weight[positive & called].sum()),
        float(weight[positive & ~called].sum()),
        float(weight[~positive & called].sum()),
        float(weight[~positive & ~called].sum()),
    )


def from_counts(
    tp: ArrayLike, fn: ArrayLike, fp: ArrayLike, tn: ArrayLike
) -> dict[str, NDArray[Any]]:
    """The measures that follow from confusion counts of one shape; NaN where undefined."""
    tp, fn, fp, tn = (np.asarray(count, dtype=np.float64) for count in (tp, fn, fp, tn))
    sensitivity = _ratio(tp, tp + fn)
    specificity = _ratio(tn, tn + fp)
    # Square roots before the product: four large factors at once could overflow.
    spread = np.sqrt((tp + fn) * (tn + fp)) * np.sqrt((tp + fp) * (tn + fn))
    return {
        "accuracy": _ratio(tp + tn, tp + fn + fp + tn),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "mcc": _ratio(tp * tn - fp * fn, spread),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def auc(
    positive: NDArray[np.bool_],
    score: Floats,
    weight: Floats,
    fold: NDArray[np.int64],
) -> float:
    """Area under the ROC curve of checked rows; ties count half; NaN if a class has no weight.

    Only rows of one fold are compared, as in `measures`.
    """
    inside = [fold == number for number in np.unique(fold)]
    counted = np.array([_ordered_pairs(positive[f], score[f], weight[f]) for f in inside]).reshape(
        -1, 2
    )
    won, pairs = counted.sum(axis=0)
    return float(won / pairs) if pairs > 0 else float("nan")


def _ordered_pairs(
    positive: NDArray[np.bool_], score: Floats, weight: Floats
) -> tuple[float, float]:
    """Weight of the pairs whose positive row has the higher score, and of all pairs."""
    tied = np.unique(score, return_inverse=True)[1]
    positives = np.bincount(tied[positive], weight[positive], tied.max(initial=0) + 1)
    negatives = np.bincount(tied[~positive], weight[~positive], tied.max(initial=0) + 1)
    below = np.cumsum(negatives) - negatives
    won = float((positives * (below + negatives / 2)).sum())
    return won, float(positives.sum() * negatives.sum())


def roc_points(y: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    """False and true positive rates at every distinct score, from (0, 0) to (1, 1).

    Both arrays are empty where a class is missing. Tied rows enter together, so the area under the
    points by the trapezoidal rule is the AUC.
    """
    positive, scores, _ = check_rows(y, score)
    if positive.all() or not positive.any():
        return np.empty(0), np.empty(0)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(positive[order])[last_of_tie] / positive.sum()
    false = np.cumsum(~positive[order])[last_of_tie] / (~positive).sum()
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], true])


def sensitivity_at_specificity(y: ArrayLike, score: ArrayLike, specificity: float = 0.90) -> float:
    """The largest sensitivity of a threshold whose specificity is at least `specificity`.

    It is read from the ROC curve of the same rows, so on test rows it is optimistic, and a report
    has to say so. Only thresholds that exist count; nothing is interpolated.

    Parameters
    ----------
    y : ArrayLike, shape (n,)
        Labels: 1 for the positive class and 0 for the other.
    score : ArrayLike, shape (n,)
        Finite scores; higher means more likely positive.
    specificity : float
        Smallest specificity that is allowed, in 0..1.

    Returns
    -------
    float
        The sensitivity; NaN where a class is missing.

    Raises
    ------
    ValueError
        For a specificity outside 0..1, or rows that `measures` refuses.
    """
    if not 0 <= specificity <= 1:
        raise ValueError(f"specificity must lie in 0..1, got {specificity}")
    false, true = roc_points(y, score)
    if not len(false):
        return float("nan")
    # 1 - 0.9 is a little less than 0.1 in floating point, which would lose a point on the limit.
    return float(true[1 - false >= specificity - 1e-12].max())
