"""Weights of training rows and of classes, as the SVM estimator takes them.

A row of weight w counts as w equal rows, in the standardisation as in the fit: w multiplies its box
constraint. A weight of 0 leaves the row out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.validation import InvalidParameter, positive_number

FloatArray = NDArray[np.float64]
ClassWeight = Mapping[Any, float] | Literal["balanced"] | None

# Rows are repeated up to this many times their number: the kernel matrix grows by its square.
_MOST_REPEATED = 2


@dataclass(frozen=True)
class WeightedRows:
    """The rows that are fitted.

    Attributes
    ----------
    positions : NDArray[np.int64], shape (k,)
        Of the training rows, rows of weight 0 left out. One may occur several times.
    weights : FloatArray | None, shape (k,)
        Their weights; None where all are 1.
    """

    positions: NDArray[np.int64]
    weights: FloatArray | None

    @classmethod
    def of(cls, sample_weight: ArrayLike | None, features: NDArray[Any]) -> "WeightedRows":
        """Weights as `fit` takes them to rows.

        Whole weights become repeated rows where these are few: libsvm then goes the same steps as
        for rows that were repeated by hand, and ends not only as near to the optimum as there.

        Raises
        ------
        ValueError
            If there is not one weight for each row, one is negative or not finite, or all are 0.
        """
        positions = np.arange(len(features))
        if sample_weight is None:
            return cls(positions, None)
        from sklearn.utils.validation import _check_sample_weight

        weights: FloatArray = _check_sample_weight(sample_weight, features, dtype=np.float64)
        if (weights < 0).any():
            raise ValueError(f"sample_weight is negative for {int((weights < 0).sum())} rows")
        if not weights.any():
            raise ValueError("sample_weight is zero for all rows")
        whole = bool((weights == np.floor(weights)).all())
        if whole and weights.sum() <= _MOST_REPEATED * len(weights):
            return cls(np.repeat(positions, weights.astype(np.int64)), None)
        kept = np.flatnonzero(weights)
        return cls(kept, weights[kept])


def weights_of_classes(
    class_weight: ClassWeight, classes: NDArray[Any], codes: NDArray[Any], rows: WeightedRows
) -> FloatArray:
    """The weight of each class; "balanced" gives both classes the same total.

    Parameters
    ----------
    class_weight : ClassWeight
        By label, "balanced", or None for 1 each.
    classes : NDArray[Any], shape (2,)
        The labels.
    codes : NDArray[Any], shape (k,)
        0 or 1 for each row that is fitted.
    rows : WeightedRows
        These rows.

    Returns
    -------
    FloatArray, shape (2,)
        Positive factors of C.

    Raises
    ------
    ValueError
        If it is none of these, names a label that does not occur, or a weight is not positive.
    """
    if class_weight is None:
        return np.ones(2)
    if isinstance(class_weight, str) and class_weight == "balanced":
        totals = np.bincount(codes, weights=rows.weights, minlength=2).astype(np.float64)
        balanced: FloatArray = totals.sum() / (2 * totals)
        return balanced
    if not isinstance(class_weight, Mapping):
        raise InvalidParameter(
            f"class_weight={class_weight!r:.60} must be a dictionary by label, 'balanced' or None"
        )
    from sklearn.utils.class_weight import compute_class_weight

    for label, value in class_weight.items():
        positive_number(f"class_weight of {label!r:.40}", value)
    found: FloatArray = compute_class_weight(dict(class_weight), classes=classes, y=classes[codes])
    return found.astype(np.float64)
