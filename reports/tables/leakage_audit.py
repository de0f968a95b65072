"""The leakage audit: each audit beside the protocol that it departs from, system by system.

An audit puts patients on both sides on purpose. What that gives is the difference from a protocol
that does not, for one system at a time. Its interval draws patients, the same ones for both sides,
and leaves out everything else: other trainings, other folds, other data.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import interval
from reports.systems.pairs import WITHOUT_PROTOCOL, Pair
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.tables.report_table import ReportTable
from reports.values import missing

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("auc", "accuracy", "sensitivity", "specificity")
DRAWN = "drawn patients alone"
DRAWN_AND_GIVEN = "drawn patients alone, given the trained models"
_SIZES = ("n_train", "n_test", "n_patients", "n_runs")

COLUMNS = (
    *WITHOUT_PROTOCOL,
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


def leakage_audit(found: Sequence[Pair], drawn: str) -> "pd.DataFrame":
    """One row a system and comparison, with exactly the columns of COLUMNS.

    NAME is a measure under the audit, twin_NAME under its twin, each the mean over repeats;
    NAME_difference is the first minus the second. Its 95 % percentile interval (NAME_difference_ci)
    comes from 2,000 draws of patients, of all that either side tested: in one draw a patient counts
    as often on one side as on the other, with all rows, rotated ones too. It is the interval of the
    difference due to the drawn patients alone, given the trained models where there are folds; no
    correction is made for the number of rows in this table. What is undefined is missing.
    n_train is the mean over folds; n_test and n_patients are means over repeats. `drawn` is what is
    drawn, as sentences call it.
    """
    import pandas as pd

    limits = _limits(found)
    rows = [_row(pair, limit, drawn) for pair, limit in zip(found, limits, strict=True)]
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


def _row(pair: Pair, limits: Sequence[tuple[float, float]], drawn: str) -> dict[str, Any]:
    row = {name: pair.system.identity[name] for name in WITHOUT_PROTOCOL}
    row |= {
        "audit": pair.comparison.audit,
        "twin": pair.comparison.twin,
        "rows": pair.comparison.rows,
        "twin_rows": pair.comparison.twin_rows,
        "interval": (DRAWN_AND_GIVEN if _folded(pair) else DRAWN).replace("patients", drawn),
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


LEAKAGE_AUDIT_TABLE = ReportTable(
    "leakage_audit",
    lambda pooled, _: leakage_audit(pooled.pairs, pooled.run.patients),
    title="What each audit gave",
    place="audit",
    intro=lambda pooled, _: (
        "The audit less the protocol beside it, with the 95 % interval of the difference due to "
        f"the drawn {pooled.run.patients} alone: one draw takes the same {pooled.run.patients} for "
        "both, with all their rows. No correction is made for the number of rows. Numbers of rows "
        f"and {pooled.run.patients} are audit | beside it. The files also hold sensitivity and "
        "specificity."
    ),
    folded=True,
)
