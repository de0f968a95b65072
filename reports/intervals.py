"""Mean, std and patient-bootstrap interval of several measures, for rows that are cut or joined.

The tables by subgroup and by level put their rows together anew; what they say of them is the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.measures import auc, from_counts
from reports.uncertainty import Rows, bootstrap, interval

MEASURED = ("auc", "sensitivity", "specificity")
# The columns that `estimates` fills.
ESTIMATE_COLUMNS = tuple(
    f"{name}{suffix}" for name in MEASURED for suffix in ("", "_std", "_ci_low", "_ci_high")
)


def estimates(systems: Sequence[Sequence[Rows]]) -> list[dict[str, float]]:
    """For each system, given as its repeats, the values of ESTIMATE_COLUMNS.

    Every system gets the same bootstrap draws over patients. What is undefined is NaN.
    """
    if not systems:
        return []
    drawn = bootstrap(systems, MEASURED)
    return [_of_one(repeats, values) for repeats, values in zip(systems, drawn, strict=True)]


def _of_one(repeats: Sequence[Rows], drawn: NDArray[np.float64]) -> dict[str, float]:
    measured = [_measured(rows) for rows in repeats]
    found = {}
    for name, draws in zip(MEASURED, drawn, strict=True):
        values = np.array([one[name] for one in measured])
        low, high = interval(draws)
        found[name] = float(values.mean())
        found[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        # Where the measure itself is undefined, so is its interval.
        defined = found[name] == found[name]
        found[f"{name}_ci_low"], found[f"{name}_ci_high"] = (
            (low, high) if defined else (np.nan,) * 2
        )
    return found


def _measured(rows: Rows) -> dict[str, float]:
    positive, called = rows.positive, rows.called
    cells = (positive & called, positive & ~called, ~positive & called, ~positive & ~called)
    found = from_counts(*(int(cell.sum()) for cell in cells))
    return {
        "auc": auc(positive, rows.score, np.ones(len(positive)), rows.fold),
        **{name: float(found[name]) for name in ("sensitivity", "specificity")},
    }
