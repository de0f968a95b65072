"""Predictive values at a stated prevalence, with intervals on the logit scale.

The predictive values of the test rows hold for their prevalence, which in a data set is a choice.
Sensitivity and specificity give those at any other, as long as the cases are of the same kind.

References
----------
.. [1] N. D. Mercaldo, K. F. Lau and X. H. Zhou, "Confidence intervals for predictive values with an
   emphasis to case-control studies", Statistics in Medicine 26, 2007 (the standard logit interval).
"""

from typing import NamedTuple

import numpy as np

from reports.statistics.intervals import LEVEL


class PredictiveValue(NamedTuple):
    """A predictive value and its 95 % interval; undefined values are NaN."""

    value: float
    low: float
    high: float


class PredictiveValues(NamedTuple):
    """Sensitivity and specificity with their variances and covariance.

    Attributes
    ----------
    sensitivity, specificity : float
        The rates.
    of_sensitivity, of_specificity, together : float
        Their variances, and the covariance that patients with rows of both classes give.
    """

    sensitivity: float
    specificity: float
    of_sensitivity: float
    of_specificity: float
    together: float = 0.0


def positive_predictive_value(rates: PredictiveValues, prevalence: float) -> PredictiveValue:
    """The share of positives among rows called positive, at this prevalence.

    Raises
    ------
    ValueError
        For a prevalence that is not between 0 and 1.
    """
    return _at_prevalence(rates, prevalence)


def negative_predictive_value(rates: PredictiveValues, prevalence: float) -> PredictiveValue:
    """The share of negatives among rows called negative, at this prevalence.

    Raises
    ------
    ValueError
        For a prevalence that is not between 0 and 1.
    """
    # For the other class sensitivity and specificity change places.
    other = PredictiveValues(
        rates.specificity,
        rates.sensitivity,
        rates.of_specificity,
        rates.of_sensitivity,
        rates.together,
    )
    return _at_prevalence(other, 1 - prevalence)


def _at_prevalence(rates: PredictiveValues, prevalence: float) -> PredictiveValue:
    """The log-odds of the value are those of the prevalence plus the log of the likelihood ratio.

    Where one of the rates is 0 or 1 the ratio has no variance that could be estimated: no interval.
    """
    from scipy import stats

    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must lie between 0 and 1, got {prevalence}")
    found, false = rates.sensitivity, 1 - rates.specificity
    called = found * prevalence + false * (1 - prevalence)
    if not called > 0:
        return PredictiveValue(*(float("nan"),) * 3)
    value = found * prevalence / called
    if not (0 < found < 1 and 0 < false < 1):
        return PredictiveValue(value, float("nan"), float("nan"))
    variance = (
        rates.of_sensitivity / found**2
        + rates.of_specificity / false**2
        + 2 * rates.together / (found * false)
    )
    away = stats.norm.isf((1 - LEVEL) / 2) * np.sqrt(max(variance, 0.0))
    odds = np.log(value) - np.log1p(-value)
    low, high = (1 / (1 + np.exp(-(odds + side * away))) for side in (-1, 1))
    return PredictiveValue(float(value), float(low), float(high))
