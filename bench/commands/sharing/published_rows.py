"""Compares the test rows of a bundle with a published data set's own tables."""

from typing import TYPE_CHECKING, Any

from bench.data.patients import GROUP, groups_of
from bench.errors import UnusableInput
from bench.planning.presets import EXTERNAL
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
    table = dataset.table.drop_duplicates("crop_id").set_index("crop_id")
    rows = scores.astype({"crop_id": str}).drop_duplicates("crop_id").set_index("crop_id")
    unknown = rows.index.difference(table.index)
    if len(unknown):
        what = f"{len(unknown)} crops are not in the data, as {unknown[0]!a}"
        return [f"predictions.parquet: {what}"], [], []
    table = table.loc[rows.index]
    everybody = set(groups_of(dataset.table).astype(str))
    faults = [*_other_values(table, rows), *_other_patients(table, rows, everybody)]
    if faults:
        return faults, [], []
    checked = ["labels, patients and lesions against the data set's tables"]
    names = rows["patient_id"].astype(str)
    joint = sorted(set(groups_of(table).astype(str)) - set(names))
    unchecked = []
    if joint:
        unchecked.append(
            f"patients that count as one with others: {len(joint)}, as {joint[0]}; only pictures "
            "that are the same can tell"
        )
    for lines, place in _folds(dataset, units, scores, dict(names)):
        (faults, checked, unchecked)[place].append(lines)
    return faults, checked, unchecked


def _other_values(table: "pd.DataFrame", rows: "pd.DataFrame") -> list[str]:
    faults = []
    for name in ("label", "lesion_id"):
        other = table[name].astype(str) != rows[name].astype(str)
        if other.any():
            crop = rows.index[other.to_numpy()][0]
            faults.append(f"predictions.parquet: {name} of {crop} is not that of the data's tables")
    return faults


def _other_patients(table: "pd.DataFrame", rows: "pd.DataFrame", everybody: set[str]) -> list[str]:
    """Who is not called as in the tables; patients may be joined, as copies of pictures join them.

    A joined group has the name of one of its patients, who may be among the training rows alone,
    and none of them stands apart from it.
    """
    both = table.assign(own=groups_of(table).astype(str), given=rows["patient_id"].astype(str))
    apart = both[["own", "given"]].drop_duplicates()
    if apart["own"].duplicated().any():
        patient = apart.loc[apart["own"].duplicated(), "own"].iloc[0]
        return [f"predictions.parquet: the patient {patient} of the data is two here"]
    given = both["given"]
    named = {*zip(given, both["own"], strict=True)}
    tested = set(both["own"])
    foreign = sorted(
        name
        for name in set(given)
        if (name in tested and (name, name) not in named) or name not in everybody
    )
    what = [f"predictions.parquet: {name!a} is not the patient of its crops" for name in foreign]
    return what[:1]


def _folds(
    dataset: "Dataset", units: "pd.DataFrame", scores: "pd.DataFrame", patients: dict[str, str]
) -> list[tuple[str, int]]:
    """A line for each protocol; 0 for a fault, 1 if its folds were checked, 2 if they cannot be."""
    found = []
    ran = units[(units["status"] == "ok") & units["train_fraction"].fillna(1).ge(1)]
    for (subset, protocol, seed), members in ran.groupby(["subset", "protocol", "seed"]):
        where = f"folds of {subset}, {protocol}"
        try:
            reason = _other_folds(
                dataset, str(subset), str(protocol), int(seed), members, scores, patients
            )
        except UnusableInput as error:
            found.append((f"{where}: cannot be drawn again ({error})", 2))
            continue
        if reason is None:
            found.append((f"{where}, drawn again from the tables", 1))
        elif reason.startswith("cannot"):
            found.append((f"{where}: {reason}", 2))
        else:
            found.append((f"predictions.parquet: {where}: {reason}", 0))
    return found


def _other_folds(
    dataset: "Dataset",
    subset: str,
    protocol: str,
    seed: int,
    units: "pd.DataFrame",
    scores: "pd.DataFrame",
    patients: dict[str, str],
) -> str | None:
    """How the folds differ from those drawn again; None where they do not."""
    known = PROTOCOLS.get(protocol)
    if known is None or known.rotated or protocol == EXTERNAL:
        return "cannot be drawn again from the tables alone"
    rows = dataset.rows(subset)
    names = rows["crop_id"].astype(str)
    groups = names.map(patients).fillna(groups_of(rows).astype(str))
    rows = rows.assign(**{GROUP: groups})
    split: Any = known.split(rows, int(units["repeat"].max()) + 1, seed)
    drawn = {(f.repeat, f.number): set(names.iloc[f.test]) for f in split.folds}
    most = {(f.repeat, f.number): len(f.train) for f in split.folds}
    tested = {
        place: set(scores.loc[scores["unit"].isin(members["unit"]), "crop_id"].astype(str))
        for place, members in units.groupby(["repeat", "fold"])
    }
    one_side = set().union(*drawn.values()) ^ set().union(*tested.values())
    if one_side:
        return f"cannot be compared: {len(one_side)} crops are tested on one side only"
    different = sum(drawn.get(place) != crops for place, crops in tested.items())
    if different:
        return f"{different} of {len(tested)} are not those of the protocol"
    places = zip(units["repeat"], units["fold"], strict=True)
    more = [n for place, n in zip(places, units["n_train"], strict=True) if n > most[place]]
    return f"{len(more)} units state more training crops than it leaves" if more else None
