"""What a table of the report is: its rows, its words, and its place on the page.

Each table is declared in the file that computes it; `every_table` has the list of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reports.systems.pooled_run import PooledRun

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]


@dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    Attributes
    ----------
    name : str
        Its file name without suffix.
    build : Callable[[PooledRun, Tables], pd.DataFrame]
        Makes it from a run and from the tables that stand before it.
    title : str
        Its heading on the page.
    place : str
        Where the page shows it: a name that the template asks for tables by. Empty where the
        page does not show it as a table of its own.
    intro : str
        What the page says above it.
    folded : bool | Callable[[pd.DataFrame], bool]
        Whether the page hides its rows until a reader unfolds them.
    kept_empty : bool
        Whether it is written without a row, too; others are left out then.
    headings : Mapping[str, str]
        Headings of columns, for page and print, that mean something else here than in other
        tables, or that no other table has.
    shown : tuple[str, ...]
        The columns on the page where the files hold more; empty for all.
    for_print : Callable[[pd.DataFrame], pd.DataFrame] | None
        What LaTeX shows in its place.
    """

    name: str
    build: Callable[[PooledRun, Tables], "pd.DataFrame"]
    title: str = ""
    place: str = ""
    intro: str = ""
    folded: "bool | Callable[[pd.DataFrame], bool]" = False
    kept_empty: bool = False
    headings: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    for_print: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None

    def is_folded(self, table: "pd.DataFrame") -> bool:
        """Whether the page hides these rows at first."""
        return self.folded(table) if callable(self.folded) else self.folded
