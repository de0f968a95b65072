"""The four case tables of CBIS-DDSM: every lesion with its labels and its series.

They are read as TCIA publishes them, and in the form of 2017 with other column names and
backslashes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.csv_files import records
from bench.data.lesions import LeftOut, totals, unusable

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = re.compile(r"(mass|calc)_case_description_(train|test)_set\.csv", re.IGNORECASE)
PUBLISHED_ROWS = {
    ("mass", "train"): 1318,
    ("mass", "test"): 378,
    ("calc", "train"): 1546,
    ("calc", "test"): 326,
}
# Of all four together; images are full mammograms. The paper gives no number of lesions: it is
# counted in the four published tables (patient, side, type of abnormality and its number).
PUBLISHED = {
    "rows": sum(PUBLISHED_ROWS.values()),
    "lesions": 2050,
    "patients": 1566,
    "images": 3103,
}
PATHOLOGIES = {"MALIGNANT": 1, "BENIGN": 0, "BENIGN_WITHOUT_CALLBACK": 0}
# Names are compared in lower case, underscores as spaces: the density column has two spellings.
_NEEDED = {
    "patient id": "patient_id",
    "left or right breast": "laterality",
    "image view": "view",
    "abnormality id": "abnormality_id",
    "abnormality type": "type_cell",
    "pathology": "pathology",
    "cropped image file path": "crop_cell",
    "roi mask file path": "mask_cell",
}
# A table without one of these still has crops, labels and patients.
_OPTIONAL = {
    "breast density": "density",
    "assessment": "assessment",
    "subtlety": "subtlety",
    "image file path": "film_cell",
}
_OF_KIND = {
    "mass": {"mass shape": "shape", "mass margins": "margins"},
    "calc": {"calc type": "calc_type", "calc distribution": "calc_distribution"},
}
_NAMES_OF_2017 = {
    "side": "left or right breast",
    "view": "image view",
    "abn num": "abnormality id",
    "od img path": "image file path",
    "od crop path": "cropped image file path",
    "mask path": "roi mask file path",
}
_TYPE_OF_KIND = {"mass": "mass", "calc": "calcification"}
_ABSENT = ("", "N/A", "NA")
_UID = r"[0-9]+(?:\.[0-9]+)+"
# The name of a full mammogram; that of a lesion in it ends in the lesion's number.
CASE = r"(?:Mass|Calc)-(?:Training|Test)_P_[0-9]{5}_(?:LEFT|RIGHT)_(?:CC|MLO)"
# Case folder, study, series, and a base name that need not be the file's.
_CELL = rf"{CASE}_[0-9]+/{_UID}/{_UID}/[^/]+"
_FILM_CELL = rf"{CASE}/{_UID}/{_UID}/[^/]+"
_PATTERNS = {
    "patient_id": r"P_[0-9]{5}",
    "laterality": "LEFT|RIGHT",
    "view": "CC|MLO",
    "abnormality_id": r"[0-9]{1,4}(?:\.0)?",
    "density": r"[0-9]{1,4}(?:\.0)?",
    "assessment": r"[0-9]{1,4}(?:\.0)?",
    "subtlety": r"[0-9]{1,4}(?:\.0)?",
    "pathology": "|".join(PATHOLOGIES),
    "crop_cell": _CELL,
    "mask_cell": _CELL,
    "film_cell": _FILM_CELL,
}
_NUMBERS = ("abnormality_id", "density", "assessment", "subtlety")


@dataclass(frozen=True)
class CaseTables:
    """The content of all case tables that were found.

    Attributes
    ----------
    rows : pd.DataFrame
        The rows of all tables, as from `read_tables`.
    left_out : list[LeftOut]
        Rows that are in the wrong table.
    files : dict[tuple[str, str], Path]
        The tables by kind (mass, calc) and split (train, test).
    lacking : list[str]
        A line of text for every optional column that a table lacks.
    """

    rows: "pd.DataFrame"
    left_out: list[LeftOut]
    files: dict[tuple[str, str], Path]
    lacking: list[str]


def is_series(name: str) -> bool:
    """Whether a folder's name is a DICOM series UID."""
    return re.fullmatch(r"[0-9]+(\.[0-9]+){2,}|2\.25\.[0-9]+", name) is not None


