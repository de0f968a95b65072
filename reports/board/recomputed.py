"""Every measure computed again from predictions with scikit-learn, not with this suite's code."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def recompute(rows: "pd.DataFrame") -> dict[str, float]:
    """The measures of one system, the mean over its repeats.

    Parameters
    ----------
    rows : pd.DataFrame
        Its predictions with the columns repeat, fold, score, label and threshold.

    Returns
    -------
    dict[str, float]
        NaN where a measure is undefined in a repeat.
    """
    each = [_one_repeat(part) for _, part in rows.groupby("repeat", sort=True)]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def _one_repeat(rows: "pd.DataFrame") -> dict[str, float]:
    from sklearn import metrics

    label = rows["label"].to_numpy(dtype=int)
    called = (rows["score"].to_numpy() > rows["threshold"].to_numpy()).astype(int)
    both = 0 < label.sum() < len(label)
    any_called = 0 < called.sum() < len(called)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recalls: Sequence[float] = [
            metrics.recall_score(label, called, pos_label=side, zero_division=np.nan)
            for side in (1, 0)
        ]
        precisions = [
            metrics.precision_score(label, called, pos_label=side, zero_division=np.nan)
            for side in (1, 0)
        ]
        return {
            "accuracy": metrics.accuracy_score(label, called),
            "auc": _auc_within_folds(rows),
            "sensitivity": recalls[0],
            "specificity": recalls[1],
            "mcc": metrics.matthews_corrcoef(label, called) if both and any_called else np.nan,
            "balanced_accuracy": float(np.mean(recalls)),
            "ppv": precisions[0],
            "npv": precisions[1],
            "f1": metrics.f1_score(label, called, zero_division=np.nan),
        }


def _auc_within_folds(rows: "pd.DataFrame") -> float:
    """The mean of the folds' AUC, weighted by their pairs of a positive and a negative row."""
    from sklearn.metrics import roc_auc_score

    values: list[tuple[Any, int]] = []
    for _, part in rows.groupby("fold"):
        positive = int(part["label"].sum())
        pairs = positive * (len(part) - positive)
        if pairs:
            values.append((roc_auc_score(part["label"], part["score"]), pairs))
    if not values:
        return float("nan")
    found, weights = zip(*values, strict=True)
    return float(np.average(found, weights=weights))
