"""All tables of a report by name, in the order of the page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reports.systems.pooled_run import PooledRun
from reports.systems.run_folder import Run, manifest_records
from reports.systems.schema import AUDIT_MARK
from reports.tables.calibration import calibration, decision_curves
from reports.tables.candidates import candidates
from reports.tables.checklist import checklist
from reports.tables.comparisons import comparisons
from reports.tables.costs import costs, fits, tuning
from reports.tables.frames import frame
from reports.tables.leakage_audit import leakage_audit
from reports.tables.levels import levels
from reports.tables.mistakes import errors
from reports.tables.operating_points import operating_points
from reports.tables.published import beside_published
from reports.tables.ranks import ranks
from reports.tables.run_facts import data_counts, data_tables, left_out, provenance
from reports.tables.side_by_side import side_by_side
from reports.tables.subgroups import subgroups
from reports.tables.summary import (
    confusion_table,
    further_measures,
    rows_by_system,
    summary,
)
from reports.tables.trainings import learning_curves, recipes, trainings

if TYPE_CHECKING:
    import pandas as pd


def every_table(pooled: PooledRun) -> dict[str, "pd.DataFrame"]:
    """All tables by file name (without suffix), in the order in which a page shows them.

    What only some data sets and runs can tell is left out where there is nothing. Systems that were
    trained on a part of the training patients are in the summary and the learning curves alone.
    """
    run, systems, whole = pooled.run, pooled.systems, pooled.whole
    compared = summary(run, systems)
    tables = {
        "summary": compared,
        **_unless_empty(
            {"comparisons": comparisons(pooled.headline), "ranks": ranks(pooled.headline)}
        ),
        **_unless_empty({"candidates": candidates(systems)}),
        **_audits(pooled, compared),
        **_unless_empty({"learning_curves": learning_curves(compared)}),
        "published": beside_published(run, compared),
        "further_measures": further_measures(whole),
        "confusion": confusion_table(whole),
        **_unless_empty(_closer_look(pooled)),
        **_unless_empty({"recipes": recipes(run), "trainings": trainings(run)}),
        "costs": costs(run),
        "fits": fits(whole),
        **_unless_empty({"tuning": tuning(whole)}),
        "data": data_counts(run),
        **_unless_empty(data_tables(run)),
        "left_out": left_out(run),
        "not_run": frame(manifest_records(run.manifest, "not_run"), ("what", "command")),
        "provenance": provenance(run),
    }
    # The summary's columns are fixed; its notes say it.
    further = {name: _marked(run, table) for name, table in tables.items() if name != "summary"}
    return {"summary": compared, **further, "checklist": checklist(run, systems, tables)}


def _marked(run: Run, table: "pd.DataFrame") -> "pd.DataFrame":
    """The table, with a column that says which rows are an audit's where it has any."""
    if "protocol" not in table or not table["protocol"].isin(run.audits).any():
        return table
    leaks = table["protocol"].isin(run.audits)
    return table.assign(audit=[AUDIT_MARK if row else None for row in leaks])


def _audits(pooled: PooledRun, compared: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Each audit beside the other protocols; nothing for a run without one."""
    rows = rows_by_system(pooled.systems, compared)
    return _unless_empty(
        {
            "protocols_side_by_side": side_by_side(pooled.run, pooled.systems, rows),
            "leakage_audit": leakage_audit(pooled.pairs),
        }
    )


def _closer_look(pooled: PooledRun) -> "dict[str, pd.DataFrame]":
    """What is shown of systems that a fixed rule picks, and of those with probabilities."""
    run, close, of_probability = pooled.run, pooled.close, pooled.honest
    return {
        "operating_points": operating_points(close),
        "levels": levels(run, close),
        "subgroups": subgroups(run, close),
        "calibration": calibration(of_probability),
        "decision_curves": decision_curves(of_probability),
        "errors": errors(run, close),
    }


def _unless_empty(tables: "Mapping[str, pd.DataFrame]") -> "dict[str, pd.DataFrame]":
    return {name: table for name, table in tables.items() if len(table)}
