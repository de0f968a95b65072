"""The tables of what the manifest holds: data, crops left out, provenance."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.systems.pooled_run import PooledRun
from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable
from reports.values import gibibytes, in_a_row

if TYPE_CHECKING:
    import pandas as pd


def data_counts(run: Run) -> "pd.DataFrame":
    """Crops by subset, split and label, and lesions and patients where the data name them."""
    counted = _counted(run)
    rows = manifest_records(section(run.manifest, "data"), "counts")
    return frame(rows, ("subset", "split", "label", *counted), whole=counted)


def _counted(run: Run) -> list[str]:
    known = {"crops": True, "lesions": run.lesion_ids, "patients": run.patient_ids}
    return [name for name, is_known in known.items() if is_known]


def _data_title(pooled: PooledRun, table: "pd.DataFrame") -> str:
    return in_a_row(_counted(pooled.run)).capitalize()


def source_tables(run: Run) -> "pd.DataFrame":
    """Rows of the case tables by pathology, patients and full mammograms, all as published."""
    return _open_frame(run, "source_tables", ("table", "rows"), ("patients", "images"))


def overlaps(run: Run) -> "pd.DataFrame":
    """The patients that two of the case tables share."""
    return _open_frame(run, "overlaps", ("first", "second", "patients"))


def conflicts(run: Run) -> "pd.DataFrame":
    """The lesions whose views have different pathology, with a column for each view.

    in_this_run says whether it is among the lesions of the run; the notices count those alone.
    """
    table = _open_frame(run, "conflicts", ("lesion_id",))
    used = set(run.lesions["lesion_id"].astype(str)) if "lesion_id" in run.lesions else set()
    there = table["lesion_id"].astype(str).isin(used)
    return table.assign(in_this_run=["yes" if one else "no" for one in there])


def _conflicts_intro(pooled: PooledRun, table: "pd.DataFrame") -> str:
    used = int((table["in_this_run"] == "yes").sum())
    return (
        f"Of the whole data set there are {len(table)}, of this run's crops {used}. Each view "
        "keeps the label that the tables give it."
    )


def _open_frame(
    run: Run, part: str, first: tuple[str, ...], last: tuple[str, ...] = ()
) -> "pd.DataFrame":
    """A part of the data's section: the columns named, between them those that the rows have."""
    rows = manifest_records(section(run.manifest, "data"), part)
    found = dict.fromkeys(name for row in rows for name in row)
    between = [name for name in found if name not in (*first, *last)]
    return frame(rows, (*first, *between, *last))


def left_out(run: Run) -> "pd.DataFrame":
    """The crops that the loader left out, and why; those with the rarest reasons first."""
    rows = manifest_records(run.manifest, "left_out")
    reasons = [str(row.get("reason")) for row in rows]
    frequency = Counter(reasons)
    order = sorted(range(len(rows)), key=lambda place: frequency[reasons[place]])
    return frame([rows[place] for place in order], ("crop_id", "path", "reason"))


def not_run(run: Run) -> "pd.DataFrame":
    """What a reader may miss in the run, and the command that runs it."""
    return frame(manifest_records(run.manifest, "not_run"), ("what", "command"))


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
        ("rules", _rules(section(section(manifest, "configuration"), "rules"))),
    ]
    rows = [
        {"part": part, "name": name, "value": _plain(value)}
        for part, values in parts
        for name, value in values.items()
        if value is not None and name not in ("packages", "rules")
    ]
    return frame(rows, ("part", "name", "value"))


def _rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of the run; of its memory nobody wants to count bytes."""
    memory = rules.get("memory")
    return {**rules, "memory": gibibytes(memory)} if memory else dict(rules)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


DATA_TABLE = ReportTable(
    "data",
    lambda pooled, _: data_counts(pooled.run),
    title=_data_title,
    place="data",
    kept_empty=True,
)

SOURCE_TABLES_TABLE = ReportTable(
    "source_tables",
    lambda pooled, _: source_tables(pooled.run),
    title="What the case tables hold",
    place="data",
    intro=(
        "Of the whole data set, whatever subsets a run takes. As published, before files that are "
        "missing; a full mammogram may show several lesions."
    ),
    headings={
        "images": "full mammograms",
    },
)

OVERLAPS_TABLE = ReportTable(
    "overlaps",
    lambda pooled, _: overlaps(pooled.run),
    title="Patients that two tables share",
    place="data",
    intro=(
        "Of the whole data set. With them, a split that is clean within one table leaks when "
        "tables are pooled."
    ),
    headings={
        "first": "table",
        "second": "other table",
        "patients": "patients in both",
    },
)

CONFLICTS_TABLE = ReportTable(
    "conflicts",
    lambda pooled, _: conflicts(pooled.run),
    title="Lesions whose views have different pathology",
    place="data",
    intro=_conflicts_intro,
)

LEFT_OUT_TABLE = ReportTable(
    "left_out",
    lambda pooled, _: left_out(pooled.run),
    title="Rows left out",
    place="left-out",
    intro="Rows of the data set that are not in this run, and why; the rarest reasons first.",
    folded=lambda table: len(table) > 12,
    kept_empty=True,
)

NOT_RUN_TABLE = ReportTable(
    "not_run",
    lambda pooled, _: not_run(pooled.run),
    kept_empty=True,
)

PROVENANCE_TABLE = ReportTable(
    "provenance",
    lambda pooled, _: provenance(pooled.run),
    title="Versions, devices and configuration",
    place="provenance",
    folded=True,
    kept_empty=True,
)
