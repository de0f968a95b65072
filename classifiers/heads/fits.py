"""Fits classifiers by name that are no SVMs of the engine: references, and estimators of others.

    NAME[+platt]

With `+platt` the scores go through a sigmoid that is fitted to scores of patient-grouped inner
folds of the training rows, as for the SVMs. Nothing is fitted on a test row.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.calibration import rising_sigmoid
from classifiers.gram import Standardisation
from classifiers.heads.estimators import (
    HeadRecipe,
    check_rows_alone,
    fitted_head,
    running_head,
    scores_of,
)
from classifiers.inner_folds import inner_folds
from classifiers.reference import ReferenceFit, fit_reference
from classifiers.solver import without_convergence_warnings
from classifiers.validation import binary_labels, check_features
from classifiers.variant_fits import INNER_FOLDS, INNER_SEED

FloatArray = NDArray[np.float64]

PLATT = "+platt"
_NOT_CONVERGED = "fits of inner folds did not all converge"


@dataclass(frozen=True)
class HeadFit(ReferenceFit):
    """The result of one classifier by name.

    Attributes
    ----------
    note : str
        What a reader must know of the fit; mostly empty.
    """

    note: str = ""


def fit_head(
    name: str,
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    groups: ArrayLike,
    recipe: HeadRecipe | None = None,
) -> HeadFit:
    """Fit a classifier by its name and score the test rows.

    Parameters
    ----------
    name : str
        A reference, or what the estimator is called, with `+platt` for probabilities.
    train_features, test_features : ArrayLike, shapes (n, P) and (m, P)
        Not standardised: that is done here, by the training rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row.
    recipe : HeadRecipe | None
        How the estimator is made; None for a reference.

    Returns
    -------
    HeadFit
        Scores of the test rows, and how they came about.

    Raises
    ------
    ValueError
        If the name is unknown, features or labels are unusable, inner folds cannot be made, or the
        estimator fails or breaks its contract.
    """
    base, ending, more = name.partition("+")
    if ending + more not in ("", PLATT):
        raise ValueError(f"classifier {name!r}: {base} may be followed by {PLATT} only")
    train, test = np.asarray(train_features), np.asarray(test_features)
    labels = binary_labels(train_labels, len(train))
    head = _Head(base, recipe)
    patients = np.asarray(groups)
    fit = head.fit(train, labels, test, patients)
    return head.with_sigmoid(fit, train, labels, patients) if ending else fit


@dataclass(frozen=True)
class _Head:
    """A reference by its name, or an estimator by its recipe."""

    name: str
    recipe: HeadRecipe | None

    def fit(
        self,
        train: NDArray[Any],
        labels: NDArray[np.int64],
        test: NDArray[Any],
        groups: NDArray[Any],
    ) -> HeadFit:
        """Scores of test rows after a fit to training rows."""
        if self.recipe is None:
            return _reference_fit(self.name, train, labels, test, groups)
        started = time.perf_counter()
        check_features(train, test)
        # Where all are constant no classifier has anything to go by.
        standardisation = Standardisation.fit_varying(train)
        if self.recipe.standardise:
            rows, others = standardisation.apply(train), standardisation.apply(test)
        else:
            rows, others = train.astype(np.float64), test.astype(np.float64)
        with running_head(self.name):
            fitted, converged = fitted_head(self.name, self.recipe, rows, labels, groups)
            score, threshold = scores_of(self.name, fitted, others)
            check_rows_alone(self.name, fitted, others, score)
        return HeadFit(score, threshold, time.perf_counter() - started, converged)

    def with_sigmoid(
        self, fit: HeadFit, train: NDArray[Any], labels: NDArray[np.int64], groups: NDArray[Any]
    ) -> HeadFit:
        """The fit with probabilities in place of scores; inner fits see their own training rows."""
        started = time.perf_counter()
        out_of_fold, finished = np.empty(len(train)), True
        for fitted, out in inner_folds(labels, groups, INNER_FOLDS, INNER_SEED):
            inner = self.fit(train[fitted], labels[fitted], train[out], groups[fitted])
            out_of_fold[out] = inner.score
            finished &= inner.converged is not False
        sigmoid, note = rising_sigmoid(out_of_fold, labels)
        notes = (fit.note, note, "" if finished else _NOT_CONVERGED)
        return replace(
            fit,
            score=sigmoid(fit.score),
            threshold=0.5,
            seconds=fit.seconds + time.perf_counter() - started,
            note="; ".join(filter(None, notes)),
        )


def _reference_fit(
    name: str,
    train: NDArray[Any],
    labels: NDArray[np.int64],
    test: NDArray[Any],
    groups: NDArray[Any],
) -> HeadFit:
    with without_convergence_warnings():  # the fit says it
        return HeadFit(**vars(fit_reference(name, train, labels, test, groups)))
