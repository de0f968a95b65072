"""SVMs on one shared Gram matrix: a whole set of kernels and box constraints for one fold.

`sweep` is the engine that the benchmark runs; `KernelSVC` is the same fit as a scikit-learn
estimator. Both solve with libsvm (scikit-learn's `SVC` with a precomputed kernel) and so agree with
`sklearn.svm.SVC` on standardised features to within the solver's tolerance `tol`: both stop as near
to the same optimum, though rounding can send them there by different steps (libsvm keeps the kernel
matrix in 32-bit floats, which shows at a large C).

==================  ==========================================================
kernel              equivalent `SVC`
==================  ==========================================================
linear              ``SVC(kernel="linear", C=C / P)``
quadratic, cubic    ``SVC(kernel="poly", degree=2 or 3, gamma=1 / P, coef0=1, C=C)``
Gaussian            ``SVC(kernel="rbf", gamma=1 / s**2, C=C)``
==================  ==========================================================
"""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from classifiers.gram import Gram, Standardisation
from classifiers.inputs import binary_labels
from classifiers.kernels import KERNELS, Kernel
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, solve

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """What one fit gave.

    Attributes
    ----------
    score
        Decision values of the test rows, shape (m,); above 0 is the positive class.
    scale
        The kernel scale s that was used.
    seconds
        Time for kernel matrix, fit and test decision values, without the shared Gram matrix.
    iterations, n_support
        Solver iterations and number of support vectors.
    converged
        False where the solver came to its iteration limit.
    """

    score: FloatArray
    scale: float
    seconds: float
    iterations: int
    n_support: int
    converged: bool


@dataclass(frozen=True)
class Sweep:
    """All fits of one fold, by kernel name and box constraint C."""

    fits: Mapping[tuple[str, float], Fit]
    gram_seconds: float
    scores: Mapping[tuple[str, float], FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", {name: fit.score for name, fit in self.fits.items()})


def sweep(
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    kernels: Sequence[str] = tuple(KERNELS),
    C: Sequence[float] = (1.0,),
    *,
    jobs: int = 1,
    tol: float = TOLERANCE,
    max_iter: int = MAX_ITERATIONS,
) -> Sweep:
    """Fit every kernel with every C on one Gram matrix.

    Parameters
    ----------
    train_features, test_features
        Shapes (n, P) and (m, P), not standardised: that is done here, by the training rows.
    train_labels
        Shape (n,), 1 for the positive class and 0 for the other.
    kernels
        Names out of `KERNELS`.
    C
        Box constraints, positive.
    jobs
        Threads; they share the Gram matrix (libsvm releases the interpreter lock).
    tol, max_iter
        Stopping tolerance and iteration limit of the solver for one fit.

    Raises
    ------
    ValueError
        If a kernel is unknown, a C is not positive, labels are not 0 and 1 with both present, a
        feature is not finite, or shapes do not fit together.
    """
    from joblib import Parallel, delayed

    labels = binary_labels(train_labels)
    table = [_kernel(name) for name in kernels]
    for value in C:
        _check_C(value)
    started = time.perf_counter()
    gram = Gram.of(train_features, test_features)
    if len(labels) != len(gram.train):
        raise ValueError(f"{len(gram.train)} training rows but {len(labels)} labels")
    gram_seconds = time.perf_counter() - started
    pairs = [(kernel, float(value)) for kernel in table for value in C]
    fits = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_fit)(gram, labels, kernel, value, tol, max_iter) for kernel, value in pairs
    )
    names = [(kernel.name, value) for kernel, value in pairs]
    return Sweep(dict(zip(names, fits, strict=True)), gram_seconds)


