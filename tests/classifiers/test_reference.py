"""The reference classifiers: right on easy data, worth nothing where nothing is to be learnt."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifiers import REFERENCE_CLASSIFIERS, fit_reference


def test_majority_ranks_nothing_and_calls_every_row_by_the_training_majority():
    test = np.zeros((7, 2))
    for positives in (2, 8):
        labels = (np.arange(10) < positives).astype(int)
        fit = fit_reference("majority", np.zeros((10, 2)), labels, test)
        assert (fit.score > fit.threshold).all() == (positives == 8)
        assert roc_auc_score(np.arange(7) % 2, fit.score) == 0.5


def test_majority_pooled_over_folds_stays_at_one_half():
    labels = np.arange(50) < 20
    folds = np.array_split(np.random.default_rng(0).permutation(50), 5)
    scores = np.empty(50)
    for fold in folds:
        train = np.setdiff1d(np.arange(50), fold)
        scores[fold] = fit_reference(
            "majority", np.zeros((len(train), 1)), labels[train], np.zeros((len(fold), 1))
        ).score
    assert roc_auc_score(labels, scores) == 0.5


def test_logistic_equals_scikit_learn_on_standardised_features():
    rng = np.random.default_rng(1)
    train, test = 100 * rng.normal(size=(60, 4)) + 5, 100 * rng.normal(size=(9, 4))
    labels = (train[:, 0] > 0).astype(int)
    expected = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train, labels)
    found = fit_reference("logistic", train, labels, test)
    np.testing.assert_allclose(found.score, expected.decision_function(test), atol=1e-6)
    assert found.converged


@pytest.mark.parametrize("name", sorted(set(REFERENCE_CLASSIFIERS) - {"linear_probe"}))
def test_each_gives_one_finite_score_a_row(name):
    rng = np.random.default_rng(2)
    fit = fit_reference(name, rng.normal(size=(3, 2)), [0, 1, 1], rng.normal(size=(4, 2)))
    assert fit.score.shape == (4,)
    assert np.isfinite(fit.score).all()
    assert np.isfinite(fit.threshold)


def test_unusable_input_is_named():
    with pytest.raises(ValueError, match="unknown"):
        fit_reference("forest", [[0.0]], [0], [[0.0]])
    with pytest.raises(ValueError, match="one class"):
        fit_reference("knn", [[0.0], [1.0]], [1, 1], [[0.0]])
    with pytest.raises(ValueError, match="1 of 2 training rows"):
        fit_reference("knn", [[0.0], [np.inf]], [0, 1], [[0.0]])