def find_tables(folder: Path) -> dict[tuple[str, str], Path]:
    """The case tables directly in a folder, by kind (mass, calc) and split (train, test).

    Raises
    ------
    UnusableInput
        If two files are one table, with names that differ in case.
    """
    if not folder.is_dir():
        return {}
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        match = TABLE_NAME.fullmatch(path.name)
        if match and path.is_file():
            part = match[1].lower(), match[2].lower()
            if part in found:
                raise unusable(folder, f"two tables for one: {found[part].name} and {path.name}")
            found[part] = path
    return found


def read_tables(files: dict[tuple[str, str], Path]) -> CaseTables:
    """All rows of the tables, with the columns of the lesion table except `path`.

    `crop_series`, `mask_series` and `film_series` are the series UIDs in the path cells, "" where a
    cell is empty; `film_case` is the case folder of the full mammogram.

    Raises
    ------
    UnusableInput
        If a table lacks a column or holds a cell that cannot be understood, if its paths belong to
        another table, or if two rows describe the same lesion in the same view.
    """
    import pandas as pd

    left_out: list[LeftOut] = []
    lacking: list[str] = []
    frames = []
    for (kind, split), file in sorted(files.items(), key=lambda item: _order(*item[0])):
        rows, absent = _read_table(file, kind)
        lacking += [f"{file.name} has no column {name}: unknown here" for name in absent]
        misplaced = rows["type_cell"] != _TYPE_OF_KIND[kind]
        reason = f"{file.name} holds it, though it is not a {_TYPE_OF_KIND[kind]} row"
        left_out += [
            LeftOut(cell.split("/")[0], file.name, reason)
            for cell in rows.loc[misplaced, "crop_cell"]
        ]
        frames.append(_derive(rows[~misplaced].reset_index(drop=True), kind, split, file))
    rows = pd.concat(frames, ignore_index=True)
    repeated = rows["crop_id"].duplicated()
    if repeated.any():
        where = ", ".join(file.name for file in files.values())
        raise unusable(
            where, f"more than one row describes {rows.loc[repeated, 'crop_id'].iloc[0]}"
        )
    return CaseTables(rows, left_out, files, lacking)


def _order(kind: str, split: str) -> tuple[bool, bool]:
    return kind != "mass", split != "train"


def _read_table(file: Path, kind: str) -> tuple["pd.DataFrame", list[str]]:
    """The cells of a table under the names used here, and the optional columns that it lacks."""
    import pandas as pd

    try:
        lines = list(records(file))
    except OSError as error:
        raise unusable(file, f"cannot be read ({error.strerror or error})") from error
    if len(lines) < 2:
        raise unusable(file, "the table has no rows")
    names = [re.sub(r"[\s_]+", " ", name).strip().lower() for name in lines[0][1]]
    if _NAMES_OF_2017.keys() & set(names):
        names = [_NAMES_OF_2017.get(name, name) for name in names]
    optional = {**_OPTIONAL, **_OF_KIND[kind]}
    wanted = {**_NEEDED, **optional}
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise unusable(file, f"no column {', '.join(missing)}")
    repeated = [name for name in wanted if names.count(name) > 1]
    if repeated:
        raise unusable(file, f"column {repeated[0]} occurs more than once")
    for number, cells in lines:
        if len(cells) != len(names):
            raise unusable(file, f"line {number} has {len(cells)} cells, the header {len(names)}")
    table = pd.DataFrame([cells for _, cells in lines[1:]], columns=names, dtype=str)
    absent = [name for name in optional if name not in names]
    rows = pd.DataFrame(
        # Every row has a line break within one of its path cells.
        {new: table[old].str.strip() if old in table else "" for old, new in wanted.items()}
    )
    for column in ("crop_cell", "mask_cell", "film_cell"):
        rows[column] = rows[column].str.replace("\\", "/", regex=False)
    _check_cells(rows, file, [optional[name] for name in absent])
    for column in optional.values():
        rows[column] = rows[column].where(~rows[column].isin(_ABSENT), None)
    return rows, absent


def _check_cells(rows: "pd.DataFrame", file: Path, absent: list[str]) -> None:
    names = {new: old for old, new in (*_NEEDED.items(), *_OPTIONAL.items())}
    for column, pattern in _PATTERNS.items():
        if column in absent:
            continue
        wrong = ~rows[column].str.fullmatch(pattern)
        if column in _OPTIONAL.values():
            wrong &= ~rows[column].isin(_ABSENT)
        if wrong.any():
            number, value = int(wrong.argmax()) + 1, rows.loc[wrong, column].iloc[0]
            raise unusable(
                file, f"row {number}, column {names[column]}: cannot understand {value[:60]!r}"
            )


