"""Two points of the ROC curve that a screening programme asks for, with their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.measures import Floats
from reports.naming import GroupKey
from reports.pooling import System
from reports.schema import SYSTEM_COLUMNS
from reports.uncertainty import DRAWS, Rows, draw_patients, interval, std_over_repeats

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 0.90
POINTS = ("sensitivity_at_90_specificity", "specificity_at_90_sensitivity")
OPERATING_COLUMNS = (
    *SYSTEM_COLUMNS,
    *(f"{name}{suffix}" for name in POINTS for suffix in ("", "_std", "_ci_low", "_ci_high")),
)
# Draws worked on at once, so that the running sums of a few thousand rows stay small.
_CHUNK = 100


def operating_points(close: dict[GroupKey, list[System]]) -> "pd.DataFrame":
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


def _points(repeats: Sequence[Rows]) -> dict[str, float]:
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


def rate_at(rows: Rows, weight: Floats, reverse: bool = False) -> Floats:
    """Sensitivity at a specificity of at least LIMIT, (draws,), for weights (n, draws).

    reverse : specificity at a sensitivity of at least LIMIT. Only thresholds between rows count, no
    interpolation. Over folds the mean, weighted by the rows of the class; NaN where no fold has
    both classes.
    """
    # The specificity of a score is the sensitivity of its negative for the other class.
    of_class = ~rows.positive if reverse else rows.positive
    score = -rows.score if reverse else rows.score
    total, weights = np.zeros(weight.shape[1]), np.zeros(weight.shape[1])
    for number in np.unique(rows.fold):
        inside = rows.fold == number
        share = weight[inside][of_class[inside]].sum(axis=0)
        rate = _rate(of_class[inside], score[inside], weight[inside])
        known = ~np.isnan(rate)
        total[known] += (rate * share)[known]
        weights[known] += share[known]
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weights)


def _rate(positive: NDArray[np.bool_], score: Floats, weight: Floats) -> Floats:
    order = np.argsort(-score, kind="stable")
    # Tied rows enter together.
    last = np.append(np.diff(score[order]) != 0, True)
    true = np.cumsum(np.where(positive[order, None], weight[order], 0), axis=0)
    false = np.cumsum(np.where(positive[order, None], 0, weight[order]), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        allowed = false[last] / false[-1] <= 1 - LIMIT + 1e-12
        rate: Floats = np.max(np.where(allowed, true[last], 0), axis=0, initial=0) / true[-1]
    return np.where((true[-1] > 0) & (false[-1] > 0), rate, np.nan)
