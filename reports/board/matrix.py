"""The cells of the board: values, intervals, what cannot be told apart, and mean ranks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from reports.board.settings import SIZE_ALONE, BoardEntry, Setting
from reports.statistics.bootstrap import bootstrap, interval, observed
from reports.statistics.ranks import FEWEST_SETTINGS, MeanRanks, as_high_as_the_highest, mean_ranks
from reports.systems.kinds import is_reference

MEASURE = "auc"
RowKey = tuple[str, str, str]


@dataclass(frozen=True)
class BoardCell:
    """What is drawn of a row in a column.

    Attributes
    ----------
    entry : BoardEntry
        The newest run's system.
    value, low, high : float
        The measure and its 95 % interval over patients; NaN where undefined.
    beyond_size : float
        The value less that of size alone in the same column; NaN without one.
    filled : bool
        Whether it cannot be told from the highest of the column.
    older : tuple[float, ...]
        The values of older runs of the same setting.
    """

    entry: BoardEntry
    value: float
    low: float
    high: float
    beyond_size: float
    filled: bool
    older: tuple[float, ...]


@dataclass
class Matrix:
    """Columns, rows and cells.

    Attributes
    ----------
    settings : list[Setting]
        The columns.
    backbones, references : list[RowKey]
        The rows: what sees images, and what does not.
    cells : dict[tuple[RowKey, int], BoardCell]
        By row and number of the column.
    ranks : MeanRanks | None
        Over the settings that are complete for `ranked`; None for fewer than five.
    ranked : list[RowKey]
        The backbones of `ranks`, in its order.
    """

    settings: list[Setting]
    backbones: list[RowKey] = field(default_factory=list)
    references: list[RowKey] = field(default_factory=list)
    cells: dict[tuple[RowKey, int], BoardCell] = field(default_factory=dict)
    ranks: MeanRanks | None = None
    ranked: list[RowKey] = field(default_factory=list)


def matrix_of(settings: list[Setting]) -> Matrix:
    """The matrix of these columns, rows in alphabetical order of their families and names."""
    found = Matrix(settings)
    kinds: dict[RowKey, bool] = {}
    for number, setting in enumerate(settings):
        for row, cell in _column(setting).items():
            found.cells[row, number] = cell
            kinds[row] = is_reference(cell.entry.system)
    families = {
        row: str(cell.entry.system.extractor.get("family") or "~")
        for (row, _), cell in found.cells.items()
    }
    order = sorted(kinds, key=lambda row: (families[row], row))
    found.backbones = [row for row in order if not kinds[row]]
    found.references = [row for row in order if kinds[row]]
    _rank(found)
    return found


def _column(setting: Setting) -> dict[RowKey, BoardCell]:
    newest = setting.newest()
    drawn = bootstrap([setting.rows_of(entry) for entry in newest], [MEASURE])[:, 0]
    values = [_value(entry) for entry in newest]
    seeing = [
        place
        for place, entry in enumerate(newest)
        if not is_reference(entry.system) and np.isfinite(values[place])
    ]
    filled = np.zeros(len(newest), dtype=bool)
    if seeing:
        filled[seeing] = as_high_as_the_highest(np.array(values)[seeing], drawn[seeing])
    size = next((v for v, e in zip(values, newest, strict=True) if e.row[0] == SIZE_ALONE), np.nan)
    return {
        entry.row: BoardCell(
            entry,
            values[place],
            *interval(drawn[place]),
            beyond_size=values[place] - size,
            filled=bool(filled[place]),
            older=tuple(_value(one) for one in setting.entries[entry.row][1:]),
        )
        for place, entry in enumerate(newest)
    }


def _value(entry: BoardEntry) -> float:
    each = [float(observed([rows], [MEASURE])[0]) for rows in entry.system.repeats]
    return float(np.mean(each))


def _rank(found: Matrix) -> None:
    """Rank the backbones that stand in most settings, in the settings that all of them are in."""
    numbers = range(len(found.settings))
    held = {
        row: {
            number
            for number in numbers
            if (row, number) in found.cells and np.isfinite(found.cells[row, number].value)
        }
        for row in found.backbones
    }
    rows = [row for row in found.backbones if len(held[row]) >= FEWEST_SETTINGS]
    while len(rows) > 1:
        complete = sorted(set.intersection(*(held[row] for row in rows)))
        if len(complete) >= FEWEST_SETTINGS:
            values = [[found.cells[row, number].value for row in rows] for number in complete]
            found.ranks, found.ranked = mean_ranks(values), rows
            return
        rows.remove(min(rows, key=lambda row: (len(held[row]), row)))


def scale_of(cells: Sequence[BoardCell]) -> tuple[float, float]:
    """The lowest and highest end of the shared axis, in tenths."""
    ends = [end for cell in cells for end in (cell.low, cell.high, cell.value) if end == end]
    low, high = min(ends, default=0.5), max(ends, default=1.0)
    return float(np.floor(min(low, 0.5) * 10) / 10), float(np.ceil(max(high, 0.6) * 10) / 10)
