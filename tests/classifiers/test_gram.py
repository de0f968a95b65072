"""The shared inner products: what they equal, and whom they belong to."""

import numpy as np
import pytest

from classifiers import Gram


def features(seed=0, n=30, m=7, width=1100):
    rng = np.random.default_rng(seed)
    train = 5 + rng.normal(size=(n, width)).astype(np.float32)
    train[:, 3] = 0.1
    return train, 5 + rng.normal(size=(m, width)).astype(np.float32)


def test_gram_is_the_product_of_standardised_features():
    train, test = features()
    spread = train.astype(float).std(axis=0)
    spread[3] = np.inf
    standard = [
        (x.astype(float) - train.astype(float).mean(axis=0)) / spread for x in (train, test)
    ]
    gram = Gram.of(train, test)
    np.testing.assert_allclose(gram.train, standard[0] @ standard[0].T, atol=1e-9)
    np.testing.assert_allclose(gram.test, standard[1] @ standard[0].T, atol=1e-9)
    np.testing.assert_allclose(gram.train_squared_norm, (standard[0] ** 2).sum(1), atol=1e-9)
    np.testing.assert_allclose(gram.test_squared_norm, (standard[1] ** 2).sum(1), atol=1e-9)
    assert gram.train.dtype == np.float64
    assert (gram.variance, gram.rank) == (1100, 1100)
    np.testing.assert_array_equal(gram.train, gram.train.T)


def test_an_inner_fold_is_a_copy_of_its_part():
    gram = Gram.of(*features())
    train, held_out = np.array([0, 4, 5, 9, 20]), np.array([1, 2])
    part = gram.inner_fold(train, held_out)
    np.testing.assert_array_equal(part.train, gram.train[train][:, train])
    np.testing.assert_array_equal(part.test, gram.train[held_out][:, train])
    np.testing.assert_array_equal(part.test_squared_norm, gram.train_squared_norm[held_out])
    before = gram.train.copy()
    part.train[:] = 0
    part.test[:] = 0
    np.testing.assert_array_equal(gram.train, before)


def test_a_device_is_deprecated_and_ignored():
    train, test = features()
    here = Gram.of(train, test)
    with pytest.warns(DeprecationWarning, match="formed on the CPU"):
        there = Gram.of(train, test, device="cuda:7")
    np.testing.assert_array_equal(there.train, here.train)
    np.testing.assert_array_equal(there.test, here.test)
