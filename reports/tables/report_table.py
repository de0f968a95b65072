"""What a table of the report is: its rows, its words, and its place on the page.

Each table is declared in the file that computes it; `every_table` has the list of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from reports.systems.pooled_run import PooledRun
from reports.tables.headings import headings_without_ids

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]

# Words of a table, or what makes them where they depend on the run and on the table's rows.
Words = str | Callable[[PooledRun, "pd.DataFrame"], str]


@dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    Attributes
    ----------
    name : str
        Its file name without suffix.
    build : Callable[[PooledRun, Tables], pd.DataFrame]
        Makes it from a run and from the tables that stand before it.
    title : Words
        Its heading on the page.
    place : str
        Where the page shows it: a name that the template asks for tables by. Empty where the
        page does not show it as a table of its own.
    intro : Words
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
    title: Words = ""
    place: str = ""
    intro: Words = ""
    folded: "bool | Callable[[pd.DataFrame], bool]" = False
    kept_empty: bool = False
    headings: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    for_print: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None

    def in_words_of(self, pooled: PooledRun, table: "pd.DataFrame") -> Self:
        """The same table with the title, the intro and the headings that hold for this run."""
        title, intro = (
            words(pooled, table) if callable(words) else words for words in (self.title, self.intro)
        )
        others = {} if pooled.run.patient_ids else headings_without_ids()
        return replace(self, title=title, intro=intro, headings={**others, **self.headings})

    def is_folded(self, table: "pd.DataFrame") -> bool:
        """Whether the page hides these rows at first."""
        return self.folded(table) if callable(self.folded) else self.folded
