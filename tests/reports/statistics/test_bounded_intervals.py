"""At 0 and 1 an interval is not a single number, and near them it holds the truth often enough."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from reports import patient_bootstrap
from reports.statistics.bootstrap import bootstrap, estimates
from reports.statistics.intervals import bounded_interval, interval
from reports.systems.rows import ScoredRows


def rows(positive, score, patient) -> ScoredRows:
    positive, score = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    zeros = np.zeros(len(score), dtype=np.int64)
    return ScoredRows(positive, score, score > 0, np.asarray(patient, dtype=np.int64), zeros)


PERFECT = rows([1] * 8 + [0] * 12, [1] * 8 + [-1] * 12, np.arange(20))


@pytest.mark.parametrize(
    ("measure", "trials"),
    [("sensitivity", 8), ("specificity", 12), ("accuracy", 20), ("auc", 8), ("ppv", 8)],
)
def test_at_one_it_is_wilsons_over_the_patients_of_the_denominator(measure, trials) -> None:
    drawn = bootstrap([[PERFECT]], [measure], 200)[0, 0]
    assert interval(drawn) == (1.0, 1.0)
    expected = proportion_confint(trials, trials, method="wilson")
    assert bounded_interval(drawn, measure, [PERFECT]) == pytest.approx(expected)


def test_at_zero_it_is_the_mirror_image() -> None:
    wrong = PERFECT._replace(score=-PERFECT.score, called=~PERFECT.called)
    drawn = bootstrap([[wrong]], ["sensitivity"], 200)[0, 0]
    expected = proportion_confint(0, 8, method="wilson")
    assert bounded_interval(drawn, "sensitivity", [wrong]) == pytest.approx(expected)


@pytest.mark.parametrize("measure", ["mcc", "f1"])
def test_what_is_no_share_has_no_interval_at_its_bound(measure) -> None:
    drawn = bootstrap([[PERFECT]], [measure], 200)[0, 0]
    assert np.isnan(bounded_interval(drawn, measure, [PERFECT])).all()


def test_crops_of_a_patient_are_one_trial_and_repeats_are_no_more_patients() -> None:
    twice = rows([1] * 8 + [0] * 12, [1] * 8 + [-1] * 12, np.arange(20) // 2)
    drawn = bootstrap([[twice]], ["sensitivity"], 200)[0, 0]
    expected = proportion_confint(4, 4, method="wilson")
    assert bounded_interval(drawn, "sensitivity", [twice]) == pytest.approx(expected)
    assert bounded_interval(drawn, "sensitivity", [twice, twice]) == pytest.approx(expected)


def test_elsewhere_it_is_the_percentile_interval() -> None:
    one_missed = PERFECT._replace(called=PERFECT.called & (np.arange(20) > 0))
    drawn = bootstrap([[one_missed]], ["sensitivity"], 200)[0, 0]
    assert bounded_interval(drawn, "sensitivity", [one_missed]) == interval(drawn)
    # A constant score has an AUC of 0.5 in each draw.
    constant = PERFECT._replace(score=np.zeros(20))
    (found,) = estimates([[constant]])
    assert (found["auc_ci_low"], found["auc_ci_high"]) == (0.5, 0.5)


@pytest.mark.parametrize("patients", [20, 50, 200])
@pytest.mark.parametrize("rate", [0.8, 0.9, 0.95, 0.99])
def test_rates_near_one_are_held_by_most_intervals(patients, rate) -> None:
    """Exact for patients of one crop: all numbers of successes by their probabilities."""
    held = held_by_percentiles = 0.0
    for found in range(patients + 1):
        probability = stats.binom.pmf(found, patients, rate)
        if probability < 1e-6:
            continue
        score = np.where(np.arange(patients) < found, 1.0, -1.0)
        of = rows(np.ones(patients), score, np.arange(patients))
        drawn = np.random.default_rng(0).binomial(patients, found / patients, 2000) / patients
        low, high = bounded_interval(drawn, "sensitivity", [of])
        held += probability * (low <= rate <= high)
        low, high = interval(drawn)
        held_by_percentiles += probability * (low <= rate <= high)
    assert held >= 0.86
    if rate == 0.99 and patients < 200:
        assert held_by_percentiles < 0.45


@pytest.mark.parametrize(("positives", "negatives"), [(10, 40), (20, 20)])
def test_an_auc_near_one_is_held_by_most_intervals(positives, negatives) -> None:
    true = 0.99
    apart = np.sqrt(2) * stats.norm.ppf(true)
    held, at_bound, repetitions = 0, 0, 200
    for seed in range(repetitions):
        label = np.repeat([1, 0], [positives, negatives])
        score = np.random.default_rng(seed).normal(size=len(label)) + apart * label
        low, high = patient_bootstrap(label, score, np.arange(len(label)), draws=200, seed=seed)
        held += low <= true <= high
        at_bound += high == 1.0 and score[label == 1].min() > score[label == 0].max()
    assert held / repetitions >= 0.93
    # Percentile intervals alone would hold it in none of these.
    assert at_bound / repetitions > 0.15
