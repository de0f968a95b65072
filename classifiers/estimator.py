"""One SVM of the engine as a scikit-learn estimator."""

import warnings
from numbers import Real
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from classifiers.convergence import COLLAPSED
from classifiers.gram import Standardisation
from classifiers.kernels import Kernel, kernels_named
from classifiers.row_weights import ClassWeight, WeightedRows, weights_of_classes
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, solve, without_convergence_warnings
from classifiers.validation import InvalidParameter, positive_number, whole_number

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
    kernel_scale : float
        The kernel scale s.
    intercept : float
        The intercept.
    """

    mean: FloatArray
    reciprocal: FloatArray
    support_vectors: FloatArray
    coefficients: FloatArray
    kernel: Kernel
    kernel_scale: float
    intercept: float


# The multiples of the preset that one tries lie within this factor of 1.
_USUAL_MULTIPLE = 4.0


def _meant_as_kernel_scale(scale: float, preset: float) -> bool:
    """Whether a number is unusual as a multiple of the preset and usual as the scale itself."""
    usual = np.log(_USUAL_MULTIPLE) * (1 + 1e-12)
    return bool(abs(np.log(scale)) > usual and abs(np.log(scale / preset)) <= usual)


class KernelSVC(ClassifierMixin, BaseEstimator):
    """Binary SVM with a kernel of the table; it standardises the features itself.

    Parameters
    ----------
    kernel : str, default "medium_gaussian"
        A name out of `KERNELS`.
    C : float, default 1.0
        Box constraint, positive.
    scale : float | Literal["auto"], default "auto"
        Kernel scale as a multiple of the kernel's preset for the number of features, positive;
        "auto" is 1. It is what `sweep` and `tune` call `scale`. A `FutureWarning` is given for a
        value that can only be meant as s itself, which this argument once was.
    tol : float, default 0.001
        Stopping tolerance of the solver.
    max_iter : int, default 1000000
        Iteration limit of the solver. A `ConvergenceWarning` is given when it is reached.
    kernel_scale : float | None, default None
        The kernel scale s itself, positive, in place of `scale`; None leaves it to `scale`.
    class_weight : ClassWeight, default None
        Factors of C by label, or "balanced": n / (2 × rows of the class), as in
        `sklearn.svm.SVC`. None is 1 for both.

    Attributes
    ----------
    classes_ : NDArray[Any], shape (2,)
        The two labels in sorted order; a positive decision value means the second.
    scale_ : float
        The scale that was used, as a multiple of the preset.
    kernel_scale_ : float
        The kernel scale s that was used.
    class_weight_ : FloatArray, shape (2,)
        The factors of C, one for each class.
    n_iter_ : int
        Iterations of libsvm.
    n_support_ : NDArray[np.int32], shape (2,)
        Number of support vectors of each class.
    support_ : NDArray[np.int32], shape (n_SV,)
        Which training rows they are, those of the first class first.
    support_vectors_ : NDArray[Any], shape (n_SV, P)
        These rows as they were given; `fitted_parts` has them standardised.
    dual_coef_ : FloatArray, shape (1, n_SV)
        Their signed dual coefficients, positive for `classes_[1]`.
    intercept_ : FloatArray, shape (1,)
        The intercept of the decision function.
    converged_ : bool
        Whether the solver finished before its iteration limit.
    collapsed_ : bool
        Whether the scores of the training rows vary no more than the solver's error, so that their
        order and the AUC are noise; a `ConvergenceWarning` is given then.
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
        kernel_scale: float | None = None,
        class_weight: ClassWeight = None,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.scale = scale
        self.tol = tol
        self.max_iter = max_iter
        self.kernel_scale = kernel_scale
        self.class_weight = class_weight

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Standardise the features and fit the SVM.

        Parameters
        ----------
        X : ArrayLike, shape (n, P)
            Features, not standardised.
        y : ArrayLike, shape (n,)
            Labels of two classes.
        sample_weight : ArrayLike | None, shape (n,)
            A row of weight w counts as w rows: in mean and standard deviation, and as a factor of
            C. A row of weight 0 is left out. None is 1 for all.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or a weight is of a wrong type or out of range, there are not two
            classes, a feature is not finite, or every feature is constant.
        """
        self._check_parameters()
        # 32-bit floats stay what they are until they are standardised: it depends on the type which
        # features are constant.
        features, labels = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(labels)
        self.classes_, encoded = np.unique(labels, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(
                "Only binary classification is supported. The labels hold "
                f"{len(self.classes_)} class{'es' if len(self.classes_) != 1 else ''}."
            )
        self.scale_, self.kernel_scale_ = self._scales(features.shape[1])
        rows = WeightedRows.of(sample_weight, features)
        self._solve(
            features if sample_weight is None else features[rows.positions],
            encoded[rows.positions],
            rows,
        )
        self._keep_support(features, encoded, rows)
        if not self.converged_:
            reason = f"the solver stopped after {self.n_iter_} iterations, not converged"
            warnings.warn(reason, ConvergenceWarning, stacklevel=2)
        if self.collapsed_:
            warnings.warn(f"the fit {COLLAPSED}", ConvergenceWarning, stacklevel=2)
        return self

    def _solve(self, features: NDArray[Any], codes: NDArray[Any], rows: WeightedRows) -> None:
        """Standardise and fit the rows that have a weight."""
        if len(np.unique(codes)) != 2:
            raise ValueError("sample_weight leaves rows of one class only, so nothing to fit")
        self.class_weight_ = weights_of_classes(self.class_weight, self.classes_, codes, rows)
        weights = rows.weights
        if self.class_weight is not None:
            weights = self.class_weight_[codes] * (1.0 if weights is None else weights)
        self._standardisation = Standardisation.fit_varying(features, rows.weights)
        self._train = self._standardisation.apply(features)
        inner = self._train @ self._train.T
        norm = self._squared_norm = np.diagonal(inner).copy()
        matrix = self._kernel(inner, norm, norm, self.kernel_scale_, out=inner)
        rank = features.shape[1] if self._kernel.is_linear else None
        with without_convergence_warnings():
            self._solution = solve(matrix, codes, self.C, self.tol, self.max_iter, rank, weights)
        self.n_iter_ = self._solution.iterations
        self.converged_ = self._solution.converged
        self.collapsed_ = self._solution.collapsed

    def _keep_support(
        self, features: NDArray[Any], codes: NDArray[Any], rows: WeightedRows
    ) -> None:
        """The support vectors as `sklearn.svm.SVC` has them."""
        coefficients = np.zeros(len(features))
        np.add.at(coefficients, rows.positions, self._solution.coefficients)
        found = np.flatnonzero(coefficients)
        self.support_ = found[np.argsort(codes[found], kind="stable")].astype(np.int32)
        self.support_vectors_ = features[self.support_]
        self.dual_coef_ = coefficients[None, self.support_]
        self.n_support_ = np.bincount(codes[found], minlength=2).astype(np.int32)
        self.intercept_ = np.array([self._solution.intercept])

    def _check_parameters(self) -> None:
        """Refuse a parameter of a wrong type or out of range; the kernel is looked up."""
        (self._kernel,) = kernels_named([self.kernel])
        positive_number("C", self.C)
        positive_number("tol", self.tol)
        whole_number("max_iter", self.max_iter)

    def _scales(self, n_features: int) -> tuple[float, float]:
        """The scale as a multiple of the preset, and the kernel scale s."""
        preset = self._kernel.preset_scale(n_features)
        is_preset = isinstance(self.scale, str) and self.scale == "auto"
        if self.kernel_scale is not None:
            if not is_preset:
                raise ValueError("scale and kernel_scale are both given: one is enough")
            s = positive_number("kernel_scale", self.kernel_scale)
            return s / preset, s
        if is_preset:
            return 1.0, preset
        if not isinstance(self.scale, Real):
            raise InvalidParameter(f"scale={self.scale!r:.60} must be 'auto' or a positive number")
        multiple = positive_number("scale", self.scale)
        if _meant_as_kernel_scale(multiple, preset):
            warnings.warn(
                f"scale={multiple:g} is a multiple of the preset (s = {multiple:g} × {preset:g}), "
                f"as in sweep and tune; for s = {multiple:g}, its former meaning, pass "
                f"kernel_scale={multiple:g}",
                FutureWarning,
                stacklevel=3,
            )
        return multiple, multiple * preset

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
        matrix = self._kernel(inner, norm, self._squared_norm, self.kernel_scale_, out=inner)
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
            kernel_scale=self.kernel_scale_,
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
