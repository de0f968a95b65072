"""The cells of the board: values, intervals, what cannot be told apart, and mean ranks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from reports.board.settings import SIZE_ALONE, BoardEntry, Setting
from reports.page.families import FAMILIES, PLACES, family_key
from reports.statistics.all_pairs import all_pairs
from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import bounded_interval
from reports.statistics.ranks import FEWEST_SETTINGS, MeanRanks, mean_ranks
from reports.systems.kinds import is_reference, is_selected
from reports.systems.pooling import PooledSystem

MEASURE = "auc"
RowKey = tuple[str, str, str]
# The heading of rows that may stand for a different system in each fold.
SELECTED = "chosen inside training"


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
    families : dict[RowKey, str]
        What each row is: the name of a family of the page, or SELECTED.
    backbones : list[RowKey]
        The rows that are backbones, in the order of families and names.
    cells : dict[tuple[RowKey, int], BoardCell]
        By row and number of the column.
    ranks : MeanRanks | None
        Over the settings that are complete for `ranked`; None for fewer than five.
    ranked : list[RowKey]
        The backbones of `ranks`, in its order.
    """

    settings: list[Setting]
    families: dict[RowKey, str] = field(default_factory=dict)
    backbones: list[RowKey] = field(default_factory=list)
    cells: dict[tuple[RowKey, int], BoardCell] = field(default_factory=dict)
    ranks: MeanRanks | None = None
    ranked: list[RowKey] = field(default_factory=list)


def matrix_of(settings: list[Setting]) -> Matrix:
    """The matrix of these columns, rows in the order of their families and names."""
    found = Matrix(settings)
    systems: dict[RowKey, PooledSystem] = {}
    for number, setting in enumerate(settings):
        for row, cell in _column(setting).items():
            found.cells[row, number] = cell
            systems.setdefault(row, cell.entry.system)
    order = sorted(systems, key=lambda row: (_order(systems[row]), row))
    found.families = {row: _family(systems[row]) for row in order}
    others = (SELECTED, FAMILIES[PLACES["reference"]].name)
    found.backbones = [row for row in order if found.families[row] not in others]
    _rank(found)
    return found


def _family(system: PooledSystem) -> str:
    return SELECTED if is_selected(system) else FAMILIES[PLACES[family_key(system)]].name


def _order(system: PooledSystem) -> float:
    """The place of its family; what is selected stands before the reference points."""
    return PLACES["reference"] - 0.5 if is_selected(system) else PLACES[family_key(system)]


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
        seen = np.array(values)[seeing]
        # Where too few draws are defined nothing can be told apart.
        filled[seeing] = ~all_pairs(seen, drawn[seeing]).told_apart[int(np.argmax(seen))]
    size = next((v for v, e in zip(values, newest, strict=True) if e.row[0] == SIZE_ALONE), np.nan)
    return {
        entry.row: BoardCell(
            entry,
            values[place],
            *bounded_interval(drawn[place], MEASURE, setting.rows_of(entry)),
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
