"""The tables of a report, each a pure function of the run folder.

summary.csv has the columns of SUMMARY_COLUMNS, which other programs rely on; the other tables show
what stands behind it. Nothing here formats or writes: see formats.py.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.audit import leakage_audit, side_by_side
from reports.calibration import calibration, decision_curves
from reports.checklist import checklist
from reports.choice import candidates
from reports.declared import close_groups, honest
from reports.errors import errors
from reports.headlines import comparisons
from reports.levels import levels
from reports.measures import MEASURES, auc, from_counts
from reports.operating_points import operating_points, rate_at
from reports.pooling import System, pool
from reports.published import beside_published
from reports.ranks import ranks
from reports.run_folder import Run, records, section
from reports.schema import AUDIT_MARK, SUMMARY_COLUMNS, SUMMARY_MEASURES, SYSTEM_COLUMNS
from reports.subgroups import subgroups
from reports.training_tables import learning_curves, recipes, trainings
from reports.uncertainty import Rows, bootstrap, interval, std_over_repeats

if TYPE_CHECKING:
    import pandas as pd

FURTHER_MEASURES = (*MEASURES[len(SUMMARY_MEASURES) :], "sensitivity_at_90_specificity")
_COST_COLUMNS = (
    "extractor",
    "weights",
    "weights_digest",
    "precision",
    "input",
    "feature_width",
    "parameters",
    "images_per_s",
    "extraction_s",
    "min_cosine",
    "status",
    "notes",
)
_FIT_COLUMNS = (
    *("training_time_s", "network_time_s", "extraction_time_s", "gram_time_s", "fit_time_s"),
)


def summary(run: Run, systems: list[System] | None = None) -> "pd.DataFrame":
    """The comparison: one row a system, with exactly the columns of SUMMARY_COLUMNS.

    The folds of a repeat are pooled and measured as one (the AUC compares rows of one fold only);
    NAME is the mean over repeats, NAME_std their standard deviation (n - 1 in the denominator;
    empty for one repeat), NAME_ci_low and NAME_ci_high the patient bootstrap. n_train is the mean
    over folds, n_test and n_patients count the test rows and their patients of one repeat, n_runs
    the repeats that are measured. Times are means over folds, in seconds. Measures of a system
    that did not run are empty.
    """
    systems = pool(run) if systems is None else systems
    intervals = _intervals(systems)
    rows = [
        {
            **system.identity,
            **_sizes(system),
            **_figures(system, SUMMARY_MEASURES),
            **intervals.get(index, {}),
            **_means(system, ("training_time_s", "extraction_time_s", "fit_time_s")),
            "status": system.status,
            "notes": _notes(run, system),
        }
        for index, system in enumerate(systems)
    ]
    return _frame(rows, SUMMARY_COLUMNS, whole=("n_train", "n_test", "n_patients", "n_runs"))


def _notes(run: Run, system: System) -> str:
    audit = AUDIT_MARK if str(system.identity["protocol"]) in run.audits else ""
    return "; ".join(filter(None, (audit, system.notes)))


def every_table(run: Run, systems: list[System]) -> dict[str, "pd.DataFrame"]:
    """All tables by file name (without suffix), in the order in which a page shows them.

    What only some data sets and runs can tell is left out where there is nothing. Systems that were
    trained on a part of the training patients are in the summary and the learning curves alone.
    """
    compared = summary(run, systems)
    whole = [system for system in systems if system.whole]
    tables = {
        "summary": compared,
        **_unless_empty({"comparisons": comparisons(run, systems), "ranks": ranks(run, systems)}),
        **_unless_empty({"candidates": candidates(systems)}),
        **_audits(run, systems, compared),
        **_unless_empty({"learning_curves": learning_curves(compared)}),
        "published": beside_published(run, compared),
        "further_measures": further_measures(whole),
        "confusion": confusion(whole),
        **_unless_empty(_closer_look(run, systems)),
        **_unless_empty({"recipes": recipes(run), "trainings": trainings(run)}),
        "costs": costs(run),
        "fits": fits(whole),
        **_unless_empty({"tuning": tuning(whole)}),
        "data": data_counts(run),
        **_unless_empty(data_tables(run)),
        "left_out": left_out(run),
        "not_run": _frame(records(run.manifest, "not_run"), ("what", "command")),
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


def _audits(run: Run, systems: list[System], compared: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Each audit beside the other protocols; nothing for a run without one."""
    beside = side_by_side(run, systems, compared)
    tables = {} if beside is None else {"protocols_side_by_side": beside}
    return tables | _unless_empty({"leakage_audit": leakage_audit(run, systems)})


def _closer_look(run: Run, systems: list[System]) -> "dict[str, pd.DataFrame]":
    """What is shown of systems that a fixed rule picks, and of those with probabilities."""
    close, of_probability = close_groups(run, systems), honest(run, systems)
    return {
        "operating_points": operating_points(close),
        "levels": levels(run, close),
        "subgroups": subgroups(run, close),
        "calibration": calibration(of_probability),
        "decision_curves": decision_curves(of_probability),
        "errors": errors(run, close),
    }


