"""Two systems differ by their paired difference, and the tests are those of the literature."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats import power

from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.difference import (
    BY_BOOTSTRAP,
    BY_FOLDS,
    NotComparable,
    contrast,
    holm,
    resampled_error,
    smallest_difference,
    two_sided,
)
from reports.statistics.intervals import interval
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.tables.ranks import rank_intervals

PATIENTS = 80
FOLDS = 4


def system(
    seed: int,
    skill: float = 1.0,
    folds: int = 1,
    repeats: int = 1,
    first: int = 0,
    noise: float = 1,
) -> PooledSystem:
    """Scores of the same 160 crops of 80 patients; only `noise` of them is this system's own."""
    patient = np.repeat(np.arange(PATIENTS), 2)
    positive = patient % 3 == 0
    shared = np.random.default_rng(99).normal(size=2 * PATIENTS)
    own = np.random.default_rng(seed)
    made = []
    for repeat in range(first, first + repeats):
        fold = np.random.default_rng(repeat).permutation(PATIENTS)[patient] % folds
        score = skill * positive + shared + noise * own.normal(size=2 * PATIENTS)
        made.append(ScoredRows(positive, score, score > 0.5, patient, fold))
    numbers = [(repeat, f) for repeat in range(first, first + repeats) for f in range(folds)]
    units = pd.DataFrame(numbers, columns=["repeat", "fold"])
    return PooledSystem({"extractor": f"e{seed}"}, units, tuple(made), "ok")


def test_a_single_split_is_compared_draw_by_draw() -> None:
    one, other = system(1, 1.5), system(2)
    found = contrast(one, other, "mcc", draws=500, seed=3)
    drawn = bootstrap([one.repeats, other.repeats], ["mcc"], 500, 3)[:, 0]
    differences = drawn[0] - drawn[1]
    assert (found.low, found.high) == interval(differences)
    assert found.difference == observed(one.repeats, ["mcc"])[0] - observed(other.repeats, ["mcc"])
    assert found.test == BY_BOOTSTRAP
    deviate = abs(found.difference) / differences.std(ddof=1)
    assert found.p == pytest.approx(2 * stats.norm.sf(deviate), abs=1e-12)


def test_what_is_hard_for_both_cancels() -> None:
    # Each alone leaves the other's value inside its interval; together they are told apart.
    one, other = system(1, 1.5, noise=0.1), system(2, 1.3, noise=0.1)
    found = contrast(one, other)
    low, high = interval(bootstrap([other.repeats], ["auc"])[0, 0])
    assert low < found.value < high
    assert 0 < found.low < found.high
    assert found.high - found.low < (high - low) / 2
    assert found.p < 0.01


def test_a_system_does_not_differ_from_itself() -> None:
    for folds in (1, FOLDS):
        found = contrast(system(1, folds=folds), system(1, folds=folds))
        assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_folds_are_compared_by_the_corrected_resampled_t_test() -> None:
    one, other = system(1, 1.5, FOLDS, repeats=3), system(2, 1.0, FOLDS, repeats=3)
    differences = [
        roc_auc_score(a.positive[a.fold == fold], a.score[a.fold == fold])
        - roc_auc_score(b.positive[b.fold == fold], b.score[b.fold == fold])
        for a, b in zip(one.repeats, other.repeats, strict=True)
        for fold in range(FOLDS)
    ]
    found = contrast(one, other)
    assert found.test == BY_FOLDS
    assert found.freedom == len(differences) - 1 == 11
    # scipy's t counts the variance 1/J times, the correction 1/J + 1/(K - 1) times.
    naive = stats.ttest_1samp(differences, 0)
    corrected = naive.statistic * np.sqrt((1 / 12) / (1 / 12 + 1 / (FOLDS - 1)))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(corrected), 11), abs=1e-12)
    assert found.p > naive.pvalue


def test_without_overlap_of_training_rows_it_is_the_plain_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.05, 20)
    error, freedom = resampled_error(differences, n_folds=10**15)
    wanted = stats.ttest_1samp(differences, 0)
    assert two_sided(differences.mean() / error, freedom) == pytest.approx(wanted.pvalue, rel=1e-9)
    assert np.isnan(resampled_error([0.1], 5)[0])


