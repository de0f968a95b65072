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
    """

    score: FloatArray
    threshold: float
    seconds: float
    converged: bool | None


@dataclass(frozen=True)
class _Scores:
    score: FloatArray
    threshold: float
    converged: bool | None = None


_FitFunction = Callable[[FloatArray, NDArray[np.int64], FloatArray], _Scores]


def _majority(train: FloatArray, labels: NDArray[np.int64], test: FloatArray) -> _Scores:
    # The score is the same constant in every fold and only the threshold knows the majority. The
    # fold's prevalence as a score would rank below chance when folds are pooled: a fold with more
    # positives in training has fewer in test.
    positive = 2 * int(labels.sum()) > len(labels)
    return _Scores(np.zeros(len(test)), threshold=-0.5 if positive else 0.5)


def _logistic(train: FloatArray, labels: NDArray[np.int64], test: FloatArray) -> _Scores:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, labels)
    return _Scores(
        model.decision_function(test),
        threshold=0.0,
        converged=bool(model.n_iter_[0] < model.max_iter),
    )


def _knn(train: FloatArray, labels: NDArray[np.int64], test: FloatArray) -> _Scores:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(n_neighbors=min(5, len(train))).fit(train, labels)
    return _Scores(model.predict_proba(test)[:, 1], threshold=0.5)


# Name -> (what it is, fit). Features are standardised by the training rows before each of them.
_REFERENCES: Mapping[str, tuple[str, _FitFunction]] = MappingProxyType(
    {
        "logistic": ("logistic regression, L2 penalty, C = 1", _logistic),
        "knn": ("5 nearest neighbours, share of positive ones", _knn),
        "majority": ("always the class that is more frequent in training", _majority),
    }
)
REFERENCE_CLASSIFIERS: Mapping[str, str] = MappingProxyType(
    {name: what for name, (what, _) in _REFERENCES.items()}
)


def fit_reference(
    name: str, train_features: ArrayLike, train_labels: ArrayLike, test_features: ArrayLike
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

    Returns
    -------
    ReferenceFit
        Scores of the test rows, and how they came about.

    Raises
    ------
    ValueError
        If the name is unknown, a class is missing, a feature is not finite, or every feature is
        constant (the majority class needs none).

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
    found = _REFERENCES[name][1](standardisation.apply(train), labels, standardisation.apply(test))
    seconds = time.perf_counter() - started
    if found.converged is False:
        from sklearn.exceptions import ConvergenceWarning

        reason = f"{name}: the solver stopped at its limit of iterations, not converged"
        warnings.warn(reason, ConvergenceWarning, stacklevel=2)
    return ReferenceFit(found.score, found.threshold, seconds, found.converged)
