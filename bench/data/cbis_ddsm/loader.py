"""CBIS-DDSM, and the phantom that is written in its layouts: case tables plus image files.

Where the tables lie is found here; `cbis_tables` reads them, and `cbis_files` matches their rows to
the image files, whichever of the usual layouts these have.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cbis_ddsm.case_tables import (
    CASE,
    PUBLISHED_ROWS,
    CaseTables,
    count_tables,
    find_tables,
    is_series,
    read_tables,
)
from bench.data.cbis_ddsm.image_files import DICOM_ENDINGS, ENDINGS, JPEG_ENDINGS
from bench.data.cbis_ddsm.index import ImageIndex
from bench.data.cbis_ddsm.matching import Matched, match_files, read_descriptions
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, finish, shared_patients, unusable
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
# Folders that the usual downloads consist of.
_IMAGE_FOLDERS = ("jpeg", "dicom", "png", "cbis-ddsm")
_CASE = re.compile(rf"{CASE}(_\d+)?")
_LISTED_LINKS = 3


@dataclass(frozen=True)
class Found:
    """A data root with the folder of its case tables."""

    root: Path
    tables: Path


def find(root: Path) -> Found | None:
    """The data root and the folder of its tables, given the root or a folder beside or below it."""
    if not root.is_dir():
        return None
    # "." has no name and no parent.
    root = root.absolute()
    if root.name.lower() == "csv" and find_tables(root):
        return Found(root.parent, root)
    below = sorted(path for path in root.iterdir() if path.is_dir() and not _is_image_folder(path))
    near = (root, root / "csv", *below, *(path / "csv" for path in below))
    most = max(near, key=lambda folder: len(find_tables(folder)))
    if find_tables(most):
        return Found(root, most)
    # A folder of images alone: its tables may stand higher up, but then so may anything.
    if root.name.lower() in _IMAGE_FOLDERS or has_images(root):
        for above in (root.parent, root.parent.parent):
            for folder in (above / "csv", above):
                if find_tables(folder):
                    return Found(root, folder)
    return None


def _with_tables(root: Path, tables: Path) -> Found:
    """The data root with the tables that a user has named: in that folder, or in its `csv`."""
    for folder in (tables, tables / "csv"):
        if find_tables(folder):
            return Found(root, folder)
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
    root: Path, tables: Path | None, cache: Path, progress: Callable[[int], None] | None = None
) -> Dataset:
    """The lesion table of CBIS-DDSM, or of a phantom (which a marker file tells apart).

    Parameters
    ----------
    root : the data root, or a folder near it that `find` knows.
    tables : the folder of the case tables where they lie elsewhere.
    cache : folder of the store; what is learnt of each file is kept in `index/` below it.
    progress : called with the number of DICOM headers read since the last call.

    Raises
    ------
    UnusableInput
        If there are no tables, a table cannot be understood, or no image file can be found.
    """
    found = _with_tables(root, tables) if tables is not None else find(root)
    if found is None:
        hint = "; the images are there: name the tables' folder with --tables" * has_images(root)
        raise unusable(root, f"no CBIS-DDSM case tables; looked for {LOOKED_FOR}{hint}")
    cases = read_tables(find_tables(found.tables))
    named = ("crop_series", "mask_series", "film_series")
    index = ImageIndex(
        found.root, cache, {uid for name in named for uid in cases.rows[name]} - {""}
    )
    if not index.files:
        reason = f"case tables, but no images; looked for files that end in {', '.join(ENDINGS)}"
        raise unusable(found.root, "; ".join([reason, *_links(index)]))
    index.read_headers(progress)
    descriptions = read_descriptions((found.tables, found.root / "csv", found.root))
    matched = match_files(index, cases.rows, descriptions)
    index.save()
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
        why = "; ".join(
            ["no usable crop: no image file fits a row", *_file_notices(index, matched)]
        )
        raise unusable(found.root, why)
    synthetic = _is_phantom(found, index.phantoms, list(usable["path"]))
    dataset = finish(
        "cbis-ddsm",
        FolderSource(found.root),
        usable,
        cases.left_out + missing,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=[
            *cases.lacking,
            # A phantom is never complete by the published counts, nor meant to be.
            *([] if synthetic else _count_notices(cases)),
            *_row_notices(usable),
            *_file_notices(index, matched),
        ],
        source_tables=count_tables(cases),
    )
    return _as_phantom(dataset) if synthetic else dataset


def _is_phantom(found: Found, markers: list[str], crops: list[str]) -> bool:
    """Whether the crops were made by `bench.data.phantom.writing`, whose marker stands above them.

    markers : folders below the root that hold one.

    Raises
    ------
    UnusableInput
        If some crops are a phantom's and others are not.
    """
    root = found.root.resolve()
    above = [root.parent] if root.name.lower() in _IMAGE_FOLDERS else []
    if any((place / MARKER).is_file() for place in (root, *above)):
        return True
    made = [any(crop.startswith(f"{marker}/") for marker in markers) for crop in crops]
    if any(made) and not all(made):
        raise unusable(
            found.root / markers[0],
            "is a phantom that lies among other images; move it away, or name one of them as data",
        )
    tables = found.tables.resolve()
    by_tables = any((place / MARKER).is_file() for place in (tables, tables.parent))
    return all(made) or by_tables


def _as_phantom(dataset: Dataset) -> Dataset:
    return dataclasses.replace(
        dataset,
        name="phantom",
        synthetic=True,
        licence="synthetic; made by this program, no rights reserved",
        citation="synthetic lesion crops; figures from them mean nothing for mammography",
    )


def _count_notices(cases: CaseTables) -> list[str]:
    """Where the tables are not the published ones."""
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
    return notices


def _row_notices(usable: "pd.DataFrame") -> list[str]:
    """What a reader must know of the rows that have a crop."""
    notices = []
    labels = usable.groupby("lesion_id")["label"].nunique()
    conflicting = list(labels.index[labels > 1])
    if conflicting:
        lesions = "lesion has" if len(conflicting) == 1 else "lesions have"
        names = ", ".join(conflicting)
        notices.append(f"{len(conflicting)} {lesions} conflicting pathology between views: {names}")
    both = shared_patients(usable)
    if both:
        notices.append(
            f"{len(both)} patients stand in both train and test once mass and calc are pooled"
        )
    return notices


def _file_notices(index: ImageIndex, matched: Matched) -> list[str]:
    """What a reader must know of the image files."""
    notices = _links(index)
    if index.unreadable:
        listed = ", ".join(map(_plain, index.unreadable[:_LISTED_LINKS]))
        more = " ..." * (len(index.unreadable) > _LISTED_LINKS)
        notices.append(f"{len(index.unreadable)} places cannot be looked at: {listed}{more}")
    if matched.strays:
        files = "file belongs" if len(matched.strays) == 1 else "files belong"
        notices.append(
            f"{len(matched.strays)} image {files} to no row of the tables: "
            f"{_plain(matched.strays[0])}{' ...' * (len(matched.strays) > 1)}"
        )
    crops = [one.path.lower() for one in matched.rows if not one.reason]
    formats = {
        "DICOM": sum(path.endswith(DICOM_ENDINGS) for path in crops),
        "JPEG": sum(path.endswith(JPEG_ENDINGS) for path in crops),
    }
    formats["PNG or TIFF"] = len(crops) - sum(formats.values())
    kinds = [f"{count} {name}" for name, count in formats.items() if count]
    if len(kinds) > 1:
        # Bit depth and compression could tell the classes apart where they go with them.
        notices.append(f"the crops are of more than one format: {', '.join(kinds)}")
    return notices


def _plain(name: str) -> str:
    """A file's name without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _links(index: ImageIndex) -> list[str]:
    if not index.links:
        return []
    names = ", ".join(map(_plain, index.links[:_LISTED_LINKS])) + " ..." * (
        len(index.links) > _LISTED_LINKS
    )
    return [
        f"symbolic links that lead out of the data root are not followed: {names}; give the folder "
        "that they lead to as data, and that of the case tables with --tables"
    ]