def further_measures(systems: list[System]) -> "pd.DataFrame":
    """Balanced accuracy, PPV, NPV, F1 and the sensitivity at 90 % specificity, mean and std.

    The last is read off the ROC curve of the test rows themselves and is therefore optimistic.
    """
    rows = [{**system.identity, **_figures(system, FURTHER_MEASURES)} for system in systems]
    names = [f"{name}{suffix}" for name in FURTHER_MEASURES for suffix in ("", "_std")]
    return _frame(rows, (*SYSTEM_COLUMNS, *names))


def confusion(systems: list[System]) -> "pd.DataFrame":
    """TP, FN, FP, TN of the pooled test rows; the mean over repeats where there are several."""
    rows = [
        {**system.identity, **dict(zip(("tp", "fn", "fp", "tn"), mean_counts(system), strict=True))}
        for system in systems
        if system.ran
    ]
    return _frame(rows, (*SYSTEM_COLUMNS, "tp", "fn", "fp", "tn"))


def mean_counts(system: System) -> list[float]:
    """TP, FN, FP, TN of one system that ran, averaged over its repeats."""
    return [float(value) for value in np.mean([_counts(rows) for rows in system.repeats], axis=0)]


def costs(run: Run) -> "pd.DataFrame":
    """What each extractor is and costs, as measured in the run: times in s, images per s."""
    rows = [
        {**extractor, "extractor": extractor.get("name")}
        for extractor in records(run.manifest, "extractors")
    ]
    return _frame(rows, _COST_COLUMNS, whole=("feature_width", "parameters"))


def fits(systems: list[System]) -> "pd.DataFrame":
    """Times (s), solver iterations and support vectors of each system, means over its folds."""
    solver = ("iterations", "n_support")
    rows = [
        {
            **system.identity,
            **_means(system, (*_FIT_COLUMNS, *solver)),
            "converged": _converged(system),
        }
        for system in systems
        if system.ran
    ]
    return _frame(rows, (*SYSTEM_COLUMNS, *_FIT_COLUMNS, *solver, "converged"))


def tuning(systems: list[System]) -> "pd.DataFrame":
    """What each tuned system chose: a row a choice, the most frequent first.

    `folds` of `of_folds` chose this C and this scale (a multiple of the preset); `inner_auc` is the
    mean AUC of the choice on the inner folds of the training rows. One choice in all folds is
    stable; many, each in a few folds, say that the data cannot tell them apart.
    """
    rows = []
    for system in systems:
        units = system.units
        if not system.ran or "chosen_C" not in units or units["chosen_C"].isna().all():
            continue
        chosen = units.groupby(["chosen_C", "chosen_scale"])["inner_auc"].agg(["size", "mean"])
        ordered = chosen.reset_index().sort_values(
            ["size", "chosen_C", "chosen_scale"], ascending=[False, True, True]
        )
        for C, scale, folds, auc_inside in ordered.itertuples(index=False, name=None):
            found = {"chosen_C": C, "chosen_scale": scale, "inner_auc": auc_inside}
            rows.append({**system.identity, **found, "folds": folds, "of_folds": len(units)})
    names = ("dataset", "subset", "protocol", "extractor", "classifier")
    counted = ("folds", "of_folds")
    columns = (*names, "chosen_C", "chosen_scale", *counted, "inner_auc")
    return _frame(rows, columns, whole=counted)


def _unless_empty(tables: "Mapping[str, pd.DataFrame]") -> "dict[str, pd.DataFrame]":
    return {name: table for name, table in tables.items() if len(table)}


def data_counts(run: Run) -> "pd.DataFrame":
    """Crops, lesions and patients by subset, split and label."""
    counted = ("crops", "lesions", "patients")
    rows = records(section(run.manifest, "data"), "counts")
    return _frame(rows, ("subset", "split", "label", *counted), whole=counted)


def data_tables(run: Run) -> dict[str, "pd.DataFrame"]:
    """What the case tables hold, share and contradict; some columns are named by the data.

    source_tables counts rows by pathology, patients and full mammograms, all as published;
    overlaps counts the patients that two of the tables share; conflicts has a column for each view.
    """
    data = section(run.manifest, "data")
    counts = ("patients", "images")
    return {
        "source_tables": _open_frame(records(data, "source_tables"), ("table", "rows"), counts),
        "overlaps": _open_frame(records(data, "overlaps"), ("first", "second", "patients")),
        "conflicts": _open_frame(records(data, "conflicts"), ("lesion_id",)),
    }


def _open_frame(
    rows: list[dict[str, Any]], first: tuple[str, ...], last: tuple[str, ...] = ()
) -> "pd.DataFrame":
    """The columns named, and between them those that the rows have besides, as they appear."""
    found = dict.fromkeys(name for row in rows for name in row)
    between = [name for name in found if name not in (*first, *last)]
    return _frame(rows, (*first, *between, *last))