def test_only_repeats_with_the_same_folds_are_compared() -> None:
    many, one = system(1, folds=FOLDS, repeats=5), system(2, folds=FOLDS, first=3)
    found = contrast(many, one)
    assert (found.runs, found.reference_runs, found.freedom) == (1, 1, FOLDS - 1)
    assert found.value == observed([many.repeats[3]], ["auc"])[0]
    with pytest.raises(NotComparable, match="no repeat"):
        contrast(system(1, folds=FOLDS), one)


def test_trainings_from_several_seeds_on_one_split_all_count() -> None:
    found = contrast(system(1, repeats=3), system(2))
    assert (found.runs, found.reference_runs) == (3, 1)
    assert found.value == observed(system(1, repeats=3).repeats, ["auc"])[0]


@pytest.mark.parametrize("folds", [1, FOLDS])
def test_other_rows_are_refused(folds: int) -> None:
    one, other = system(1, folds=folds), system(2, folds=folds)
    rows = other.repeats[0]
    turned = rows._replace(positive=np.roll(rows.positive, 2))
    changed = PooledSystem(other.identity, other.units, (turned,), "ok")
    with pytest.raises(NotComparable, match="not the same"):
        contrast(one, changed)
    # In another order they are the same rows.
    reordered = ScoredRows(*(column[::-1] for column in rows))
    assert contrast(one, PooledSystem(other.identity, other.units, (reordered,), "ok")) == contrast(
        one, other
    )


def test_holm_by_its_definition() -> None:
    # By hand: 4 · 0.005, 3 · 0.01, 2 · 0.03, and 0.04, which may not fall below the one before it.
    found = holm([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(found, [0.03, 0.06, np.nan, 0.06, 0.02])
    assert np.isnan(holm([np.nan])).all()
    assert len(holm([])) == 0


def test_the_smallest_difference_has_the_power_it_claims() -> None:
    single = contrast(system(1), system(2))
    effect = smallest_difference(single, 3) / single.standard_error
    assert power.normal_power(effect, nobs=1, alpha=0.05 / 3) == pytest.approx(0.8, abs=1e-3)
    # Over folds the exact power is that of a noncentral t; the sum of two quantiles is near it.
    folds = contrast(system(1, folds=FOLDS, repeats=3), system(2, folds=FOLDS, repeats=3))
    effect = smallest_difference(folds, 3) / folds.standard_error
    exact = power.ttest_power(effect / np.sqrt(12), nobs=12, alpha=0.05 / 3, df=11)
    assert exact == pytest.approx(0.8, abs=0.02)


def test_ranks_agree_with_pandas_and_say_what_the_sample_leaves_open() -> None:
    same = system(1, 1.0)
    systems = [same, system(3, 9.0), same, system(4, -9.0)]
    found = rank_intervals(systems, draws=300)
    wanted = pd.Series(found[:, 0]).rank(ascending=False)
    np.testing.assert_array_equal(found[:, 1], wanted)
    np.testing.assert_array_equal(found[:, 1], [2.5, 1, 2.5, 4])
    # Far apart or always tied: no draw changes the order.
    np.testing.assert_array_equal(found[:, 2], found[:, 1])
    np.testing.assert_array_equal(found[:, 3], found[:, 1])
    alike = rank_intervals([system(seed, 1.0, noise=0.5) for seed in range(5)], draws=300)
    assert (alike[:, 2] < alike[:, 3]).all()
    assert set(alike[:, 2:].ravel()) <= {1.0, 2.0, 3.0, 4.0, 5.0}


def test_ranks_in_each_draw_are_those_of_its_values() -> None:
    systems = [system(seed, 1.0, noise=0.5) for seed in range(4)]
    drawn = bootstrap([one.repeats for one in systems], ["auc"], 300, 0)[:, 0]
    by_pandas = pd.DataFrame(drawn).rank(ascending=False).to_numpy()
    low, high = np.quantile(by_pandas, [0.025, 0.975], axis=1, method="inverted_cdf")
    found = rank_intervals(systems, draws=300)
    np.testing.assert_array_equal(found[:, 2:], np.column_stack([low, high]))
