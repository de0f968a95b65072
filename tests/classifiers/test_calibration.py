"""Platt scaling: the optimum of its own loss, and scikit-learn's sigmoid."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from classifiers import platt


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose decision value is its only feature."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)


def scores(seed=0, n=300, size=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 3 == 0).astype(int)
    return size * (rng.normal(size=n) + 1.2 * labels - 3), labels


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_it_is_scikit_learns_sigmoid(size):
    score, labels = scores(size=size)
    model = CalibratedClassifierCV(FrozenEstimator(Given().fit(None, labels)), method="sigmoid")
    expected = model.fit(score[:, None], labels).predict_proba(score[:, None])[:, 1]
    np.testing.assert_allclose(platt(score, labels)(score), expected, atol=2e-4)


def test_the_gradient_vanishes():
    score, labels = scores(1)
    positive, negative = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    error = platt(score, labels)(score) - target
    assert abs(error.mean()) < 1e-7
    assert abs((error * score).mean()) < 1e-7


def test_separable_and_constant_scores_stay_finite():
    labels = np.arange(20) % 2
    sure = platt(labels - 0.5, labels)
    assert np.isfinite([sure.slope, sure.offset]).all()
    assert (sure([-0.5, 0.5]) > 0.5).tolist() == [False, True]
    # Nothing to tell rows apart: the smoothed prevalence for all.
    np.testing.assert_allclose(platt(np.full(20, 3.0), labels)([3.0, 3.0]), 0.5, atol=1e-6)


def test_scores_ranked_the_wrong_way_show_in_the_slope():
    score, labels = scores(2)
    assert platt(score, labels).slope > 0
    assert platt(-score, labels).slope < 0


@pytest.mark.parametrize(
    ("score", "labels", "message"),
    [
        ([0.0, np.nan], [0, 1], "1 of 2 scores not finite"),
        ([0.0, 1.0], [1, 1], "all of one class"),
        ([0.0], [0, 1], r"shape \(1,\) but 2 labels"),
    ],
)
def test_unusable_input_is_named(score, labels, message):
    with pytest.raises(ValueError, match=message):
        platt(score, labels)
