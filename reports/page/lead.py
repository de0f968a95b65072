"""The words of the first screen: what was compared, on what, and what came out; no winner."""

from typing import TYPE_CHECKING

from reports.systems.entries import Entry, FigureGroup
from reports.systems.kinds import KERNEL, drawn, is_reference, is_selected
from reports.systems.run_folder import Run, section
from reports.tables.subgroups import FEWEST
from reports.values import missing, number, short

if TYPE_CHECKING:
    from collections.abc import Sequence

# The classifier that stands for all of a backbone, as sentences call it.
RULE = f"{KERNEL.replace('_', ' ').replace('gaussian', 'Gaussian')} SVM"

# With fewer patients, or fewer test crops of a class, the page says that they are too few to tell.
FEWEST_PATIENTS = 30

_REFERENCES = {
    "none": "majority class",
    "shortcut:size": "size alone",
    "shortcut:file": "file format alone",
    "shortcut:radius": "radius alone",
    "reader:assessment": "readers' assessment",
    "reader:description": "readers' description",
}


def reference_word(name: str) -> str:
    """What the picture calls a reference point."""
    return _REFERENCES.get(name, name)


def facts_of(group: FigureGroup) -> str:
    """'74 training and 35 test crops of 16 patients, 1 repeat; positive: malignant.'"""
    rows = [entry.row for entry in group.ran]
    if not rows:
        return "No system ran."
    row = rows[0]
    repeats = max(int(one["n_runs"]) for one in rows)
    patients = counted(row["n_patients"], group.patients.rstrip("s"))
    of = f" of {patients}" if group.patients == "patients" else ""
    runs = "one repeat" if repeats == 1 else f"up to {repeats} repeats"
    return (
        f"{short(row['n_train'])} training and {short(row['n_test'])} test crops{of}, {runs}; "
        f"positive: {group.positive}."
    )


def counted(n: object, one: str, many: str = "") -> str:
    """'1 row', '2 rows', '1,234 rows'."""
    if missing(n):
        return f"an unknown number of {many or f'{one}s'}"
    whole = int(float(str(n)))
    return f"{whole:,} {one if whole == 1 else many or f'{one}s'}"


def few_rows(group: FigureGroup) -> bool:
    """Whether patients, or test crops of a class, are too few to tell systems apart."""
    if not group.ran:
        return False
    rows = group.ran[0].system.repeats[0]
    positive = int(rows.positive.sum())
    patients = len(set(rows.patient.tolist()))
    return patients < FEWEST_PATIENTS or min(positive, len(rows.positive) - positive) < FEWEST


def lead(group: FigureGroup, declared: "Sequence[Entry]", untold: int | None) -> str:
    """The sentence of the first view, as the script writes it for every other one.

    declared: the declared system of each backbone, without random weights; untold: how many of
    them cannot be told from the highest, None where nobody knows.
    """
    values = [float(e.row["auc"]) for e in declared if e.system.ran and not missing(e.row["auc"])]
    parts = ["No backbone is in view."]
    if values:
        low, high = number(min(values)), number(max(values))
        spread = low if low == high else f"{low} to {high}"
        known = untold is not None and len(values) > 1
        told = f"; {untold} of them not told from the highest (filled)" if known else ""
        name = f"{RULE[:1].upper()}{RULE[1:]} (declared)"
        parts = [f"{name} on {counted(len(values), 'backbone')}: AUC {spread}{told}."]
    for entry in group.ran:
        if is_selected(entry.system) and not missing(entry.row["auc"]):
            parts.append(f"Choosing inside the training rows gave {number(entry.row['auc'])}.")
            break
    points = [
        f"{reference_word(short(e.system.identity['extractor']))} {number(e.row['auc'])}"
        for e in group.ran
        if is_reference(e.system) and not missing(e.row["auc"]) and float(e.row["auc"]) < 1
    ]
    if points:
        joined = "; ".join(points)
        parts.append(f"{joined[:1].upper()}{joined[1:]}.")
    return " ".join(parts)


def in_view(entries: "Sequence[Entry]") -> list[Entry]:
    """Those with a line of their own at first: no reference point and no random weights."""
    return [
        entry
        for entry in entries
        if not (is_reference(entry.system) or is_selected(entry.system) or drawn(entry.system))
    ]


def data_line(run: Run) -> str:
    """'CBIS-DDSM, CC BY 3.0': what the data are called, and their licence."""
    data = section(run.manifest, "data")
    name = str(data.get("title") or data.get("dataset") or "")
    licence = str(data.get("licence") or "").partition(";")[0]
    return " · ".join(filter(None, (name, licence)))
