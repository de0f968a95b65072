"""Compares the test rows of a bundle with a published data set's own tables."""

from typing import TYPE_CHECKING, Any

from bench.errors import UnusableInput
from bench.planning.protocols import PROTOCOLS

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.lesions import Dataset


def rows_that_differ(
    dataset: "Dataset", units: "pd.DataFrame", scores: "pd.DataFrame"
) -> tuple[list[str], list[str], list[str]]:
    """What differs from the tables, what was checked, and what could not be.

    Parameters
    ----------
    dataset : Dataset
        The published set.
    units, scores : pd.DataFrame
        As in units.parquet and predictions.parquet.

    Returns
    -------
    tuple[list[str], list[str], list[str]]
        Lines of each kind.
    """
    faults = _other_values(dataset.table, scores)
    if faults:
        return faults, [], []
    checked = ["labels, patients and lesions against the data set's tables"]
    unchecked: list[str] = []
    ran = units[(units["status"] == "ok") & units["train_fraction"].fillna(1).ge(1)]
    for (subset, protocol, seed), members in ran.groupby(["subset", "protocol", "seed"]):
        where = f"folds of {subset}, {protocol}"
        reason = _other_folds(dataset, str(subset), str(protocol), int(seed), members, scores)
        if reason is None:
            checked.append(f"{where}, drawn again from the tables")
        elif reason.startswith("cannot"):
            unchecked.append(f"{where}: {reason}")
        else:
            faults.append(f"predictions.parquet: {where}: {reason}")
    return faults, checked, unchecked


def _other_values(table: "pd.DataFrame", scores: "pd.DataFrame") -> list[str]:
    own = table.drop_duplicates("crop_id").set_index("crop_id")
    rows = scores.astype({"crop_id": str}).drop_duplicates("crop_id").set_index("crop_id")
    unknown = rows.index.difference(own.index)
    if len(unknown):
        return [f"predictions.parquet: {len(unknown)} crops are not in the data, as {unknown[0]!a}"]
    faults = []
    for name in ("label", "patient_id", "lesion_id"):
        other = own.loc[rows.index, name].astype(str) != rows[name].astype(str)
        if other.any():
            crop = rows.index[other.to_numpy()][0]
            faults.append(f"predictions.parquet: {name} of {crop} is not that of the data's tables")
    return faults


def _other_folds(
    dataset: "Dataset",
    subset: str,
    protocol: str,
    seed: int,
    units: "pd.DataFrame",
    scores: "pd.DataFrame",
) -> str | None:
    """How the folds differ from those drawn again; None where they do not."""
    known = PROTOCOLS.get(protocol)
    if known is None or known.rotated:
        return "cannot be drawn again from the tables alone"
    repeats = int(units["repeat"].max()) + 1
    try:
        rows = dataset.rows(subset)
        split: Any = known.split(rows, repeats, seed)
    except UnusableInput as error:
        return f"cannot be drawn again ({error})"
    drawn = {
        (f.repeat, f.number): set(rows["crop_id"].iloc[f.test].astype(str)) for f in split.folds
    }
    tested = {
        (repeat, fold): set(scores.loc[scores["unit"].isin(members["unit"]), "crop_id"].astype(str))
        for (repeat, fold), members in units.groupby(["repeat", "fold"])
    }
    everything = set().union(*drawn.values())
    if everything != set().union(*tested.values()):
        count = len(everything ^ set().union(*tested.values()))
        return f"cannot be compared: {count} crops are tested on one side only"
    different = sum(drawn.get(place) != crops for place, crops in tested.items())
    return f"{different} of {len(tested)} are not those of the protocol" if different else None
