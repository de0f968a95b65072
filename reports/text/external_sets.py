"""Sentences on external sets: for a methods section, and how far figures drop there."""

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from reports.systems.kinds import trained_how
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd


def external_sentences(run: Run) -> list[str]:
    """What was tested on besides: which set, and how many of its crops.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    list[str]
        One for each external set and subset.
    """
    sentences = []
    for one in manifest_records(run.manifest, "external"):
        cited = f" ({one['citation']})" if one.get("citation") else ""
        rows = run.external[run.external["external"] == one.get("name")]
        for subset in section(one, "tested"):
            used = rows[rows["subset"].isin(map(str, listing(section(one, "tested"), subset)))]
            counted = f"{len(used)} crops, {int(used['label'].sum())} of them positive"
            patients = used["group_id" if "group_id" in used else "patient_id"].nunique()
            of = f", of {patients} patients" if one.get("patient_ids") else ""
            sentences.append(
                f"External set {one.get('name')} for subset {subset}: {one.get('title')}{cited}, "
                f"{counted}{of}."
            )
    return sentences


def drops(run: Run, table: "pd.DataFrame") -> list[str]:
    """How far the AUC of each kind of network drops from the internal test to each external set.

    Parameters
    ----------
    run : Run
        The run.
    table : pd.DataFrame
        From `reports.tables.external`.

    Returns
    -------
    list[str]
        One for each subset, set and kind of training; none where nothing can be compared.
    """
    how = table["extractor"].astype(str).map(trained_how(run))
    seen = table.assign(how=how).dropna(subset=["how", "auc_drop"])
    sentences = []
    for key, rows in seen.groupby(["subset", "external", "how"], sort=False):
        subset, external, trained = map(str, key)
        first = rows.iloc[0].to_dict()
        tested = f"{int(first['n_test'])} crops"
        tested += f" of {int(first['n_patients'])} {run.patients}" * run.patient_ids
        counted = f"{len(rows)} system{'s' * (len(rows) > 1)}, {trained}"
        sentences.append(
            f"{subset}, tested on {external} ({tested}; {counted}): {_drop(rows, first)}."
        )
    return sentences


def _drop(rows: "pd.DataFrame", first: Mapping[Any, Any]) -> str:
    if len(rows) == 1:
        low, high = first["auc_drop_ci_low"], first["auc_drop_ci_high"]
        limits = f" [{number(low)}, {number(high)}]"
        inside, there = number(first["internal_auc"]), number(first["auc"])
        dropped = f"AUC {inside} in the internal test, {there} there; drop "
        dropped += number(first["auc_drop"])
        return dropped + (", too few for an interval" if missing(low) else limits)
    values = [float(value) for value in rows["auc_drop"]]
    low, high = rows["auc_drop_ci_low"], rows["auc_drop_ci_high"]
    above, below, given = int((low > 0).sum()), int((high < 0).sum()), int(low.notna().sum())
    spread = f"{number(min(values))} to {number(max(values))}, median {number(median(values))}"
    intervals = (
        f"95 % interval above 0: {above}, below 0: {below}, with 0 in it: {given - above - below}"
        if given
        else "too few for intervals"
    )
    return f"AUC drops by {spread} ({intervals})"
