"""Data sets whose loaders users have registered: a lesion table from few columns."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bench.data.lesions import Dataset, LeftOut, SubsetInfo, finish, unusable
from bench.data.sources import FolderSource, ImageSource, below_root
from bench.errors import UnusableInput
from bench.plugins.datasets import DATASET_PLUGINS

if TYPE_CHECKING:
    import pandas as pd

NO_PATIENTS = "there are no patient ids: every image counts as a patient of its own"
_IDS = ("crop_id", "lesion_id", "patient_id")
_TEXT = ("laterality", "view", "abnormality")


def make_dataset(
    root: Path,
    table: "pd.DataFrame",
    *,
    positive: str = "malignant",
    negative: str = "benign",
    licence: str = "",
    citation: str = "",
    organ: str = "",
    notices: Iterable[str] = (),
    left_out: Iterable[LeftOut] = (),
    source: ImageSource | None = None,
) -> Dataset:
    """A data set of a table with a row an image: `path` and `label`, and whatever else is known.

    Parameters
    ----------
    root : Path
        The data root.
    table : pd.DataFrame
        `path` (relative to the root) and `label` (0 or 1) are needed. Of the lesion table's other
        columns those that are missing are filled: without `patient_id` each image counts as a
        patient of its own, without `split` there is none, without `subset` all are one. Further
        columns are kept for reference points.
    positive, negative : str
        What labels 1 and 0 mean.
    licence, citation : str
        One line each.
    organ : str
        What the images show, for the sentences of a report.
    notices : Iterable[str]
        What a reader of the results must know of the data, one line each.
    left_out : Iterable[LeftOut]
        Rows that are not used, with the reason.
    source : ImageSource | None
        Reads the bytes at a path; None is the folder `root`.

    Returns
    -------
    Dataset
        Checked, as every data set is.

    Raises
    ------
    UnusableInput
        If a column is missing or holds what it may not: one line.
    """
    rows = _completed(root, table, (negative, positive))
    parts = list(dict.fromkeys(rows["subset"]))
    infos = {name: SubsetInfo((name,), positive, negative) for name in parts}
    if len(parts) > 1:
        infos["all"] = SubsetInfo(tuple(parts), positive, negative)
    known = "patient_id" in table
    return finish(
        "plugin",
        source or FolderSource(root),
        rows,
        left_out,
        infos,
        licence=licence,
        citation=citation,
        notices=(*notices, *([] if known else [NO_PATIENTS])),
        patient_ids=known,
        organ=organ,
    )


def _completed(root: Path, table: "pd.DataFrame", words: tuple[str, str]) -> "pd.DataFrame":
    """The table with all columns of a lesion table."""
    missing = [name for name in ("path", "label") if name not in table]
    if missing:
        raise unusable(root, f"the table of the data set lacks the column {' and '.join(missing)}")
    rows = table.reset_index(drop=True).copy()
    for name in ("path", "label", *(name for name in _IDS if name in rows)):
        bad = int(rows[name].isna().sum())
        if bad:
            raise unusable(root, f"{name} is missing in {bad} of {len(rows)} rows")
    others = sorted(
        {str(value) for value in rows["label"]} - {"0", "1", "0.0", "1.0", "True", "False"}
    )
    if others:
        raise unusable(root, f"label {others[0]!r} is neither 0 nor 1")
    rows["label"] = [int(str(value) in ("1", "1.0", "True")) for value in rows["label"]]
    rows["path"] = [str(PurePosixPath(below_root(root, str(path)))) for path in rows["path"]]
    before = "path"
    for name in _IDS:
        rows[name] = rows[name].astype(str) if name in rows else rows[before]
        before = "crop_id"
    for name in _TEXT:
        rows[name] = rows[name].fillna("").astype(str) if name in rows else ""
    defaults: dict[str, Any] = {"abnormality_id": 1, "split": "none", "subset": "all"}
    for name, value in defaults.items():
        rows[name] = rows[name].fillna(value) if name in rows else value
    if "pathology" not in rows:
        rows["pathology"] = [words[label] for label in rows["label"]]
    return rows


def load_registered(name: str, path: Path) -> Dataset:
    """The data set of a registered loader at a path.

    Raises
    ------
    UnusableInput
        If it cannot be read, or the loader fails: one line that names it.
    """
    found = DATASET_PLUGINS.find(name)
    assert found is not None
    try:
        loaded = found.value.load(path)
    except UnusableInput:
        raise
    except (Exception, SystemExit) as error:
        raise unusable(path, f"data set {name}: {_words(error)}") from error
    if isinstance(loaded, Dataset):
        return replace(loaded, name=name)
    if not hasattr(loaded, "columns") or not hasattr(loaded, "reset_index"):
        raise unusable(
            path,
            f"data set {name}: its loader must return a table or a Dataset, not "
            f"{type(loaded).__name__}",
        )
    return replace(make_dataset(path, loaded), name=name)


def finds(name: str, path: Path) -> bool:
    """Whether a registered data set knows a path as its own; raises UnusableInput if that fails."""
    found = DATASET_PLUGINS.find(name)
    if found is None or found.value.find is None:
        return False
    try:
        return bool(found.value.find(path))
    except (Exception, SystemExit) as error:
        raise unusable(
            path,
            f"data set {name} cannot look at it: {_words(error)}; --dataset names another kind",
        ) from error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
