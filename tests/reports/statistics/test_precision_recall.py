"""Average precision against scikit-learn, within folds, and how often its interval holds."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from reports.statistics.precision_recall import (
    average_precision,
    average_precision_of_chance,
    mean_precision_recall,
)
from reports.systems.rows import ScoredRows


def made(n: int = 120, folds: int = 1, seed: int = 0) -> ScoredRows:
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.3
    score = (positive + random.normal(size=n)).round(1)
    return ScoredRows(positive, score, score > 0, np.arange(n) // 2, np.arange(n) % folds)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_that_of_scikit_learn_with_ties_and_weights(seed: int) -> None:
    rows = made(seed=seed)
    weight = np.random.default_rng(seed).integers(0, 4, (len(rows.score), 3)).astype(float)
    found = average_precision(rows, weight)
    expected = [
        average_precision_score(rows.positive, rows.score, sample_weight=one) for one in weight.T
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_rows_of_one_fold_are_ranked_together() -> None:
    rows = made(folds=3)
    parts = [rows.where(rows.fold == fold) for fold in range(3)]
    expected = np.average(
        [average_precision_score(part.positive, part.score) for part in parts],
        weights=[part.positive.sum() for part in parts],
    )
    once = np.ones((len(rows.score), 1))
    assert average_precision(rows, once)[0] == pytest.approx(expected)
    # A shift between folds changes nothing.
    moved = rows._replace(score=rows.score + 10 * rows.fold)
    assert average_precision(moved, once)[0] == pytest.approx(expected)


def test_the_curve_passes_through_the_points_of_scikit_learn() -> None:
    rows = made()
    recall, precision = mean_precision_recall([rows])
    theirs, reached, _ = precision_recall_curve(rows.positive, rows.score)
    for at, value in zip(recall[1:], precision[1:], strict=True):
        # The highest threshold that reaches this recall.
        assert value == pytest.approx(theirs[np.flatnonzero(reached >= at - 1e-12)[-1]])


def test_chance_has_the_prevalence() -> None:
    rows = made()
    assert average_precision_of_chance(rows) == pytest.approx(rows.positive.mean())


def test_without_a_positive_row_there_is_none() -> None:
    rows = made()
    rows = rows.where(~rows.positive)
    assert np.isnan(average_precision(rows, np.ones((len(rows.score), 1)))).all()
    assert not mean_precision_recall([rows])[0].size
