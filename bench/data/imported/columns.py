"""Features in the columns of a table: which column names the crops, and which hold features.

What the lesion table itself has (a label, a split, a patient) is never taken for a feature.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.csv_files import records
from bench.data.lesions import CLINICAL_COLUMNS, REQUIRED_COLUMNS, unusable
from bench.data.patients import find_column

if TYPE_CHECKING:
    import pyarrow as pa

# What a column of ids may be called, the one that is taken first.
ID_COLUMNS = (
    *("crop_id", "id", "ids", "path", "file", "filename", "file_name", "file_path", "filepath"),
    *("image", "image_id", "image_path", "image_name", "name", "key"),
)
# What pandas calls an index without a name, in CSV and in Parquet.
_INDEX = ("", "__index_level_0__")
# Columns that say what a crop is, or only where its row stands.
_NO_FEATURES = {
    *(*ID_COLUMNS, *REQUIRED_COLUMNS, *CLINICAL_COLUMNS),
    *("labels", "target", "targets", "class", "y", "diagnosis", "malignant", "malignancy"),
    *("outcome", "ground_truth", "gt", "birads", "bi_rads", "fold", "set", "partition", "phase"),
    *(*_INDEX, "index", "level_0"),
    # Of published sets.
    *("prediction_id", "difficult_negative_case", "subtype", "finding_categories"),
}
# A column with one of these words says what was found, unless a number ends it: class_0 of a
# network's outputs is a feature.
_OUTCOMES = {
    *("label", "labels", "target", "cancer", "biopsy", "invasive", "classification", "class"),
    *("malignant", "malignancy", "benign", "diagnosis", "pathology", "outcome", "birads", "rads"),
}

# How many names a message lists.
NAMED = 3


def few(names: Iterable[str]) -> str:
    """The first three names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(name[:80] for name in listed[:NAMED]) + more


@dataclass(frozen=True)
class FileColumns:
    """The columns of a file.

    Attributes
    ----------
    ids : Sequence[object]
        A name for each row.
    values : Any
        The features: an array (n, d), or a list of rows.
    remarks : tuple[str, ...]
        Which columns are no features.
    """

    ids: Sequence[object]
    values: Any
    remarks: tuple[str, ...] = ()


def csv_columns(path: Path, only_ids: bool = False) -> FileColumns:
    """Read a CSV with a header; `only_ids` where it is no more than a list of ids.

    Raises
    ------
    UnusableInput
        If it has no ids or no features, or a row that is longer or shorter than the header.
    """
    lines = [cells for _, cells in records(path)]
    if not lines:
        raise unusable(path, "is empty")
    header = [cell.strip() for cell in lines[0]]
    if only_ids and len(header) == 1 and _plain(header[0]) not in ID_COLUMNS:
        return FileColumns([cells[0] for cells in lines], None)
    if _is_row(header):
        raise unusable(path, "has no header: its first line is a row of numbers")
    rows = lines[1:]
    place = _id_place(path, header, [_is_text(rows, place) for place in range(len(header))])
    ids = [cells[place].strip() if place < len(cells) else "" for cells in rows]
    odd = [
        f"{name} ({len(cells)})"
        for name, cells in zip(ids, rows, strict=True)
        if len(cells) != len(header)
    ]
    if odd:
        raise unusable(
            path,
            f"{len(odd)} rows have other widths than the {len(header)} cells of the header: "
            f"{few(odd)}",
        )
    if only_ids:
        return FileColumns(ids, None)
    commas = [name for one, name in enumerate(header) if _has_decimal_commas(rows, one)]
    if commas:
        raise unusable(
            path,
            f"{len(commas)} columns have numbers with a decimal comma ({few(commas)}): write them "
            "with a point",
        )
    places, remarks = _feature_places(path, header, place, lambda one: not _is_text(rows, one))
    return FileColumns(ids, _numbers(path, header, ids, rows, places), remarks)


