"""The leakage audit: each audit beside the protocol that it departs from, system by system.

An audit puts patients on both sides on purpose. What that gives is the difference from a protocol
that does not, for one system at a time. Its interval draws patients, the same ones for both sides,
and leaves out everything else: other trainings, other folds, other data.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import bootstrap, interval, observed
from reports.systems.groups import by_network
from reports.systems.kinds import is_reference
from reports.systems.pooling import GROUP_COLUMNS, PooledSystem
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.published import nearest_published
from reports.values import estimate, missing, short

if TYPE_CHECKING:
    import pandas as pd

ALL_ROWS, SHARED, UNSHARED = "all", "of patients in both splits", "of patients in test alone"


@dataclass(frozen=True)
class Comparison:
    """An audit and what it is set against.

    besides : what the two differ in besides patients on both sides; the numbers of training rows
    stand in the table. rows, twin_rows : which test rows of each side are measured.
    """

    audit: str
    twin: str
    besides: str
    rows: str = ALL_ROWS
    twin_rows: str = ALL_ROWS


# The first twin of an audit is its honest one, on as nearly the same rows as there are.
COMPARISONS = (
    Comparison(
        "pooled-official",
        "official",
        "training has the crops of the shared patients besides; the test crops are the same",
    ),
    Comparison(
        "pooled-official",
        "official",
        "training has the crops of the shared patients besides; the test crops are the same",
        SHARED,
        SHARED,
    ),
    Comparison(
        "pooled-official",
        "pooled-official",
        "the test crops are other crops of other patients, who may be easier or harder; the "
        "classifier is the same",
        SHARED,
        UNSHARED,
    ),
    Comparison("image-cv", "patient-cv", "nothing by design: the same crops, in other folds"),
    Comparison(
        "rotated-holdout",
        "rotated-by-patient",
        "one split of 70 to 30 a repeat in place of five folds: fewer training rows, and not every "
        "row is tested",
    ),
    Comparison(
        "rotated-image-cv",
        "rotated-by-patient",
        "nothing by design: the same rotated crops, in other folds",
    ),
    Comparison(
        "reused-network",
        "patient-cv",
        "one network serves all folds of a repeat, trained on 70 % of all crops with their labels; "
        "the folds are by crop",
    ),
    Comparison(
        "reused-network",
        "image-cv",
        "the network alone, trained on 70 % of all crops with their labels; folds and crops are "
        "the same, and both sides are audits",
    ),
)
# The order in which protocols stand side by side.
PROTOCOLS = (
    *("official", "patient-cv", "pooled-official", "image-cv"),
    *("rotated-by-patient", "rotated-holdout", "rotated-image-cv", "reused-network"),
)
MEASURES = ("auc", "accuracy", "sensitivity", "specificity")
DRAWN = "drawn patients alone"
DRAWN_AND_GIVEN = "drawn patients alone, given the trained models"
_WITHOUT_PROTOCOL = tuple(name for name in SYSTEM_COLUMNS if name != "protocol")
_SIZES = ("n_train", "n_test", "n_patients", "n_runs")
_FIRST = "torchvision:alexnet"

COLUMNS = (
    *_WITHOUT_PROTOCOL,
    "audit",
    "twin",
    "rows",
    "twin_rows",
    *(f"{side}{name}" for name in _SIZES for side in ("", "twin_")),
    *(
        column
        for name in MEASURES
        for column in (
            *(name, f"twin_{name}", f"{name}_difference"),
            *(f"{name}_difference_ci_{end}" for end in ("low", "high")),
        )
    ),
    "interval",
    "besides",
)


@dataclass(frozen=True)
class Pair:
    """One system under an audit and under its twin, with the test rows that are measured."""

    comparison: Comparison
    system: PooledSystem
    twin: PooledSystem
    rows: tuple[ScoredRows, ...]
    twin_rows: tuple[ScoredRows, ...]


def pairs(run: Run, systems: Iterable[PooledSystem]) -> list[Pair]:
    """Every system that ran under an audit and its twin on all training patients.

    By subset, then in the order of COMPARISONS; AlexNet first, reference points last. A protocol
    counts as an audit only if the run's manifest says so.
    """
    places: dict[tuple[str, ...], dict[str, dict[tuple[str, ...], PooledSystem]]] = {}
    for system in _ordered(systems):
        place = _place(system)
        key = tuple(str(system.identity[name]) for name in _WITHOUT_PROTOCOL)
        protocol = str(system.identity["protocol"])
        places.setdefault(place, {}).setdefault(protocol, {})[key] = system
    found = []
    for of_protocol in places.values():
        for comparison in COMPARISONS:
            twins = of_protocol.get(comparison.twin, {})
            audited = of_protocol.get(comparison.audit, {})
            for key, system in audited.items() if comparison.audit in run.audits else ():
                if key in twins and (pair := _pair(run, comparison, system, twins[key])):
                    found.append(pair)
    return found


def _ordered(systems: Iterable[PooledSystem]) -> list[PooledSystem]:
    def place(system: PooledSystem) -> int:
        if is_reference(system):
            return 2
        return 0 if str(system.identity["extractor"]).startswith(_FIRST) else 1

    return sorted(by_network(s for s in systems if s.ran and s.whole), key=place)


def _pair(
    run: Run, comparison: Comparison, system: PooledSystem, twin: PooledSystem
) -> Pair | None:
    """None where a side has no such rows."""
    own = _part(run, system, comparison.rows)
    others = _part(run, twin, comparison.twin_rows)
    return Pair(comparison, system, twin, own, others) if own and others else None


def _part(run: Run, system: PooledSystem, which: str) -> tuple[ScoredRows, ...]:
    """The repeats with those of their rows that are asked for; nothing where one has none."""
    if which == ALL_ROWS:
        return system.repeats
    parts = []
    for rows, places in zip(system.repeats, system.places, strict=True):
        inside = _shared(run, places) == (which == SHARED)
        if not inside.any():
            return ()
        parts.append(ScoredRows(*(column[inside] for column in rows)))
    return tuple(parts)


def _shared(run: Run, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these predictions are of patients in both splits of the tested subset, (n,)."""
    rows, lesions = run.predictions.iloc[places], run.lesions
    if not {"subset", "split"} <= set(lesions.columns):
        return np.zeros(len(rows), dtype=bool)
    # A subset such as `all` is told by the base subsets of its test crops.
    tested = lesions["crop_id"].astype(str).isin(rows["crop_id"].astype(str))
    inside = lesions[lesions["subset"].isin(set(lesions.loc[tested, "subset"]))]
    train, test = (
        set(inside.loc[inside["split"] == name, "patient_id"].astype(str))
        for name in ("train", "test")
    )
    found: NDArray[np.bool_] = rows["patient_id"].astype(str).isin(train & test).to_numpy(bool)
    return found


