"""Where scores are probabilities: how far they can be believed, and what acting on them would give.

A network's own head, logistic regression and an SVM with a fitted sigmoid give probabilities; the
distance to an SVM's boundary is none, and has no row here.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.bootstrap import DRAWS, draw_patients, std_over_repeats
from reports.statistics.calibration_error import error_interval
from reports.statistics.intervals import interval
from reports.statistics.logistic_calibration import NAMES
from reports.statistics.probabilities import calibration_error, net_benefit, probabilities
from reports.statistics.robust_calibration import robust_calibration
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats, ScoredRows
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

# Probabilities from which one may act, in the table of net benefit.
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))

CALIBRATION_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("brier", "brier_std", "brier_ci_low", "brier_ci_high"),
    *("calibration_error", "calibration_error_std", "mean_probability", "prevalence"),
    "brier_of_prevalence",
    *("calibration_error_ci_low", "calibration_error_ci_high"),
    *(f"{name}{end}" for name in NAMES for end in ("", "_ci_low", "_ci_high")),
)

DECISION_COLUMNS = (
    *(*SYSTEM_COLUMNS, "threshold", "net_benefit", "treat_all"),
    *("net_benefit_ci_low", "net_benefit_ci_high"),
)


def calibration(systems: list[PooledSystem]) -> "pd.DataFrame":
    """Brier score and expected calibration error of each system with probabilities.

    Brier, Monthly Weather Review 78 (1950): the mean squared distance of probability and outcome,
    0 at best; brier_of_prevalence is that of answering the prevalence for every crop. The
    calibration error is the mean over BINS bins of equal width of the distance between the mean
    probability and the share of positive rows, weighted by rows (Naeini et al., AAAI 2015). Means
    and std over repeats; the interval of the Brier score is a bootstrap over patients, that of the
    error `error_interval`. In the large, slope and intercept are `robust_calibration`'s.
    """
    import pandas as pd

    rows = []
    for system in systems:
        found = probabilities(system)
        if found is not None:
            rows.append({**system.identity, **_calibrated(system.repeats, found)})
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def _calibrated(repeats: tuple[ScoredRows, ...], found: list[Floats]) -> dict[str, float]:
    briers = [float(np.mean(_squares(r, p))) for r, p in zip(repeats, found, strict=True)]
    errors = [calibration_error(r.positive, p) for r, p in zip(repeats, found, strict=True)]
    prevalence = float(np.mean([rows.positive.mean() for rows in repeats]))
    low, high = _brier_interval(repeats, found)
    error_low, error_high = error_interval(repeats, found)
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
        "calibration_error_ci_low": error_low,
        "calibration_error_ci_high": error_high,
        **robust_calibration(repeats, found),
    }


def _squares(rows: ScoredRows, probability: Floats) -> Floats:
    squares: Floats = (probability - rows.positive) ** 2
    return squares


def _brier_interval(repeats: tuple[ScoredRows, ...], found: list[Floats]) -> tuple[float, float]:
    return _interval_of_mean(repeats, [_squares(r, p) for r, p in zip(repeats, found, strict=True)])


def _benefit_interval(
    repeats: tuple[ScoredRows, ...], found: list[Floats], limit: float
) -> tuple[float, float]:
    """Of the net benefit, which is a mean over crops: 1 for a true alarm, -odds for a false one."""
    odds = limit / (1 - limit)
    pairs = zip(repeats, found, strict=True)
    gained: list[Floats] = [
        np.where(p >= limit, np.where(rows.positive, 1.0, -odds), 0.0) for rows, p in pairs
    ]
    return _interval_of_mean(repeats, gained)


def _interval_of_mean(repeats: tuple[ScoredRows, ...], values: list[Floats]) -> tuple[float, float]:
    """The percentile interval over patients of a mean over crops, averaged over repeats."""
    everyone = np.unique(np.concatenate([rows.patient for rows in repeats]))
    drawn = draw_patients(len(everyone), DRAWS, seed=0)
    means = []
    for rows, of_rows in zip(repeats, values, strict=True):
        patient = np.searchsorted(everyone, rows.patient)
        sums = np.bincount(patient, of_rows, len(everyone)) @ drawn
        with np.errstate(invalid="ignore"):
            means.append(sums / (np.bincount(patient, minlength=len(everyone)) @ drawn))
    return interval(np.mean(means, axis=0))


def decision_curves(systems: list[PooledSystem]) -> "pd.DataFrame":
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
            low, high = _benefit_interval(system.repeats, found, limit)
            named |= {"net_benefit_ci_low": low, "net_benefit_ci_high": high}
            rows.append({**system.identity, **named})
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS))


CALIBRATION_TABLE = ReportTable(
    "calibration",
    lambda pooled, _: calibration(pooled.honest),
    title="Calibration",
    place="probabilities",
    intro=(
        "Brier score: mean squared distance of probability and outcome, 0 at best; beside it that "
        "of answering the prevalence for every crop. Calibration error: over ten bins of equal "
        "width; chance alone keeps it above 0, and its interval begins at 0 where a calibrated "
        "system would often have such an error. In the large: 0 at best, above 0 where "
        "probabilities are too low; slope: 1 at best, below 1 where they are too extreme."
    ),
    folded=True,
)

DECISION_CURVES_TABLE = ReportTable(
    "decision_curves",
    lambda pooled, _: decision_curves(pooled.honest),
    title="Net benefit",
    place="decision",
    intro=(
        "True positives less false positives weighted by the odds of the threshold, per crop; "
        "acting on none gives 0. It depends on the prevalence, which in a data set is a choice."
    ),
    folded=True,
)