def parquet_columns(path: Path) -> FileColumns:
    """Read a Parquet file: columns of numbers, or one column of lists.

    Raises
    ------
    UnusableInput
        If it has no ids or no features.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise unusable(path, f"is no Parquet file ({str(error)[:100]})") from error
    header = table.column_names
    kinds = [_arrow_kind(field.type) for field in table.schema]
    place = _id_place(path, header, [kind == "text" for kind in kinds])
    ids = table.column(place).to_pylist()
    lists = [one for one, kind in enumerate(kinds) if kind == "list" and one != place]
    if len(lists) == 1:
        rows = [
            np.asarray([] if row is None else row) for row in table.column(lists[0]).to_pylist()
        ]
        others = [name for one, name in enumerate(header) if one not in (place, lists[0])]
        return FileColumns(ids, rows, _not_used(header[place], others))
    if lists:
        raise unusable(
            path, f"has several columns of lists: {few(header[one] for one in lists)}; keep one"
        )
    places, remarks = _feature_places(path, header, place, lambda one: kinds[one] == "number")
    columns = [_column(table, one) for one in places]
    types = {column.dtype for column in columns}
    # One column beside the other; integers that have gaps come as float64.
    matrix = np.column_stack(columns).astype(np.result_type(*types), copy=False)
    return FileColumns(ids, matrix, remarks)


def _column(table: "pa.Table", place: int) -> NDArray[Any]:
    found: NDArray[Any] = table.column(place).to_numpy()
    return found


def _arrow_kind(kind: "pa.DataType") -> str:
    import pyarrow as pa

    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return "number"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "list"
    return "text"


def _plain(name: str) -> str:
    """A column's name as it is compared: 'Image Path' is image_path."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def _id_place(path: Path, header: Sequence[str], text: Sequence[bool]) -> int:
    """Where the ids stand: a column of a known name, else pandas' index, else the only text."""
    names = [_plain(name) for name in header]
    for wanted in ID_COLUMNS:
        if names.count(wanted) > 1:
            raise unusable(path, f"has several columns {wanted!r}")
        if wanted in names:
            return names.index(wanted)
    for unnamed in _INDEX:
        if names.count(unnamed) == 1 and text[names.index(unnamed)]:
            return names.index(unnamed)
    of_text = [
        place
        for place, is_text in enumerate(text)
        if is_text and names[place] not in _NO_FEATURES and not find_column([names[place]])
    ]
    if len(of_text) == 1:
        return of_text[0]
    raise unusable(
        path,
        f"has no column of ids ({', '.join(ID_COLUMNS[:4])}, ...); its columns: {few(header)}",
    )


def _feature_places(
    path: Path, header: Sequence[str], ids: int, is_number: Callable[[int], bool]
) -> tuple[list[int], tuple[str, ...]]:
    """The columns of features; a remark names those that are none."""
    places, others = [], []
    for place, name in enumerate(header):
        plain = _plain(name)
        if place == ids:
            continue
        known = _says_what_it_is(plain) or plain.startswith("unnamed:") or find_column([plain])
        if known or not is_number(place):
            others.append(name)
        else:
            places.append(place)
    if not places:
        raise unusable(path, f"has no column of features beside {header[ids]}")
    # Those of embeddings are numbered.
    unusual = [header[place] for place in places if not header[place].strip()[-1:].isdigit()]
    taken = (f"columns taken as features: {few(unusual)}",) if unusual else ()
    return places, _not_used(header[ids], others) + taken


def _says_what_it_is(plain: str) -> bool:
    """Whether a column tells what a crop is, by its name in the form of `_plain`."""
    numbered = plain[-1:].isdigit()
    return plain in _NO_FEATURES or (not numbered and not _OUTCOMES.isdisjoint(plain.split("_")))


def _not_used(ids: str, others: Sequence[str]) -> tuple[str, ...]:
    names = ", ".join(repr(name)[:40] for name in others[:6]) + ", ..." * (len(others) > 6)
    return (f"columns that are no features: {names}",) if others else ()


def _is_text(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether none of the first cells of a column is a number."""
    cells = [cells[place] for cells in rows[:50] if place < len(cells)]
    return bool(cells) and not any(_is_number(cell) for cell in cells)


def _has_decimal_commas(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether the first cells of a column are numbers as 0,5 is one."""
    cells = [cells[place].strip() for cells in rows[:50]]
    return (
        bool(cells)
        and any("," in cell for cell in cells)
        and all(_is_number(cell.replace(",", ".", 1)) for cell in cells if cell)
    )


def _is_row(header: Sequence[str]) -> bool:
    """Whether a first line is no header: numbers behind a name, which are no mere counting."""
    numbers = [cell for cell in header if _is_number(cell)]
    return len(numbers) >= max(1, len(header) - 1) and not all(map(str.isdigit, numbers))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(
    path: Path,
    header: Sequence[str],
    ids: Sequence[str],
    rows: Sequence[Sequence[str]],
    places: Sequence[int],
) -> NDArray[np.float64]:
    try:
        return np.array([[float(cells[place]) for place in places] for cells in rows])
    except ValueError:
        wrong = [
            f"{name} ({header[place]}: {cells[place][:20]!r})"
            for name, cells in zip(ids, rows, strict=True)
            for place in places
            if not _is_number(cells[place])
        ]
    raise unusable(path, f"{len(wrong)} values are no numbers: {few(wrong)}")
