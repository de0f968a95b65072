"""The decision function in torch is the fitted one, and its gradient is that of it."""

import numpy as np
import pytest
import torch

from classifiers import KERNELS, KernelSVC, fit_variants
from classifiers.torch_decision import decision_in_torch


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(5)
    labels = (np.arange(90) % 3 == 0).astype(np.int64)
    features = random.normal(3, 2, (90, 12)).astype(np.float32)
    features[:, :3] += 2 * labels[:, None]
    features[:, 7] = 4.0  # constant in training
    test = random.normal(3, 2, (20, 12)).astype(np.float32)
    return features, labels, test


@pytest.mark.parametrize("kernel", KERNELS)
def test_values_are_those_of_the_fit_and_of_the_benchmark(data, kernel):
    features, labels, test = data
    svm = KernelSVC(kernel).fit(features, labels)
    found = decision_in_torch(svm)(torch.from_numpy(test)).numpy()
    assert found == pytest.approx(svm.decision_function(test), rel=1e-9, abs=1e-9)
    groups = np.arange(len(labels))
    stored = fit_variants([features], labels, [test], groups, [kernel])[kernel]
    assert found == pytest.approx(stored.score, rel=1e-4, abs=1e-4 * np.abs(stored.score).max())


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_is_the_slope(data, kernel):
    features, labels, test = data
    decision = decision_in_torch(KernelSVC(kernel).fit(features, labels))
    point = torch.from_numpy(test[:2].astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(decision, (point,))
    # On a training row, too, where a distance is 0.
    point = torch.from_numpy(features[:1]).requires_grad_()
    (slope,) = torch.autograd.grad(decision(point).sum(), point)
    assert bool(torch.isfinite(slope).all())
    assert bool((slope != 0).any())
    assert float(slope[0, 7]) == 0