def left_out(run: Run) -> "pd.DataFrame":
    """The crops that the loader left out, and why; those with the rarest reasons first."""
    rows = records(run.manifest, "left_out")
    reasons = [str(row.get("reason")) for row in rows]
    frequency = Counter(reasons)
    order = sorted(range(len(rows)), key=lambda place: frequency[reasons[place]])
    return _frame([rows[place] for place in order], ("crop_id", "path", "reason"))


def provenance(run: Run) -> "pd.DataFrame":
    """Versions, devices and the whole configuration as rows of part, name, value."""
    manifest = run.manifest
    parts: list[tuple[str, Mapping[str, Any]]] = [
        ("suite", section(manifest, "suite")),
        ("run", section(manifest, "run")),
        ("data", {k: section(manifest, "data").get(k) for k in ("dataset", "fingerprint")}),
        ("environment", section(manifest, "environment")),
        ("package", section(section(manifest, "environment"), "packages")),
        ("configuration", section(manifest, "configuration")),
    ]
    rows = [
        {"part": part, "name": name, "value": _plain(value)}
        for part, values in parts
        for name, value in values.items()
        if value is not None and name != "packages"
    ]
    return _frame(rows, ("part", "name", "value"))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _frame(
    rows: Iterable[Mapping[str, Any]], columns: Iterable[str], whole: Iterable[str] = ()
) -> "pd.DataFrame":
    """Exactly these columns, None where a row lacks one; `whole` are counts that may be missing."""
    import pandas as pd

    columns = list(columns)
    data = [[row.get(name) for name in columns] for row in rows]
    frame = pd.DataFrame(data, columns=columns)
    for name in whole:
        frame[name] = pd.array([_counted(value) for value in frame[name]], dtype="Int64")
    return frame


def _counted(value: Any) -> int | None:
    """The nearest whole number; None for what is no number, or none that 64 bits hold."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return round(number) if abs(number) < 2**63 else None


def _intervals(systems: list[System]) -> dict[int, dict[str, float]]:
    """Bootstrap intervals by position in `systems`; the same draws for the same patients."""
    by_patients: dict[bytes, list[int]] = {}
    for index, system in enumerate(systems):
        if system.ran:
            patients = np.unique(np.concatenate([rows.patient for rows in system.repeats]))
            by_patients.setdefault(patients.tobytes(), []).append(index)
    found = {}
    for members in by_patients.values():
        drawn = bootstrap([systems[index].repeats for index in members], SUMMARY_MEASURES)
        for index, values in zip(members, drawn, strict=True):
            limits = [interval(value) for value in values]
            found[index] = {
                f"{name}_ci_{end}": limit[place]
                for name, limit in zip(SUMMARY_MEASURES, limits, strict=True)
                for place, end in enumerate(("low", "high"))
            }
    return found


def _sizes(system: System) -> dict[str, float | None]:
    units = system.units
    sizes: dict[str, float | None] = {
        "n_train": units["n_train"].mean(),
        "n_test": units.groupby("repeat")["n_test"].sum(min_count=1).mean(),
        "n_patients": units["n_test_patients"].iloc[0] if len(units) == 1 else None,
        "n_runs": len(system.repeats),
    }
    if system.ran:
        sizes["n_test"] = fmean(len(rows.score) for rows in system.repeats)
        sizes["n_patients"] = fmean(len(np.unique(rows.patient)) for rows in system.repeats)
    return sizes


def _figures(system: System, names: Iterable[str]) -> dict[str, float]:
    """Mean and std over repeats of the measures named; nothing for a system that did not run."""
    if not system.ran:
        return {}
    repeats = [measured(rows) for rows in system.repeats]
    found = {}
    for name in names:
        values = [repeat[name] for repeat in repeats]
        found[name] = float(np.mean(values))
        found[f"{name}_std"] = std_over_repeats(values)
    return found


def measured(rows: Rows) -> dict[str, float]:
    """Every measure of one pooled repeat."""
    values = {name: float(value) for name, value in from_counts(*_counts(rows)).items()}
    values["auc"] = auc(rows.positive, rows.score, np.ones(len(rows.score)), rows.fold)
    values["sensitivity_at_90_specificity"] = float(rate_at(rows, np.ones((len(rows.score), 1)))[0])
    return values


def _counts(rows: Rows) -> tuple[int, int, int, int]:
    positive, called = rows.positive, rows.called
    return (
        int((positive & called).sum()),
        int((positive & ~called).sum()),
        int((~positive & called).sum()),
        int((~positive & ~called).sum()),
    )


def _means(system: System, names: Iterable[str]) -> dict[str, float]:
    found = {}
    for name in names:
        # numpy's own mean: this runs for every time of every system.
        values = system.units[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[~np.isnan(values)]
        found[name] = float(known.mean()) if len(known) else float("nan")
    return found


def _converged(system: System) -> bool | None:
    """Whether every fit converged; None where that has no meaning."""
    known = system.units["converged"].dropna()
    return bool(known.astype(bool).all()) if len(known) else None
