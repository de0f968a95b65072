"""Reads features from HDF5: `ids` and `X`, or a data set of its own for each id."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.imported.columns import few
from bench.data.lesions import unusable


def hdf5_rows(path: Path) -> tuple[list[object], Any]:
    """The ids and the rows of an HDF5 file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple[list[object], Any]
        The ids, and an array or a list of rows.

    Raises
    ------
    UnusableInput
        If h5py is not installed, or the file holds something else.
    """
    try:
        import h5py
    except ImportError as error:
        raise unusable(path, "HDF5 is read with h5py: pip install 'vit-svm-bench[hdf5]'") from error
    try:
        with h5py.File(path, "r") as file:
            if "ids" in file and "X" in file:
                ids, values = file["ids"], file["X"]
                if not isinstance(ids, h5py.Dataset) or not isinstance(values, h5py.Dataset):
                    raise unusable(path, "ids and X are to be data sets")
                return np.asarray(ids[()]).reshape(-1).tolist(), np.asarray(values[()])
            rows = _each(file, h5py.Dataset)
    except (OSError, RuntimeError) as error:
        raise unusable(path, f"cannot be read as HDF5 ({str(error)[:100]})") from error
    if not rows:
        raise unusable(path, "holds no data sets: wants ids and X, or one for each id")
    if "ids" in rows or "X" in rows:
        raise unusable(path, f"wants both ids and X; it holds {few(rows)}")
    for name, row in rows.items():
        if row.dtype.kind not in "fiub":
            raise unusable(path, f"{name} is of type {row.dtype}, not real numbers")
    return [*rows], list(rows.values())


def _each(file: Any, kind: Any) -> dict[str, Any]:
    """The data sets of a file by their names; ids that are paths lie in groups."""
    rows: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, kind):
            rows[name] = np.asarray(item[()])

    file.visititems(keep)
    return rows
