"""All tables of a report, in the order of the page."""

from typing import TYPE_CHECKING

from reports.systems.pooled_run import PooledRun
from reports.systems.run_folder import Run
from reports.tables.auc_check import AUC_CHECK_TABLE
from reports.tables.calibration import CALIBRATION_TABLE, DECISION_CURVES_TABLE
from reports.tables.candidates import CANDIDATES_TABLE
from reports.tables.checklist import CHECKLIST_TABLE
from reports.tables.comparisons import COMPARISONS_TABLE
from reports.tables.costs import COSTS_TABLE, FITS_TABLE, TUNING_TABLE
from reports.tables.equivalence import EQUIVALENCE_TABLE
from reports.tables.external import EXTERNAL_SETS_TABLE, EXTERNAL_TABLE
from reports.tables.leakage_audit import LEAKAGE_AUDIT_TABLE
from reports.tables.levels import LEVELS_TABLE
from reports.tables.literature import LITERATURE_TABLE
from reports.tables.mistakes import ERRORS_TABLE
from reports.tables.operating_points import OPERATING_POINTS_TABLE
from reports.tables.precision_recall import PRECISION_RECALL_TABLE
from reports.tables.predictive_values import PREDICTIVE_VALUES_TABLE
from reports.tables.published import PUBLISHED_TABLE
from reports.tables.ranks import RANKS_TABLE
from reports.tables.report_table import ReportTable
from reports.tables.run_facts import (
    CONFLICTS_TABLE,
    DATA_TABLE,
    LEFT_OUT_TABLE,
    NOT_RUN_TABLE,
    OVERLAPS_TABLE,
    PROVENANCE_TABLE,
    SOURCE_TABLES_TABLE,
)
from reports.tables.side_by_side import SIDE_BY_SIDE_TABLE
from reports.tables.subgroup_differences import SUBGROUP_DIFFERENCES_TABLE
from reports.tables.subgroups import SUBGROUPS_TABLE
from reports.tables.summary import CONFUSION_TABLE, FURTHER_MEASURES_TABLE, SUMMARY_TABLE
from reports.tables.told_apart import TOLD_APART_TABLE
from reports.tables.trainings import LEARNING_CURVES_TABLE, RECIPES_TABLE, TRAININGS_TABLE

if TYPE_CHECKING:
    import pandas as pd

# A table may be made from those above it. Each is declared in the file that computes it.
TABLES: tuple[ReportTable, ...] = (
    SUMMARY_TABLE,
    COMPARISONS_TABLE,
    EQUIVALENCE_TABLE,
    TOLD_APART_TABLE,
    RANKS_TABLE,
    CANDIDATES_TABLE,
    SIDE_BY_SIDE_TABLE,
    LEAKAGE_AUDIT_TABLE,
    EXTERNAL_TABLE,
    EXTERNAL_SETS_TABLE,
    LEARNING_CURVES_TABLE,
    PUBLISHED_TABLE,
    LITERATURE_TABLE,
    FURTHER_MEASURES_TABLE,
    CONFUSION_TABLE,
    LEVELS_TABLE,
    OPERATING_POINTS_TABLE,
    PREDICTIVE_VALUES_TABLE,
    PRECISION_RECALL_TABLE,
    AUC_CHECK_TABLE,
    SUBGROUPS_TABLE,
    SUBGROUP_DIFFERENCES_TABLE,
    CALIBRATION_TABLE,
    DECISION_CURVES_TABLE,
    ERRORS_TABLE,
    RECIPES_TABLE,
    TRAININGS_TABLE,
    COSTS_TABLE,
    FITS_TABLE,
    TUNING_TABLE,
    DATA_TABLE,
    SOURCE_TABLES_TABLE,
    OVERLAPS_TABLE,
    CONFLICTS_TABLE,
    LEFT_OUT_TABLE,
    NOT_RUN_TABLE,
    PROVENANCE_TABLE,
    CHECKLIST_TABLE,
)


def every_table(
    pooled: PooledRun, summary: "pd.DataFrame | None" = None
) -> "dict[str, pd.DataFrame]":
    """All tables by file name (without suffix), in the order of TABLES.

    What only some data sets and runs have is left out where there is nothing. Systems that were
    trained on a part of the training patients are in the summary and the learning curves alone.
    `summary` is the first of them, where it is there already.
    """
    found: dict[str, pd.DataFrame] = {}
    for table in TABLES:
        known = summary if table is SUMMARY_TABLE else None
        rows = table.build(pooled, found) if known is None else known
        if len(rows) or table.kept_empty:
            # The summary's columns are fixed; its notes say it.
            found[table.name] = rows if table is SUMMARY_TABLE else _marked(pooled.run, rows)
    return found


def _marked(run: Run, table: "pd.DataFrame") -> "pd.DataFrame":
    """The table, with a column that says which rows are an audit's where it has any."""
    if "protocol" not in table or not table["protocol"].isin(run.audits).any():
        return table
    leaks = table["protocol"].isin(run.audits)
    return table.assign(audit=[run.audit_mark if row else None for row in leaks])
