"""What a reader should not take as it is says so: unfinished, approximate and collapsed fits."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from classifiers import (
    KERNELS,
    KernelSVC,
    SweepSettings,
    fit_reference,
    fit_variants,
    grams_of,
    judge_kernels,
    reference,
    search_backbones,
    sweep,
    sweep_gram,
    sweep_subsets,
    tune,
    tune_gram,
    variant_fits,
)
from classifiers.gram import Gram
from classifiers.inner_folds import InnerScore, best, inner_scores
from classifiers.memory import gram_bytes

GROUPS = np.arange(150)


def rows(width, share, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(230) % 100 < 100 * share).astype(int)
    features = rng.normal(size=(230, width))
    features[:, : max(1, width // 10)] += shift * labels[:, None]
    order = rng.permutation(230)
    features, labels = features[order], labels[order]
    return features[:150], labels[:150], features[150:]


def warned(call):
    """What a call returns, and its warnings of convergence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert all(one.category is ConvergenceWarning for one in caught), caught
    assert all(one.filename == __file__ for one in caught)
    return result, [str(one.message) for one in caught]


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_few_features_and_unbalanced_classes_collapse(width, share, C):
    train, labels, test = rows(width, share)
    found, said = warned(lambda: sweep(train, labels, test, ["linear", "fine_gaussian"], [C]))
    fine = found.fits["fine_gaussian", C].collapsed
    assert np.ptp(found.scores["linear", C]) < 0.02
    assert found.fits["linear", C].collapsed
    assert len(said) == 1
    assert f"{1 + fine} of 2 fits collapsed" in said[0]
    svm, said = warned(lambda: KernelSVC("linear", C=C).fit(train, labels))
    assert svm.collapsed_
    assert len(said) == 1
    assert "collapsed" in said[0]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("C", [1.0, 100.0, 1e6])
def test_features_of_a_network_do_not(kernel, share, C):
    train, labels, test = rows(500, share, shift=0.5)
    found, said = warned(lambda: sweep(train, labels, test, [kernel], [C]))
    assert not said
    assert not found.fits[kernel, C].collapsed


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_collapse_is_noise_of_the_solver_and_what_is_none_is_not():
    """The order of the scores changes with the tolerance exactly where a fit says so."""
    kept, lost = [], []
    for width, share in ((1, 0.1), (2, 0.05), (2, 0.1), (5, 0.5), (30, 0.3), (200, 0.1)):
        train, labels, test = rows(width, share, shift=0.5)
        kernels = ["linear", "cubic", "medium_gaussian", "coarse_gaussian"]
        coarse = sweep(train, labels, test, kernels)
        exact = sweep(train, labels, test, kernels, tol=1e-8)
        for name, fit in coarse.fits.items():
            spread = exact.scores[name].std() / fit.score.std()
            (lost if fit.collapsed else kept).append(spread)
    assert min(len(kept), len(lost)) > 4
    assert min(kept) > 0.5
    assert max(lost) < 0.9
    assert np.median(lost) < 0.01


def test_one_score_for_all_rows_is_a_collapse():
    train, labels, test = rows(5, 0.5)
    found, said = warned(lambda: sweep(train, labels, test, ["coarse_gaussian"], scale=[1e4]))
    assert found.fits["coarse_gaussian", 1.0].collapsed
    assert len(said) == 1


def calls():
    """Every public call that fits many SVMs, for features, labels and iteration limit."""

    def grams(train, test):
        return grams_of({"a": train, "b": train[:, :15]}, {"a": test, "b": test[:, :15]})

    kernels = ["linear", "cubic"]
    return {
        "sweep": lambda tr, y, te, n: sweep(tr, y, te, kernels, max_iter=n),
        "sweep_gram": lambda tr, y, te, n: sweep_gram(
            Gram.of(tr, te), y, SweepSettings(kernels, max_iter=n)
        ),
        "tune": lambda tr, y, te, n: tune(tr, y, te, GROUPS, kernels, [1.0], max_iter=n),
        "tune_gram": lambda tr, y, te, n: tune_gram(
            Gram.of(tr, te), y, GROUPS, SweepSettings(kernels, max_iter=n)
        ),
        "sweep_subsets": lambda tr, y, te, n: list(
            sweep_subsets(grams(tr, te), y, SweepSettings(kernels, max_iter=n))
        ),
        "search_backbones": lambda tr, y, te, n: search_backbones(
            grams(tr, te), y, GROUPS, SweepSettings(kernels, max_iter=n)
        ),
    }


