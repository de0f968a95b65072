"""Checks the rows of a bundle against each other: units, test rows, labels, patients and folds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.systems.schema import SYSTEM_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def check_rows_of(
    manifest: dict[str, Any],
    units: "pd.DataFrame",
    scores: "pd.DataFrame",
    known_audits: frozenset[str],
) -> list[str]:
    """What is wrong with the rows, a line each; the first kinds of damage hide later ones.

    Parameters
    ----------
    manifest : dict[str, Any]
        Which protocols are audits.
    units, scores : pd.DataFrame
        The tables, with the columns of `reports.systems.schema`.
    known_audits : frozenset[str]
        Protocols that are audits whatever the manifest says.

    Returns
    -------
    list[str]
        None if nothing was found.
    """
    for check in (_values, _units_and_rows, _crops):
        if faults := list(check(units, scores)):
            return faults
    return [
        *_audits(manifest, units, known_audits),
        *_same_tests(units, scores),
        *_folds(manifest, units, scores, known_audits),
    ]


def _values(units: "pd.DataFrame", scores: "pd.DataFrame") -> Iterator[str]:
    if not len(units) or not len(scores):
        yield "units.parquet and predictions.parquet: one has no rows"
        return
    if not scores["label"].isin((0, 1)).all():
        yield "predictions.parquet: label must hold 0 and 1 only"
    if not np.isfinite(scores["score"].to_numpy(dtype=float, na_value=np.nan)).all():
        yield "predictions.parquet: a score is not finite"
    for name in ("unit", "crop_id", "patient_id"):
        if scores[name].isna().any():
            yield f"predictions.parquet: a row has no {name}"
    ran = units[units["status"] == "ok"]
    if not np.isfinite(ran["threshold"].to_numpy(dtype=float, na_value=np.nan)).all():
        yield "units.parquet: a unit that ran has no threshold"
    for table, file in ((units, "units"), (scores, "predictions")):
        for name in ("repeat", "fold"):
            column = table[name].to_numpy(dtype=float, na_value=np.nan)
            if not (np.isfinite(column) & (column >= 0) & (column % 1 == 0)).all():
                yield f"{file}.parquet: {name} must hold whole numbers from 0"


def _units_and_rows(units: "pd.DataFrame", scores: "pd.DataFrame") -> Iterator[str]:
    if units["unit"].duplicated().any():
        yield "units.parquet: a unit stands twice"
        return
    if units.duplicated([*SYSTEM_COLUMNS, "repeat", "fold"]).any():
        yield "units.parquet: a fold of a system stands twice"
    table = units.set_index("unit")
    present = set(scores["unit"])
    if unknown := present - set(table.index):
        yield f"predictions.parquet: {len(unknown)} units are not in units.parquet"
        return
    ran = set(table.index[table["status"] == "ok"])
    if ran - present:
        yield f"predictions.parquet: {len(ran - present)} units that ran have no rows"
    if present - ran:
        yield f"predictions.parquet: {len(present - ran)} units that did not run have rows"
    yield from _of_each_unit(table, scores)


def _of_each_unit(table: "pd.DataFrame", scores: "pd.DataFrame") -> Iterator[str]:
    """Compare the rows of each unit with what units.parquet says of it."""
    for name in ("repeat", "fold"):
        if (scores["unit"].map(table[name]).to_numpy() != scores[name].to_numpy()).any():
            yield f"predictions.parquet: {name} is not that of units.parquet"
    if scores.duplicated(["unit", "crop_id", "rotation"]).any():
        yield "predictions.parquet: a crop stands twice in one unit"
        return
    grouped = scores.groupby("unit")
    counted = {"n_test": grouped.size(), "n_test_patients": grouped["patient_id"].nunique()}
    for name, counts in counted.items():
        stated = table.loc[counts.index, name]
        if (stated.to_numpy(dtype=float, na_value=np.nan) != counts.to_numpy()).any():
            yield f"units.parquet: {name} is not what predictions.parquet holds"


def _crops(units: "pd.DataFrame", scores: "pd.DataFrame") -> Iterator[str]:
    subset = scores["unit"].map(units.set_index("unit")["subset"])
    rows = scores.assign(subset=subset)
    crops = len(rows[["subset", "crop_id"]].drop_duplicates())
    for name in ("label", "patient_id", "lesion_id"):
        if len(rows[["subset", "crop_id", name]].drop_duplicates()) > crops:
            yield f"predictions.parquet: a crop has two values of {name}"


def _audits(
    manifest: dict[str, Any], units: "pd.DataFrame", known: frozenset[str]
) -> Iterator[str]:
    hidden = (set(units["protocol"].astype(str)) & known) - set(map(str, manifest["audits"]))
    for name in sorted(hidden):
        yield f"manifest.json: does not say that the protocol {name} is an audit"


def _same_tests(units: "pd.DataFrame", scores: "pd.DataFrame") -> Iterator[str]:
    """All systems of one comparison are tested on the same rows of each fold."""
    place = ["dataset", "subset", "region", "size", "protocol", "seed", "repeat", "fold"]
    hashed = scores.assign(crop=_numbers(scores))
    tests = hashed.groupby("unit")["crop"].sum()
    ran = units[units["status"] == "ok"].assign(tested=lambda t: t["unit"].map(tests))
    if len(ran[[*place, "tested"]].drop_duplicates()) > len(ran[place].drop_duplicates()):
        yield "predictions.parquet: systems of one fold were tested on different crops"


def _numbers(scores: "pd.DataFrame") -> "pd.Series":
    import pandas as pd

    # A sum of large numbers, which only the same set of crops gives.
    return pd.util.hash_pandas_object(scores[["crop_id", "rotation"]].astype(str), index=False)


def _folds(
    manifest: dict[str, Any], units: "pd.DataFrame", scores: "pd.DataFrame", known: frozenset[str]
) -> Iterator[str]:
    """Who is tested in two folds of a repeat was trained on in each for the other."""
    audits = {*map(str, manifest["audits"]), *known}
    for protocol, members in units[units["status"] == "ok"].groupby("protocol", sort=False):
        if str(protocol) in audits:
            continue
        system = members.groupby(list(SYSTEM_COLUMNS), sort=False, dropna=False).ngroup()
        rows = scores[scores["unit"].isin(members["unit"])]
        rows = rows.assign(system=rows["unit"].map(dict(zip(members["unit"], system, strict=True))))
        folds = rows.groupby(["system", "repeat", "patient_id"])["fold"].nunique()
        if (folds > 1).any():
            patient = folds[folds > 1].index[0][2]
            yield f"predictions.parquet: under {protocol} the patient {patient!a} is in two folds"
