"""Tests on external sets beside the internal test, and how the sets differ.

The two sides have other patients, who are drawn independently. The drop holds everything in which
the sets differ: machines, patients, the choice of lesions, the meaning of the classes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import bounded_interval, interval
from reports.statistics.logistic_calibration import NAMES, calibrated
from reports.statistics.probabilities import probabilities
from reports.systems.groups import any_protocol
from reports.systems.pairs import WITHOUT_PROTOCOL
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import external_tests
from reports.systems.rows import Floats
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("auc", "sensitivity", "specificity")
# The draws of the two sides must not be the same ones.
_INTERNAL_SEED, _EXTERNAL_SEED = 0, 1
# Our choice, for patients of either class: percentiles of a draw of fewer are no interval.
FEWEST_PATIENTS = 10
_SIZES = ("n_train", "n_test", "n_patients")
_LIMITS = ("", "_ci_low", "_ci_high")

COLUMNS = (
    *WITHOUT_PROTOCOL,
    *("external", "protocol", "internal"),
    *(f"{side}{name}" for name in _SIZES for side in ("", "internal_")),
    *(
        f"{column}{limit}"
        for name in MEASURES
        for column in (name, f"internal_{name}", f"{name}_drop")
        for limit in _LIMITS
    ),
    *(f"{name}{limit}" for name in NAMES for limit in _LIMITS),
)

SET_COLUMNS = (
    *("subset", "set", "rows", "title", "positive", "negative", "crops", "patients"),
    *("prevalence", "side_25", "side_50", "side_75", "grey_25", "grey_50", "grey_75"),
    *("formats", "views"),
)


def external(run: Run, systems: Sequence[PooledSystem]) -> "pd.DataFrame":
    """One row a system and external set, with exactly the columns of COLUMNS.

    NAME is a measure on the external set, internal_NAME that of the same system in the internal
    test, each the mean over repeats at the threshold of the training; NAME_drop is the second minus
    the first. The intervals are 95 % percentiles of 2,000 draws of patients; of the drop, of
    independent draws of either side. Calibration is that on the external set, of systems with
    probabilities. With fewer than FEWEST_PATIENTS of a class there is no interval. Without an
    internal test its columns are empty, and so they are where `selected`
    is not the same system on both sides.
    """
    by_key: dict[tuple[str, ...], dict[str, PooledSystem]] = {}
    for system in systems:
        key = tuple(str(system.identity[name]) for name in WITHOUT_PROTOCOL)
        place = (*any_protocol(system.group), *key)
        by_key.setdefault(place, {})[str(system.identity["protocol"])] = system
    tests = {test.protocol: test for test in external_tests(run)}
    pairs: list[tuple[str, PooledSystem, PooledSystem | None]] = []
    for by_protocol in by_key.values():
        for protocol, test in tests.items():
            tested = by_protocol.get(protocol)
            if tested is not None and tested.ran and tested.whole:
                inside = (by_protocol.get(name) for name in test.internal)
                ran = [found for found in inside if found is not None and found.ran]
                same = ran[0] if ran and _chosen(ran[0]) == _chosen(tested) else None
                pairs.append((test.name, tested, same))
    outside = _drawn([one for _, one, _ in pairs], _EXTERNAL_SEED)
    internal = _drawn([two for _, _, two in pairs if two is not None], _INTERNAL_SEED)
    rows = [_row(*pair, outside, internal) for pair in pairs]
    whole = [f"{side}{name}" for name in _SIZES for side in ("", "internal_")]
    return frame(rows, COLUMNS, whole=whole)


def _chosen(system: PooledSystem) -> set[tuple[str, str]]:
    """The systems that the row `selected` stands for; empty for any other row."""
    # Of a run that selects nothing the columns may be absent.
    chosen = system.units.reindex(columns=["chosen_extractor", "chosen_classifier"]).dropna()
    return set(chosen.itertuples(index=False, name=None))


def _drawn(systems: Sequence[PooledSystem], seed: int) -> dict[int, Floats]:
    """Bootstrap values by the `id` of each system; the same draws for the same patients."""
    by_patients: dict[bytes, list[PooledSystem]] = {}
    for system in {id(one): one for one in systems}.values():
        patients = np.unique(np.concatenate([rows.patient for rows in system.repeats]))
        by_patients.setdefault(patients.tobytes(), []).append(system)
    found: dict[int, Floats] = {}
    for members in by_patients.values():
        values = bootstrap([system.repeats for system in members], MEASURES, seed=seed)
        found |= dict(zip(map(id, members), values, strict=True))
    return found


def _row(
    name: str,
    system: PooledSystem,
    inside: PooledSystem | None,
    drawn: Mapping[int, Floats],
    drawn_inside: Mapping[int, Floats],
) -> dict[str, Any]:
    row = {
        **{column: system.identity[column] for column in WITHOUT_PROTOCOL},
        "external": name,
        "protocol": system.identity["protocol"],
        **_sizes(system),
    }
    values, draws = observed(system.repeats, MEASURES), drawn[id(system)]
    enough = _enough(system)
    _put(row, MEASURES, values, draws, enough, system)
    if inside is not None:
        others, other_draws = observed(inside.repeats, MEASURES), drawn_inside[id(inside)]
        row |= {"internal": inside.identity["protocol"]}
        row |= {f"internal_{size}": value for size, value in _sizes(inside).items()}
        names = [f"internal_{measure}" for measure in MEASURES]
        both = enough and _enough(inside)
        _put(row, names, others, other_draws, _enough(inside), inside)
        drops = [f"{measure}_drop" for measure in MEASURES]
        _put(row, drops, others - values, other_draws - draws, both)
    found = probabilities(system)
    if found is None:
        return row
    fitted = calibrated(system.repeats, found)
    limits = tuple(limit for limit in _LIMITS if limit)
    return row | {
        name: value for name, value in fitted.items() if enough or not name.endswith(limits)
    }


def _enough(system: PooledSystem) -> bool:
    """Whether every repeat has FEWEST_PATIENTS of either class: an interval of fewer misleads."""
    return all(
        len(np.unique(rows.patient[rows.positive == label])) >= FEWEST_PATIENTS
        for rows in system.repeats
        for label in (True, False)
    )


def _put(
    row: dict[str, Any],
    names: Sequence[str],
    values: Any,
    draws: Any,
    enough: bool,
    system: PooledSystem | None = None,
) -> None:
    """Put measures with their intervals into a row; without a system they are differences."""
    for name, measure, value, of_draws in zip(names, MEASURES, values, draws, strict=True):
        low, high = np.nan, np.nan
        if enough and np.isfinite(value):
            if system is None:
                low, high = interval(of_draws)
            else:
                low, high = bounded_interval(of_draws, measure, system.repeats)
        row |= {name: float(value), f"{name}_ci_low": low, f"{name}_ci_high": high}


def _sizes(system: PooledSystem) -> dict[str, float]:
    return {
        "n_train": float(system.units["n_train"].astype("float64").mean()),
        "n_test": float(np.mean([len(rows.score) for rows in system.repeats])),
        "n_patients": float(np.mean([len(np.unique(rows.patient)) for rows in system.repeats])),
    }


def external_sets(run: Run) -> "pd.DataFrame":
    """How the sets differ: a row for each subset's own crops and for each external set.

    Sides (the longest, in native pixels) and mean grey values (0 to 255) are quartiles over crops.
    """
    sets = manifest_records(run.manifest, "external")
    subsets = dict.fromkeys(subset for one in sets for subset in section(one, "tested"))
    data, rows = section(run.manifest, "data"), []
    for subset in subsets:
        classes = section(section(data, "subsets"), subset)
        own = _part(run.lesions, sets[0], "own", subset)
        facts = {"set": data.get("dataset"), "title": data.get("title"), **classes}
        used = [("train", "training"), ("test", "test")] if _is_split(own) else [("", "all")]
        for split, words in used:
            part = own[own["split"] == split] if split else own
            rows.append({"subset": subset, "rows": words, **facts, **_described(part)})
        for one in sets:
            part = _part(run.external, one, "tested", subset)
            classes = section(section(one, "classes"), subset)
            facts = {"set": one.get("name"), "title": one.get("title"), **classes}
            rows.append({"subset": subset, "rows": "all", **facts, **_described(part)})
    return frame(rows, SET_COLUMNS, whole=("crops", "patients"))


def _part(table: "pd.DataFrame", one: dict[str, Any], side: str, subset: str) -> "pd.DataFrame":
    """The rows of the base subsets that stand for a subset on one side."""
    return table[table["subset"].isin([*map(str, listing(section(one, side), subset))])]


def _is_split(rows: "pd.DataFrame") -> bool:
    return {"train", "test"} <= set(rows["split"]) if "split" in rows else False


def _described(rows: "pd.DataFrame") -> dict[str, Any]:
    """Counts, and quartiles of what is known of the crops."""
    patients = rows["group_id"] if "group_id" in rows else rows["patient_id"]
    found: dict[str, Any] = {"crops": len(rows), "patients": patients.nunique()}
    if not len(rows):
        return found
    found["prevalence"] = float(rows["label"].astype(float).mean())
    known = {"grey": rows.get("mean_intensity")}
    if {"crop_height", "crop_width"} <= set(rows):
        known["side"] = rows[["crop_height", "crop_width"]].astype(float).max(axis=1)
    for name, values in known.items():
        if values is not None:
            quartiles = np.quantile(values.astype(float), [0.25, 0.5, 0.75])
            found |= dict(zip((f"{name}_25", f"{name}_50", f"{name}_75"), quartiles, strict=True))
    if {"file_format", "file_bits"} <= set(rows):
        kinds = rows["file_format"].astype(str) + " " + rows["file_bits"].astype(str) + " bits"
        found["formats"] = _counted(kinds)
    if "view" in rows:
        found["views"] = _counted(rows["view"].fillna("").astype(str).replace("", "not given"))
    return found


def _counted(values: "pd.Series") -> str:
    counts = values.value_counts(sort=False).sort_index()
    return ", ".join(f"{value} {count}" for value, count in counts.items())


def _intro(pooled: PooledRun, table: "pd.DataFrame") -> str:
    of = pooled.run.patients
    return (
        "Trained on the own training rows, tested on all rows of another data set with the "
        "threshold, the scaling and the sigmoid of the training. The drop is the internal test "
        f"less the external one; its 95 % interval draws the {of} of either side independently, "
        "given the trained models. Calibration in the large is the intercept of a logistic model "
        "of the outcome on the log-odds with slope 1 (0 at best, above 0 where probabilities are "
        "too low), slope and intercept those of the model with both (1 and 0 at best); of systems "
        "whose scores are probabilities. No correction is made for the number of rows. A side with "
        f"fewer than {FEWEST_PATIENTS} {of} of a class has no interval."
    )


EXTERNAL_TABLE = ReportTable(
    "external",
    lambda pooled, _: external(pooled.run, pooled.systems),
    title="Tests on external sets",
    place="external",
    intro=_intro,
    headings={
        "internal": "internal test",
        "calibration_in_the_large": "calibration in the large",
    },
)

EXTERNAL_SETS_TABLE = ReportTable(
    "external_sets",
    lambda pooled, _: external_sets(pooled.run),
    title="How the sets differ",
    place="external",
    intro=(
        "Longest sides in native pixels and mean grey values (0 to 255, before resizing) are "
        "quartiles over crops. A drop holds all of this, and what no table shows."
    ),
    headings={
        "side_25": "side, 25 %",
        "side_50": "side, median",
        "side_75": "side, 75 %",
        "grey_25": "grey value, 25 %",
        "grey_50": "grey value, median",
        "grey_75": "grey value, 75 %",
    },
)
