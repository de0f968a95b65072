"""Reads a file of features that were made elsewhere: a name and a row of numbers for each crop."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.imported.columns import FileColumns, csv_columns, few, parquet_columns
from bench.data.imported.hdf5 import hdf5_rows
from bench.data.lesions import unusable

# What a list of ids beside an NPY file may be called, after the file's own name or alone.
IDS_BESIDE = (".txt", ".csv", "_ids.txt", "_ids.csv", ".ids.txt", ".ids.csv", ".ids")
IDS_ALONE = ("ids.txt", "ids.csv")


@dataclass(frozen=True)
class FeatureFile:
    """The content of a file of features.

    Attributes
    ----------
    path : Path
        The file.
    ids : tuple[str, ...]
        What each row is called; no name occurs twice.
    matrix : NDArray[np.float32], shape (n, d)
        The features, all finite.
    digest : str
        SHA-256 of the file; of an NPY file, of the list of ids, too.
    remarks : tuple[str, ...]
        What a reader must know of how it was read.
    """

    path: Path
    ids: tuple[str, ...]
    matrix: NDArray[np.float32]
    digest: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Raw:
    """What stands in a file, unchecked; `files` is all that was read."""

    ids: Sequence[object]
    values: Any
    files: tuple[Path, ...]
    remarks: tuple[str, ...] = ()


def read_features(path: Path) -> FeatureFile:
    """Read a file of features.

    Parameters
    ----------
    path : Path
        NPZ with `ids` and `X`; NPY beside a list of ids; CSV or Parquet with a column of ids; HDF5.

    Returns
    -------
    FeatureFile
        Its rows, as float32.

    Raises
    ------
    UnusableInput
        If it cannot be read, an id occurs twice, rows have other widths, or a value is no finite
        number.
    """
    reader = _READERS.get(path.suffix.lower())
    if not path.is_file():
        what = "is a folder, not a file of features" if path.is_dir() else "there is no such file"
        raise unusable(path, what)
    if reader is None:
        raise unusable(path, f"is no file of features by its name: {', '.join(_READERS)}")
    try:
        raw = reader(path)
        digest = _digest(raw.files)
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror or error})") from error
    ids = [_as_text(path, one) for one in raw.ids]
    _check_ids(path, ids)
    values, rounded = _as_numbers(path, ids, raw.values)
    return FeatureFile(path, tuple(ids), values, digest, (*raw.remarks, *rounded))


def _digest(files: Sequence[Path]) -> str:
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _load(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:
        # numpy and zipfile raise what their parsers meet.
        raise unusable(path, _of_numpy(path, error)) from error


def _of_numpy(path: Path, error: Exception) -> str:
    if "object arrays" in str(error).lower():
        return "holds Python objects, which are not read: save ids as text, X as numbers"
    # What numpy says of pickles is no advice to follow.
    reason = "" if "pickle" in str(error).lower() else f" ({str(error)[:100]})"
    return f"is no {path.suffix[1:].upper()} file of numbers{reason}"


def _npz(path: Path) -> _Raw:
    archive = _load(path)
    if isinstance(archive, np.ndarray):
        raise unusable(path, "holds a single array, not `ids` and `X`")
    with archive:
        missing = [name for name in ("ids", "X") if name not in archive.files]
        if missing:
            raise unusable(
                path,
                f"has no {' and no '.join(missing)}; it holds {few(archive.files) or 'nothing'}",
            )
        try:
            ids, values = archive["ids"], archive["X"]
        except OSError:
            raise
        except Exception as error:
            raise unusable(path, _of_numpy(path, error)) from error
    if ids.ndim != 1:
        raise unusable(path, f"ids has shape {ids.shape}, and is to be a list of names")
    return _Raw(ids.tolist(), values, (path,))


def _npy(path: Path) -> _Raw:
    names = [*(path.stem + end for end in IDS_BESIDE), *IDS_ALONE]
    beside = next((path.with_name(n) for n in names if path.with_name(n).is_file()), None)
    if beside is None:
        raise unusable(
            path, f"the ids of its rows are missing: put a list beside it, named {', '.join(names)}"
        )
    values = _load(path)
    if not isinstance(values, np.ndarray):
        raise unusable(path, "holds several arrays; name it .npz")
    if beside.suffix.lower() == ".csv":
        columns = csv_columns(beside, only_ids=True)
        return _Raw(columns.ids, values, (path, beside), columns.remarks)
    text = beside.read_bytes().decode("utf-8-sig", errors="replace")
    ids = [line.strip() for line in text.splitlines() if line.strip()]
    return _Raw(ids, values, (path, beside))


def _table(read: Callable[[Path], FileColumns]) -> Callable[[Path], _Raw]:
    def from_table(path: Path) -> _Raw:
        columns = read(path)
        return _Raw(columns.ids, columns.values, (path,), columns.remarks)

    return from_table


def _hdf5(path: Path) -> _Raw:
    ids, values = hdf5_rows(path)
    return _Raw(ids, values, (path,))


_READERS: Mapping[str, Callable[[Path], _Raw]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _table(csv_columns),
    ".tsv": _table(csv_columns),
    ".parquet": _table(parquet_columns),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _hdf5),
}


def _as_text(path: Path, value: object) -> str:
    """An id as text; whole numbers as they are counted."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or isinstance(value, float) or not str(value).strip():
        raise unusable(path, f"an id is {value!r}, which names no crop")
    return unicodedata.normalize("NFC", str(value).strip())


def _check_ids(path: Path, ids: Sequence[str]) -> None:
    if not ids:
        raise unusable(path, "holds no rows")
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise unusable(path, f"{len(twice)} ids stand there more than once: {few(twice)}")


def _as_numbers(
    path: Path, ids: Sequence[str], values: Any
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The features as float32, and a remark where that rounds them."""
    matrix = _one_width(path, ids, values)
    if matrix.dtype.kind not in "fiub":
        raise unusable(path, f"its features are of type {matrix.dtype}, not real numbers")
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise unusable(
            path, f"X has shape {matrix.shape}, and is to have a row of numbers for each id"
        )
    if len(matrix) != len(ids):
        raise unusable(path, f"has {len(ids)} ids for {len(matrix)} rows of features")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(matrix, dtype=np.float32)
    for found, what in (
        (matrix, "a value that is not finite"),
        (single, "a value too large for float32"),
    ):
        wrong = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(wrong):
            names = few(ids[int(row)] for row in wrong)
            raise unusable(path, f"{len(wrong)} rows have {what}: {names}")
    # Text has the digits that tell one float32 from the next.
    exact = path.suffix.lower() in (".csv", ".tsv") or bool((single == matrix).all())
    return single, () if exact else (f"its {matrix.dtype} numbers are rounded to float32",)


def _one_width(path: Path, ids: Sequence[str], values: Any) -> NDArray[Any]:
    """Rows as one array; raises UnusableInput where some are wider than most."""
    if isinstance(values, np.ndarray):
        return values
    rows = [np.asarray(row) for row in values]
    odd = [row.ndim != 1 for row in rows]
    widths = [row.size for row in rows]
    usual = Counter(widths).most_common(1)[0][0] if widths else 0
    names = [
        f"{name} ({width})"
        for name, width, wrong in zip(ids, widths, odd, strict=False)
        if wrong or width != usual
    ]
    if names:
        raise unusable(
            path, f"{len(names)} rows have other widths than the {usual} of most: {few(names)}"
        )
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)
