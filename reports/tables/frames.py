"""From records to the data frames of the tables."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def frame(
    rows: Iterable[Mapping[str, Any]], columns: Iterable[str], whole: Iterable[str] = ()
) -> "pd.DataFrame":
    """Exactly these columns, None where a row lacks one; `whole` are counts that may be missing."""
    import pandas as pd

    columns, rows, whole = list(columns), list(rows), set(whole)
    # A count may be larger than any float: pandas sees it as a whole number of 64 bits, or not.
    data = [[None if name in whole else row.get(name) for name in columns] for row in rows]
    frame = pd.DataFrame(data, columns=columns)
    for name in whole:
        frame[name] = pd.array([_whole_number(row.get(name)) for row in rows], dtype="Int64")
    return frame


def _whole_number(value: Any) -> int | None:
    """The nearest whole number; None for what is no number, or none that 64 bits hold."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return round(number) if abs(number) < 2**63 else None
