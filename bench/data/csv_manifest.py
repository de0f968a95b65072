"""Reads a CSV manifest: one row an image, with `path`, `label` and further columns of the table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from bench.data.class_words import (
    LABEL_WORDS,
    UnknownClass,
    decide_sides,
    label_of,
    normalised,
)
from bench.data.csv_files import first_record, records
from bench.data.lesions import CLINICAL_COLUMNS, LeftOut, unusable
from bench.data.patients import find_column, near_misses, normalised_ids, squeezed
from bench.data.sources import below_root, path_problem
from bench.errors import UnusableInput

REQUIRED = ("path", "label")
KNOWN_COLUMNS = (
    "path",
    "label",
    "patient_id",
    "split",
    "crop_id",
    "lesion_id",
    "laterality",
    "view",
    "abnormality",
    "abnormality_id",
    "pathology",
    *CLINICAL_COLUMNS,
)
# What programs write for a missing value; as a patient's name it would join unrelated images.
MISSING = ("", "nan", "na", "n/a", "null", "<na>")
NO_VALUE = ("", "nan", "na", "n/a", "none", "null", "<na>")
# Nothing is chosen on a validation set here, so its rows join training.
VALIDATION = ("val", "valid", "validation", "dev")
_SPLITS = {
    **dict.fromkeys(("train", "training", *VALIDATION), "train"),
    **{"test": "test", "testing": "test", "none": "none", "": "none"},
}


@dataclass(frozen=True)
class Manifest:
    """The content of a manifest.

    Attributes
    ----------
    rows : list[dict[str, Any]]
        Cells of the lesion table by column.
    left_out : list[LeftOut]
        Rows whose file is missing.
    has_patients : bool
        Whether it has a column with patient ids.
    words : tuple[str, str]
        What it calls the negative and the positive class.
    ignored : tuple[str, ...]
        Columns that are not used.
    class_notices : tuple[str, ...]
        How the sides of the classes were decided, where a reader must know it.
    lost : Mapping[str, int]
        The label of each row in `left_out`, by crop_id.
    patient_notices : tuple[str, ...]
        Which column the patient ids are taken from, where its name leaves a doubt.
    split_notices : tuple[str, ...]
        How many rows of a validation set join training.
    """

    rows: list[dict[str, Any]]
    left_out: list[LeftOut]
    has_patients: bool
    words: tuple[str, str]
    ignored: tuple[str, ...]
    class_notices: tuple[str, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    patient_notices: tuple[str, ...] = ()
    split_notices: tuple[str, ...] = ()


def column_name(text: str) -> str:
    """A column's name in the form used here: 'Patient ID' becomes patient_id."""
    return "_".join(text.strip().lower().replace("-", " ").split())


def column_names(file: Path) -> list[str]:
    """The column names of a CSV file in lower case; none if it cannot be read."""
    return [column_name(name) for name in first_record(file)]


def read(
    file: Path,
    positive: str | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """The rows of a manifest; those whose image is missing are left out.

    Parameters
    ----------
    file : Path
        A CSV.
    positive : str | None, optional
        The label that a user calls positive, against all others.
    columns : Mapping[str, str], optional
        What each column is called in the file, by its name here, where it is another or in doubt.

    Returns
    -------
    Manifest
        Rows, words of the classes, and notices.

    Raises
    ------
    UnusableInput
        For a missing or repeated column, a row of another length, an unknown label or split, a
        path that may leave the folder, and an image or crop_id that occurs twice.
    """
    lines = records(file)
    _, header = next(lines, (1, []))
    names = named_columns(file, header, columns)
    taken = None if "patient_id" in columns else find_column(names)
    notices = _patient_notices(names, taken)
    names = ["patient_id" if name == taken else name for name in names]
    _check_header(file, names, header)
    rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    lost: list[dict[str, Any]] = []
    first_line: dict[str, int] = {}
    validation: Counter[str] = Counter()
    for number, cells in lines:
        if len(cells) != len(names):
            raise unusable(file, f"line {number} has {len(cells)} cells, the header {len(names)}")
        named = dict(zip(names, (cell.strip() for cell in cells), strict=True))
        row = _row(file, number, named)
        validation[named.get("split", "")] += named.get("split", "").lower() in VALIDATION
        first_line.setdefault(row["label"], number)
        if (file.parent / row["path"]).is_file():
            rows.append(row)
        else:
            left_out.append(LeftOut(row["crop_id"], row["path"], "the file is missing"))
            lost.append(row)
    _check_unique(file, rows, left_out)
    if "patient_id" in names:
        for row, patient in zip(rows, normalised_ids([r["patient_id"] for r in rows]), strict=True):
            row["patient_id"] = patient
    sides, class_notices = _labels(file, first_line, positive)
    words: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}
    for row in (*rows, *lost):
        row["label"] = sides[row["label"]]
        words[row["label"]][row["pathology"].lower()] += 1
    return Manifest(
        rows,
        left_out,
        "patient_id" in names,
        (_word(words[0], "negative"), _word(words[1], "positive")),
        tuple(name for name in names if name not in KNOWN_COLUMNS),
        class_notices,
        {row["crop_id"]: row["label"] for row in lost},
        tuple(notices),
        tuple(
            f"{count} rows of split {name!r} join training" for name, count in (+validation).items()
        ),
    )


