"""CBIS-DDSM, and the phantom that is written in its layout: case tables plus image files.

How the image files lie is the business of a resolver, a function from the tables' rows to paths;
the one here knows the Kaggle layout (`jpeg/<series UID>/1-xxx.jpg` with `csv/dicom_info.csv`).
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cbis_kaggle import resolve_kaggle
from bench.data.cbis_tables import (
    PUBLISHED_ROWS,
    CaseTables,
    Resolved,
    find_tables,
    is_series,
    read_tables,
)
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, finish, shared_patients, unusable
from bench.data.phantom import MARKER
from bench.data.sources import FolderSource

if TYPE_CHECKING:
    import pandas as pd

LICENCE = "CC BY 3.0"
CITATION = (
    "R. S. Lee et al., A curated mammography data set for use in computer-aided detection and "
    "diagnosis research, Scientific Data 4:170177 (2017); data DOI 10.7937/K9/TCIA.2016.7O02S9CY"
)
SUBSETS = {
    "mass": SubsetInfo(("mass",)),
    "calc": SubsetInfo(("calc",)),
    "all": SubsetInfo(("mass", "calc")),
}
LOOKED_FOR = "mass_case_description_train_set.csv and its like here, in csv/, one level up or down"

WORKING_COLUMNS = ("type_cell", "crop_cell", "mask_cell", "crop_series", "mask_series")

# (where the set lies, rows of the tables) -> for every row a path below the root, or a reason.
Resolver = Callable[["Found", "pd.DataFrame"], list[Resolved]]


@dataclass(frozen=True)
class Found:
    """A data root with the folder of its case tables."""

    root: Path
    tables: Path


def find(root: Path) -> Found | None:
    """The data root and the folder of its tables, given the root or a folder beside or below it."""
    if not root.is_dir():
        return None
    if root.name == "csv" and find_tables(root) and (root.parent / "jpeg").is_dir():
        return Found(root.parent, root)
    below = sorted(path for path in root.iterdir() if path.is_dir() and not is_series(path.name))
    for folder in (root, root / "csv", *below, *(path / "csv" for path in below)):
        if find_tables(folder):
            return Found(root, folder)
    # A folder of images alone: its tables may stand one level higher, but then so may anything.
    if root.name == "jpeg" or any(is_series(path.name) for path in root.iterdir()):
        for folder in (root.parent / "csv", root.parent):
            if find_tables(folder):
                return Found(root, folder)
    return None


def load(root: Path, tables: Path | None = None) -> Dataset:
    """The lesion table of CBIS-DDSM, or of a phantom (which a marker file tells apart).

    Parameters
    ----------
    root : the data root, or a folder near it that `find` knows.
    tables : the folder of the case tables where they lie elsewhere.

    Raises
    ------
    UnusableInput
        If there are no tables, a table cannot be understood, or no image file can be found.
    """
    found = Found(root, tables) if tables is not None else find(root)
    if found is None or not find_tables(found.tables):
        raise unusable(tables or root, f"no CBIS-DDSM case tables; looked for {LOOKED_FOR}")
    cases = read_tables(find_tables(found.tables))
    resolver: Resolver = resolve_kaggle
    resolved = resolver(found, cases.rows)
    paths = cases.rows.assign(path=[one.path for one in resolved])
    usable = [not one.reason for one in resolved]
    missing = [
        LeftOut(crop_id, one.path, one.reason)
        for crop_id, one in zip(paths["crop_id"], resolved, strict=True)
        if one.reason
    ]
    dataset = finish(
        "cbis-ddsm",
        FolderSource(found.root),
        paths[usable].drop(columns=list(WORKING_COLUMNS)),
        cases.left_out + missing,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=_notices(cases),
    )
    return _as_phantom(dataset) if is_phantom(found) else dataset


def is_phantom(found: Found) -> bool:
    """Whether the set was made by `bench.data.phantom`: its marker stands by images or tables."""
    places = (found.root, found.tables, found.tables.parent)
    return any((place / MARKER).is_file() for place in places)


def _as_phantom(dataset: Dataset) -> Dataset:
    return dataclasses.replace(
        dataset,
        name="phantom",
        synthetic=True,
        licence="synthetic; made by this program, no rights reserved",
        citation="synthetic lesion crops; figures from them mean nothing for mammography",
        # A phantom is never complete by the published counts, nor meant to be.
        notices=tuple(note for note in dataset.notices if "published" not in note),
    )


def _notices(cases: CaseTables) -> list[str]:
    rows, notices = cases.rows, []
    for (kind, split), published in PUBLISHED_ROWS.items():
        file = cases.files.get((kind, split))
        count = int(((rows["subset"] == kind) & (rows["split"] == split)).sum())
        if file is None:
            notices.append(
                f"there is no {kind} {split} table; the published one has {published} rows"
            )
        elif count != published:
            notices.append(
                f"{file.name} has {count} rows of its own, the published one {published}"
            )
    labels = rows.groupby("lesion_id")["label"].nunique()
    conflicting = list(labels.index[labels > 1])
    if conflicting:
        names = ", ".join(conflicting)
        notices.append(
            f"{len(conflicting)} lesions have conflicting pathology between views: {names}"
        )
    both = shared_patients(rows)
    if both:
        notices.append(
            f"{len(both)} patients stand in both train and test once mass and calc are pooled"
        )
    return notices