@pytest.mark.parametrize("name", calls())
def test_unfinished_fits_give_one_warning_a_call_with_their_number(name):
    train, labels, test = rows(20, 0.4)
    _, said = warned(lambda: calls()[name](train, labels, test, 10))
    assert len(said) == 1
    fits = {"sweep_subsets": 6, "search_backbones": 1}.get(name, 2)
    assert f"{fits} of {fits} fits did not converge" in said[0]
    assert ("inner fits of" in said[0]) == (name in ("tune", "tune_gram", "search_backbones"))
    assert not warned(lambda: calls()[name](train, labels, test, 10**6))[1]


def test_approximate_fits_are_counted():
    train, labels, test = rows(20, 0.4)
    limit = gram_bytes(150, 80, 20) - 1
    _, said = warned(lambda: sweep(train, labels, test, ["linear"], [1, 10], memory_limit=limit))
    assert len(said) == 1
    assert "2 of 2 fits are approximate" in said[0]


def test_a_sweep_over_subsets_that_is_left_early_warns_too():
    train, labels, test = rows(20, 0.4)
    grams = grams_of({"a": train, "b": train}, {"a": test, "b": test})
    subsets = sweep_subsets(grams, labels, SweepSettings(["cubic"], max_iter=10))
    next(subsets)
    with pytest.warns(ConvergenceWarning, match="1 of 1 fits did not converge"):
        subsets.close()


def test_a_reference_classifier_warns_of_its_limit(monkeypatch):
    from sklearn import linear_model

    train, labels, test = rows(20, 0.4)
    assert not warned(lambda: fit_reference("logistic", train, labels, test))[1]
    original = linear_model.LogisticRegression
    monkeypatch.setattr(
        linear_model, "LogisticRegression", lambda C, max_iter: original(C=C, max_iter=1)
    )
    found, said = warned(lambda: reference.fit_reference("logistic", train, labels, test))
    assert found.converged is False
    assert len(said) == 1
    assert "logistic" in said[0]


def test_named_svms_note_it_and_warn_of_nothing():
    train, labels, test = rows(2, 0.1)
    names = ["linear", "linear+tuned", "linear+platt", "linear+pca", "fine_gaussian"]
    found, said = warned(lambda: fit_variants([train], labels, [test], GROUPS, names))
    assert not said
    for name in names[:-1]:
        assert found[name].note.startswith("collapsed: ")
    limit = gram_bytes(150, 80, 2) - 1
    found, said = warned(
        lambda: fit_variants([train], labels, [test], GROUPS, ["linear"], memory_limit=limit)
    )
    assert not said
    judged, said = warned(lambda: judge_kernels([train], labels, GROUPS, ["linear", "cubic"]))
    assert not said
    assert judged["linear"].collapsed


def test_an_auc_of_noise_or_none_is_chosen_only_if_there_is_no_other():
    def setting(auc, C=1.0, *, converged=True, collapsed=False):
        return InnerScore("linear", C, 1.0, auc, (auc,), np.zeros(1), converged, collapsed)

    sound = setting(0.5)
    assert best([setting(0.9, collapsed=True), sound]) is sound
    assert best([sound, setting(np.nan, C=0.1)]) is sound
    assert best([setting(np.nan, C=0.1), sound]) is sound
    unfinished = setting(0.99, converged=False)
    assert best([unfinished, setting(0.6, collapsed=True)]).collapsed


def test_an_undefined_inner_auc_is_no_number():
    train, labels, test = rows(5, 0.4)
    negative = np.flatnonzero(labels == 0)[:3]
    splits = [(np.setdiff1d(np.arange(150), negative), negative)]
    (score,), _ = inner_scores(Gram.of(train, test), labels, splits, SweepSettings(["linear"]))
    assert np.isnan(score.auc)


def test_what_rests_on_unfinished_inner_fits_says_so(monkeypatch):
    train, labels, test = rows(20, 0.4)
    original = variant_fits.inner_scores

    def unfinished(*arguments):
        scores, seconds = original(*arguments)
        return tuple(replace(one, converged=False) for one in scores), seconds

    monkeypatch.setattr("classifiers.variant_fits.inner_scores", unfinished)
    monkeypatch.setattr("classifiers.tuning.inner_scores", unfinished)
    names = ["linear", "linear+platt", "linear+tuned", "linear+tuned+platt"]
    found = fit_variants([train], labels, [test], GROUPS, names)
    has_note = {name: variant_fits.INNER_UNFINISHED in found[name].note for name in names}
    assert has_note == {name: name != "linear" for name in names}
