"""Principal components from the Gram matrix against scikit-learn's PCA and SVC."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from classifiers import KERNELS, Gram, SweepSettings, principal_components, sweep_gram

NEAR = 1e-9


def data(n, width, seed=0):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(6, width))
    train = rng.normal(size=(n, 6)) @ mix + 0.5 * rng.normal(size=(n, width))
    test = rng.normal(size=(15, 6)) @ mix + 0.5 * rng.normal(size=(15, width))
    return train, test, rng.permutation(np.arange(n) % 2)


@pytest.mark.parametrize(("n", "width"), [(40, 100), (90, 20)])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_scores_on_components_equal_pca_followed_by_svc(n, width, share):
    train, test, labels = data(n, width)
    scaler = StandardScaler().fit(train)
    pca = PCA(n_components=share, svd_solver="full").fit(scaler.transform(train))
    x, z = (pca.transform(scaler.transform(rows)) for rows in (train, test))
    gram = principal_components(Gram.of(train, test), share)
    assert gram.rank == pca.n_components_
    np.testing.assert_allclose(gram.train, x @ x.T, atol=1e-8)
    np.testing.assert_allclose(gram.test, z @ x.T, atol=1e-8)
    np.testing.assert_allclose(gram.test_squared_norm, (z**2).sum(axis=1), atol=1e-8)
    retained = x.var(axis=0).sum()
    assert gram.variance == pytest.approx(retained)
    scores = sweep_gram(gram, labels, SweepSettings(tol=NEAR)).scores
    for name, kernel in KERNELS.items():
        model = SVC(**kernel.svc_arguments(kernel.preset_scale(retained)), tol=NEAR)
        expected = model.fit(x, labels).decision_function(z)
        np.testing.assert_allclose(scores[name, 1.0], expected, atol=1e-6, rtol=0)


def test_test_rows_change_no_component():
    train, test, _ = data(40, 100)
    one, two = (principal_components(Gram.of(train, rows), 0.9) for rows in (test, 1e6 * test[:3]))
    np.testing.assert_array_equal(one.train, two.train)
    assert (one.rank, one.variance) == (two.rank, two.variance)


def test_constant_columns_and_duplicate_rows_carry_no_variance():
    train, test, _ = data(30, 8)
    train[1] = train[0]
    wide = [np.column_stack([rows, np.full((len(rows), 50), 3.0)]) for rows in (train, test)]
    plain = principal_components(Gram.of(train, test), 0.95)
    padded = principal_components(Gram.of(*wide), 0.95)
    np.testing.assert_allclose(padded.train, plain.train, atol=1e-9)
    assert padded.variance == pytest.approx(plain.variance)


@pytest.mark.parametrize("share", [0.0, 1.0, 3, np.nan])
def test_a_share_out_of_range_is_named(share):
    train, test, _ = data(10, 3)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        principal_components(Gram.of(train, test), share)
