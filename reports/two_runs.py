"""Two runs compared: the systems that both have, on the crops that both tested.

What is compared must have been tested on the same crops, with the same labels and patients, under
the same protocol and split; anything else is refused, because the difference would mean nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics.difference import (
    Difference,
    NotComparable,
    contrast,
    holm,
    paired_repeats,
    with_verdicts,
)
from reports.statistics.measures import MEASURES
from reports.systems.pooling import PooledSystem, pool
from reports.systems.run_folder import Run, section
from reports.values import short

if TYPE_CHECKING:
    import pandas as pd

# Identifies a system in both runs; in the other columns the runs may differ.
_KEPT = (
    *("subset", "protocol", "extractor", "classifier"),
    *("C", "scale", "tuned", "train_fraction"),
)
_MAY_DIFFER = ("region", "size", "weights", "recipe", "seed")
# Settings of the configuration in which the runs may differ, too.
_CROP_SETTINGS = ("fit", "margin", "window")
COLUMNS = (
    *_KEPT,
    "differs",
    "measure",
    "first",
    "second",
    "difference",
    "ci_low",
    "ci_high",
    "test",
    "p",
    "p_holm",
    "smallest_difference",
    "verdict",
    "first_runs",
    "second_runs",
)
Key = tuple[str, ...]


@dataclass(frozen=True)
class TwoRuns:
    """The comparison of two runs.

    Attributes
    ----------
    table : pd.DataFrame
        COLUMNS, one row for each system of both runs. `difference` is second minus first, with its
        95 % interval over patients from the same draws for both; `p_holm` is Holm's over the
        systems of one subset and protocol; `differs` names the settings in which the two differ.
    left_out : tuple[tuple[str, str], ...]
        Systems that are not compared, each with the reason.
    drawn : str
        What the intervals are over: patients, or images where the data do not say whose they are.
    """

    table: "pd.DataFrame"
    left_out: tuple[tuple[str, str], ...]
    drawn: str


@dataclass(frozen=True)
class _Side:
    """A run whose patients and crops are numbered as in the other one, by row of predictions."""

    run: Run
    systems: dict[Key, PooledSystem]
    crop: NDArray[np.int64]
    several: tuple[Key, ...]


def compare_runs(first: Run, second: Run, measure: str = "auc") -> TwoRuns:
    """Compare the systems that two runs have in common, the second against the first.

    Parameters
    ----------
    first, second : Run
        As from `read_run`.
    measure : str
        One of `reports.statistics.measures.MEASURES`.

    Returns
    -------
    TwoRuns
        The differences, and the systems left out.

    Raises
    ------
    NotComparable
        For different data, crops, labels, patients, splits or training rows, and where no system
        ran in both.
    ValueError
        For an unknown measure.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    _check_data(first, second)
    one, other = _sides(first, second)
    left_out: list[tuple[str, str]] = []
    pairs: dict[Key, tuple[PooledSystem, PooledSystem]] = {}
    for key in dict.fromkeys([*one.systems, *other.systems]):
        reason = _reason_left_out(key, one, other)
        if reason:
            left_out.append((_system_name(key), reason))
            continue
        pairs[key] = one.systems[key], other.systems[key]
        _check_rows(key, one, other)
    if not pairs:
        raise NotComparable(_reason_nothing_compared(one, other, left_out))
    table = _table(first, second, pairs, measure)
    return TwoRuns(table, tuple(left_out), first.patients)


def _table(
    first: Run, second: Run, pairs: dict[Key, tuple[PooledSystem, PooledSystem]], measure: str
) -> "pd.DataFrame":
    import pandas as pd

    shared = _crops_differ(first, second)
    found = {key: contrast(new, old, measure) for key, (old, new) in pairs.items()}
    adjusted: dict[Key, tuple[float, int]] = {}
    for family in {key[:2] for key in pairs}:
        members = [key for key in pairs if key[:2] == family]
        values = holm([found[key].p for key in members])
        adjusted |= {key: (float(v), len(members)) for key, v in zip(members, values, strict=True)}
    rows = [
        {name: pairs[key][0].identity[name] for name in _KEPT}
        | {"differs": _differing(*pairs[key], shared), "measure": measure}
        | _figures(found[key], *adjusted[key])
        for key in pairs
    ]
    for row in rows:
        if str(row["protocol"]) in first.audits:
            row["protocol"] = f"{row['protocol']} ({first.audit_mark})"
    return pd.DataFrame([[row[name] for name in COLUMNS] for row in rows], columns=COLUMNS)


def _figures(found: Difference, p_holm: float, family: int) -> dict[str, Any]:
    return {
        "first": found.reference,
        "second": found.value,
        **with_verdicts(found, p_holm, family),
        "first_runs": found.reference_runs,
        "second_runs": found.runs,
    }


def _differing(old: PooledSystem, new: PooledSystem, shared: Sequence[str]) -> str:
    """'seed 0 and 1; weights imagenet and random'; empty where nothing differs."""
    values = {n: (short(old.identity[n]), short(new.identity[n])) for n in _MAY_DIFFER}
    differing = [f"{n} {a or 'none'} and {b or 'none'}" for n, (a, b) in values.items() if a != b]
    return "; ".join([*differing, *shared])


