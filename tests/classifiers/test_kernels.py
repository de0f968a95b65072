"""The table of kernels: its six rows, and that a further one is a row and nothing else."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import pairwise_kernels

from classifiers import KERNELS, Kernel, KernelSVC, fit_variants, sweep, tune
from classifiers.torch_decision import decision_in_torch
from classifiers.variants import Variant

# Name -> K(x, z) from x·z and ‖x − z‖², s / √P, and what `SVC` is given.
ROWS = {
    "linear": (lambda xz, d, s: xz / s**2, 1, {"kernel": "poly", "degree": 1, "coef0": 0}),
    "quadratic": (
        *(lambda xz, d, s: (1 + xz / s**2) ** 2, 1),
        {"kernel": "poly", "degree": 2, "coef0": 1},
    ),
    "cubic": (
        *(lambda xz, d, s: (1 + xz / s**2) ** 3, 1),
        {"kernel": "poly", "degree": 3, "coef0": 1},
    ),
    "fine_gaussian": (lambda xz, d, s: np.exp(-d / s**2), 0.25, {"kernel": "rbf"}),
    "medium_gaussian": (lambda xz, d, s: np.exp(-d / s**2), 1, {"kernel": "rbf"}),
    "coarse_gaussian": (lambda xz, d, s: np.exp(-d / s**2), 4, {"kernel": "rbf"}),
}


def sigmoid(xp, xz, xx, zz, s):
    return xp.tanh(xz / s**2)


def laplacian(xp, xz, xx, zz, s):
    return xp.exp(-xp.sqrt(xp.clip(xx + zz - 2 * xz, 1e-12, None)) / s)


FURTHER = (
    Kernel("sigmoid", "tanh(x·z / s²)", sigmoid, 2.0, {"kernel": "sigmoid", "coef0": 0.0}),
    Kernel("laplacian", "exp(−‖x − z‖ / s)", laplacian, 1.0, None),
)


def points(n=70, m=3000, width=4):  # more than one piece
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, width)), rng.normal(size=(m, width))


def matrix(kernel, x, z, s, out=None):
    inner = x @ z.T if out is None else out
    return kernel(inner, (x**2).sum(axis=1), (z**2).sum(axis=1), s, out=out)


def test_the_table_holds_the_six_kernels():
    assert list(KERNELS) == list(ROWS)
    for name, (_, factor, svc) in ROWS.items():
        assert KERNELS[name].preset_scale(9.0) == 3 * factor
        assert KERNELS[name].svc_arguments(2.0) == {**svc, "gamma": 0.25}
        assert KERNELS[name].is_linear == (name == "linear")


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
def test_a_kernel_in_place_is_the_kernel_and_without_it_leaves_its_input(kernel):
    x, z = points()
    inner, before = x @ z.T, x @ z.T
    norms = (x**2).sum(axis=1), (z**2).sum(axis=1)
    distance = ((x[:, None] - z[None]) ** 2).sum(axis=-1)
    expected = ROWS[kernel.name][0](before, distance, 1.7)
    np.testing.assert_allclose(kernel(inner, *norms, 1.7), expected, rtol=1e-10)
    np.testing.assert_array_equal(inner, before)
    result = kernel(inner, *norms, 1.7, out=inner)
    assert result is inner
    np.testing.assert_allclose(inner, expected, rtol=1e-10)


@pytest.mark.parametrize("kernel", [*KERNELS.values(), *FURTHER], ids=lambda kernel: kernel.name)
def test_numpy_torch_and_scikit_learn_have_one_kernel(kernel):
    x, z = points(m=50)
    here = matrix(kernel, x, z, 1.7)
    there = (torch.from_numpy(rows) for rows in (x @ z.T, (x**2).sum(1)[:, None], (z**2).sum(1)))
    np.testing.assert_allclose(kernel.function(torch, *there, 1.7).numpy(), here, rtol=1e-12)
    if kernel.svc is not None:
        arguments = kernel.svc_arguments(1.7)
        expected = pairwise_kernels(x, z, arguments.pop("kernel"), **arguments)
        np.testing.assert_allclose(here, expected, rtol=1e-10)


@pytest.fixture
def further(monkeypatch):
    """The table with two rows more, and features on which to fit."""
    table = {**KERNELS, **{row.name: row for row in FURTHER}}
    for module in ("kernels", "tuning", "variant_fits"):
        monkeypatch.setattr(f"classifiers.{module}.KERNELS", table)
    plain = {row.name: Variant(row.name, row.name, False, False, False) for row in FURTHER}
    monkeypatch.setattr("classifiers.variant_fits.VARIANTS", plain)
    rng = np.random.default_rng(3)
    labels = rng.permutation(np.arange(90) % 2)
    train = rng.normal(size=(90, 6)) + 0.7 * labels[:, None]
    return train, labels, rng.normal(size=(20, 6))


@pytest.mark.parametrize("name", [row.name for row in FURTHER])
def test_a_further_kernel_is_one_row(further, name):
    train, labels, test = further
    expected = sweep(train, labels, test, [name]).scores[name, 1.0]
    assert np.std(expected) > 0
    svm = KernelSVC(name).fit(train, labels)
    np.testing.assert_allclose(svm.decision_function(test), expected, atol=1e-9)
    tensor = torch.from_numpy(test).requires_grad_()
    decision = decision_in_torch(svm)
    np.testing.assert_allclose(decision(tensor).detach().numpy(), expected, atol=1e-9)
    assert torch.autograd.gradcheck(decision, (tensor,))
    chosen = tune(train, labels, test, np.arange(90), [name], [1.0], scale=[1.0]).choices[name]
    np.testing.assert_array_equal(chosen.fit.score, expected)


def test_only_a_kernel_of_scikit_learn_has_an_approximate_form(further):
    train, labels, test = further
    limit = 8 * ((90 + 20) * 6 + (3 * 90 + 20) * 40)
    assert sweep(train, labels, test, ["sigmoid"], memory_limit=limit).approximate
    with pytest.raises(ValueError, match="kernel='laplacian' is not in scikit-learn"):
        sweep(train, labels, test, ["laplacian"], memory_limit=limit)
    found = fit_variants(
        [train], labels, [test], np.arange(90), ["sigmoid", "laplacian"], memory_limit=limit
    )
    assert found["sigmoid"].approximate
    assert "there is no approximate form" in found["laplacian"]
