"""Sentences that sum up a table: learning curves, subgroups, mistakes that systems share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reports.systems.groups import GroupKey
from reports.systems.kinds import KERNEL, OWN_HEAD, trained_how
from reports.systems.pooling import FROZEN, GROUP_COLUMNS, PooledSystem
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.mistakes import wrong_in_all
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd


def curve_sentences(run: Run, table: "pd.DataFrame") -> list[str]:
    """For each comparison, how many networks reach their full figure's interval on which share."""
    shown = table[table["classifier"].isin((OWN_HEAD, KERNEL)) & table["auc"].notna()]
    shown = shown[shown["extractor"].astype(str).isin(trained_how(run))]
    places = [name for name in GROUP_COLUMNS if name != "train_fraction"]
    of_system = [n for n in SYSTEM_COLUMNS if n not in ("train_fraction", *places)]
    lines = []
    for key, group in shown.groupby(places, sort=False, dropna=False):
        reached = [
            share
            for _, curve in group.groupby(of_system, sort=False, dropna=False)
            if (share := _enough(curve)) is not None
        ]
        if reached:
            counted = ", ".join(
                f"{100 * share:g} %: {reached.count(share)}" for share in sorted(set(reached))
            )
            named = dict(zip(places, key, strict=True))
            lines.append(
                f"{named['subset']}, {named['protocol']}: smallest share of the training "
                f"{run.patients} whose AUC lies within the interval of the AUC on all of them, "
                f"systems counted by share: {counted}."
            )
    return lines


def _enough(curve: "pd.DataFrame") -> float | None:
    """The smallest share from which on every AUC is within the interval of that on all."""
    ordered = curve.sort_values("train_fraction", kind="stable")
    last = ordered.iloc[-1]
    if len(ordered) < 2 or last["train_fraction"] < 1 or missing(last["auc_ci_low"]):
        return None
    share = 1.0
    for row in ordered.iloc[::-1].to_dict("records"):
        if row["auc"] < last["auc_ci_low"]:
            break
        share = float(row["train_fraction"])
    return share


_VARIABLES = ("breast density", "density", "abnormality", "subtlety", "crop size")


def subgroup_sentences(run: Run, table: "pd.DataFrame") -> list[str]:
    """AUC by group for a few variables, systems of one kind at a time; the rest is in the table."""
    how = table["extractor"].astype(str).map(trained_how(run))
    seen = table.assign(how=how).dropna(subset=["how"])
    lines = []
    for key, group in seen.groupby(["subset", "protocol", "how", "classifier"], sort=False):
        subset, protocol, trained, classifier = map(str, key)
        parts, most = [], 1
        for variable in _VARIABLES:
            groups = group[group["variable"] == variable].dropna(subset=["auc"])
            named = [
                _of_group(str(name), rows) for name, rows in groups.groupby("group", sort=False)
            ]
            if len(named) > 1:
                most = max(most, int(groups.groupby("group").size().max()))
                parts.append(f"{variable} ({'; '.join(named)})")
        if parts:
            measure = "AUC" if most == 1 else f"median AUC over {most} systems"
            kind = f"networks {trained}" if trained != FROZEN else "frozen features"
            lines.append(
                f"{subset}, {protocol}: {measure} by {'; by '.join(parts)}: "
                f"{kind} + {classifier.replace('_', ' ')}. With so many groups some differ by "
                "chance."
            )
    return lines


def _of_group(name: str, rows: "pd.DataFrame") -> str:
    """'2: 0.363 [0.160, 0.554], 39 crops'; of several systems the median half of the intervals."""
    value, crops = number(rows["auc"].median()), f"{int(rows['n'].median())} crops"
    low, high = rows["auc_ci_low"], rows["auc_ci_high"]
    if len(rows) == 1 and not missing(low.iloc[0]):
        limits = f" [{number(low.iloc[0])}, {number(high.iloc[0])}]"
    elif (high - low).notna().any():
        limits = f" ± about {((high - low) / 2).median():.2f}"
    else:
        limits = ", without an interval"
    return f"{name}: {value}{limits}, {crops}"


def shared_mistakes(run: Run, close: Mapping[GroupKey, Sequence[PooledSystem]]) -> list[str]:
    """How many of all test crops every network of a comparison gets wrong."""
    lines = []
    for systems in close.values():
        found, place = wrong_in_all(run, systems), systems[0].identity
        if found.systems > 1:
            lines.append(
                f"{place['subset']}, {place['protocol']}: of {found.tested} test crops, "
                f"{found.wrong} {'is' if found.wrong == 1 else 'are'} wrong in all {found.systems} "
                "systems with a network."
            )
    return lines
