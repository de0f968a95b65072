"""Where scores are probabilities: how far they can be believed, and what acting on them would give.

A network's own head, logistic regression and an SVM with a fitted sigmoid give probabilities; the
distance to an SVM's boundary is none, and nothing here is said of it.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.measures import Floats
from reports.naming import OWN_HEAD
from reports.pooling import System
from reports.schema import SYSTEM_COLUMNS
from reports.uncertainty import DRAWS, Rows, draw_patients, interval, std_over_repeats

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
# The ending of a classifier whose scores went through a fitted sigmoid.
_SIGMOID = "+platt"
# Its score is a log-odds.
_LOGISTIC = "logistic"
# Probabilities from which one may act, in the table of net benefit.
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
CALIBRATION_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("brier", "brier_std", "brier_ci_low", "brier_ci_high"),
    *("calibration_error", "calibration_error_std", "mean_probability", "prevalence"),
    "brier_of_prevalence",
)
DECISION_COLUMNS = (*SYSTEM_COLUMNS, "threshold", "net_benefit", "treat_all")


class Bin(NamedTuple):
    """Rows whose probability lies in one tenth: their mean probability, and the share positive."""

    predicted: float
    observed: float
    rows: int


def probabilities(system: System) -> list[Floats] | None:
    """The probability of the positive class of each row of each repeat; None where there is none.

    Also None where the scores of a head or sigmoid do not lie in 0..1.
    """
    classifier = str(system.identity["classifier"])
    if not system.ran:
        return None
    if classifier == _LOGISTIC:
        # Clipped where the exponential would overflow and the figure no longer changes.
        return [1 / (1 + np.exp(-np.clip(rows.score, -500, 500))) for rows in system.repeats]
    if classifier != OWN_HEAD and not classifier.endswith(_SIGMOID):
        return None
    inside = all(((rows.score >= 0) & (rows.score <= 1)).all() for rows in system.repeats)
    return [rows.score for rows in system.repeats] if inside else None


def calibration(systems: list[System]) -> "pd.DataFrame":
    """Brier score and expected calibration error of each system with probabilities.

    Brier, Monthly Weather Review 78 (1950): the mean squared distance of probability and outcome,
    0 at best; brier_of_prevalence is that of answering the prevalence for every crop. The
    calibration error is the mean over BINS bins of equal width of the distance between the mean
    probability and the share of positive rows, weighted by rows (Naeini et al., AAAI 2015). Means
    and std over repeats; the interval is a bootstrap over patients.
    """
    import pandas as pd

    rows = []
    for system in systems:
        found = probabilities(system)
        if found is not None:
            rows.append({**system.identity, **_calibrated(system.repeats, found)})
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def _calibrated(repeats: tuple[Rows, ...], found: list[Floats]) -> dict[str, float]:
    briers = [float(np.mean(_squares(r, p))) for r, p in zip(repeats, found, strict=True)]
    errors = [calibration_error(r.positive, p) for r, p in zip(repeats, found, strict=True)]
    prevalence = float(np.mean([rows.positive.mean() for rows in repeats]))
    low, high = _brier_interval(repeats, found)
    return {
        "brier": float(np.mean(briers)),
        "brier_std": std_over_repeats(briers),
        "brier_ci_low": low,
        "brier_ci_high": high,
        "calibration_error": float(np.mean(errors)),
        "calibration_error_std": std_over_repeats(errors),
        "mean_probability": float(np.mean([p.mean() for p in found])),
        "prevalence": prevalence,
        "brier_of_prevalence": prevalence * (1 - prevalence),
    }


def _squares(rows: Rows, probability: Floats) -> Floats:
    squares: Floats = (probability - rows.positive) ** 2
    return squares


def _brier_interval(repeats: tuple[Rows, ...], found: list[Floats]) -> tuple[float, float]:
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    drawn = draw_patients(len(everyone), DRAWS, seed=0)
    values = []
    for rows, probability in zip(repeats, found, strict=True):
        patient = np.searchsorted(everyone, rows.patient)
        sums = np.bincount(patient, _squares(rows, probability), len(everyone)) @ drawn
        with np.errstate(invalid="ignore"):
            values.append(sums / (np.bincount(patient, minlength=len(everyone)) @ drawn))
    return interval(np.mean(values, axis=0))


def bins(positive: NDArray[np.bool_], probability: Floats) -> list[Bin]:
    """The bins that hold rows, of BINS bins of equal width; the last one includes 1."""
    number = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        Bin(
            float(probability[number == place].mean()),
            float(positive[number == place].mean()),
            int((number == place).sum()),
        )
        for place in np.unique(number)
    ]


def calibration_error(positive: NDArray[np.bool_], probability: Floats) -> float:
    """The expected calibration error over BINS bins, 0 at best."""
    found = bins(positive, probability)
    return sum(b.rows * abs(b.predicted - b.observed) for b in found) / len(probability)


def decision_curves(systems: list[System]) -> "pd.DataFrame":
    """Net benefit of acting on a probability of at least each of THRESHOLDS; means over repeats.

    Vickers and Elkin, Medical Decision Making 26 (2006): true positives minus false positives
    weighted by the odds of the threshold, per crop. treat_all is that of acting on every crop;
    acting on none gives 0. All depend on the prevalence, which in a data set is a choice.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for system in systems:
        found = probabilities(system)
        if found is None:
            continue
        for limit in THRESHOLDS:
            benefit = net_benefit(system.repeats, found, limit)
            everyone = net_benefit(system.repeats, [np.ones(len(p)) for p in found], limit)
            named = {"threshold": limit, "net_benefit": benefit, "treat_all": everyone}
            rows.append({**system.identity, **named})
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS))


def net_benefit(repeats: tuple[Rows, ...], found: list[Floats], limit: float) -> float:
    """The net benefit per crop of acting where the probability is at least `limit`."""
    values = []
    for rows, probability in zip(repeats, found, strict=True):
        acted = probability >= limit
        true, false = (acted & rows.positive).mean(), (acted & ~rows.positive).mean()
        values.append(true - false * limit / (1 - limit))
    return float(np.mean(values))
