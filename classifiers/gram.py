"""Standardised features and their inner products: what every kernel of a fold shares.

The mean and the standard deviation come from the training rows alone, and so does the decision
which features are constant. No value of a test row enters any number that a fit uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.validation import check_features, ignore_device

FloatArray = NDArray[np.float64]

# A feature whose training values spread less than this share of their largest magnitude is taken
# for constant: ten times the rounding of the type that it comes in. Extracted features are 32-bit
# floats, which vary by their rounding alone; a time in seconds in a 64-bit float does not.
CONSTANT_TOLERANCE = 10 * float(np.finfo(np.float32).eps)
CONSTANT_TOLERANCE_64 = 10 * float(np.finfo(np.float64).eps)

# Columns whose means and deviations are taken at once, so that no second float64 copy of all
# features is made.
_COLUMNS = 512


@dataclass(frozen=True)
class Standardisation:
    """Mean and reciprocal standard deviation of training rows.

    Attributes
    ----------
    mean : FloatArray, shape (P,)
        Mean of each feature.
    reciprocal_std : FloatArray, shape (P,)
        Reciprocal of each feature's standard deviation (population, division by n). It is 0 for a
        feature that is constant in training, so that the feature is 0 in training and test rows
        alike, whatever a test row holds there.
    """

    mean: FloatArray
    reciprocal_std: FloatArray

    @classmethod
    def fit(cls, features: ArrayLike, weights: FloatArray | None = None) -> "Standardisation":
        """The standardisation by training features, shape (n, P), of any type.

        Which of them are constant depends on their type: see `constant_tolerance`. With `weights`,
        shape (n,), mean and deviation are those of rows that occur so often.
        """
        matrix = np.asarray(features)
        fine = constant_tolerance(matrix) < CONSTANT_TOLERANCE
        mean, reciprocal = np.empty(matrix.shape[1]), np.zeros(matrix.shape[1])
        share = None if weights is None else weights / weights.sum()
        # What overflows here is worked out anew by `_closely`.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, matrix.shape[1], _COLUMNS):
                part = slice(start, start + _COLUMNS)
                values = matrix[:, part].astype(np.float64)
                mean[part] = values.mean(axis=0) if share is None else share @ values
                largest = np.abs(values).max(axis=0)
                values -= mean[part]
                if share is None:
                    std = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
                else:
                    std = np.sqrt(np.einsum("i,ij,ij->j", share, values, values))
                varies = (std > CONSTANT_TOLERANCE * largest) & np.isfinite(std)
                reciprocal[part] = np.divide(1.0, std, out=np.zeros_like(std), where=varies)
                for column in start + np.flatnonzero(~varies) if fine else ():
                    mean[column], reciprocal[column] = _closely(
                        matrix[:, column].astype(np.float64), share
                    )
        return cls(mean, reciprocal)

    @classmethod
    def fit_varying(
        cls, features: ArrayLike, weights: FloatArray | None = None
    ) -> "Standardisation":
        """`fit`; raises ValueError if every feature is constant."""
        matrix = np.asarray(features)
        found = cls.fit(matrix, weights)
        if found.reciprocal_std.any():
            return found
        if (matrix == matrix[:1]).all():
            raise ValueError("every feature is constant in the training rows")
        raise ValueError(
            f"every feature is constant to within the rounding of {matrix.dtype} in the training "
            f"rows: none spreads by more than {constant_tolerance(matrix):.1e} of its largest "
            "magnitude (where they were rounded to 32 bits, pass them as float64)"
        )

    @classmethod
    def beside(cls, parts: "Sequence[Standardisation]") -> "Standardisation":
        """That of several feature sets side by side."""
        return cls(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.reciprocal_std for part in parts]),
        )

    def apply(self, features: ArrayLike) -> FloatArray:
        """Standardised copy in float64, shape (n, P)."""
        values = np.array(features, dtype=np.float64)
        values -= self.mean
        values *= self.reciprocal_std
        return values


def constant_tolerance(features: NDArray[Any]) -> float:
    """The share of its magnitude by which a feature of this type must vary at least.

    Floats of up to 32 bits have the tolerance of 32-bit floats, in which features are kept; all
    other types are worked on in 64 bits and have theirs.
    """
    short = features.dtype.kind == "f" and features.dtype.itemsize <= 4
    return CONSTANT_TOLERANCE if short else CONSTANT_TOLERANCE_64


def _closely(values: FloatArray, share: FloatArray | None = None) -> tuple[float, float]:
    """Mean and reciprocal standard deviation of one feature, as exactly as 64 bits allow.

    For a spread that is tiny beside the magnitude the mean is taken twice: the first one is off by
    the rounding of a sum. The values are brought near 1 by a power of two, which rounds nothing, so
    that no square overflows or vanishes. The reciprocal is 0 for a constant feature.
    """
    exponent = int(np.frexp(np.abs(values).max())[1])
    near_one = np.ldexp(values, -exponent)
    mean = float(np.average(near_one, weights=share))
    away = near_one - mean
    correction = float(np.average(away, weights=share))
    spread = float(np.sqrt(np.average((away - correction) ** 2, weights=share)))
    std = float(np.ldexp(spread, exponent))
    constant = spread <= CONSTANT_TOLERANCE_64 * float(np.abs(near_one).max()) or bool(
        (values == values[0]).all()
    )
    # The reciprocal of less than the smallest normal number would overflow.
    if constant or std < np.finfo(np.float64).tiny:
        return float(np.ldexp(mean, exponent)), 0.0
    return float(np.ldexp(mean + correction, exponent)), 1.0 / std


@dataclass(frozen=True)
class Gram:
    """Inner products of standardised features, float64.

    Attributes
    ----------
    train : FloatArray, shape (n, n)
        Training rows with themselves.
    test : FloatArray, shape (m, n)
        Test rows with training rows.
    train_squared_norm, test_squared_norm : FloatArray, shapes (n,) and (m,)
        Each row with itself.
    variance : float
        P, the number of standardised features (constant ones included), or the variance that
        principal components retain; the preset scales follow from it.
    rank : int
        A bound on the rank of `train` besides n: the number of features or components.
    """

    train: FloatArray
    test: FloatArray
    train_squared_norm: FloatArray
    test_squared_norm: FloatArray
    variance: float
    rank: int

    @classmethod
    def of(
        cls, train_features: ArrayLike, test_features: ArrayLike, *, device: str = "cpu"
    ) -> "Gram":
        """Standardise by the training rows and form all inner products.

        Parameters
        ----------
        train_features, test_features : ArrayLike, shapes (n, P) and (m, P)
            Features of any float type, not standardised.
        device : str
            Deprecated and ignored: the products are formed on the CPU, in float64.

        Returns
        -------
        Gram
            The inner products of the standardised features.

        Raises
        ------
        ValueError
            If the widths differ, there is no training row, a value is not finite, or every feature
            is constant in the training rows.
        """
        ignore_device(device)
        train_raw, test_raw = np.asarray(train_features), np.asarray(test_features)
        check_features(train_raw, test_raw)
        standardisation = Standardisation.fit_varying(train_raw)
        train = standardisation.apply(train_raw)
        test = standardisation.apply(test_raw)
        inner, cross = products(train, test)
        return cls(
            train=inner,
            test=cross,
            train_squared_norm=np.diagonal(inner).copy(),
            test_squared_norm=np.einsum("ij,ij->i", test, test),
            variance=float(train.shape[1]),
            rank=train.shape[1],
        )

    def __add__(self, other: "Gram") -> "Gram":
        """The Gram of both feature sets side by side, each standardised for itself."""
        if self.train.shape != other.train.shape or self.test.shape != other.test.shape:
            raise ValueError(
                f"feature sets of different rows: {self.test.shape[::-1]} and "
                f"{other.test.shape[::-1]} training and test rows"
            )
        return Gram(
            self.train + other.train,
            self.test + other.test,
            self.train_squared_norm + other.train_squared_norm,
            self.test_squared_norm + other.test_squared_norm,
            self.variance + other.variance,
            self.rank + other.rank,
        )

    def inner_fold(self, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> "Gram":
        """A Gram of training rows alone: some of them train, others are held out.

        Parameters
        ----------
        train, held_out : NDArray[np.int64], shapes (k,) and (l,)
            Positions among the training rows.

        Returns
        -------
        Gram
            A copy of its part of this matrix, which keeps the standardisation by all training rows.
        """
        return Gram(
            self.train[np.ix_(train, train)],
            self.train[np.ix_(held_out, train)],
            self.train_squared_norm[train],
            self.train_squared_norm[held_out],
            self.variance,
            self.rank,
        )


def products(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Train × trainᵀ, shape (n, n), and test × trainᵀ, shape (m, n)."""
    # numpy hands X @ X.T to the symmetric rank-k update of the BLAS: half the work.
    return train @ train.T, test @ train.T
