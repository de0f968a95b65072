"""Reads features from HDF5: `ids` and `X`, or a data set of its own for each id."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.imported.columns import few
from bench.data.lesions import unusable


def hdf5_rows(path: Path) -> tuple[list[object], Any]:
    """The ids and the rows of an HDF5 file: ids and X, in a group or not, or one for each id.

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
            group = _with_ids_and_x(path, file, h5py)
            if group is not None:
                ids, values = group["ids"], group["X"]
                return np.asarray(ids[()]).reshape(-1).tolist(), np.asarray(values[()])
            rows = _each(file, h5py.Dataset)
    except (OSError, RuntimeError) as error:
        raise unusable(path, f"cannot be read as HDF5 ({str(error)[:100]})") from error
    wanted = "wants ids and X, or one data set for each id"
    if not rows:
        raise unusable(path, f"holds no data sets: {wanted}")
    if "ids" in rows or "X" in rows:
        raise unusable(path, f"wants both ids and X; it holds {few(rows)}")
    for name, row in rows.items():
        if row.dtype.kind not in "fiub":
            raise unusable(path, f"{name} is of type {row.dtype}, not real numbers: {wanted}")
    return [*_ids_of(list(rows))], list(rows.values())


def _with_ids_and_x(path: Path, file: Any, h5py: Any) -> Any:
    """The file, or its one group, that has ids and X; None where there is none."""
    pairs = [file] if "ids" in file and "X" in file else []

    def keep(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "ids" in item and "X" in item:
            pairs.append(item)

    file.visititems(keep)
    if len(pairs) > 1:
        names = few(group.name for group in pairs)
        raise unusable(path, f"has ids and X in {len(pairs)} groups ({names}): keep one")
    for name in ("ids", "X"):
        if pairs and not isinstance(pairs[0][name], h5py.Dataset):
            raise unusable(path, "ids and X are to be data sets")
    return pairs[0] if pairs else None


def _ids_of(names: list[str]) -> list[str]:
    """The ids that names of data sets say: their groups, where each has one of the same name."""
    groups, ends = zip(*(name.rpartition("/")[::2] for name in names), strict=True)
    alike = len(set(ends)) == 1 and len(set(groups)) == len(groups) > 1
    return list(groups) if alike else names


def _each(file: Any, kind: Any) -> dict[str, Any]:
    """The data sets of a file by their names; ids that are paths lie in groups."""
    rows: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, kind):
            rows[name] = np.asarray(item[()])

    file.visititems(keep)
    return rows
