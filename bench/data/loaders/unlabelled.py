"""Images of which nobody says what they show: a folder, or a CSV of paths. Only for features."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.csv_files import records
from bench.data.csv_manifest import NO_VALUE, column_name, column_names, named_columns
from bench.data.folder import tables_of
from bench.data.folder_files import files_in, images_in, problem_of
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, finish, unusable
from bench.data.loader import lesion_row
from bench.data.patients import find_column, normalised_ids
from bench.data.sources import FolderSource, below_root, path_problem

NO_LABELS = "nothing says which class an image belongs to: labels are empty"


def find_unlabelled(
    root: Path, columns: Mapping[str, str], follow_links: bool = False
) -> Path | None:
    """The CSV of paths without labels, or the folder with images and no such CSV; else None."""
    if root.is_file():
        is_table = root.suffix.lower() == ".csv" and not _names(root, "label", columns)
        return root if is_table else None
    if not root.is_dir():
        return None
    tables = [file for file in tables_of(root) if _names(file, "path", columns)]
    if tables:
        return tables[0] if len(tables) == 1 and not _names(tables[0], "label", columns) else None
    return root if any(True for _ in images_in(FolderSource(root, follow_links), root)) else None


def load_unlabelled(
    root: Path, columns: Mapping[str, str], follow_links: bool, reason: str = ""
) -> Dataset:
    """The images of a folder, or of a CSV, with the label 0, which means nothing.

    Parameters
    ----------
    root : Path
        A folder or a CSV.
    columns : Mapping[str, str]
        What columns of a CSV are called in the file.
    follow_links : bool
        Whether symbolic links may lead out of the folder.
    reason : str
        Why it is no data set with labels.

    Returns
    -------
    Dataset
        Each image is a crop; without patient ids each is a patient of its own.

    Raises
    ------
    UnusableInput
        If there is no image, or the CSV breaks its rules.
    """
    is_table = root.is_file()
    source = FolderSource(root.parent if is_table else root, follow_links)
    rows, left_out, with_patients = (
        _of_table(source, root, columns) if is_table else _of_folder(source)
    )
    if not rows:
        raise unusable(root, left_out[0].reason if left_out else "holds no images")
    found = finish(
        "folder",
        source,
        rows,
        left_out,
        {"all": SubsetInfo(("all",), positive="unknown", negative="unknown")},
        patient_ids=with_patients,
        own=True,
    )
    because = f"{NO_LABELS} ({reason})" if reason else NO_LABELS
    return replace(found, notices=(because,))


def _of_folder(source: FolderSource) -> tuple[list[dict[str, Any]], list[LeftOut], bool]:
    rows, left_out = [], []
    for path in files_in(source, source.root):
        problem = problem_of(source, path)
        if problem:
            printable = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
            left_out.append(LeftOut(printable, printable, problem))
        else:
            rows.append(lesion_row(path, path, 0))
    return rows, left_out, False


def _of_table(
    source: FolderSource, file: Path, columns: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[LeftOut], bool]:
    lines = records(file)
    names = named_columns(file, next(lines, (1, []))[1], columns)
    if names.count("path") != 1:
        raise unusable(file, "has no column 'path', or several")
    patient = "patient_id" if "patient_id" in columns else find_column(names)
    rows, left_out = [], []
    for number, cells in lines:
        if len(cells) != len(names):
            raise unusable(file, f"line {number} has {len(cells)} cells, the header {len(names)}")
        named = dict(zip(names, (cell.strip() for cell in cells), strict=True))
        path = str(PurePosixPath(below_root(source.root, named["path"])))
        problem = path_problem(path)
        if problem:
            raise unusable(file, f"line {number}: path {path[:100]!r} {problem}")
        row = lesion_row(path, path, 0)
        if named.get("crop_id"):
            row["crop_id"] = named["crop_id"]
        if patient and named[patient].lower() not in NO_VALUE:
            row["patient_id"] = named[patient]
        if (source.root / path).is_file():
            rows.append(row)
        else:
            left_out.append(LeftOut(str(row["crop_id"]), path, "the file is missing"))
    for row, one in zip(rows, normalised_ids([row["patient_id"] for row in rows]), strict=True):
        row["patient_id"] = one
    return rows, left_out, patient is not None


def _names(file: Path, column: str, columns: Mapping[str, str]) -> bool:
    """Whether a CSV has a column, by the name that it has there."""
    return column_name(columns.get(column, column)) in column_names(file)
