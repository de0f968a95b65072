"""The four case tables of CBIS-DDSM: what they say of every lesion, however images are named.

The tables are those that TCIA publishes; their cells also name the series that image files belong
to.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.lesions import LeftOut, unusable

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = re.compile(r"(mass|calc)_case_description_(train|test)_set\.csv", re.IGNORECASE)
PUBLISHED_ROWS = {
    ("mass", "train"): 1318,
    ("mass", "test"): 378,
    ("calc", "train"): 1546,
    ("calc", "test"): 326,
}
# The density column is spelled in two ways; every name is read with its underscores as spaces.
_COMMON = {
    "patient id": "patient_id",
    "breast density": "density",
    "left or right breast": "laterality",
    "image view": "view",
    "abnormality id": "abnormality_id",
    "abnormality type": "type_cell",
    "assessment": "assessment",
    "pathology": "pathology",
    "subtlety": "subtlety",
    "cropped image file path": "crop_cell",
    "roi mask file path": "mask_cell",
}
_OF_KIND = {
    "mass": {"mass shape": "shape", "mass margins": "margins"},
    "calc": {"calc type": "calc_type", "calc distribution": "calc_distribution"},
}
_TYPE_OF_KIND = {"mass": "mass", "calc": "calcification"}
_LABELS = {"MALIGNANT": 1, "BENIGN": 0, "BENIGN_WITHOUT_CALLBACK": 0}
_PATTERNS = {
    "patient_id": r"P_\d{5}",
    "laterality": "LEFT|RIGHT",
    "view": "CC|MLO",
    "abnormality_id": r"\d+",
    "density": r"\d+",
    "assessment": r"\d+",
    "subtlety": r"\d+",
    "pathology": "|".join(_LABELS),
    # The name of a series is the folder before the file's own name.
    "crop_cell": r"[^/\\]+/[0-9.]+/[0-9.]+/[^/\\]+",
    "mask_cell": r"[^/\\]+/[0-9.]+/[0-9.]+/[^/\\]+",
}


@dataclass(frozen=True)
class CaseTables:
    """The rows of all tables that were found, those in the wrong one, and the files."""

    rows: "pd.DataFrame"
    left_out: list[LeftOut]
    files: dict[tuple[str, str], Path]


def is_series(name: str) -> bool:
    """Whether a folder's name is a DICOM series UID."""
    return re.fullmatch(r"[0-9]+(\.[0-9]+){2,}|2\.25\.[0-9]+", name) is not None


def find_tables(folder: Path) -> dict[tuple[str, str], Path]:
    """The case tables directly in a folder, by kind (mass, calc) and split (train, test)."""
    if not folder.is_dir():
        return {}
    matches = ((TABLE_NAME.fullmatch(path.name), path) for path in sorted(folder.iterdir()))
    return {
        (match[1].lower(), match[2].lower()): path
        for match, path in matches
        if match and path.is_file()
    }


def read_tables(files: dict[tuple[str, str], Path]) -> CaseTables:
    """All rows of the tables, ready for the lesion table but for `path`.

    `crop_series` and `mask_series` are the series UIDs that the two path cells name.

    Raises
    ------
    UnusableInput
        If a table lacks a column or holds a cell that cannot be understood, or if two rows describe
        the same lesion in the same view.
    """
    import pandas as pd

    left_out: list[LeftOut] = []
    frames = []
    for (kind, split), file in sorted(files.items(), key=lambda item: _order(*item[0])):
        rows = _read_table(file, kind, split)
        strangers = rows["type_cell"] != _TYPE_OF_KIND[kind]
        reason = f"{file.name} holds it, though it is not a {_TYPE_OF_KIND[kind]} row"
        left_out += [
            LeftOut(cell.split("/")[0], cell, reason) for cell in rows.loc[strangers, "crop_cell"]
        ]
        frames.append(rows[~strangers])
    rows = pd.concat(frames, ignore_index=True)
    repeated = rows["crop_id"].duplicated()
    if repeated.any():
        where = ", ".join(file.name for file in files.values())
        raise unusable(
            where, f"more than one row describes {rows.loc[repeated, 'crop_id'].iloc[0]}"
        )
    return CaseTables(rows, left_out, files)


def _order(kind: str, split: str) -> tuple[bool, bool]:
    return kind != "mass", split != "train"


def _read_table(file: Path, kind: str, split: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
        # N/A and NA are told apart from text below, so pandas must not guess.
        raw = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise unusable(file, f"cannot be read as a table ({error})") from error
    raw.columns = [re.sub(r"[\s_]+", " ", str(name)).strip().lower() for name in raw.columns]
    wanted = {**_COMMON, **_OF_KIND[kind]}
    missing = [name for name in wanted if name not in raw.columns]
    if missing:
        raise unusable(file, f"no column {', '.join(missing)}")
    rows = raw[list(wanted)].rename(columns=wanted)
    for column in rows.columns:
        # Every row has a line break inside one of its path cells.
        rows[column] = rows[column].fillna("").str.strip()
    _check_cells(rows, file)
    for column in _OF_KIND[kind].values():
        rows[column] = rows[column].where(~rows[column].isin(["N/A", "NA", ""]), None)
    return _derive(rows, kind, split)


def _check_cells(rows: "pd.DataFrame", file: Path) -> None:
    if rows.empty:
        raise unusable(file, "the table has no rows")
    for column, pattern in _PATTERNS.items():
        wrong = ~rows[column].str.fullmatch(pattern)
        if wrong.any():
            number, value = int(wrong.argmax()) + 1, rows.loc[wrong, column].iloc[0]
            name = next(old for old, new in _COMMON.items() if new == column)
            raise unusable(file, f"row {number}, column {name}: cannot understand {value[:60]!r}")


def _derive(rows: "pd.DataFrame", kind: str, split: str) -> "pd.DataFrame":
    for column in ("abnormality_id", "density", "assessment", "subtlety"):
        rows[column] = rows[column].astype("int64")
    number = rows["abnormality_id"].astype(str)
    prefix = f"{kind.title()}-{'Training' if split == 'train' else 'Test'}"
    side = rows["patient_id"] + "_" + rows["laterality"]
    return rows.assign(
        crop_id=prefix + "_" + side + "_" + rows["view"] + "_" + number,
        lesion_id=kind + "_" + side + "_" + number,
        abnormality=kind,
        subset=kind,
        split=split,
        label=rows["pathology"].map(_LABELS),
        crop_series=rows["crop_cell"].str.split("/").str[-2],
        mask_series=rows["mask_cell"].str.split("/").str[-2],
    )


@dataclass(frozen=True)
class Resolved:
    """Where a row's crop lies, relative to the data root; `reason` says why it has none."""

    path: str
    reason: str = ""
