"""What a notebook does with the SVMs: weights, support vectors, any two labels, wrong arguments."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from classifiers import (
    KERNELS,
    Gram,
    KernelSVC,
    SweepSettings,
    fit_reference,
    fit_variants,
    judge_kernels,
    solver,
    sweep,
    sweep_gram,
    tune,
)
from classifiers.torch_decision import decision_in_torch

NEAR = 1e-9


def data(n=90, width=12, seed=0):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(size=(n, width)), rng.normal(size=(20, width))
    labels = (train[:, 0] + rng.normal(size=n) > 0.6).astype(int)
    return train, labels, test


def weights_of(n=90, seed=1):
    return np.random.default_rng(seed).uniform(0.1, 5, n)


def reference(kernel, train, labels, sample_weight=None, **arguments):
    """scikit-learn's own SVM on features that are standardised with the weights."""
    scaler = StandardScaler().fit(train, sample_weight=sample_weight)
    row = KERNELS[kernel]
    svm = SVC(**row.svc_arguments(row.preset_scale(train.shape[1])), tol=NEAR, **arguments)
    return scaler, svm.fit(scaler.transform(train), labels, sample_weight=sample_weight)


@pytest.fixture(params=["libsvm", "interior point"])
def either_solver(request, monkeypatch):
    if request.param != "libsvm":
        monkeypatch.setattr(solver, "iteration_budget", lambda n, rank: 5)
    return request.param


@pytest.mark.parametrize("kernel", ["linear", "cubic", "medium_gaussian"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.5, 1: 7.0}, {1: 3}])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_are_those_of_svc(kernel, class_weight, weighted, either_solver):
    train, labels, test = data()
    weights = weights_of() if weighted else None
    if weighted and class_weight == "balanced":
        totals = np.bincount(labels, weights=weights)
        class_weight = dict(enumerate(weights.sum() / (2 * totals)))
        named = "balanced"
    else:
        named = class_weight
    scaler, svc = reference(kernel, train, labels, weights, class_weight=class_weight, C=2.0)
    svm = KernelSVC(kernel, C=2.0, tol=NEAR, class_weight=named)
    svm.fit(train, labels, sample_weight=weights)
    assert svm.converged_
    np.testing.assert_allclose(
        decision_in_torch(svm)(torch.from_numpy(test)), svm.decision_function(test), atol=1e-9
    )
    assert (svm._solution.interior_steps > 0) == (either_solver != "libsvm")
    expected = svc.decision_function(scaler.transform(test))
    np.testing.assert_allclose(svm.decision_function(test), expected, atol=2e-6)
    if class_weight is not None:
        plain = KernelSVC(kernel, C=2.0, tol=NEAR).fit(train, labels).decision_function(test)
        assert np.abs(plain - expected).max() > 1e-3


@pytest.mark.parametrize("kernel", KERNELS)
def test_support_vectors_are_those_of_svc(kernel):
    train, labels, _ = data()
    scaler, svc = reference(kernel, train, labels)
    svm = KernelSVC(kernel, tol=NEAR).fit(train, labels)
    np.testing.assert_array_equal(svm.support_, svc.support_)
    assert svm.support_.dtype == svc.support_.dtype
    np.testing.assert_array_equal(svm.n_support_, svc.n_support_)
    assert svm.n_support_.dtype == svc.n_support_.dtype
    np.testing.assert_allclose(svm.dual_coef_, svc.dual_coef_, atol=1e-6)
    np.testing.assert_allclose(svm.intercept_, svc.intercept_, atol=1e-6)
    np.testing.assert_array_equal(svm.support_vectors_, train[svm.support_])
    np.testing.assert_allclose(
        scaler.transform(svm.support_vectors_), svc.support_vectors_, atol=1e-12
    )
    np.testing.assert_allclose(svm.class_weight_, [1, 1])


@pytest.mark.parametrize("factor", [1, 2])
def test_a_row_of_weight_two_is_two_rows(factor):
    """With few repetitions and with many, which become factors of C."""
    train, labels, test = data()
    weights = np.random.default_rng(3).integers(0, 3, len(labels)) * factor
    svm = KernelSVC("cubic", tol=NEAR).fit(train, labels, sample_weight=weights)
    repeated = KernelSVC("cubic", tol=NEAR).fit(train.repeat(weights, 0), labels.repeat(weights))
    np.testing.assert_allclose(
        svm.decision_function(test), repeated.decision_function(test), atol=1e-6
    )
    assert weights[svm.support_].min() > 0
    np.testing.assert_allclose(svm.dual_coef_.sum(), 0, atol=1e-9)
    away = np.where((weights > 0)[:, None], train, 1e6)
    other = KernelSVC("cubic", tol=NEAR).fit(away, labels, sample_weight=weights)
    np.testing.assert_array_equal(svm.decision_function(test), other.decision_function(test))


