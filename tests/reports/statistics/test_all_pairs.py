"""Intervals over all pairs: the critical value against Tukey's, and that all hold together."""

import numpy as np
import pytest
from scipy import stats

from reports.statistics.all_pairs import all_pairs
from reports.statistics.bootstrap import bootstrap, observed
from reports.systems.rows import ScoredRows


@pytest.mark.parametrize("systems", [2, 3, 10])
def test_independent_systems_have_tukeys_critical_value(systems: int) -> None:
    """For equal variances max |t| over pairs is the studentised range over the root of two."""
    drawn = np.random.default_rng(0).normal(size=(systems, 40_000))
    found = all_pairs(np.zeros(systems), drawn)
    expected = stats.studentized_range.ppf(0.95, systems, np.inf) / np.sqrt(2)
    assert found.critical == pytest.approx(expected, rel=0.015)


def test_one_pair_has_its_own_interval() -> None:
    drawn = np.random.default_rng(1).normal(size=(2, 20_000)) * 0.02 + [[0.8], [0.7]]
    found = all_pairs(np.array([0.8, 0.7]), drawn)
    assert found.critical == pytest.approx(1.96, abs=0.04)
    assert found.low[0, 1] < 0.1 < found.high[0, 1]
    assert found.told_apart[0, 1]
    assert found.low[0, 1] == pytest.approx(-found.high[1, 0])


def test_systems_that_agree_in_every_draw_do_not_differ() -> None:
    drawn = np.random.default_rng(2).normal(size=(1, 500)).repeat(3, axis=0)
    found = all_pairs(np.zeros(3), drawn)
    assert not found.told_apart.any()
    assert found.critical == 0


def test_too_many_undefined_draws_give_nothing() -> None:
    drawn = np.random.default_rng(3).normal(size=(3, 100))
    drawn[1, :10] = np.nan
    assert np.isnan(all_pairs(np.zeros(3), drawn).critical)
    drawn[1, 4:10] = 0.0
    assert np.isfinite(all_pairs(np.zeros(3), drawn).critical)


def test_all_intervals_hold_together_in_most_samples() -> None:
    """Six systems of known AUC that share what makes a patient hard; 150 patients, two crops."""
    held, repetitions, skill = 0, 150, np.array([0.4, 0.6, 0.8, 1.0, 1.0, 1.2])
    truth = stats.norm.cdf(skill / np.sqrt(2 * (1 + 0.5 + 0.5)))
    true = np.subtract.outer(truth, truth)
    for seed in range(repetitions):
        random = np.random.default_rng(seed)
        patient = np.repeat(np.arange(150), 2)
        positive = (random.random(150) < 0.4)[patient]
        hard = np.sqrt(0.5) * random.normal(size=150)[patient]
        systems = []
        for one in skill:
            own = np.sqrt(0.5) * random.normal(size=150)[patient]
            score = one * positive + hard + own + random.normal(size=300)
            systems.append([ScoredRows(positive, score, score > 0, patient, np.zeros(300, int))])
        value = np.array([observed(one, ["auc"])[0] for one in systems])
        found = all_pairs(value, bootstrap(systems, ["auc"], draws=400, seed=seed)[:, 0])
        held += bool(((found.low <= true) & (true <= found.high)).all())
    assert 0.90 <= held / repetitions <= 0.99
