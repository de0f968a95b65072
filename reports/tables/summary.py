"""The tables of a report, each a pure function of the run folder.

summary.csv has the columns of SUMMARY_COLUMNS, which other programs rely on; the other tables show
what stands behind it. Nothing here formats or writes: see formats.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.bootstrap import bootstrap, std_over_repeats
from reports.statistics.intervals import bounded_interval
from reports.statistics.measures import MEASURES, auc, from_counts
from reports.statistics.roc import rate_at
from reports.systems.kinds import is_reading
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import (
    AUDIT_MARK,
    AUDIT_MARK_WITHOUT_IDS,
    SUMMARY_COLUMNS,
    SUMMARY_MEASURES,
    SYSTEM_COLUMNS,
)
from reports.tables.frames import frame
from reports.tables.readings import remark
from reports.tables.report_table import ReportTable
from reports.values import estimate, short

if TYPE_CHECKING:
    import pandas as pd

_PRINTED_IDENTITY = ("subset", "protocol", "extractor", "weights", "recipe", "classifier", "C")

FURTHER_MEASURES = (*MEASURES[len(SUMMARY_MEASURES) :], "sensitivity_at_90_specificity")


def summary(run: Run, systems: list[PooledSystem]) -> "pd.DataFrame":
    """The comparison: one row a system, with exactly the columns of SUMMARY_COLUMNS.

    The folds of a repeat are pooled and measured as one (the AUC compares rows of one fold only);
    NAME is the mean over repeats, NAME_std their standard deviation (n - 1 in the denominator;
    empty for one repeat), NAME_ci_low and NAME_ci_high the patient bootstrap. n_train is the mean
    over folds, n_test and n_patients count the test rows and their patients of one repeat, n_runs
    the repeats that are measured. Times are means over folds, in seconds. Measures of a system
    that did not run are empty, and so are the times of a reading, which was not made here.
    """
    intervals = _intervals(systems)
    rows = [
        {
            **system.identity,
            **_sizes(system),
            **_figures(system, SUMMARY_MEASURES),
            **intervals.get(index, {}),
            **times(system, ("training_time_s", "extraction_time_s", "fit_time_s")),
            "status": system.status,
            "notes": _notes(run, system),
        }
        for index, system in enumerate(systems)
    ]
    return frame(rows, SUMMARY_COLUMNS, whole=("n_train", "n_test", "n_patients", "n_runs"))


def rows_by_system(
    systems: Sequence[PooledSystem], table: "pd.DataFrame"
) -> dict[int, Mapping[str, Any]]:
    """The rows of the summary of these systems, by the `id` of the system."""
    return dict(zip(map(id, systems), table.to_dict("records"), strict=True))


def _notes(run: Run, system: PooledSystem) -> str:
    audit = run.audit_mark if str(system.identity["protocol"]) in run.audits else ""
    return "; ".join(filter(None, (audit, remark(run, system), system.notes)))


def further_measures(systems: list[PooledSystem]) -> "pd.DataFrame":
    """Balanced accuracy, PPV, NPV, F1 and the sensitivity at 90 % specificity, mean and std.

    The last is read off the test rows themselves and is therefore optimistic; see `rate_at`.
    """
    rows = [{**system.identity, **_figures(system, FURTHER_MEASURES)} for system in systems]
    names = [f"{name}{suffix}" for name in FURTHER_MEASURES for suffix in ("", "_std")]
    return frame(rows, (*SYSTEM_COLUMNS, *names))


def confusion_table(systems: list[PooledSystem]) -> "pd.DataFrame":
    """TP, FN, FP, TN of the pooled test rows; the mean over repeats where there are several."""
    rows = [
        {**system.identity, **dict(zip(("tp", "fn", "fp", "tn"), mean_counts(system), strict=True))}
        for system in systems
        if system.ran
    ]
    return frame(rows, (*SYSTEM_COLUMNS, "tp", "fn", "fp", "tn"))


def mean_counts(system: PooledSystem) -> list[float]:
    """TP, FN, FP, TN of one system that ran, averaged over its repeats."""
    return [float(value) for value in np.mean([_counts(rows) for rows in system.repeats], axis=0)]


def _intervals(systems: list[PooledSystem]) -> dict[int, dict[str, float]]:
    """Bootstrap intervals by position in `systems`; the same draws for the same patients."""
    by_patients: dict[bytes, list[int]] = {}
    for index, system in enumerate(systems):
        if system.ran:
            patients = np.unique(np.concatenate([rows.patient for rows in system.repeats]))
            by_patients.setdefault(patients.tobytes(), []).append(index)
    found: dict[int, dict[str, float]] = {}
    for members in by_patients.values():
        drawn = bootstrap([systems[index].repeats for index in members], SUMMARY_MEASURES)
        for index, values in zip(members, drawn, strict=True):
            repeats = systems[index].repeats
            for name, of_draws in zip(SUMMARY_MEASURES, values, strict=True):
                low, high = bounded_interval(of_draws, name, repeats)
                found.setdefault(index, {}).update({f"{name}_ci_low": low, f"{name}_ci_high": high})
    return found


def _sizes(system: PooledSystem) -> dict[str, float | None]:
    units = system.units
    known: dict[str, float | None] = {
        "n_train": units["n_train"].mean(),
        "n_runs": len(system.repeats),
    }
    if system.ran:
        return known | {
            "n_test": fmean(len(rows.score) for rows in system.repeats),
            "n_patients": fmean(len(np.unique(rows.patient)) for rows in system.repeats),
        }
    return known | {
        "n_test": units.groupby("repeat")["n_test"].sum(min_count=1).mean(),
        "n_patients": units["n_test_patients"].iloc[0] if len(units) == 1 else None,
    }


def _figures(system: PooledSystem, names: Iterable[str]) -> dict[str, float]:
    """Mean and std over repeats of the measures named; nothing for a system that did not run."""
    if not system.ran:
        return {}
    pairs = zip(system.repeats, system.thresholds(), strict=True)
    repeats = [measured(rows, threshold) for rows, threshold in pairs]
    found = {}
    for name in names:
        values = [repeat[name] for repeat in repeats]
        found[name] = float(np.mean(values))
        found[f"{name}_std"] = std_over_repeats(values)
    return found


def measured(rows: ScoredRows, threshold: ArrayLike = 0.0) -> dict[str, float]:
    """Every measure of one pooled repeat; `threshold` as for `rate_at`."""
    values = {name: float(value) for name, value in from_counts(*_counts(rows)).items()}
    values["auc"] = auc(rows.positive, rows.score, np.ones(len(rows.score)), rows.fold)
    once = np.ones((len(rows.score), 1))
    values["sensitivity_at_90_specificity"] = float(rate_at(rows, once, threshold=threshold)[0])
    return values


def _counts(rows: ScoredRows) -> tuple[int, int, int, int]:
    positive, called = rows.positive, rows.called
    return (
        int((positive & called).sum()),
        int((positive & ~called).sum()),
        int((~positive & called).sum()),
        int((~positive & ~called).sum()),
    )


def times(system: PooledSystem, names: Iterable[str]) -> dict[str, float]:
    """As `means`; nothing for a reading, which took readers their time and not this program."""
    return dict.fromkeys(names, float("nan")) if is_reading(system) else means(system, names)


def means(system: PooledSystem, names: Iterable[str]) -> dict[str, float]:
    """The means of columns of a system's units, without what is missing; nan where all is."""
    found = {}
    for name in names:
        # numpy's mean: this runs for every time of every system.
        values = system.units[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[~np.isnan(values)]
        found[name] = float(known.mean()) if len(known) else float("nan")
    return found


def _for_print(table: "pd.DataFrame") -> "pd.DataFrame":
    """Mean ± std and [interval] in one cell for each measure; rows of one comparison together."""
    shown = table[list(_PRINTED_IDENTITY)].copy()
    for name in SUMMARY_MEASURES:
        shown[name] = [estimate(row, name) for _, row in table.iterrows()]
    marks = [_audit_mark(short(notes)) for notes in table["notes"]]
    shown["status"] = [
        f"{short(status)}; {mark}" if mark else status
        for status, mark in zip(table["status"], marks, strict=True)
    ]
    groups = shown.groupby(["subset", "protocol"], sort=False).ngroup()
    return shown.iloc[groups.argsort(kind="stable")]


def _audit_mark(notes: str) -> str:
    """The mark of an audit that the notes of a row begin with; empty without one."""
    marks = (AUDIT_MARK, AUDIT_MARK_WITHOUT_IDS)
    return next((mark for mark in marks if notes.startswith(mark)), "")


SUMMARY_TABLE = ReportTable(
    "summary",
    lambda pooled, _: summary(pooled.run, pooled.systems),
    kept_empty=True,
    for_print=_for_print,
)

FURTHER_MEASURES_TABLE = ReportTable(
    "further_measures",
    lambda pooled, _: further_measures(pooled.whole),
    title="Further measures",
    place="results",
    intro=(
        "Sensitivity at 90 % specificity is read off the test crops themselves and is therefore "
        "optimistic: the highest that a shift of the threshold gives in a repeat, the same shift "
        "in all folds."
    ),
    folded=True,
    kept_empty=True,
)

CONFUSION_TABLE = ReportTable(
    "confusion",
    lambda pooled, _: confusion_table(pooled.whole),
    title="Confusion counts",
    place="confusion",
    folded=True,
    kept_empty=True,
    headings={
        "tp": "true positives",
        "fn": "false negatives",
        "fp": "false positives",
        "tn": "true negatives",
    },
)
