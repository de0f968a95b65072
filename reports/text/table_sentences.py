"""Sentences that sum up a table: learning curves, subgroups, mistakes that systems share."""

from typing import TYPE_CHECKING

from reports.systems.kinds import KERNEL, OWN_HEAD, reference_names
from reports.systems.pooling import GROUP_COLUMNS
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd


def curve_sentences(table: "pd.DataFrame", patients: str = "patients") -> list[str]:
    """For each comparison, how many systems reach their full figure's interval on which share."""
    shown = table[table["classifier"].isin((OWN_HEAD, KERNEL)) & table["auc"].notna()]
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
                f"{patients} whose AUC lies within the interval of the AUC on all of them, systems "
                f"counted by share: {counted}."
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
    """Median AUC over systems by group, for a few variables; the rest is in the table."""
    lines = []
    images = table[~table["extractor"].astype(str).isin(reference_names(run))]
    for (subset, protocol), group in images.groupby(["subset", "protocol"], sort=False):
        parts, single = [], True
        for variable in _VARIABLES:
            groups = group[group["variable"] == variable].dropna(subset=["auc"])
            medians = groups.groupby("group", sort=False)["auc"].median()
            single &= bool((groups.groupby("group").size() == 1).all())
            if len(medians) > 1:
                listed = ", ".join(f"{name} {number(value)}" for name, value in medians.items())
                parts.append(f"{variable} ({listed})")
        if parts:
            lines.append(
                f"{subset}, {protocol}: {'AUC' if single else 'median AUC over systems'} by "
                f"{'; by '.join(parts)}. With so many groups some differ by chance."
            )
    return lines


def shared_mistakes(table: "pd.DataFrame") -> list[str]:
    """How many crops every system gets wrong, among those with the most confident mistakes."""
    lines = []
    for (subset, protocol), group in table.groupby(["subset", "protocol"], sort=False):
        crops = group.drop_duplicates("crop_id")
        everyone = crops[
            (crops["systems_wrong"] == crops["of_systems"]) & (crops["of_systems"] > 1)
        ]
        if len(crops) and crops["of_systems"].max() > 1:
            lines.append(
                f"{subset}, {protocol}: of {len(crops)} crops with the most confident mistakes, "
                f"{len(everyone)} are wrong in all {int(crops['of_systems'].max())} systems."
            )
    return lines