def leakage_audit(run: Run, systems: Iterable[PooledSystem]) -> "pd.DataFrame":
    """One row a system and comparison, with exactly the columns of COLUMNS.

    NAME is a measure under the audit, twin_NAME under its twin, each the mean over repeats;
    NAME_difference is the first minus the second. Its 95 % percentile interval (NAME_difference_ci)
    comes from 2,000 draws of patients, of all that either side tested: in one draw a patient counts
    as often on one side as on the other, with all rows, rotated ones too. It is the interval of the
    difference due to the drawn patients alone, given the trained models where there are folds; no
    correction is made for the number of rows in this table. What is undefined is missing.
    n_train is the mean over folds; n_test and n_patients are means over repeats.

    systems : from `pooling.pool`.
    """
    import pandas as pd

    found = pairs(run, systems)
    limits = _limits(found)
    rows = [_row(pair, limit) for pair, limit in zip(found, limits, strict=True)]
    frame = pd.DataFrame([[row.get(name) for name in COLUMNS] for row in rows], columns=COLUMNS)
    return frame.astype({f"{side}{name}": "Int64" for name in _SIZES for side in ("", "twin_")})


def _limits(found: Sequence[Pair]) -> list[list[tuple[float, float]]]:
    """For each pair the interval of each measure's difference; a side is drawn once for all."""
    by_patients: dict[bytes, list[int]] = {}
    for place, pair in enumerate(found):
        patients = np.unique(np.concatenate([r.patient for r in (*pair.rows, *pair.twin_rows)]))
        by_patients.setdefault(patients.tobytes(), []).append(place)
    limits: dict[int, list[tuple[float, float]]] = {}
    for places in by_patients.values():
        # Their pairs have the same patients between them, hence the same draws.
        sides: dict[tuple[int, str], tuple[ScoredRows, ...]] = {}
        for place in places:
            pair = found[place]
            sides[id(pair.system), pair.comparison.rows] = pair.rows
            sides[id(pair.twin), pair.comparison.twin_rows] = pair.twin_rows
        drawn = dict(zip(sides, bootstrap(list(sides.values()), MEASURES), strict=True))
        for place in places:
            pair = found[place]
            one = drawn[id(pair.system), pair.comparison.rows]
            other = drawn[id(pair.twin), pair.comparison.twin_rows]
            limits[place] = [interval(values) for values in one - other]
    return [limits[place] for place in range(len(found))]


