"""Standardised features and their inner products: what every kernel of a fold shares.

The mean and the standard deviation come from the training rows alone, and so does the decision
which features are constant. No value of a test row enters any number that a fit uses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.inputs import check_features

FloatArray = NDArray[np.float64]

# A feature whose training values spread less than this share of their largest magnitude is taken
# for constant: ten times the rounding of the 32-bit floats that features are kept in.
CONSTANT_TOLERANCE = 10 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Standardisation:
    """Mean and reciprocal standard deviation (population, division by n) of training rows.

    A feature that is constant in training has the reciprocal 0, so that it is 0 in training and in
    test rows alike, whatever a test row holds there.
    """

    mean: FloatArray
    reciprocal_std: FloatArray

    @classmethod
    def fit(cls, features: ArrayLike) -> "Standardisation":
        """Learn from training features, shape (n, P)."""
        values = np.asarray(features, dtype=np.float64)
        mean = values.mean(axis=0)
        std = values.std(axis=0)
        constant = std <= CONSTANT_TOLERANCE * np.abs(values).max(axis=0)
        reciprocal = np.divide(1.0, std, out=np.zeros_like(std), where=~constant)
        return cls(mean, reciprocal)

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
    train
        Training rows with themselves, shape (n, n).
    test
        Test rows with training rows, shape (m, n).
    train_squared_norm, test_squared_norm
        Shapes (n,) and (m,).
    n_features
        P, the number of features (constant ones included), from which the preset scales follow.
    """

    train: FloatArray
    test: FloatArray
    train_squared_norm: FloatArray
    test_squared_norm: FloatArray
    n_features: int

    @classmethod
    def of(cls, train_features: ArrayLike, test_features: ArrayLike) -> "Gram":
        """Standardise by the training rows and multiply out.

        Parameters
        ----------
        train_features, test_features
            Shapes (n, P) and (m, P), any float type.

        Raises
        ------
        ValueError
            If the widths differ, there is no training row, or a value is not finite.
        """
        train_raw, test_raw = np.asarray(train_features), np.asarray(test_features)
        check_features(train_raw, test_raw)
        standardisation = Standardisation.fit(train_raw)
        train = standardisation.apply(train_raw)
        test = standardisation.apply(test_raw)
        # numpy hands X @ X.T to the symmetric rank-k update of the BLAS: half the work.
        inner = train @ train.T
        return cls(
            train=inner,
            test=test @ train.T,
            train_squared_norm=np.diagonal(inner).copy(),
            test_squared_norm=np.einsum("ij,ij->i", test, test),
            n_features=train.shape[1],
        )