def _fit(
    gram: Gram, labels: NDArray[np.int64], kernel: Kernel, C: float, tol: float, max_iter: int
) -> Fit:
    started = time.perf_counter()
    scale = kernel.preset_scale(gram.n_features)
    norm, test_norm = gram.train_squared_norm, gram.test_squared_norm
    solver = solve(kernel(gram.train, norm, norm, scale), labels, C, tol, max_iter)
    test_kernel = kernel(gram.test, test_norm, norm, scale)
    score = solver.decision_function(test_kernel) if len(test_kernel) else np.zeros(0)
    return Fit(
        score=score,
        scale=scale,
        seconds=time.perf_counter() - started,
        iterations=int(solver.n_iter_[0]),
        n_support=int(solver.n_support_.sum()),
        converged=solver.fit_status_ == 0,
    )


def _kernel(name: str) -> Kernel:
    if name not in KERNELS:
        raise ValueError(f"kernel={name!r} is unknown; known are {', '.join(KERNELS)}")
    return KERNELS[name]


def _check_C(C: float) -> None:
    if not (np.isfinite(C) and C > 0):
        raise ValueError(f"C={C!r} must be a positive number")


class KernelSVC(ClassifierMixin, BaseEstimator):
    """Binary SVM with one of the six kernels; standardises features for itself.

    Parameters
    ----------
    kernel
        A name out of `classifiers.kernels.KERNELS`.
    C
        Box constraint, positive.
    scale
        Kernel scale s; "auto" is the kernel's preset for the number of features.
    tol, max_iter
        Stopping tolerance and iteration limit of the solver; a `ConvergenceWarning` tells when the
        limit was reached.

    Attributes
    ----------
    classes_
        The two labels in sorted order; a positive decision value means the second.
    scale_
        The kernel scale that was used.
    n_iter_, n_support_, converged_
        Solver iterations, number of support vectors, whether the solver finished.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 4.0], [4.0, 3.0]])
    >>> KernelSVC(kernel="linear").fit(X, [0, 0, 1, 1]).predict([[0.0, 0.0], [4.0, 4.0]])
    array([0, 1])
    """

    def __init__(
        self,
        kernel: str = "medium_gaussian",
        C: float = 1.0,
        scale: float | Literal["auto"] = "auto",
        tol: float = TOLERANCE,
        max_iter: int = MAX_ITERATIONS,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.scale = scale
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to features X, shape (n, P), and two-class labels y, shape (n,)."""
        kernel = _kernel(self.kernel)
        _check_C(self.C)
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, encoded = np.unique(labels, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(
                "Only binary classification is supported. The labels hold "
                f"{len(self.classes_)} class{'es' if len(self.classes_) != 1 else ''}."
            )
        self.scale_ = kernel.preset_scale(features.shape[1]) if self.scale == "auto" else self.scale
        if not (np.isfinite(self.scale_) and self.scale_ > 0):
            raise ValueError(f"scale={self.scale!r} must be 'auto' or a positive number")
        self._standardisation = Standardisation.fit(features)
        self._train = self._standardisation.apply(features)
        inner = self._train @ self._train.T
        self._squared_norm = np.diagonal(inner).copy()
        matrix = kernel(inner, self._squared_norm, self._squared_norm, self.scale_)
        self._solver = solve(matrix, encoded, self.C, self.tol, self.max_iter)
        self.n_iter_ = int(self._solver.n_iter_[0])
        self.n_support_ = int(self._solver.n_support_.sum())
        self.converged_ = self._solver.fit_status_ == 0
        if not self.converged_:
            warnings.warn(
                f"the solver stopped at its limit of {self.max_iter} iterations",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Decision values, shape (m,); above 0 is `classes_[1]`."""
        check_is_fitted(self)
        test = self._standardisation.apply(validate_data(self, X, dtype=np.float64, reset=False))
        matrix = _kernel(self.kernel)(
            test @ self._train.T,
            np.einsum("ij,ij->i", test, test),
            self._squared_norm,
            self.scale_,
        )
        return np.asarray(self._solver.decision_function(matrix))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted labels, shape (m,)."""
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
