"""One SVM of the engine as a scikit-learn estimator."""

import warnings
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from classifiers.gram import Standardisation
from classifiers.kernels import Kernel, kernels_named
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, solve, without_convergence_warnings
from classifiers.validation import positive_values

FloatArray = NDArray[np.float64]


class FittedParts(NamedTuple):
    """What the decision value of x is made of: Σ βᵢ k(zᵢ, (x − mean) · reciprocal) + intercept.

    arrays : mean (P,), reciprocal (P,), the standardised support vectors z (n, P), their β (n,).
    """

    arrays: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    kernel: Kernel
    scale: float
    intercept: float


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
        (self._kernel,) = kernels_named([self.kernel])
        positive_values("C", [self.C])
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, encoded = np.unique(labels, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(
                "Only binary classification is supported. The labels hold "
                f"{len(self.classes_)} class{'es' if len(self.classes_) != 1 else ''}."
            )
        self.scale_ = (
            self._kernel.preset_scale(features.shape[1]) if self.scale == "auto" else self.scale
        )
        if not (np.isfinite(self.scale_) and self.scale_ > 0):
            raise ValueError(f"scale={self.scale!r} must be 'auto' or a positive number")
        self._standardisation = Standardisation.fit_varying(features)
        self._train = self._standardisation.apply(features)
        inner = self._train @ self._train.T
        norm = self._squared_norm = np.diagonal(inner).copy()
        matrix = self._kernel(inner, norm, norm, self.scale_, out=inner)
        rank = features.shape[1] if self._kernel.is_linear else None
        with without_convergence_warnings():
            self._solution = solve(matrix, encoded, self.C, self.tol, self.max_iter, rank)
        self.n_iter_ = self._solution.iterations
        self.n_support_ = self._solution.n_support
        self.converged_ = self._solution.converged
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
        inner = test @ self._train.T
        norm = np.einsum("ij,ij->i", test, test)
        matrix = self._kernel(inner, norm, self._squared_norm, self.scale_, out=inner)
        return self._solution.score(matrix)

    def fitted_parts(self) -> FittedParts:
        """Standardisation, support vectors and coefficients, for whoever writes it elsewhere."""
        check_is_fitted(self)
        support = np.flatnonzero(self._solution.coefficients)
        standard, solution = self._standardisation, self._solution
        arrays = (
            *(standard.mean, standard.reciprocal_std),
            *(self._train[support], solution.coefficients[support]),
        )
        return FittedParts(arrays, self._kernel, self.scale_, solution.intercept)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted labels, shape (m,)."""
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
