"""Approximate fits: near the exact ones, and no wider than memory allows."""

import numpy as np
import pytest

from classifiers import SweepSettings, nystroem
from classifiers.kernels import KERNELS
from classifiers.nystroem import approximate_fits, room_for_columns

N, M, WIDTH = 300, 60, 200


def data():
    """Features of rank 8 in 200 columns."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(N) % 2)
    latent = rng.normal(size=(N + M, 8))
    latent[:N, 0] += 2 * labels
    features = latent @ rng.normal(size=(8, WIDTH))
    return features[:N], labels, features[N:]


def scores(memory_limit, names=tuple(KERNELS)):
    train, labels, test = data()
    settings = SweepSettings(names, tol=1e-6)
    fits, _ = approximate_fits(train, labels, test, settings, memory_limit)
    return {name: fit.score for (name, _, _), fit in fits.items()}


@pytest.mark.parametrize("columns", [32, 50, 199, 200, 400])
def test_no_fit_has_more_columns_than_there_is_room_for(monkeypatch, columns):
    limit = 8 * ((N + M) * WIDTH + (3 * N + M) * columns)
    assert room_for_columns(N, M, WIDTH, limit) == columns
    seen = []
    original = nystroem._linear_fit

    def recorded(train, test, *arguments):
        seen.append((train.shape, test.shape))
        return original(train, test, *arguments)

    monkeypatch.setattr(nystroem, "_linear_fit", recorded)
    scores(limit)
    assert len(seen) == len(KERNELS)
    assert all(rows[1] == others[1] <= columns for rows, others in seen)


def test_a_linear_kernel_on_sampled_features_is_the_linear_kernel():
    """32 sampled rows span features of rank 8."""
    little = 8 * ((N + M) * WIDTH + (3 * N + M) * 32)
    sampled, exact = (scores(limit, ["linear"])["linear"] for limit in (little, np.inf))
    np.testing.assert_allclose(sampled, exact, atol=1e-3)
    assert np.std(exact) > 0.1


def test_too_little_memory_is_reported():
    with pytest.raises(ValueError, match="300 training and 60 test rows of 200 features do not"):
        scores(8 * (N + M) * WIDTH)
