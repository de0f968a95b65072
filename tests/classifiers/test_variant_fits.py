"""The SVMs that a benchmark names: each equals the engine's parts put together by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from classifiers import (
    KERNELS,
    VARIANTS,
    SweepSettings,
    fit_variants,
    platt,
    principal_components,
    sweep,
    tune,
)
from classifiers.fusion import grams_of
from classifiers.gram import Gram
from classifiers.inner_folds import inner_folds, inner_scores
from classifiers.judgements import judge_kernels
from classifiers.sweeps import sweep_gram
from classifiers.variant_fits import (
    INNER_FOLDS,
    INNER_SEED,
    PCA_SHARE,
    VariantFit,
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    patients = np.repeat(np.arange(45), 2)
    labels = (patients % 3 == 0).astype(np.int64)
    features = rng.normal(size=(90, 12)).astype(np.float32)
    features[:, :3] += 1.2 * labels[:, None]
    return features[:70], labels[:70], features[70:], labels[70:], patients[:70]


def fitted(data, names, **named):
    train, labels, test, _, patients = data
    return fit_variants([train], labels, [test], patients, names, **named)


def test_every_combination_has_one_name():
    assert len(VARIANTS) == 8 * len(KERNELS)
    assert set(KERNELS) < set(VARIANTS)
    one = VARIANTS["cubic+pca+tuned+platt"]
    assert (one.kernel, one.pca, one.tuned, one.platt) == ("cubic", True, True, True)
    assert "cubic+platt+pca" not in VARIANTS


def test_a_plain_kernel_is_the_sweep(data):
    train, labels, test, _, _ = data
    expected = sweep(train, labels, test)
    for name, fit in fitted(data, list(KERNELS)).items():
        np.testing.assert_array_equal(fit.score, expected.scores[name, 1.0])
        assert fit.threshold == 0.0
        assert fit.chosen_C is None


def test_a_tuned_kernel_is_the_choice_of_tune(data):
    train, labels, test, _, patients = data
    expected = tune(train, labels, test, patients, ["linear", "cubic"])
    found = fitted(data, ["linear+tuned", "cubic+tuned"])
    for kernel in ("linear", "cubic"):
        fit, choice = found[f"{kernel}+tuned"], expected.choices[kernel]
        np.testing.assert_array_equal(fit.score, choice.fit.score)
        assert (fit.chosen_C, fit.chosen_scale) == (choice.inner.C, choice.inner.scale)
        assert fit.inner_auc == choice.inner.auc


def test_components_are_those_of_the_gram(data):
    train, labels, test, _, _ = data
    reduced = principal_components(Gram.of(train, test), PCA_SHARE)
    expected = sweep_gram(reduced, labels, SweepSettings(["quadratic"])).scores["quadratic", 1.0]
    fit = fitted(data, ["quadratic+pca", "quadratic"])["quadratic+pca"]
    np.testing.assert_allclose(fit.score, expected, atol=1e-9)
    assert fit.components == reduced.rank < train.shape[1]


def test_a_probability_is_the_sigmoid_of_out_of_fold_scores(data):
    train, labels, test, truth, patients = data
    found = fitted(data, ["linear", "linear+platt", "linear+tuned", "linear+tuned+platt"])
    splits = inner_folds(labels, patients, INNER_FOLDS, INNER_SEED)
    gram = Gram.of(train, test)
    (inner,), _ = inner_scores(gram, labels, splits, SweepSettings(["linear"]))
    sigmoid = platt(inner.out_of_fold, labels)
    np.testing.assert_allclose(found["linear+platt"].score, sigmoid(found["linear"].score))
    for name in ("linear+platt", "linear+tuned+platt"):
        fit, plain = found[name], found[name.removesuffix("+platt")]
        assert fit.threshold == 0.5
        assert ((fit.score > 0) & (fit.score < 1)).all()
        assert roc_auc_score(truth, fit.score) == roc_auc_score(truth, plain.score)
    assert found["linear+platt"].fit_seconds > found["linear"].fit_seconds


def test_a_sigmoid_never_turns_scores_over():
    """A fine Gaussian's scores vary less within inner folds than the folds' intercepts do."""
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(75), 2)
    labels = (rng.permutation(75) < 30)[patients].astype(np.int64)
    features = rng.normal(size=(150, 300))
    features[:, :3] += 3.0 * labels[:, None]
    names = ["fine_gaussian", "fine_gaussian+platt", "medium_gaussian", "medium_gaussian+platt"]
    fit = fit_variants([features[:110]], labels[:110], [features[110:]], patients[:110], names)
    aucs = {name: roc_auc_score(labels[110:], fit[name].score) for name in names}
    assert aucs["fine_gaussian"] > 0.6
    assert aucs["fine_gaussian+platt"] == 0.5
    assert "one probability for all rows" in fit["fine_gaussian+platt"].note
    np.testing.assert_allclose(fit["fine_gaussian+platt"].score, labels[:110].mean())
    assert aucs["medium_gaussian+platt"] == aucs["medium_gaussian"]
    assert fit["medium_gaussian+platt"].note == ""


def test_a_fusion_is_the_features_side_by_side(data):
    train, labels, test, _, patients = data
    names = ["cubic", "medium_gaussian+tuned", "linear+pca"]
    parts = [slice(0, 5), slice(5, 12)]
    fused = fit_variants(
        [train[:, part] for part in parts],
        labels,
        [test[:, part] for part in parts],
        patients,
        names,
    )
    together = fitted(data, names)
    for name in names:
        np.testing.assert_allclose(fused[name].score, together[name].score, atol=1e-6)


def test_what_cannot_be_tuned_keeps_the_others(data):
    train, labels, test, _, _ = data
    patients = np.where(labels == 1, 1, np.arange(len(labels)) + 2)
    names = ["linear", "linear+tuned", "linear+platt", "linear+pca", "cubic+pca+tuned"]
    found = fit_variants([train], labels, [test], patients, names)
    assert list(found) == names
    for name in ("linear+tuned", "linear+platt", "cubic+pca+tuned"):
        assert found[name].startswith("5 inner folds need positive rows of as many groups")
    assert all(isinstance(found[name], VariantFit) for name in ("linear", "linear+pca"))


def test_a_gram_that_does_not_fit_is_approximated_and_labelled(data):
    names = ["medium_gaussian", "medium_gaussian+tuned", "linear+pca"]
    found = fitted(data, names, memory_limit=80_000)
    assert found["medium_gaussian"].approximate
    for name in names[1:]:
        assert "there is no approximate form" in found[name]


def test_no_test_row_changes_a_choice(data):
    train, labels, test, _, patients = data
    names = ["linear+tuned", "cubic+pca+tuned+platt"]
    noise = np.random.default_rng(0).normal(size=test.shape) * 100
    first = fit_variants([train], labels, [test], patients, names)
    second = fit_variants([train], labels, [noise], patients, names)
    for name in names:
        for field in ("chosen_C", "chosen_scale", "inner_auc", "components", "n_support"):
            assert getattr(first[name], field) == getattr(second[name], field)


@pytest.mark.parametrize("memory_limit", [None, 80_000], ids=["exact", "approximate"])
def test_a_backbone_that_cannot_be_used_is_named_by_its_place(data, memory_limit):
    train, labels, test, _, patients = data
    parts = [slice(0, 5), slice(5, 12)]
    constant = train.copy()
    constant[:, parts[1]] = 3.0
    rows, others = ([part[:, s] for s in parts] for part in (constant, test))
    with pytest.raises(ValueError, match=r"^backbone 2 of 2: every feature is constant"):
        fit_variants(rows, labels, others, patients, ["linear"], memory_limit=memory_limit)
    others[0] = np.full_like(others[0], np.nan)
    with pytest.raises(ValueError, match=r"^backbone 1 of 2: features are not finite in 20 of 20"):
        fit_variants(rows, labels, others, patients, ["linear"], memory_limit=memory_limit)
    with pytest.raises(ValueError, match=r"^every feature is constant in the training rows$"):
        fit_variants(rows[1:], labels, others[1:], patients, ["linear"], memory_limit=memory_limit)


def test_a_device_is_ignored_whoever_names_it(data):
    train, labels, test, _, patients = data
    parts = [train[:, :5], train[:, 5:]], [test[:, :5], test[:, 5:]]
    named = dict(enumerate(parts[0])), dict(enumerate(parts[1]))
    calls = {
        "sweep": lambda: sweep(train, labels, test, ["linear"], device="mps"),
        "tune": lambda: tune(train, labels, test, patients, ["linear"], device="cuda"),
        "grams": lambda: grams_of(*named, device="cuda"),
        "judge": lambda: judge_kernels(parts[0], labels, patients, ["linear"], device="cuda"),
        "fit": lambda: fit_variants(
            parts[0], labels, parts[1], patients, ["cubic"], device="cuda:1"
        ),
    }
    for call in calls.values():
        with pytest.warns(DeprecationWarning, match="ignored") as warned:
            found = call()
        assert [one.filename for one in warned if one.category is DeprecationWarning] == [__file__]
    np.testing.assert_allclose(found["cubic"].score, fitted(data, ["cubic"])["cubic"].score)
