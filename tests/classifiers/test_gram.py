"""The shared inner products: what they equal, and whom they belong to."""

import numpy as np
import pytest

from classifiers import Gram
from classifiers.gram import Standardisation, products, products_on


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


def test_another_device_gives_the_same_numbers():
    train, test = features()
    standardisation = Standardisation.fit(train)
    train, test = standardisation.apply(train), standardisation.apply(test)
    for here, there in zip(products(train, test), products_on("cpu", train, test), strict=True):
        np.testing.assert_allclose(there, here, atol=1e-9)
        assert there.dtype == np.float64


def test_a_device_that_is_too_small_leaves_the_products_to_the_processor(monkeypatch):
    import torch

    def full(*arguments):
        raise torch.OutOfMemoryError("no room")

    train, test = (rows.astype(float) for rows in features())
    monkeypatch.setattr(torch.Tensor, "to", full)
    for here, there in zip(products(train, test), products_on("cuda", train, test), strict=True):
        np.testing.assert_array_equal(there, here)


def test_a_gpu_gives_the_same_numbers():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    train, test = features()
    here, there = Gram.of(train, test), Gram.of(train, test, device="cuda")
    np.testing.assert_allclose(there.train, here.train, atol=1e-6)
    np.testing.assert_allclose(there.test, here.test, atol=1e-6)
