"""Average precision of each system looked at closely, beside what ranking nothing gives."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import DRAWS, draw_patients, std_over_repeats
from reports.statistics.intervals import bounded_interval
from reports.statistics.precision_recall import average_precision, average_precision_of_chance
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats, ScoredRows
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

PRECISION_COLUMNS = (
    *SYSTEM_COLUMNS,
    *(f"average_precision{suffix}" for suffix in ("", "_std", "_ci_low", "_ci_high")),
    "average_precision_of_chance",
)

# Draws worked on at once, so that the running sums of a few thousand rows stay small.
_CHUNK = 100


def precision_recall(close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """A row a system of `focus.close_groups`, with exactly PRECISION_COLUMNS.

    Means and std over repeats; the interval is the percentile one over patients. Rows are ranked
    within folds. average_precision_of_chance is that of one score for all: the prevalence.
    """
    import pandas as pd

    rows = [
        {**system.identity, **_measured(system.repeats)}
        for systems in close.values()
        for system in systems
    ]
    return pd.DataFrame(rows, columns=list(PRECISION_COLUMNS))


def _measured(repeats: tuple[ScoredRows, ...]) -> dict[str, float]:
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    multiplicity = draw_patients(len(everyone), DRAWS, seed=0)
    values = [float(average_precision(r, np.ones((len(r.score), 1)))[0]) for r in repeats]
    drawn = np.mean([_drawn(r, everyone, multiplicity) for r in repeats], axis=0)
    low, high = bounded_interval(drawn, "average_precision", repeats)
    return {
        "average_precision": float(np.mean(values)),
        "average_precision_std": std_over_repeats(values),
        "average_precision_ci_low": low,
        "average_precision_ci_high": high,
        "average_precision_of_chance": float(np.mean([*map(average_precision_of_chance, repeats)])),
    }


def _drawn(rows: ScoredRows, everyone: NDArray[np.int64], multiplicity: Floats) -> Floats:
    patient = np.searchsorted(everyone, rows.patient)
    chunks = [
        average_precision(rows, multiplicity[patient, start : start + _CHUNK])
        for start in range(0, DRAWS, _CHUNK)
    ]
    return np.concatenate(chunks)


PRECISION_RECALL_TABLE = ReportTable(
    "precision_recall",
    lambda pooled, _: precision_recall(pooled.close),
    title="Average precision",
    place="closer",
    intro=(
        "The mean precision at the rank of each positive crop, ranked within a fold. A system that "
        "ranks nothing has the prevalence, which in a data set is a choice, so average precisions "
        "of different data sets cannot be compared."
    ),
    folded=True,
    headings={"average_precision_of_chance": "average precision of chance"},
)
