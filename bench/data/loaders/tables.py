"""Reads the tables of published sets, as CSV in any usual form or as xlsx.

Columns are known by their names without case, blanks and punctuation. What is wrong with a table
ends it in one line; what is wrong with a row leaves that row out.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.csv_files import first_record, records
from bench.data.lesions import LeftOut, unusable
from bench.data.loader import only_place
from bench.data.loaders.cells import plain
from bench.data.patients import squeezed
from bench.errors import UnusableInput

EXCEL = "pip install 'vit-svm-bench[excel]', or save it as CSV"
# A table of 20,000 rows takes a hundredth of it.
_MOST_INFLATED = 2**28
SAME_ROW = "the table has the same row twice"
WRONG_LENGTH = "its line in the table has another number of cells than the header"


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its line in the file, and its cells by the names that were asked for."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells[name]


@dataclass(frozen=True)
class SourceTable:
    """The rows of a table that can be read, and those that cannot."""

    file: Path
    rows: list[TableRow]
    left_out: list[LeftOut] = field(default_factory=list)

    def name_of(self, row: TableRow) -> str:
        """What a row is called that has no usable name of its own."""
        return f"{self.file.name} line {row.line}"


def has_columns(file: Path, names: Sequence[str]) -> bool:
    """Whether the first line of a CSV holds these names; False where it cannot be read."""
    try:
        header = {squeezed(name) for name in first_record(file)}
    except OSError:
        return False
    return header.issuperset(map(squeezed, names))


def tables_in(folder: Path, endings: Sequence[str] = (".csv",)) -> list[Path]:
    """The tables directly in a folder, by their endings."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in endings and path.is_file() and path.name[0] != "."
    ]


def places(root: Path, most: int = 50) -> list[Path]:
    """A folder and those directly in it, where a set may begin; none for a file."""
    if not root.is_dir():
        return []
    below = (path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink())
    return [root, *[path for path in below if path.name[0] not in "._"][:most]]


def only_table(root: Path, fitting: Iterable[Path], rank: Callable[[Path], int]) -> Path | None:
    """The table of a set among those that fit, by the lowest rank; None if there is none.

    Raises UnusableInput where they are of several sets, or nothing says which is the one.
    """
    files = list(fitting)
    place = only_place(root, list(dict.fromkeys(file.parent for file in files)))
    here = [file for file in files if file.parent == place]
    best = [file for file in here if rank(file) == min(map(rank, here))]
    if len(best) > 1:
        names = ", ".join(file.name for file in best)
        raise unusable(root, f"holds several tables of one data set ({names}); leave one there")
    return best[0] if best else None


def read_table(file: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> SourceTable:
    """The rows of a table.

    Parameters
    ----------
    file : Path
        A CSV, or an xlsx.
    needed, optional : Sequence[str]
        The columns that are read; cells of optional ones that it lacks are empty.

    Returns
    -------
    SourceTable
        Rows without any value are no rows.

    Raises
    ------
    UnusableInput
        If it lacks a column, has one twice, has no rows, or is no such file.
    """
    lines = _sheet(file) if file.suffix.lower() == ".xlsx" else records(file)
    _, header = next(lines, (1, []))
    place = _columns(file, header, needed, optional)
    rows: list[TableRow] = []
    left_out: list[LeftOut] = []
    for number, cells in lines:
        shown = [plain(cell) for cell in cells]
        if not any(shown):
            continue
        # Programs add empty cells at the end of a line, and leave them out.
        if any(shown[len(header) :]) or len(shown) <= max(place[name] for name in needed):
            left_out.append(LeftOut(f"{file.name} line {number}", file.name, WRONG_LENGTH))
            continue
        shown += [""] * (len(header) - len(shown))
        found = {name: shown[where] for name, where in place.items()}
        rows.append(TableRow(number, dict.fromkeys(optional, "") | found))
    if not rows:
        raise unusable(file, "the table has no rows that can be read")
    return SourceTable(file, rows, left_out)


def without_repeats(table: SourceTable, key: Sequence[str]) -> SourceTable:
    """A table in which each key occurs once.

    Of rows that say the same the first one stays; of rows that contradict each other none does.
    Rows in which a part of the key is empty all stay: nothing says that they are of one thing.
    """
    groups: dict[tuple[str, ...], list[TableRow]] = {}
    for row in table.rows:
        names = tuple(row[name] for name in key)
        groups.setdefault(names if all(names) else (*names, str(row.line)), []).append(row)
    kept: list[TableRow] = []
    left_out = list(table.left_out)
    for names, rows in groups.items():
        alike = all(row.cells == rows[0].cells for row in rows)
        kept += rows[:1] if alike else []
        reason = SAME_ROW if alike else "its rows contradict each other"
        left_out += [
            LeftOut("_".join(names), table.name_of(row), reason) for row in rows[int(alike) :]
        ]
    if not kept:
        raise unusable(table.file, "all of its rows contradict each other")
    return SourceTable(table.file, kept, left_out)


def _columns(
    file: Path, header: list[str], needed: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """Where each column stands."""
    names = [squeezed(plain(name)) for name in header]
    missing = [name for name in needed if squeezed(name) not in names]
    if missing:
        line = ", ".join(plain(name) for name in header)
        shown = "".join(filter(str.isprintable, line))[:160] or "nothing"
        raise unusable(file, f"no column {', '.join(missing)}; the first line holds {shown}")
    wanted = [name for name in (*needed, *optional) if squeezed(name) in names]
    for name in wanted:
        if names.count(squeezed(name)) > 1:
            raise unusable(file, f"column {name} occurs more than once")
    return {name: names.index(squeezed(name)) for name in wanted}


def _sheet(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the first sheet of an xlsx, all as text."""
    import pandas as pd

    try:
        with zipfile.ZipFile(file) as archive:
            inflated = sum(part.file_size for part in archive.infolist())
        if inflated > _MOST_INFLATED:
            raise unusable(file, f"would take {inflated} bytes, more than {_MOST_INFLATED}")
        sheet = pd.read_excel(
            file, header=None, dtype=str, keep_default_na=False, engine="openpyxl"
        )
    except UnusableInput:
        raise
    except ImportError as error:
        raise unusable(file, f"is an Excel file: {EXCEL}") from error
    except OSError:
        raise
    except Exception as error:
        # openpyxl and zipfile raise what their parsers meet.
        reason = (str(error) or type(error).__name__)[:100]
        raise unusable(file, f"is not a table of Excel ({reason})") from error
    for number, cells in enumerate(sheet.itertuples(index=False, name=None), start=1):
        yield number, [cell if isinstance(cell, str) else "" for cell in cells]