def _derive(rows: "pd.DataFrame", kind: str, split: str, file: Path) -> "pd.DataFrame":
    for column in _NUMBERS:
        rows[column] = rows[column].astype("Float64").astype("Int64")
    rows["abnormality_id"] = rows["abnormality_id"].astype("int64")
    number = rows["abnormality_id"].astype(str)
    prefix = f"{kind.title()}-{'Training' if split == 'train' else 'Test'}"
    side = rows["patient_id"] + "_" + rows["laterality"]
    film_case = prefix + "_" + side + "_" + rows["view"]
    derived = rows.assign(
        crop_id=film_case + "_" + number,
        lesion_id=kind + "_" + side + "_" + number,
        abnormality=kind,
        subset=kind,
        split=split,
        label=rows["pathology"].map(PATHOLOGIES),
        crop_series=[_series(cell) for cell in rows["crop_cell"]],
        mask_series=[_series(cell) for cell in rows["mask_cell"]],
        film_series=[_series(cell) for cell in rows["film_cell"]],
        film_case=film_case,
    )
    for column, name_column in (
        ("crop_cell", "crop_id"),
        ("mask_cell", "crop_id"),
        ("film_cell", "film_case"),
    ):
        known = derived[column].map(lambda cell: isinstance(cell, str))
        cells = derived[column].where(known, derived[name_column]).astype(str)
        named = cells.str.split("/").str[0]
        wrong = named != derived[name_column]
        if wrong.any():
            # A table under another table's name would turn training rows into test rows.
            place, crop = int(wrong.argmax()) + 1, derived.loc[wrong, "crop_id"].iloc[0]
            raise unusable(
                file, f"row {place}: its path is that of {named[wrong].iloc[0]}, not of {crop}"
            )
    return derived


def _series(cell: object) -> str:
    """The series UID in a path cell; "" where the cell is empty."""
    return cell.split("/")[-2] if isinstance(cell, str) else ""


def count_tables(
    cases: CaseTables, published: Mapping[str, int] = PUBLISHED
) -> "dict[str, pd.DataFrame]":
    """The content of the tables, before any image is looked for.

    Parameters
    ----------
    cases : CaseTables
        The tables.
    published : Mapping[str, int], optional
        The published totals; none for a phantom.

    Returns
    -------
    dict[str, pd.DataFrame]
        "totals" as `lesions.totals` makes it, images being full mammograms; "source_tables": table,
        rows, a column for each pathology, patients, images; "overlaps": first, second, patients, a
        row for every two tables that share patients; "conflicts": lesion_id and a column for each
        view, a row for each lesion whose views differ in malignancy.
    """
    import itertools

    import pandas as pd

    parts = {
        f"{kind} {split}": part
        for (kind, split), part in cases.rows.groupby(["subset", "split"], sort=False)
    }
    counts = [
        {
            "table": name,
            "rows": len(rows),
            **{pathology: int((rows["pathology"] == pathology).sum()) for pathology in PATHOLOGIES},
            "patients": int(rows["patient_id"].nunique()),
            "images": int(rows["film_case"].nunique()),
        }
        for name, rows in parts.items()
    ]
    shared = [
        {"first": first, "second": second, "patients": len(both)}
        for first, second in itertools.combinations(parts, 2)
        if (both := set(parts[first]["patient_id"]) & set(parts[second]["patient_id"]))
    ]
    rows = cases.rows
    films = rows["film_series"].where(rows["film_series"] != "", rows["film_case"])
    here = {
        "rows": len(rows),
        "lesions": int(rows["lesion_id"].nunique()),
        "patients": int(rows["patient_id"].nunique()),
        "images": int(films.nunique()),
    }
    return {
        "totals": totals(here, published),
        "source_tables": pd.DataFrame(counts),
        "overlaps": pd.DataFrame(shared, columns=["first", "second", "patients"]),
        "conflicts": _conflicts(cases.rows),
    }


def _conflicts(rows: "pd.DataFrame") -> "pd.DataFrame":
    labels = rows.groupby("lesion_id")["label"].nunique()
    conflicting = rows[rows["lesion_id"].isin(labels.index[labels > 1])]
    wide = conflicting.pivot_table(
        index="lesion_id", columns="view", values="pathology", aggfunc=", ".join
    )
    return wide.reset_index().rename_axis(columns=None).fillna("")
