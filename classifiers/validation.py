"""Checks of the arguments that every classifier here takes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_features(train: NDArray[np.generic], test: NDArray[np.generic]) -> None:
    """Raise ValueError unless both are finite matrices of one width and there is a training row."""
    if train.ndim != 2 or test.ndim != 2:
        raise ValueError(f"features must be matrices, got shapes {train.shape} and {test.shape}")
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            f"training rows have {train.shape[1]} features, test rows have {test.shape[1]}"
        )
    if not train.size:
        raise ValueError(f"no training features: shape {train.shape}")
    for name, values in (("training", train), ("test", test)):
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        if bad:
            raise ValueError(f"features are not finite in {bad} of {len(values)} {name} rows")


def binary_labels(labels: ArrayLike, n: int | None = None) -> NDArray[np.int64]:
    """Labels as integers, shape (n,).

    Raises
    ------
    ValueError
        Unless they are 0 and 1, both present, one for each of the n training rows.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or not np.isin(values, (0, 1)).all():
        raise ValueError("labels must be a vector of 0 and 1")
    if n is not None and len(values) != n:
        raise ValueError(f"{n} training rows but {len(values)} labels")
    if len(np.unique(values)) < 2:
        raise ValueError("the training rows are all of one class")
    return values.astype(np.int64)


def group_codes(groups: ArrayLike, n: int) -> NDArray[np.int64]:
    """Groups (patients) as integers, shape (n,); any values that can be sorted.

    Raises
    ------
    ValueError
        Unless there is one for each of the n training rows and they are of two groups or more.
    """
    values = np.asarray(groups)
    if values.shape != (n,):
        raise ValueError(f"{n} training rows but groups of shape {values.shape}")
    names, codes = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ValueError("the training rows are all of one group (patient)")
    return codes.astype(np.int64)


def positive_values(name: str, values: Iterable[float]) -> tuple[float, ...]:
    """The values as floats; raises ValueError unless there is one, all positive, none twice."""
    found = tuple(float(value) for value in values)
    if not found:
        raise ValueError(f"{name} is an empty list")
    for value in found:
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value!r} must be a positive number")
        if found.count(value) > 1:
            raise ValueError(f"{name} holds {value!r} twice")
    return found