def _row(pair: Pair, limits: Sequence[tuple[float, float]]) -> dict[str, Any]:
    row = {name: pair.system.identity[name] for name in _WITHOUT_PROTOCOL}
    row |= {
        "audit": pair.comparison.audit,
        "twin": pair.comparison.twin,
        "rows": pair.comparison.rows,
        "twin_rows": pair.comparison.twin_rows,
        "interval": DRAWN_AND_GIVEN if _folded(pair) else DRAWN,
        "besides": pair.comparison.besides,
        **_sizes(pair.system, pair.rows),
        **{f"twin_{k}": v for k, v in _sizes(pair.twin, pair.twin_rows).items()},
    }
    values, others = observed(pair.rows, MEASURES), observed(pair.twin_rows, MEASURES)
    for name, one, other, (low, high) in zip(MEASURES, values, others, limits, strict=True):
        difference = float(one - other)
        row |= {name: float(one), f"twin_{name}": float(other), f"{name}_difference": difference}
        row |= {f"{name}_difference_ci_low": low, f"{name}_difference_ci_high": high}
    return row


def _folded(pair: Pair) -> bool:
    return any(len(np.unique(r.fold)) > 1 for r in (*pair.rows, *pair.twin_rows))


def _sizes(system: PooledSystem, repeats: Sequence[ScoredRows]) -> dict[str, int | None]:
    trained = system.units["n_train"].astype("float64").mean()
    return {
        "n_train": None if missing(trained) else round(trained),
        "n_test": round(np.mean([len(rows.score) for rows in repeats])),
        "n_patients": round(np.mean([len(np.unique(rows.patient)) for rows in repeats])),
        "n_runs": len(repeats),
    }


def side_by_side(
    run: Run, systems: Sequence[PooledSystem], summary: "pd.DataFrame"
) -> "pd.DataFrame | None":
    """Every system that ran under an audit, with a column a protocol; None without such a system.

    A row a system and measure (AUC, accuracy). A cell is the text 'mean ± std [interval]', as in
    summary.csv, which holds the same as numbers; an audit's column says that it is one. The
    published figure nearest to a row stands in columns of its own with its data and protocol, on
    the mass crops of CBIS-DDSM and of data made like them.

    summary : of `tables.summary`, a row for each of `systems`.
    """
    import pandas as pd

    of_system = dict(zip(map(id, systems), summary.to_dict("records"), strict=True))
    table: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for system in sorted(_ordered(systems), key=_places(systems)):
        key = tuple(str(system.identity[name]) for name in _WITHOUT_PROTOCOL)
        table.setdefault(key, {})[str(system.identity["protocol"])] = of_system[id(system)]
    table = {key: rows for key, rows in table.items() if set(rows) & set(run.audits)}
    if not table:
        return None
    ran = {protocol for rows in table.values() for protocol in rows}
    shown = [name for name in PROTOCOLS if name in ran]
    shown += sorted(ran - set(shown))
    heading = {name: f"{name} (audit)" if name in run.audits else name for name in shown}
    published = ("published", "published_system", "published_data", "published_protocol")
    lines = []
    for rows in table.values():
        first = next(iter(rows.values()))
        known = nearest_published(first)
        for measure in ("auc", "accuracy"):
            cells = {heading[name]: _estimated(rows.get(name), measure) for name in shown}
            figure = known.figures.get(measure) if known else None
            told = (figure, known.system, known.data, known.protocol) if known else ()
            beside = dict(zip(published, told, strict=False)) if figure is not None else {}
            lines.append({**{k: first[k] for k in _WITHOUT_PROTOCOL}, "measure": measure})
            lines[-1] |= cells | beside
    columns = [*_WITHOUT_PROTOCOL, "measure", *heading.values()]
    if any("published" in line for line in lines):
        columns += published
    return pd.DataFrame([[line.get(name) for name in columns] for line in lines], columns=columns)


def _places(systems: Iterable[PooledSystem]) -> Callable[[PooledSystem], int]:
    """Sorts by subset, region and the like, in order of appearance."""
    order = list(dict.fromkeys(map(_place, systems)))
    return lambda system: order.index(_place(system))


def _place(system: PooledSystem) -> tuple[str, ...]:
    """Systems that share it are set side by side: a group under any protocol."""
    return tuple(str(system.identity[name]) for name in GROUP_COLUMNS if name != "protocol")


def _estimated(row: Mapping[str, Any] | None, measure: str) -> str:
    return estimate(row, measure) if row is not None else ""


def called(comparison: Comparison, audits: Iterable[str]) -> str:
    """'image-cv (audit) less patient-cv', with the rows where they are not all."""
    audits = set(audits)
    one, other = (
        f"{short(name)} (audit)" if name in audits else short(name)
        for name in (comparison.audit, comparison.twin)
    )
    if comparison.rows == comparison.twin_rows == ALL_ROWS:
        return f"{one} less {other}"
    if comparison.audit == comparison.twin:
        return f"{one}, test rows {comparison.rows} less those {comparison.twin_rows}"
    return f"{one} less {other}, test rows {comparison.rows}"
