"""Mean, std and patient-bootstrap interval of several measures, for rows that are cut or joined.

The tables by subgroup and by level put their rows together anew; what they say of them is the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.uncertainty import Rows, bootstrap, interval, observed, std_over_repeats

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


def sizes(rows: Rows) -> dict[str, int]:
    """On how much a row of such a table rests."""
    return {
        "n": len(rows.positive),
        "n_positive": int(rows.positive.sum()),
        "n_patients": len(np.unique(rows.patient)),
    }


def _of_one(repeats: Sequence[Rows], drawn: NDArray[np.float64]) -> dict[str, float]:
    measured = np.array([observed([rows], MEASURED) for rows in repeats])
    found = {}
    for name, values, draws in zip(MEASURED, measured.T, drawn, strict=True):
        low, high = interval(draws)
        found[name] = float(values.mean())
        found[f"{name}_std"] = std_over_repeats(values)
        # Where the measure itself is undefined, so is its interval.
        defined = found[name] == found[name]
        found[f"{name}_ci_low"], found[f"{name}_ci_high"] = (
            (low, high) if defined else (np.nan,) * 2
        )
    return found