def test_equal_weights_change_only_c():
    train, labels, test = data()
    plain = KernelSVC(C=2).fit(train, labels).decision_function(test)
    ones = KernelSVC(C=2).fit(train, labels, np.ones(90)).decision_function(test)
    np.testing.assert_array_equal(plain, ones)
    halves = KernelSVC(C=4, tol=NEAR).fit(train, labels, np.full(90, 0.5)).decision_function(test)
    exact = KernelSVC(C=2, tol=NEAR).fit(train, labels).decision_function(test)
    np.testing.assert_allclose(halves, exact, atol=1e-6)


def test_a_constant_feature_is_constant_with_weights():
    train, labels, test = data()
    train[:, 3], test[:, 3] = 0.1, 1e9
    train[:, 4] = 1.7e9 + train[:, 4]  # needs the mean to be taken twice
    test[:, 4] += 1.7e9
    weights = weights_of()
    scores = KernelSVC(tol=NEAR).fit(train, labels, weights).decision_function(test)
    near, far = train.copy(), test.copy()
    near[:, 4] -= 1.7e9
    far[:, 4] -= 1.7e9
    other = KernelSVC(tol=NEAR).fit(near, labels, weights).decision_function(far)
    np.testing.assert_allclose(scores, other, atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(5), "shape"),
        (np.full(90, np.nan), "NaN"),
        (-np.ones(90), "sample_weight is negative for 90 rows"),
        (np.zeros(90), "zero"),
        (data()[1], "one class only"),
    ],
)
def test_unusable_weights_are_named(weights, message):
    train, labels, _ = data()
    with pytest.raises(ValueError, match=message):
        KernelSVC().fit(train, labels, sample_weight=weights)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"C": "1"}, r"^C='1' must be a positive number$"),
        ({"C": None}, "^C=None must be a positive number"),
        ({"C": [1.0]}, r"^C=\[1.0\] must be"),
        ({"C": True}, "^C=True must be"),
        ({"C": np.nan}, "^C=nan must be"),
        ({"C": 10**400}, "^C=10+.* must be"),
        ({"scale": None}, "^scale=None must be 'auto' or a positive number"),
        ({"scale": [1.0]}, r"^scale=\[1.0\] must be 'auto'"),
        ({"scale": np.array([1.0, 2.0])}, "must be 'auto'"),
        ({"kernel_scale": "2"}, "^kernel_scale='2' must be"),
        ({"kernel": ["linear"]}, r"^kernel=\['linear'\] is unknown; known are linear"),
        ({"kernel": None}, "^kernel=None is unknown"),
        ({"tol": "small"}, "^tol='small' must be"),
        ({"tol": 0}, "^tol=0 must be"),
        ({"max_iter": 1.5}, "^max_iter=1.5 must be a whole number"),
        ({"max_iter": None}, "^max_iter=None must be"),
        ({"class_weight": "even"}, "^class_weight='even' must be"),
        ({"class_weight": [1, 2]}, r"^class_weight=\[1, 2\] must be"),
        ({"class_weight": {0: "1"}}, "^class_weight of 0='1' must be a positive number"),
        ({"class_weight": {0: -1, 1: 1}}, "^class_weight of 0=-1 must be"),
        ({"class_weight": {5: 1.0}}, "class_weight"),
    ],
)
def test_a_wrong_parameter_is_one_line(given, message):
    train, labels, _ = data()
    with pytest.raises(ValueError, match=message) as caught:
        KernelSVC(**given).fit(train, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"C": "1"}, "C='1' must be a list of positive numbers"),
        ({"C": 1.0}, "C=1.0 must be a list"),
        ({"C": ["1"]}, "C='1' must be a positive number"),
        ({"scale": None}, "scale=None must be a list"),
        ({"scale": [None]}, "scale=None must be a positive number"),
        ({"kernels": "linear"}, "kernels='linear' must be a list of names"),
        ({"kernels": None}, "kernels=None must be a list"),
        ({"kernels": [["linear"]]}, r"kernel=\['linear'\] is unknown"),
        ({"jobs": 0}, "jobs=0 must be a whole number"),
        ({"tol": None}, "tol=None must be"),
        ({"max_iter": "many"}, "max_iter='many' must be"),
    ],
)
def test_a_wrong_setting_is_one_line(given, message):
    train, labels, test = data()
    groups = np.arange(90) // 2
    for call in (
        lambda: SweepSettings(**given),
        lambda: sweep(train, labels, test, **given),
        lambda: tune(train, labels, test, groups, **given),
    ):
        with pytest.raises(ValueError, match=message):
            call()


