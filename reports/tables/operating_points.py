"""Two points of the ROC curve that a screening programme asks for, with their intervals."""

from typing import TYPE_CHECKING

import numpy as np

from reports.statistics.bootstrap import DRAWS, draw_patients, std_over_repeats
from reports.statistics.intervals import bounded_interval
from reports.statistics.roc import rate_at
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

POINTS = ("sensitivity_at_90_specificity", "specificity_at_90_sensitivity")

OPERATING_COLUMNS = (
    *SYSTEM_COLUMNS,
    *(f"{name}{suffix}" for name in POINTS for suffix in ("", "_std", "_ci_low", "_ci_high")),
)

# Draws worked on at once, so that the running sums of a few thousand rows stay small.
_CHUNK = 100


def operating_points(close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """Sensitivity at 90 % specificity and the reverse, for `focus.close_groups`.

    The shift of the threshold, the same in all folds of a repeat, is read off the test rows
    themselves, and again in every bootstrap draw (see `rate_at`). One that had to be chosen
    beforehand would do worse.
    """
    import pandas as pd

    rows = [
        {**system.identity, **_points(system)} for systems in close.values() for system in systems
    ]
    return pd.DataFrame(rows, columns=list(OPERATING_COLUMNS))


def _points(system: PooledSystem) -> dict[str, float]:
    repeats, thresholds = system.repeats, system.thresholds()
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    drawn = draw_patients(len(everyone), DRAWS, seed=0)
    found: dict[str, float] = {}
    for name in POINTS:
        reverse = name == POINTS[1]
        values, draws = [], []
        for rows, own in zip(repeats, thresholds, strict=True):
            patient = np.searchsorted(everyone, rows.patient)
            values.append(float(rate_at(rows, np.ones((len(patient), 1)), reverse, own)[0]))
            draws.append(
                np.concatenate(
                    [
                        rate_at(rows, drawn[patient, start : start + _CHUNK], reverse, own)
                        for start in range(0, DRAWS, _CHUNK)
                    ]
                )
            )
        found[name] = float(np.mean(values))
        found[f"{name}_std"] = std_over_repeats(values)
        found[f"{name}_ci_low"], found[f"{name}_ci_high"] = bounded_interval(
            np.mean(draws, axis=0), name.partition("_")[0], repeats
        )
    return found


OPERATING_POINTS_TABLE = ReportTable(
    "operating_points",
    lambda pooled, _: operating_points(pooled.close),
    title="Operating points",
    place="closer",
    intro=(
        "Read off the test crops themselves, with the thresholds of all folds of a repeat moved by "
        "the same amount; hence optimistic: one that had to be chosen beforehand would do worse."
    ),
    folded=True,
    headings={
        "specificity_at_90_sensitivity": "specificity at 90 % sensitivity",
    },
)
