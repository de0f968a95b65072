"""Checks of the arguments that every classifier here takes."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ignore_device(device: str) -> None:
    """Warn where a device is named that is not used: for float64 most GPUs are no gain."""
    if device != "cpu":
        warnings.warn(
            f"device={device!r} is deprecated and ignored: Gram matrices are formed on the CPU",
            DeprecationWarning,
            stacklevel=3,
        )


def check_features(train: NDArray[np.generic], test: NDArray[np.generic]) -> None:
    """Raise ValueError unless both are finite matrices of one width and there is a training row."""
    if train.ndim != 2 or test.ndim != 2:
        raise ValueError(f"features must be matrices, got shapes {train.shape} and {test.shape}")
    for name, values in (("training", train), ("test", test)):
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name} features must be numbers, got {values.dtype}")
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


def feature_sets(name: str, values: Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """One matrix for each backbone; raises ValueError unless there is one, and all are matrices."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise InvalidParameter(f"{name} must be a list of feature matrices, got {values!r:.60}")
    found = [np.asarray(one) for one in values]
    if not found:
        raise ValueError(f"{name} is an empty list")
    for one in found:
        if one.ndim != 2:
            raise ValueError(f"{name} must be a list of matrices, one has shape {one.shape}")
    return found


class InvalidParameter(ValueError, TypeError):
    """An argument of a wrong value or type; both, as scikit-learn's own error is."""


def two_classes(labels: ArrayLike, n: int | None = None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The two labels, sorted, and the code of each row: 1 for the second, the positive class.

    Parameters
    ----------
    labels : ArrayLike, shape (n,)
        Any two labels: numbers, truth values or text.
    n : int | None
        Number of training rows, where it is known.

    Returns
    -------
    tuple[NDArray[Any], NDArray[np.int64]], shapes (2,) and (n,)
        Labels and codes.

    Raises
    ------
    ValueError
        Unless there are two classes, both present, and one label for each of the n rows.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ValueError(f"labels must be a vector, got shape {values.shape}")
    if n is not None and len(values) != n:
        raise ValueError(f"{n} training rows but {len(values)} labels")
    if values.dtype.kind not in "biufOUS" or _any_missing(values):
        raise ValueError("labels must be numbers or text, and none may be missing")
    try:
        classes, codes = np.unique(values, return_inverse=True)
    except TypeError:
        raise ValueError("labels must be all numbers or all text") from None
    if len(classes) < 2:
        raise ValueError("the training rows are all of one class")
    if len(classes) > 2 or (values.dtype.kind == "f" and (classes != np.floor(classes)).any()):
        shown = ", ".join(map(str, classes[:3].tolist())) + ("" if len(classes) <= 3 else ", …")
        raise ValueError(f"labels must be two classes, such as 0 and 1; found {shown}")
    return classes, codes.astype(np.int64)


def _any_missing(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(map(_is_missing, values))
    return values.dtype.kind == "f" and not np.isfinite(values).all()


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA is neither equal nor unequal
        return True


def binary_labels(labels: ArrayLike, n: int | None = None) -> NDArray[np.int64]:
    """The codes of `two_classes`: 1 for the second label in sorted order and 0 for the first."""
    return two_classes(labels, n)[1]


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


def positive_number(name: str, value: Any) -> float:
    """The value as a float; raises InvalidParameter unless it is a positive, finite number."""
    try:
        if isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < np.inf:
            return float(value)
    except OverflowError:
        pass
    raise InvalidParameter(f"{name}={value!r:.60} must be a positive number")


def whole_number(name: str, value: Any) -> int:
    """The value as an integer; raises InvalidParameter unless it is one of at least 1."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise InvalidParameter(f"{name}={value!r:.60} must be a whole number of at least 1")


def positive_values(name: str, values: Iterable[float]) -> tuple[float, ...]:
    """The values as floats; raises ValueError unless there is one, all positive, none twice."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidParameter(f"{name}={values!r:.60} must be a list of positive numbers")
    found = tuple(positive_number(name, value) for value in values)
    if not found:
        raise ValueError(f"{name} is an empty list")
    for value in found:
        if found.count(value) > 1:
            raise ValueError(f"{name} holds {value!r} twice")
    return found
