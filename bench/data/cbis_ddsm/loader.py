"""CBIS-DDSM, and the phantom that is written in its layouts: case tables and image files.

The folder of the tables is found here; `case_tables` reads them, and `matching` finds the image
files of their rows, in whichever of the usual layouts.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cbis_ddsm.case_tables import (
    CASE,
    CaseTables,
    count_tables,
    find_tables,
    is_series,
    read_tables,
)
from bench.data.cbis_ddsm.image_files import ENDINGS
from bench.data.cbis_ddsm.index import ImageIndex
from bench.data.cbis_ddsm.matching import Matched, match_files, read_descriptions
from bench.data.cbis_ddsm.notices import count_notices, file_notices, link_notices, row_notices
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, finish, unusable
from bench.data.loader import only_place
from bench.data.phantom.cases import MARKER
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
WORKING_COLUMNS = (
    "type_cell",
    "crop_cell",
    "mask_cell",
    "film_cell",
    "crop_series",
    "mask_series",
    "film_series",
    "film_case",
)
# The folders of images in the usual downloads.
_IMAGE_FOLDERS = ("jpeg", "dicom", "png", "cbis-ddsm")
_CASE = re.compile(rf"{CASE}(_\d+)?")


@dataclass(frozen=True)
class DataFolders:
    """The data root, and the folder of its case tables."""

    root: Path
    tables: Path


def find(root: Path) -> DataFolders | None:
    """The data root and the folder of its tables, given the root or a folder near it."""
    if not root.is_dir():
        return None
    # "." has no name and no parent.
    root = root.absolute()
    if root.name.lower() == "csv" and find_tables(root):
        return DataFolders(root.parent, root)
    below = sorted(path for path in root.iterdir() if path.is_dir() and not _is_image_folder(path))
    near = (root, root / "csv", *below, *(path / "csv" for path in below))
    most = max(near, key=lambda folder: len(find_tables(folder)))
    if find_tables(most):
        if most not in (root, root / "csv"):
            # Of folders with as many tables nobody knows which is meant.
            only_place(root, [path for path in below if _tables_below(path) == _tables_below(most)])
        return DataFolders(root, most)
    # A folder of images alone: its tables may lie higher up. Any other folder is not looked above.
    if root.name.lower() in _IMAGE_FOLDERS or has_images(root):
        for above in (root.parent, root.parent.parent):
            for folder in (above / "csv", above):
                if find_tables(folder):
                    return DataFolders(root, folder)
    return None


def _tables_below(folder: Path) -> int:
    """How many case tables a folder holds, or its `csv`."""
    return max(len(find_tables(place)) for place in (folder, folder / "csv"))


def _with_tables(root: Path, tables: Path) -> DataFolders:
    """The data root with the tables that a user has named: in that folder, or in its `csv`."""
    for folder in (tables, tables / "csv"):
        if find_tables(folder):
            return DataFolders(root, folder)
    there = sorted(path.name for path in tables.glob("*.csv"))[:4]
    raise unusable(
        tables,
        "no CBIS-DDSM case tables; looked for mass_case_description_train_set.csv and its like "
        f"here and in csv/; the CSV files here: {', '.join(there) or 'none'}",
    )


def has_images(root: Path) -> bool:
    """Whether a folder, or one in it, holds folders that are named as CBIS-DDSM names them."""
    if not root.is_dir():
        return False
    places = [root, *(path for path in root.iterdir() if path.name.lower() in _IMAGE_FOLDERS)]
    return any(
        _is_image_folder(path) for place in places if place.is_dir() for path in place.iterdir()
    )


def _is_image_folder(path: Path) -> bool:
    """Whether the name is that of a series or of a case."""
    return is_series(path.name) or _CASE.fullmatch(path.name) is not None


def load(
    root: Path,
    tables: Path | None,
    cache: Path,
    progress: Callable[[int], None] | None = None,
    follow_links: bool = False,
) -> Dataset:
    """The lesion table of CBIS-DDSM, or of a phantom, which its marker file distinguishes.

    Parameters
    ----------
    root : Path
        The data root, or a folder near it that `find` accepts.
    tables : Path | None
        The folder of the case tables where they lie elsewhere.
    cache : Path
        Folder of the store; the facts of each file are kept in `index/` below it.
    progress : Callable[[int], None] | None, optional
        Called with the number of DICOM headers read since the last call.
    follow_links : bool, default False
        Whether symbolic links may lead out of the root.

    Returns
    -------
    Dataset
        The rows that have a crop; the others are in its `left_out`.

    Raises
    ------
    UnusableInput
        If there are no tables, a table cannot be understood, or no image file can be found.
    """
    folders = _with_tables(root, tables) if tables is not None else find(root)
    if folders is None:
        hint = "; the images are there: name the tables' folder with --tables" * has_images(root)
        raise unusable(root, f"no CBIS-DDSM case tables; looked for {LOOKED_FOR}{hint}")
    cases = read_tables(find_tables(folders.tables))
    index = ImageIndex(folders.root, cache, _series_of(cases.rows), follow_links)
    if not index.files:
        reason = f"case tables, but no images; looked for files that end in {', '.join(ENDINGS)}"
        raise unusable(folders.root, "; ".join([reason, *link_notices(index)]))
    index.read_headers(progress)
    descriptions = read_descriptions((folders.tables, folders.root / "csv", folders.root))
    matched = match_files(index, cases.rows, descriptions)
    index.save()
    return _dataset(folders, cases, index, matched)


def _series_of(rows: "pd.DataFrame") -> set[str]:
    """The series UIDs that the case tables name."""
    columns = ("crop_series", "mask_series", "film_series")
    return {uid for column in columns for uid in rows[column]} - {""}


def _dataset(
    folders: DataFolders, cases: CaseTables, index: ImageIndex, matched: Matched
) -> Dataset:
    rows = cases.rows.assign(
        path=[one.path for one in matched.rows],
        mask_path=[one.mask_path for one in matched.rows],
        film_path=[one.film_path for one in matched.rows],
    )
    missing = [
        LeftOut(crop_id, one.path, one.reason)
        for crop_id, one in zip(rows["crop_id"], matched.rows, strict=True)
        if one.reason
    ]
    usable = rows[[not one.reason for one in matched.rows]].drop(columns=list(WORKING_COLUMNS))
    if usable.empty:
        reason = "no usable crop: no image file fits a row"
        raise unusable(folders.root, "; ".join([reason, *file_notices(index, matched)]))
    synthetic = _is_phantom(folders, index.phantoms, list(usable["path"]))
    dataset = finish(
        "cbis-ddsm",
        FolderSource(folders.root, index.follow_links),
        usable,
        cases.left_out + missing,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        organ="breast",
        notices=[
            *cases.lacking,
            # A phantom is never complete by the published counts, nor meant to be.
            *([] if synthetic else count_notices(cases)),
            *row_notices(usable),
            *file_notices(index, matched),
        ],
        source_tables=count_tables(cases, {}) if synthetic else count_tables(cases),
    )
    if not synthetic:
        return dataset
    return _as_phantom(dataset, _numbering(folders, index.phantoms))


def _is_phantom(folders: DataFolders, markers: list[str], crops: list[str]) -> bool:
    """Whether the crops were made by `bench.data.phantom.writing`, which leaves a marker file.

    `markers` are the folders below the root that hold one.

    Raises
    ------
    UnusableInput
        If some crops are a phantom's and others are not.
    """
    root = folders.root.resolve()
    above = [root.parent] if root.name.lower() in _IMAGE_FOLDERS else []
    if any((place / MARKER).is_file() for place in (root, *above)):
        return True
    marked = [any(crop.startswith(f"{marker}/") for marker in markers) for crop in crops]
    if any(marked) and not all(marked):
        raise unusable(
            folders.root / markers[0],
            "is a phantom that lies among other images; move it away, or name one of them as data",
        )
    tables = folders.tables.resolve()
    by_tables = any((place / MARKER).is_file() for place in (tables, tables.parent))
    return all(marked) or by_tables


def _numbering(folders: DataFolders, markers: list[str]) -> str:
    """Which phantom it is, by its marker file: every phantom numbers its patients from 1."""
    places = (folders.root, folders.root.parent, folders.tables, folders.tables.parent)
    for place in (*places, *(folders.root / marker for marker in markers)):
        try:
            made = json.loads((place / MARKER).read_text(encoding="utf-8"))
            return f"phantom, seed {made['seed']}, {made['patients']} patients"
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return "phantom"


def _as_phantom(dataset: Dataset, numbering: str) -> Dataset:
    return dataclasses.replace(
        dataset,
        numbering=numbering,
        name="phantom",
        synthetic=True,
        licence="synthetic; made by this program, no rights reserved",
        citation="synthetic lesion crops; figures from them mean nothing for mammography",
    )
