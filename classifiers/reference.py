"""Reference classifiers on the same features and splits as the SVMs.

They put a figure into perspective: an SVM that does no better than these has added nothing.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.gram import Standardisation
from classifiers.linear_probe import fit_probe
from classifiers.validation import InvalidParameter, binary_labels, check_features

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceFit:
    """The result of one reference classifier.

    Attributes
    ----------
    score : FloatArray, shape (m,)
        Scores of the test rows; higher means more likely positive.
    threshold : float
        A score above it is called positive.
    seconds : float
        Time for fit and test scores.
    converged : bool | None
        False where an iterative solver came to its limit; None where nothing iterates.
    chosen_C, inner_auc : float | None
        The C that a linear probe chose, and its mean AUC on the inner folds; None for the others.
    """

    score: FloatArray
    threshold: float
    seconds: float
    converged: bool | None
    chosen_C: float | None = None
    inner_auc: float | None = None


@dataclass(frozen=True)
class _Rows:
    """Standardised features of training and test rows, with what is known of the training rows."""

    train: FloatArray
    labels: NDArray[np.int64]
    test: FloatArray
    groups: ArrayLike | None


@dataclass(frozen=True)
class _Scores:
    score: FloatArray
    threshold: float
    converged: bool | None = None
    chosen_C: float | None = None
    inner_auc: float | None = None


_FitFunction = Callable[[_Rows], _Scores]


def _majority(rows: _Rows) -> _Scores:
    # The score is the same constant in every fold and only the threshold knows the majority. The
    # fold's prevalence as a score would rank below chance when folds are pooled: a fold with more
    # positives in training has fewer in test.
    positive = 2 * int(rows.labels.sum()) > len(rows.labels)
    return _Scores(np.zeros(len(rows.test)), threshold=-0.5 if positive else 0.5)


def _logistic(rows: _Rows) -> _Scores:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows.train, rows.labels)
    return _Scores(
        model.decision_function(rows.test),
        threshold=0.0,
        converged=bool(model.n_iter_[0] < model.max_iter),
    )


def _knn(rows: _Rows) -> _Scores:
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(5, len(rows.train))
    model = KNeighborsClassifier(n_neighbors=neighbours).fit(rows.train, rows.labels)
    return _Scores(model.predict_proba(rows.test)[:, 1], threshold=0.5)


def _nearest_mean(rows: _Rows) -> _Scores:
    # The difference of squared distances, without the squares of the row itself, which cancel.
    negative, positive = (rows.train[rows.labels == label].mean(axis=0) for label in (0, 1))
    score = 2 * rows.test @ (positive - negative) - (positive @ positive - negative @ negative)
    return _Scores(score / rows.test.shape[1], threshold=0.0)


def _linear_probe(rows: _Rows) -> _Scores:
    if rows.groups is None:
        raise ValueError("linear_probe chooses C on inner folds by patient: it needs groups")
    found = fit_probe(rows.train, rows.labels, rows.test, rows.groups)
    auc = found.inner.auc if np.isfinite(found.inner.auc) else None
    converged = found.converged and found.inner.converged
    return _Scores(found.score, 0.0, converged, found.inner.C, auc)


# Name -> (what it is, fit). Features are standardised by the training rows before each of them.
_REFERENCES: Mapping[str, tuple[str, _FitFunction]] = MappingProxyType(
    {
        "logistic": ("logistic regression, L2 penalty, C = 1", _logistic),
        "knn": ("5 nearest neighbours, share of positive ones", _knn),
        "nearest_mean": (
            "nearer mean of the two classes, by the difference of squared distances",
            _nearest_mean,
        ),
        "linear_probe": (
            "logistic regression, L2 penalty, C chosen by patient-grouped inner folds",
            _linear_probe,
        ),
        "majority": ("always the class that is more frequent in training", _majority),
    }
)
REFERENCE_CLASSIFIERS: Mapping[str, str] = MappingProxyType(
    {name: what for name, (what, _) in _REFERENCES.items()}
)


def fit_reference(
    name: str,
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    groups: ArrayLike | None = None,
) -> ReferenceFit:
    """Fit one reference classifier and score the test rows.

    Parameters
    ----------
    name : str
        A key of `REFERENCE_CLASSIFIERS`.
    train_features, test_features : ArrayLike, shapes (n, P) and (m, P)
        Not standardised: that is done here, by the training rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike | None, shape (n,)
        The patient of each training row; only the linear probe needs them.

    Returns
    -------
    ReferenceFit
        Scores of the test rows, and how they came about.

    Raises
    ------
    ValueError
        If the name is unknown, a class is missing, a feature is not finite, or every feature is
        constant (the majority class needs none); for a linear probe, if there are no groups or too
        few for its inner folds.

    Warns
    -----
    ConvergenceWarning
        If an iterative solver came to its limit.
    """
    if not isinstance(name, str) or name not in _REFERENCES:
        raise InvalidParameter(
            f"classifier={name!r:.60} is unknown; known are {', '.join(_REFERENCES)}"
        )
    started = time.perf_counter()
    labels = binary_labels(train_labels)
    train, test = np.asarray(train_features), np.asarray(test_features)
    check_features(train, test)
    # Of constant features the others would give one score to all rows, as if it were a result.
    standardise = Standardisation.fit if name == "majority" else Standardisation.fit_varying
    standardisation = standardise(train)
    rows = _Rows(standardisation.apply(train), labels, standardisation.apply(test), groups)
    found = _REFERENCES[name][1](rows)
    seconds = time.perf_counter() - started
    if found.converged is False:
        from sklearn.exceptions import ConvergenceWarning

        reason = f"{name}: the solver stopped at its limit of iterations, not converged"
        warnings.warn(reason, ConvergenceWarning, stacklevel=2)
    return ReferenceFit(
        found.score, found.threshold, seconds, found.converged, found.chosen_C, found.inner_auc
    )
