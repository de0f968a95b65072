"""What the leakage audit says in words: counts, ranges and medians, and no more than its table.

A share of the gap to a published figure is given for the mass crops of CBIS-DDSM alone; it says
what a protocol gave here, not what was done elsewhere.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from reports.systems.kinds import OWN_HEAD, trained_how
from reports.systems.protocols import Comparison
from reports.systems.run_folder import Run
from reports.systems.schema import ALL_ROWS
from reports.tables.published import nearest_published
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

_LIMITS = (
    "Intervals are those of the differences due to the drawn {patients} alone: other trainings, "
    "folds and data are not in them, and of intervals that are right one in twenty misses what it "
    "is for. What two protocols differ in besides {both} is not taken out; the "
    "table names it. The figures say what a protocol gave with these systems on these crops, and "
    "prove nothing of another study."
)


def limits(run: Run) -> str:
    """What the differences of the audit do not say."""
    both = "patients on both sides" if run.patient_ids else "how they split"
    return _LIMITS.format(patients=run.patients, both=both)


def audit_text(run: Run, table: "pd.DataFrame") -> tuple[list[str], list[str]]:
    """What heads the section, and its sentences comparison by comparison.

    `table` comes from `reports.tables.leakage_audit`.
    """
    shares, scope = _beside_published(run, table)
    return [limits(run), scope], [*differences(run, table, ("auc", "accuracy")), *shares]


def differences(run: Run, table: "pd.DataFrame", measures: Sequence[str] = ("auc",)) -> list[str]:
    """A sentence a subset and comparison: how far apart its systems are.

    Frozen, fine-tuned and other networks are counted apart. Reference points, random weights and
    the row `selected` are left out.
    """
    how = table["extractor"].astype(str).map(trained_how(run))
    seen = table.assign(how=how).dropna(subset=["how"])
    several = len(set(seen["how"])) > 1
    keys = ["subset", "region", "size", "dataset", "how", "audit", "twin", "rows", "twin_rows"]
    sentences = []
    for key, group in seen.groupby(keys, sort=False, dropna=False):
        subset, *_, trained, audit, twin, rows, twin_rows = map(str, key)
        name = Comparison(audit, twin, "", rows, twin_rows).title(run)
        parts = [text for measure in measures if (text := _spread(group, measure))]
        if parts:
            counted = f"{len(group)} system{'s' if len(group) > 1 else ''}"
            counted += f", {trained}" if several else ""
            sentences.append(f"{subset}, {name} ({counted}): {'; '.join(parts)}.")
    return sentences


_WORDS = {"auc": "AUC", "accuracy": "accuracy"}


def _spread(rows: "pd.DataFrame", measure: str) -> str:
    """'AUC differs by 0.010 to 0.120, median 0.050 (95 % interval above 0: 3, …)'."""
    known = rows[rows[f"{measure}_difference"].notna()]
    if not len(known):
        return ""
    values = [float(value) for value in known[f"{measure}_difference"]]
    low, high = (known[f"{measure}_difference_ci_{end}"] for end in ("low", "high"))
    if len(values) == 1:
        limits = "" if missing(low.iloc[0]) else f" [{number(low.iloc[0])}, {number(high.iloc[0])}]"
        return f"{_WORDS[measure]} differs by {number(values[0])}{limits}"
    above, below, given = int((low > 0).sum()), int((high < 0).sum()), int(low.notna().sum())
    return (
        f"{_WORDS[measure]} differs by {number(min(values))} to {number(max(values))}, median "
        f"{number(median(values))} (95 % interval above 0: {above}, below 0: {below}, with 0 in "
        f"it: {given - above - below})"
    )


def _beside_published(run: Run, table: "pd.DataFrame") -> tuple[list[str], str]:
    """Of the gap between honest and published accuracy, the share that each protocol gave here.

    And in one sentence what may be made of it.
    """
    if run.synthetic:
        return [], "The data are synthetic: no figure here can be set against the published ones."
    if not ((table["dataset"] == "cbis-ddsm") & (table["subset"] == "mass")).any():
        return [], (
            "These are not the mass crops of CBIS-DDSM: no figure here can be set against the "
            "published ones."
        )
    if not run.has_published_figures:
        return [], (
            "The data set was derived from another one and changed: no figure here can be set "
            "against the published ones."
        )
    svms = [row for row in table.to_dict("records") if _published_svm(run, row)]
    if not svms:
        return [], (
            "AlexNet with the published SVMs did not run on the mass crops under an audit and its "
            "twin: nothing here can be set against the published figures."
        )
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in svms:
        rows.setdefault((row["audit"], row["twin"], str(row["extractor"])), []).append(row)
    return [_shares(run, key, of_key) for key, of_key in rows.items()], (
        "A share of the gap to a published figure says how far the protocol moved these systems "
        "towards it, not how it came about; torchvision's AlexNet is not MATLAB's."
    )


def _published_svm(run: Run, row: Row) -> bool:
    return (
        row["classifier"] != OWN_HEAD
        and row["dataset"] == "cbis-ddsm"
        and row["twin"] not in run.audits
        and row["rows"] == ALL_ROWS
        and nearest_published({**row, "status": "ok"}) is not None
    )


def _shares(run: Run, key: tuple[str, str, str], rows: Sequence[Row]) -> str:
    audit, twin, extractor = key
    gaps, shares = [], []
    for row in rows:
        published = nearest_published({**row, "status": "ok"})
        honest = row["twin_accuracy"]
        gap = published.figures["accuracy"] - honest if published else float("nan")
        if gap > 0 and not missing(row["accuracy_difference"]):
            gaps.append(gap)
            shares.append(100 * row["accuracy_difference"] / gap)
    name = Comparison(audit, twin, "").title(run)
    if not gaps:
        return f"mass, {extractor}: under {twin} no accuracy is below the published one."
    kernels = f"{len(gaps)} kernel{'s' if len(gaps) > 1 else ''}"
    return (
        f"mass, {extractor}, {kernels}: under {twin} the accuracy is {_range(gaps, number)} below "
        f"the published one; {name} is {_range(shares, _whole)} % of that gap."
    )


def _range(values: Sequence[float], shown: Any) -> str:
    if len(values) == 1:
        return str(shown(values[0]))
    low, middle, high = (shown(pick(values)) for pick in (min, median, max))
    return f"{low} to {high} (median {middle})"


def _whole(value: float) -> str:
    return f"{round(value)}"
