"""Predictive values against Bayes' rule and the logit interval written out, and by simulation.

The counts are those of Mercaldo et al. (2007), Table 8: 240 of 418 with the disease and 87 of 375
without it are positive; assumed prevalence 3 %.
"""

import numpy as np
import pytest

from reports.statistics.predictive_values import (
    PredictiveValues,
    negative_predictive_value,
    positive_predictive_value,
)


def rates(found: int, cases: int, right: int, others: int) -> PredictiveValues:
    se, sp = found / cases, right / others
    return PredictiveValues(se, sp, se * (1 - se) / cases, sp * (1 - sp) / others)


def test_the_published_counts_by_the_published_formula() -> None:
    se, sp, prevalence = 240 / 418, 288 / 375, 0.03
    found = positive_predictive_value(rates(240, 418, 288, 375), prevalence)
    value = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    away = 1.959964 * np.sqrt((1 - se) / se / 418 + sp / (1 - sp) / 375)
    odds = np.log(se * prevalence / ((1 - sp) * (1 - prevalence)))
    ends = [1 / (1 + np.exp(-(odds + side * away))) for side in (-1, 1)]
    assert list(found) == pytest.approx([value, *ends], abs=1e-6)
    other = negative_predictive_value(rates(240, 418, 288, 375), prevalence)
    value = sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence)
    assert other.value == pytest.approx(value)
    assert other.low < other.value < other.high


def test_at_the_prevalence_of_the_sample_it_is_the_share_of_the_counts() -> None:
    found = positive_predictive_value(rates(240, 418, 288, 375), 418 / 793)
    assert found.value == pytest.approx(240 / (240 + 87))


@pytest.mark.parametrize("sensitivity", [0.0, 1.0])
def test_a_rate_without_scatter_has_no_interval(sensitivity: float) -> None:
    found = positive_predictive_value(PredictiveValues(sensitivity, 0.9, 0.0, 0.001), 0.1)
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1])
def test_a_prevalence_lies_between_0_and_1(prevalence: float) -> None:
    with pytest.raises(ValueError, match="prevalence"):
        positive_predictive_value(PredictiveValues(0.8, 0.9, 0.01, 0.01), prevalence)


@pytest.mark.parametrize(("se", "sp", "n"), [(0.8, 0.9, 60), (0.9, 0.95, 200)])
def test_intervals_hold_the_truth(se: float, sp: float, n: int) -> None:
    random, held, made = np.random.default_rng(0), 0, 0
    truth = se * 0.05 / (se * 0.05 + (1 - sp) * 0.95)
    for _ in range(2000):
        found = positive_predictive_value(
            rates(random.binomial(n, se), n, random.binomial(n, sp), n), 0.05
        )
        if np.isfinite(found.low):
            made += 1
            held += found.low <= truth <= found.high
    assert 0.935 <= held / made <= 0.985
