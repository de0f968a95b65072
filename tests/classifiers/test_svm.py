"""The SVM engine against scikit-learn's `SVC`, and the rules that keep test rows out of a fit."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from classifiers import KERNELS, KernelSVC, sweep
from classifiers.memory import gram_bytes


def relu_like(rng, n, width):
    """Features such as a ReLU layer gives: correlated, sparse, not negative."""
    latent = rng.normal(size=(n, 8))
    return np.maximum(latent @ rng.normal(size=(8, width)) + rng.normal(size=(n, width)), 0)


# libsvm stops within `tol` of the optimum, and rounding turns its path there: the same optimum to
# 1e-6 shows only where both have to come that near to it.
NEAR = 1e-9


def reference_svc(kernel, C, width, tol=NEAR):
    """Each kernel in scikit-learn's own terms, at its preset scale."""
    row = KERNELS[kernel]
    arguments = row.svc_arguments(row.preset_scale(width))
    return make_pipeline(StandardScaler(), SVC(**arguments, C=C, tol=tol))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n", "width"), [(80, 300), (150, 20)])
@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_decision_values_equal_those_of_svc(kernel, n, width, C):
    rng = np.random.default_rng(n + width)
    train, test = relu_like(rng, n, width), relu_like(rng, 40, width)
    labels = (train[:, 0] + 0.5 * rng.normal(size=n) > np.median(train[:, 0])).astype(int)
    expected = reference_svc(kernel, C, width).fit(train, labels).decision_function(test)
    fit = sweep(train, labels, test, kernels=[kernel], C=[C], tol=NEAR).fits[kernel, C]
    assert fit.converged
    np.testing.assert_allclose(fit.score, expected, atol=1e-6, rtol=0)
    estimator = KernelSVC(kernel=kernel, C=C, tol=NEAR).fit(train, labels)
    np.testing.assert_allclose(estimator.decision_function(test), expected, atol=1e-6, rtol=0)


def test_the_linear_kernel_is_a_linear_svm_with_c_over_p():
    rng = np.random.default_rng(5)
    train, test = relu_like(rng, 100, 300), relu_like(rng, 40, 300)
    labels = (train[:, 0] > np.median(train[:, 0])).astype(int)
    reference = make_pipeline(StandardScaler(), SVC(kernel="linear", C=1 / 300, tol=NEAR))
    expected = reference.fit(train, labels).decision_function(test)
    found = sweep(train, labels, test, kernels=["linear"], tol=NEAR).scores["linear", 1.0]
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from(list(KERNELS)),
    n=st.integers(6, 60),
    width=st.integers(1, 80),
    C=st.floats(0.01, 100),
    magnitude=st.sampled_from([1e-3, 1.0, 1e4]),
    seed=st.integers(0, 2**16),
)
def test_parity_holds_for_any_shape_with_duplicates_and_constant_columns(
    kernel, n, width, C, magnitude, seed
):
    rng = np.random.default_rng(seed)
    train = magnitude * rng.normal(size=(n, width))
    train[1] = train[0]  # a duplicate row, whatever its label
    train[:, -1] = 7.0 if width > 1 else train[:, -1]
    test = magnitude * rng.normal(size=(5, width))
    if width > 1:
        test[:, -1] = 7.0
    labels = rng.permutation(np.arange(n) % 2)
    expected = reference_svc(kernel, C, width).fit(train, labels).decision_function(test)
    fit = sweep(train, labels, test, kernels=[kernel], C=[C], tol=NEAR).fits[kernel, C]
    assert fit.converged
    # Where libsvm needs more iterations than its 32-bit kernel matrix is worth, the interior point
    # is the nearer one (test_interior_point); `SVC` was 1.4e-6 off on a single feature.
    near = 1e-4 if fit.interior_steps else 1e-6
    np.testing.assert_allclose(fit.score, expected, atol=near, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_default_tolerance_comes_as_near_as_svc_does(kernel):
    rng = np.random.default_rng(9)
    train, test = relu_like(rng, 150, 400), relu_like(rng, 40, 400)
    labels = (train[:, 0] > np.median(train[:, 0])).astype(int)
    found = sweep(train, labels, test, kernels=[kernel]).scores[kernel, 1.0]
    for tol, distance in ((1e-3, 2e-3), (NEAR, 2e-3)):
        expected = reference_svc(kernel, 1.0, 400, tol).fit(train, labels).decision_function(test)
        np.testing.assert_allclose(found, expected, atol=distance, rtol=0)


def test_a_feature_constant_in_training_changes_no_result_even_if_it_is_the_label_in_test():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(60, 10)), rng.normal(size=(30, 10))
    labels, truth = np.arange(60) % 2, np.arange(30) % 2
    base = np.column_stack([train, np.full(60, 0.1)]), np.column_stack([test, np.full(30, 0.1)])
    leaking = base[0], np.column_stack([test, 100.0 * truth])
    one, two = (sweep(tr, labels, te) for tr, te in (base, leaking))
    for name, score in one.scores.items():
        np.testing.assert_array_equal(score, two.scores[name])


def test_a_changed_test_row_changes_no_other_score():
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(50, 12)), rng.normal(size=(20, 12))
    labels = np.arange(50) % 2
    noisy = test.copy()
    noisy[3] = 1e6
    one, two = sweep(train, labels, test), sweep(train, labels, noisy)
    others = np.arange(20) != 3
    for name in one.fits:
        np.testing.assert_allclose(one.scores[name][others], two.scores[name][others], atol=1e-10)
        assert one.fits[name].n_support == two.fits[name].n_support
        assert one.fits[name].iterations == two.fits[name].iterations


