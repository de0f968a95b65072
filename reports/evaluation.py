"""What a report shows of a run, computed once and handed on to figures, texts and page."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reports.systems.entries import FigureGroup, audit_groups, curve_groups, grouped
from reports.systems.pooled_run import PooledRun
from reports.tables.every_table import every_table
from reports.tables.summary import SUMMARY_TABLE, rows_by_system

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Evaluation(PooledRun):
    """A run with its systems, its tables, and its groups of systems as figures show them.

    Each part is computed when it is first asked for, and kept.
    """

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """The first of the tables, which is all that most figures need."""
        return SUMMARY_TABLE.build(self, {})

    @cached_property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """All tables by file name."""
        return every_table(self, self.summary)

    @cached_property
    def rows(self) -> dict[int, Mapping[str, Any]]:
        """The summary's row of each system, by the `id` of the system."""
        return rows_by_system(self.systems, self.summary)

    @cached_property
    def groups(self) -> list[FigureGroup]:
        """The comparisons on all training patients."""
        return grouped(self.run, self.systems, self.rows)

    @cached_property
    def audit_groups(self) -> list[FigureGroup]:
        """The systems of each comparison of an audit with its twin; none without an audit."""
        # Without an audit there is no such table, and none has to be waited for.
        table = self.tables.get("leakage_audit") if self.pairs else None
        rows = [] if table is None else table.to_dict("records")
        return audit_groups(self.run, self.pairs, rows)

    @cached_property
    def curves(self) -> list[FigureGroup]:
        """The comparisons that hold parts of the training patients."""
        return curve_groups(self.run, self.systems, self.rows)