def _crops_differ(first: Run, second: Run) -> list[str]:
    """How the images of the same crops differ between the runs."""
    settings = [section(run.manifest, "configuration") for run in (first, second)]
    pairs = {
        name: tuple(short(one.get(name)) or "none" for one in settings) for name in _CROP_SETTINGS
    }
    differing = [
        f"{name} {' and '.join(pair)}" for name, pair in pairs.items() if len(set(pair)) > 1
    ]
    alike = all(settings[0].get(name) == settings[1].get(name) for name in ("size", "region"))
    prints = {section(run.manifest, "data").get("fingerprint") for run in (first, second)}
    if not differing and alike and len(prints) > 1 and len(first.lesions) == len(second.lesions):
        differing = ["other pixels"]
    return differing


def _check_data(first: Run, second: Run) -> None:
    """Refuse different data sets, and crops whose patient, label or split differs."""
    names = [str(section(run.manifest, "data").get("dataset")) for run in (first, second)]
    if names[0] != names[1]:
        raise NotComparable(f"one holds {names[0]}, the other {names[1]}")
    columns = [
        n for n in ("patient_id", "label", "split") if n in first.lesions and n in second.lesions
    ]
    # As text: a dictionary-encoded column has other codes in each file.
    frames = [run.lesions[["crop_id", *columns]].astype(str) for run in (first, second)]
    tables = [table.drop_duplicates("crop_id").set_index("crop_id") for table in frames]
    common = tables[0].index.intersection(tables[1].index)
    if common.empty:
        raise NotComparable("they have no crop in common")
    for name in columns:
        other = tables[0].loc[common, name] != tables[1].loc[common, name]
        if other.any():
            crop = common[other.to_numpy()][0]
            values = " and ".join(table.loc[crop, name] for table in tables)
            raise NotComparable(f"the crop {crop} has another {name} in each ({values})")


def _sides(first: Run, second: Run) -> list[_Side]:
    import pandas as pd

    frames = [run.predictions for run in (first, second)]
    columns = ["patient_id", "crop_id", "rotation", "label"]
    joint = pd.concat([frame[columns].astype(str) for frame in frames], ignore_index=True)
    crops = joint.groupby(columns, sort=False).ngroup().to_numpy()
    patients = pd.factorize(joint["patient_id"], sort=True)[0]
    sides = []
    parts = (slice(len(frames[0])), slice(len(frames[0]), None))
    for run, part in zip((first, second), parts, strict=True):
        numbers = patients[part]
        found: dict[Key, list[PooledSystem]] = {}
        for system in pool(run):
            renumbered = replace(
                system,
                repeats=tuple(
                    rows._replace(patient=numbers[place])
                    for rows, place in zip(system.repeats, system.places, strict=True)
                ),
            )
            key = tuple(short(system.identity[name]) for name in _KEPT)
            found.setdefault(key, []).append(renumbered)
        single = {key: systems[0] for key, systems in found.items()}
        several = tuple(key for key, systems in found.items() if len(systems) > 1)
        sides.append(_Side(run, single, crops[part], several))
    return sides


def _reason_left_out(key: Key, one: _Side, other: _Side) -> str:
    """Why a system is not compared; empty if it is."""
    if key not in one.systems or key not in other.systems:
        return f"only in the {'first' if key in one.systems else 'second'} run"
    for side, name in ((one, "first"), (other, "second")):
        if key in side.several:
            return f"stands more than once in the {name} run"
        if not side.systems[key].ran:
            return f"did not run in the {name} run: {side.systems[key].status}"
    return ""


def _check_rows(key: Key, one: _Side, other: _Side) -> None:
    """Refuse a system with different test crops, folds or numbers of training rows."""
    old, new = one.systems[key], other.systems[key]
    where = f"{key[0]}, {key[1]}"
    try:
        places, old_places = paired_repeats(new, old)
    except NotComparable as error:
        raise NotComparable(f"{where}: {error}") from None
    for place, old_place in zip(places, old_places, strict=False):
        reason = other_crops(_tested(old, old_place, one), _tested(new, place, other))
        if reason:
            raise NotComparable(f"{where}: {reason}")
    trained = old.units.merge(new.units, on=["repeat", "fold"])
    unlike = trained.loc[trained["n_train_x"] != trained["n_train_y"], ["n_train_x", "n_train_y"]]
    if len(unlike):
        sizes = " and on ".join(map(short, unlike.iloc[0]))
        raise NotComparable(f"{where}: trained on {sizes} crops")


def _tested(system: PooledSystem, place: int, side: _Side) -> NDArray[np.int64]:
    """Crop and fold of the test rows of one repeat, (2, n), in the order of the crops."""
    rows = np.stack([side.crop[system.places[place]], system.repeats[place].fold])
    return rows[:, np.argsort(rows[0], kind="stable")]


def other_crops(old: NDArray[np.int64], new: NDArray[np.int64]) -> str:
    """How the test rows differ; empty where they do not."""
    if not np.array_equal(old[0], new[0]):
        both = len(np.intersect1d(old[0], new[0]))
        return (
            "the test crops, or their labels or patients, are not the same: "
            f"{old.shape[1]} and {new.shape[1]}, {both} of them in both"
        )
    return "" if np.array_equal(old, new) else "the same crops, split into other folds"


def _reason_nothing_compared(one: _Side, other: _Side, left_out: Sequence[tuple[str, str]]) -> str:
    """Why there is no system to compare."""
    places = [dict.fromkeys(key[:2] for key in side.systems) for side in (one, other)]
    if not set(places[0]) & set(places[1]):
        lists = ("; ".join(", ".join(place) for place in side) for side in places)
        return f"no subset and protocol in common: one has {' - the other '.join(lists)}"
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    reason = f": {': '.join(left_out[0])}{more}" if left_out else ""
    return f"no system ran in both{reason}"


def _system_name(key: Key) -> str:
    return f"{key[0]}, {key[1]}, {key[2]} + {key[3]}"
