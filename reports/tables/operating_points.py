"""Two points of the ROC curve that a screening programme asks for, with their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.statistics.bootstrap import DRAWS, draw_patients, interval, std_over_repeats
from reports.statistics.roc import rate_at
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
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
    """Sensitivity at 90 % specificity and the reverse, for `declared.close_groups`.

    The threshold is read off the ROC curve of the test rows themselves (of each fold; the folds
    are averaged by their rows of the class), and again in every bootstrap draw. A threshold that
    had to be chosen beforehand would do worse.
    """
    import pandas as pd

    rows = [
        {**system.identity, **_points(system.repeats)}
        for systems in close.values()
        for system in systems
    ]
    return pd.DataFrame(rows, columns=list(OPERATING_COLUMNS))


def _points(repeats: Sequence[ScoredRows]) -> dict[str, float]:
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    drawn = draw_patients(len(everyone), DRAWS, seed=0)
    found: dict[str, float] = {}
    for name in POINTS:
        reverse = name == POINTS[1]
        values, draws = [], []
        for rows in repeats:
            patient = np.searchsorted(everyone, rows.patient)
            values.append(float(rate_at(rows, np.ones((len(patient), 1)), reverse)[0]))
            draws.append(
                np.concatenate(
                    [
                        rate_at(rows, drawn[patient, start : start + _CHUNK], reverse)
                        for start in range(0, DRAWS, _CHUNK)
                    ]
                )
            )
        found[name] = float(np.mean(values))
        found[f"{name}_std"] = std_over_repeats(values)
        found[f"{name}_ci_low"], found[f"{name}_ci_high"] = interval(np.mean(draws, axis=0))
    return found


OPERATING_POINTS_TABLE = ReportTable(
    "operating_points",
    lambda pooled, _: operating_points(pooled.close),
    title="Operating points",
    place="closer",
    intro=(
        "Read off the ROC curve of the test crops themselves, hence optimistic: a threshold that "
        "had to be chosen beforehand would do worse."
    ),
    folded=True,
    headings={
        "specificity_at_90_sensitivity": "specificity at 90 % sensitivity",
    },
)
