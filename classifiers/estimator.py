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
    """The parameters of Σ βᵢ K(zᵢ, (x − mean) · reciprocal) + intercept, the decision value of x.

    Attributes
    ----------
    mean, reciprocal : FloatArray, shape (P,)
        Mean of the training rows and reciprocal of their standard deviation.
    support_vectors : FloatArray, shape (n_support, P)
        The standardised support vectors z.
    coefficients : FloatArray, shape (n_support,)
        Their signed dual coefficients β.
    kernel : Kernel
        K.
    scale : float
        The kernel scale s.
    intercept : float
        The intercept.
    """

    mean: FloatArray
    reciprocal: FloatArray
    support_vectors: FloatArray
    coefficients: FloatArray
    kernel: Kernel
    scale: float
    intercept: float


class KernelSVC(ClassifierMixin, BaseEstimator):
    """Binary SVM with a kernel of the table; it standardises the features itself.

    Parameters
    ----------
    kernel : str, default "medium_gaussian"
        A name out of `KERNELS`.
    C : float, default 1.0
        Box constraint, positive.
    scale : float | Literal["auto"], default "auto"
        Kernel scale s, positive; "auto" is the kernel's preset for the number of features.
    tol : float, default 0.001
        Stopping tolerance of the solver.
    max_iter : int, default 1000000
        Iteration limit of the solver. A `ConvergenceWarning` is given when it is reached.

    Attributes
    ----------
    classes_ : NDArray[Any], shape (2,)
        The two labels in sorted order; a positive decision value means the second.
    scale_ : float
        The kernel scale that was used.
    n_iter_, n_support_ : int
        Iterations of libsvm and number of support vectors.
    converged_ : bool
        Whether the solver finished before its iteration limit.
    n_features_in_ : int
        Number of features seen during `fit`.

    See Also
    --------
    sweep : Many kernels, C and scales on one Gram matrix.
    sklearn.svm.SVC : The same fit on standardised features, with the arguments that
        `Kernel.svc_arguments` gives.

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
        """Standardise the features and fit the SVM.

        Parameters
        ----------
        X : ArrayLike, shape (n, P)
            Features, not standardised.
        y : ArrayLike, shape (n,)
            Labels of two classes.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range, there are not two classes, a feature is not finite, or
            every feature is constant.
        """
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
        """Decision values of features.

        Parameters
        ----------
        X : ArrayLike, shape (m, P)
            Features, not standardised.

        Returns
        -------
        FloatArray, shape (m,)
            Decision values; above 0 is `classes_[1]`.
        """
        check_is_fitted(self)
        test = self._standardisation.apply(validate_data(self, X, dtype=np.float64, reset=False))
        inner = test @ self._train.T
        norm = np.einsum("ij,ij->i", test, test)
        matrix = self._kernel(inner, norm, self._squared_norm, self.scale_, out=inner)
        return self._solution.score(matrix)

    def fitted_parts(self) -> FittedParts:
        """The parameters of the decision function, to evaluate it elsewhere.

        Returns
        -------
        FittedParts
            Standardisation, support vectors, coefficients, kernel and intercept.
        """
        check_is_fitted(self)
        standardisation, solution = self._standardisation, self._solution
        support = np.flatnonzero(solution.coefficients)
        return FittedParts(
            mean=standardisation.mean,
            reciprocal=standardisation.reciprocal_std,
            support_vectors=self._train[support],
            coefficients=solution.coefficients[support],
            kernel=self._kernel,
            scale=self.scale_,
            intercept=solution.intercept,
        )

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted labels of features.

        Parameters
        ----------
        X : ArrayLike, shape (m, P)
            Features, not standardised.

        Returns
        -------
        NDArray[Any], shape (m,)
            `classes_[1]` where the decision value is above 0, else `classes_[0]`.
        """
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
