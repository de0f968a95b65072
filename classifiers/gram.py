"""Standardised features and their inner products: what every kernel of a fold shares.

The mean and the standard deviation come from the training rows alone, and so does the decision
which features are constant. No value of a test row enters any number that a fit uses.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.validation import check_features

FloatArray = NDArray[np.float64]

# A feature whose training values spread less than this share of their largest magnitude is taken
# for constant: ten times the rounding of the 32-bit floats that features are kept in.
CONSTANT_TOLERANCE = 10 * float(np.finfo(np.float32).eps)

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
    def fit(cls, features: ArrayLike) -> "Standardisation":
        """The standardisation by training features, shape (n, P)."""
        matrix = np.asarray(features)
        mean, reciprocal = np.empty(matrix.shape[1]), np.zeros(matrix.shape[1])
        for start in range(0, matrix.shape[1], _COLUMNS):
            part = slice(start, start + _COLUMNS)
            values = matrix[:, part].astype(np.float64)
            mean[part] = values.mean(axis=0)
            largest = np.abs(values).max(axis=0)
            values -= mean[part]
            std = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
            varies = std > CONSTANT_TOLERANCE * largest
            reciprocal[part] = np.divide(1.0, std, out=np.zeros_like(std), where=varies)
        return cls(mean, reciprocal)

    @classmethod
    def fit_varying(cls, features: ArrayLike) -> "Standardisation":
        """`fit`; raises ValueError if every feature is constant."""
        found = cls.fit(features)
        if not found.reciprocal_std.any():
            raise ValueError("every feature is constant in the training rows")
        return found

    def apply(self, features: ArrayLike) -> FloatArray:
        """Standardised copy in float64, shape (n, P)."""
        values = np.array(features, dtype=np.float64)
        values -= self.mean
        values *= self.reciprocal_std
        return values


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
            Where the products are formed, in float64 everywhere: "cpu", or a torch device such as
            "cuda".

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
        train_raw, test_raw = np.asarray(train_features), np.asarray(test_features)
        check_features(train_raw, test_raw)
        standardisation = Standardisation.fit_varying(train_raw)
        train = standardisation.apply(train_raw)
        test = standardisation.apply(test_raw)
        inner, cross = (
            products(train, test) if device == "cpu" else products_on(device, train, test)
        )
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


def products_on(device: str, train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`products` on a torch device, in float64; on the CPU if the device has too little memory."""
    import torch

    def to_numpy(matrix: torch.Tensor) -> FloatArray:
        result: NDArray[Any] = matrix.cpu().numpy()
        return result

    try:
        rows = torch.from_numpy(train).to(device)
        cross = to_numpy(torch.from_numpy(test).to(device) @ rows.T)
        inner = rows @ rows.T
        # A general product may round x·z and z·x differently; a kernel matrix is symmetric.
        return to_numpy((inner + inner.T).div_(2)), cross
    except torch.OutOfMemoryError:
        return products(train, test)