def _labels(
    file: Path, first_line: dict[str, int], positive: str | None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The side of every label by its text, and notices; `first_line` is where each comes first."""
    spelled: dict[str, str] = {}
    for text in first_line:
        spelled.setdefault(normalised(text), text)
    classes = sorted(spelled.values())
    try:
        if positive is not None:
            decided = decide_sides(classes, positive)
            found = {normalised(name): 1 for name in decided.positive}
            return {text: found.get(normalised(text), 0) for text in first_line}, decided.notices
        sides = {name: label_of(name, [o for o in classes if o != name]) for name in classes}
        for text, number in first_line.items():
            if sides[spelled[normalised(text)]] is None:
                raise unusable(
                    file,
                    f"line {number}: label {text[:40]!r} is not one of the known words; name the "
                    f"positive label with --positive, or use {LABEL_WORDS}",
                )
        notices: tuple[str, ...] = ()
        if len(classes) > 1 and not any(name.isdigit() for name in spelled):
            decided = decide_sides(classes)
            sides = {name: int(name in decided.positive) for name in classes}
            notices = decided.notices
        elif len(classes) > 2:
            notices = decide_sides(classes).notices
    except UnknownClass as error:
        raise UnknownClass(str(unusable(file, str(error)))) from error
    except UnusableInput as error:
        raise error if str(file) in str(error) else unusable(file, str(error)) from error
    return {text: sides[spelled[normalised(text)]] or 0 for text in first_line}, notices


def named_columns(file: Path, header: list[str], columns: Mapping[str, str]) -> list[str]:
    """The columns by their names here; raises UnusableInput for one requested that is not there."""
    names = [column_name(name) for name in header]
    exact = [name.strip() for name in header]
    found = {}
    for column, wanted in columns.items():
        where = [i for i, name in enumerate(exact) if name == wanted.strip()]
        where = where or [i for i, name in enumerate(names) if name == column_name(wanted)]
        if len(where) != 1:
            what = "there is no such column" if not where else "several columns are called so"
            shown = ", ".join(name[:40] for name in exact[:20])
            raise unusable(
                file, f"--columns {column}={wanted}: {what}; the first line holds {shown}"
            )
        found[where[0]] = column
    # What is called like a column that is taken from elsewhere is not that column.
    others = [f"{name} of the file" if name in columns else name for name in names]
    return [found.get(place, name) for place, name in enumerate(others)]


def _patient_notices(names: list[str], taken: str | None) -> list[str]:
    if "patient_id" in names:
        return []
    if taken is None:
        near = ", ".join(map(repr, near_misses(n for n in names if n not in KNOWN_COLUMNS)))
        first = near.split(", ")[0].strip("'")
        return [
            f"no column is known to hold patient ids; perhaps one of these does: {near} "
            f"(--columns patient_id={first} takes it)"
        ] * bool(near)
    others = [n for n in names if n != taken and find_column([n])]
    notices = [f"patient ids are taken from the column {taken!r}"]
    if others:
        notices[0] += f", not from {', '.join(map(repr, others))} (--columns patient_id=NAME)"
    return notices * (squeezed(taken) != "patientid" or bool(others))


def _check_header(file: Path, names: list[str], header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        line = ", ".join(name.strip() for name in header)
        shown = "".join(filter(str.isprintable, line))[:100] or "nothing"
        asked = ",".join(f"{name}=NAME" for name in missing)
        raise unusable(
            file,
            f"no column {' and '.join(missing)}; the first line holds {shown}; --columns {asked} "
            "says what they are called here",
        )
    counts = Counter(name for name in names if name in KNOWN_COLUMNS)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise unusable(file, f"column {repeated[0]} occurs more than once")


def _row(file: Path, number: int, cells: dict[str, str]) -> dict[str, Any]:
    cells["path"] = below_root(file.parent, cells["path"])
    problem = path_problem(cells["path"])
    if problem:
        raise unusable(file, f"line {number}: path {cells['path'][:100]!r} {problem}")
    if cells["label"].lower() in MISSING:
        raise unusable(file, f"line {number}: label {cells['label']!r} is missing")
    split = _SPLITS.get(cells.get("split", "").lower())
    if split is None:
        raise unusable(
            file,
            f"line {number}: split {cells['split'][:40]!r} is not one of train, val, test, none",
        )
    if "patient_id" in cells and cells["patient_id"].lower() in NO_VALUE:
        raise unusable(file, f"line {number}: patient_id is empty")
    abnormality_id = cells.get("abnormality_id") or "1"
    if not (abnormality_id.isascii() and abnormality_id.isdigit() and len(abnormality_id) < 10):
        raise unusable(
            file, f"line {number}: abnormality_id {abnormality_id[:40]!r} is not a number"
        )
    path = str(PurePosixPath(cells["path"]))
    crop_id = cells.get("crop_id") or path
    return {
        "crop_id": crop_id,
        "lesion_id": cells.get("lesion_id") or crop_id,
        "patient_id": cells.get("patient_id") or crop_id,
        "laterality": cells.get("laterality", "").upper(),
        "view": cells.get("view", "").upper(),
        "abnormality": cells.get("abnormality", ""),
        "abnormality_id": int(abnormality_id),
        "pathology": cells.get("pathology") or cells["label"],
        "label": cells["label"],
        "split": split,
        "path": path,
        "subset": "all",
        **{name: cells[name] or None for name in CLINICAL_COLUMNS if name in cells},
    }


def _check_unique(file: Path, rows: list[dict[str, Any]], left_out: list[LeftOut]) -> None:
    for column in ("path", "crop_id"):
        values = [row[column] for row in rows] + [getattr(row, column) for row in left_out]
        value, count = Counter(values).most_common(1)[0] if values else ("", 0)
        if count > 1:
            raise unusable(file, f"{column} {value!r} occurs in {count} rows")


def _word(words: Counter[str], otherwise: str) -> str:
    """The word that the manifest uses for a class, if it uses only one."""
    if len(words) == 1:
        word = next(iter(words))
        return word if not word.lstrip("+-").replace(".", "").isdigit() else otherwise
    return otherwise
