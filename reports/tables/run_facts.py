"""The tables of what the manifest holds: data, crops left out, provenance."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.frames import frame

if TYPE_CHECKING:
    import pandas as pd


def data_counts(run: Run) -> "pd.DataFrame":
    """Crops, lesions and patients by subset, split and label."""
    counted = ("crops", "lesions", "patients")
    rows = manifest_records(section(run.manifest, "data"), "counts")
    return frame(rows, ("subset", "split", "label", *counted), whole=counted)


def data_tables(run: Run) -> dict[str, "pd.DataFrame"]:
    """What the case tables hold, share and contradict; some columns are named by the data.

    source_tables counts rows by pathology, patients and full mammograms, all as published;
    overlaps counts the patients that two of the tables share; conflicts has a column for each view.
    """
    data = section(run.manifest, "data")
    counts = ("patients", "images")
    return {
        "source_tables": _open_frame(
            manifest_records(data, "source_tables"), ("table", "rows"), counts
        ),
        "overlaps": _open_frame(
            manifest_records(data, "overlaps"), ("first", "second", "patients")
        ),
        "conflicts": _open_frame(manifest_records(data, "conflicts"), ("lesion_id",)),
    }


def _open_frame(
    rows: list[dict[str, Any]], first: tuple[str, ...], last: tuple[str, ...] = ()
) -> "pd.DataFrame":
    """The columns named, and between them those that the rows have besides, as they appear."""
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
    return frame(rows, ("part", "name", "value"))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
