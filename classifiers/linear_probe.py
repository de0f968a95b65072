"""A linear probe: logistic regression on the features, C chosen by inner folds by patient.

It says what a straight cut through the features gives once its penalty fits them, which for
hundreds of features and few rows the preset C = 1 does not.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.inner_folds import InnerScore, best, inner_folds

FloatArray = NDArray[np.float64]

# From nearly the mean of the classes to nearly no penalty, for standardised features.
PROBE_C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
PROBE_FOLDS = 5
PROBE_SEED = 0
_MOST_ITERATIONS = 2000


@dataclass(frozen=True)
class Probe:
    """A fitted linear probe.

    Attributes
    ----------
    score : FloatArray, shape (m,)
        Log-odds of the test rows.
    inner : InnerScore
        The chosen C, with its AUC on the inner folds.
    converged : bool
        Whether the fit to all training rows converged.
    """

    score: FloatArray
    inner: InnerScore
    converged: bool


def fit_probe(
    train: FloatArray, labels: NDArray[np.int64], test: FloatArray, groups: ArrayLike
) -> Probe:
    """Choose C on inner folds of the training rows, fit to all of them and score the test rows.

    Parameters
    ----------
    train, test : FloatArray, shapes (n, P) and (m, P)
        Standardised by the training rows; inner folds keep this standardisation.
    labels : NDArray[np.int64], shape (n,)
        0 and 1.
    groups : ArrayLike, shape (n,)
        The patient of each training row.

    Returns
    -------
    Probe
        The C of the highest mean AUC; of equals the smallest.

    Raises
    ------
    ValueError
        If the patients are too few for the folds.
    """
    splits = inner_folds(labels, groups, PROBE_FOLDS, PROBE_SEED)
    paths = [_path(train[fitted], labels[fitted], train[out]) for fitted, out in splits]
    settings = [
        _inner_score(value, [path[place] for path in paths], labels, splits)
        for place, value in enumerate(PROBE_C)
    ]
    inner = best(settings)
    ((score, converged),) = _path(train, labels, test, (inner.C,))
    return Probe(score, inner, converged)


def _path(
    train: FloatArray,
    labels: NDArray[np.int64],
    test: FloatArray,
    values: Sequence[float] = PROBE_C,
) -> list[tuple[FloatArray, bool]]:
    """Log-odds of test rows for each C, and whether the fit converged."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found: list[tuple[FloatArray, bool]] = []
    # Each fit begins where the one with the next smaller C has ended.
    model: Any = LogisticRegression(warm_start=True, max_iter=_MOST_ITERATIONS)
    for value in values:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=value).fit(train, labels)
        converged = bool(model.n_iter_[0] < _MOST_ITERATIONS)
        found.append((model.decision_function(test), converged))
    return found


def _inner_score(
    value: float,
    fits: Sequence[tuple[FloatArray, bool]],
    labels: NDArray[np.int64],
    splits: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> InnerScore:
    from sklearn.metrics import roc_auc_score

    out_of_fold, areas = np.empty(len(labels)), []
    for (score, _), (_, out) in zip(fits, splits, strict=True):
        out_of_fold[out] = score
        two = len(np.unique(labels[out])) == 2
        areas.append(float(roc_auc_score(labels[out], score)) if two else np.nan)
    auc = float(np.nanmean(areas)) if np.isfinite(areas).any() else np.nan
    converged = all(done for _, done in fits)
    return InnerScore("linear_probe", value, 1.0, auc, tuple(areas), out_of_fold, converged)
