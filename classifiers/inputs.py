"""What every classifier here asks of features and labels, said in one line where it is not so."""

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


def binary_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Labels as integers, shape (n,); raises ValueError unless they are 0 and 1, both present."""
    values = np.asarray(labels)
    if values.ndim != 1 or not np.isin(values, (0, 1)).all():
        raise ValueError("labels must be a vector of 0 and 1")
    if len(np.unique(values)) < 2:
        raise ValueError("the training rows are all of one class")
    return values.astype(np.int64)