WRONG = {
    "train_features": [None, "x", 1.5, [1], {}, np.array([["a", "b"]] * 90)],
    "test_features": [None, "x", {}, np.array([["a", "b"]] * 3)],
    "train_labels": [None, "x", 1.5, {}],
    "groups": [None, "x", 1.5, {}],
    "kernels": [None, "x", 1.5, [1], {}],
    "names": [None, "x", 1.5, [1], [["linear"]]],
    "name": [None, "x", 1.5, ["knn"], {}],
    "folds": [None, "x", 1.5, [1], 0],
    "jobs": [None, "x", 1.5, [1], 0, True],
    "memory_limit": ["x", [1], {}, 0, True],
}
CALLS = {
    sweep: ("train_features", "train_labels", "test_features", "kernels", "jobs", "memory_limit"),
    tune: ("train_features", "train_labels", "test_features", "groups", "kernels", "folds", "jobs"),
    fit_reference: ("name", "train_features", "train_labels", "test_features"),
    fit_variants: ("train_features", "train_labels", "test_features", "groups", "names", "jobs",
                   "memory_limit"),
    judge_kernels: ("train_features", "train_labels", "groups", "kernels", "jobs"),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_no_wrong_argument_ends_in_the_words_of_numpy(call):
    train, labels, test = data(40, 5)
    many = call in (fit_variants, judge_kernels)
    right = {
        "train_features": [train] if many else train,
        "test_features": [test] if many else test,
        "train_labels": labels,
        "groups": np.arange(40),
        "kernels": ["linear"],
        "names": ["linear+platt"],
        "name": "knn",
    }
    right = {name: right[name] for name in CALLS[call] if name in right}
    assert call(**right)
    for name in CALLS[call]:
        for wrong in WRONG[name]:
            if call is fit_variants and name == "groups":
                reason = call(**(right | {name: wrong}))["linear+platt"]
                assert isinstance(reason, str)  # why there is no fit
                continue
            with pytest.raises(ValueError, match=r"\A.{10,200}\Z"):
                call(**(right | {name: wrong}))


NAMES = {
    "text": ("benign", "malignant"),
    "numbers": (1, 2),
    "signs": (-1.0, 1.0),
    "truth values": (False, True),
    "mixed": (np.str_("a"), np.str_("b")),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda x: np.array(x, dtype=object)])
def test_any_two_labels_will_do_and_the_second_is_positive(names, kind):
    train, codes, test = data()
    labels = kind([names[code] for code in codes])
    groups = np.arange(90) // 2
    plain = sweep(train, codes, test, ["linear"])
    found = sweep(train, labels, test, ["linear"])
    assert (plain.classes, found.classes) == ((0, 1), names)
    np.testing.assert_array_equal(found.scores["linear", 1.0], plain.scores["linear", 1.0])
    gram = Gram.of(train, test)
    again = sweep_gram(gram, labels, SweepSettings(["linear"]))
    assert again.classes == names
    chosen = tune(train, labels, test, groups, ["linear"], [1.0], scale=[1.0])
    assert chosen.classes == names
    np.testing.assert_array_equal(chosen.choices["linear"].fit.score, plain.scores["linear", 1.0])
    one, two = (fit_reference("logistic", train, given, test) for given in (codes, labels))
    np.testing.assert_array_equal(one.score, two.score)
    if getattr(labels, "dtype", np.dtype(int)).kind == "O" and not isinstance(names[0], str):
        return  # scikit-learn takes objects for text only
    svm = KernelSVC("linear").fit(train, labels)
    np.testing.assert_array_equal(svm.decision_function(test) > 0, svm.predict(test) == names[1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"] * 30, "two classes, such as 0 and 1; found a, b, c"),
        (["a"] * 90, "all of one class"),
        ([0.25, 0.5] * 45, "two classes"),
        ([0.0, np.nan] * 45, "none may be missing"),
        (["a", None] * 45, "none may be missing"),
        (pd.Series([0, None] * 45, dtype="Int64"), "none may be missing"),
        (np.array(["a", 1] * 45, dtype=object), "all numbers or all text"),
        (np.zeros((90, 2)), "vector"),
        ([0, 1], "90 training rows but 2 labels"),
    ],
)
def test_labels_that_are_not_two_classes_are_named(labels, message):
    train, _, test = data()
    with pytest.raises(ValueError, match=message):
        sweep(train, labels, test)


@pytest.mark.filterwarnings("ignore")  # skipped checks warn of themselves
@pytest.mark.parametrize(
    "svm",
    [
        KernelSVC(),
        KernelSVC("linear", class_weight="balanced"),
        KernelSVC("cubic", C=10.0, tol=1e-6),
        KernelSVC("coarse_gaussian", scale=0.5),
    ],
    ids=str,
)
def test_the_estimator_contract_holds_for_every_kind(svm):
    # Versions before 1.7 compare two draws of labels there; scikit-learn's own SVC fails too.
    flawed = ("check_sample_weight_equivalence_on_dense_data",)
    old = sklearn.__version__.startswith("1.6.")
    check_estimator(
        svm,
        expected_failed_checks=dict.fromkeys(flawed, "a fault of the check") if old else None,
    )