def test_a_fit_that_hits_its_iteration_limit_is_flagged():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(200, 5))
    labels = rng.integers(0, 2, 200)
    result = sweep(train, labels, train[:5], kernels=["cubic"], C=[1000.0], max_iter=50)
    assert not result.fits["cubic", 1000.0].converged
    with pytest.warns(UserWarning, match="50 iterations"):
        assert not KernelSVC("cubic", C=1000.0, max_iter=50).fit(train, labels).converged_


def test_scales_are_multiples_of_the_preset():
    rng = np.random.default_rng(6)
    train, test = rng.normal(size=(60, 9)), rng.normal(size=(10, 9))
    labels = np.arange(60) % 2
    result = sweep(train, labels, test, kernels=["coarse_gaussian", "cubic"], scale=[0.5, 2.0])
    for (name, C, multiple), fit in result.table.items():
        s = multiple * (12 if name == "coarse_gaussian" else 3)
        assert fit.kernel_scale == pytest.approx(s)
        assert fit.scale == multiple
        for named in ({"scale": fit.scale}, {"kernel_scale": fit.kernel_scale}):
            alone = KernelSVC(name, C=C, **named).fit(train, labels)
            assert (alone.scale_, alone.kernel_scale_) == pytest.approx((multiple, s))
            np.testing.assert_allclose(fit.score, alone.decision_function(test), atol=1e-9)
    assert len(result.table) == 4
    assert result.fits["cubic", 1.0] is result.table["cubic", 1.0, 0.5]


def test_a_path_over_c_gives_what_each_c_gives_alone():
    rng = np.random.default_rng(8)
    train, test = rng.normal(size=(80, 12)), rng.normal(size=(10, 12))
    labels = np.arange(80) % 2
    grid = [1e3, 0.1, 1e5, 10.0, 1e4]  # in no order; the larger ones bind no row
    names = ["linear", "medium_gaussian"]
    path = sweep(train, labels, test, kernels=names, C=grid, tol=NEAR).fits
    for name in names:
        for C in grid:
            alone = sweep(train, labels, test, kernels=[name], C=[C], tol=NEAR).fits[name, C]
            assert alone.converged
            assert path[name, C].converged
            np.testing.assert_allclose(path[name, C].score, alone.score, atol=1e-6, rtol=0)
    same = [path["medium_gaussian", C].score for C in (1e3, 1e4, 1e5)]
    assert same[0] is same[1] is same[2]


def test_no_matrix_is_allocated_beyond_the_limit_and_the_fits_say_that_they_are_approximate():
    rng = np.random.default_rng(10)
    train, test = rng.normal(size=(400, 6)), rng.normal(size=(50, 6))
    labels = (train[:, 0] + 0.1 * rng.normal(size=400) > 0).astype(int)
    exact = sweep(train, labels, test)
    small = sweep(train, labels, test, memory_limit=gram_bytes(400, 50, 6) - 1)
    assert not exact.approximate
    assert not sweep(train, labels, test, memory_limit=gram_bytes(400, 50, 6)).approximate
    assert small.approximate
    assert small.table.keys() == exact.table.keys()
    for name, fit in small.fits.items():
        assert fit.approximate
        assert np.corrcoef(fit.score, exact.scores[name])[0, 1] > 0.95
    with pytest.raises(ValueError, match=r"do not fit into 0\.0 GiB"):
        sweep(train, labels, test, memory_limit=1000)


def test_threads_change_nothing():
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(90, 30)), rng.normal(size=(20, 30))
    labels = np.arange(90) % 2
    one, two = (sweep(train, labels, test, C=[0.5, 1, 2], jobs=jobs) for jobs in (1, 2))
    assert list(one.scores) == list(two.scores)
    for name, score in one.scores.items():
        np.testing.assert_array_equal(score, two.scores[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": np.zeros(10)}, "all of one class"),
        ({"train_labels": np.arange(10)}, "0 and 1"),
        ({"train_labels": np.arange(9) % 2}, "10 training rows but 9 labels"),
        ({"test_features": np.zeros((3, 5))}, "test rows have 5"),
        ({"test_features": np.full((3, 4), np.nan)}, "not finite in 3 of 3 test rows"),
        ({"kernels": ["radial"]}, "'radial' is unknown"),
        ({"kernels": []}, "kernels is an empty list"),
        ({"kernels": ["linear", "linear"]}, "'linear' is named twice"),
        ({"C": [0.0]}, "C=0.0"),
        ({"C": [1.0, 1]}, "C holds 1.0 twice"),
        ({"scale": [np.inf]}, "scale=inf"),
        ({"train_features": np.full((10, 4), 3.5)}, "every feature is constant"),
    ],
)
def test_unusable_input_is_named(change, message):
    rng = np.random.default_rng(4)
    arguments = {
        "train_features": rng.normal(size=(10, 4)),
        "train_labels": np.arange(10) % 2,
        "test_features": rng.normal(size=(3, 4)),
    }
    with pytest.raises(ValueError, match=message):
        sweep(**(arguments | change))


@pytest.mark.filterwarnings("ignore")  # skipped checks warn of themselves
def test_kernel_svc_keeps_the_estimator_contract():
    # Versions before 1.7 compare two draws of labels there; scikit-learn's own SVC fails too.
    flawed = ("check_sample_weight_equivalence_on_dense_data",)
    old = sklearn.__version__.startswith("1.6.")
    check_estimator(
        KernelSVC(),
        expected_failed_checks=dict.fromkeys(flawed, "a fault of the check") if old else None,
    )
    assert clone(KernelSVC("cubic", C=3, scale=2.0)).get_params()["scale"] == 2.0
