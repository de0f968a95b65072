"""Tuning against a plain scikit-learn reference, and what it must never have seen."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from classifiers import Gram, SweepSettings, tune
from classifiers.inner_folds import InnerScore, best, inner_folds, inner_scores

NEAR = 1e-9


def patients_rows(seed=0, patients=30, width=15):
    """Rows of 30 patients, one to three each, whose labels and features go by patient."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    labels = (np.arange(patients) % 2)[groups]
    shift = rng.normal(size=(patients, width))[groups]
    features = shift + rng.normal(size=(len(groups), width)) + 0.4 * labels[:, None]
    return features, labels, rng.permutation(1000)[:patients][groups]


def plain_reference(train, labels, test, groups, Cs, scales):
    """Loops of `SVC` fits: medium Gaussian, inner folds on the outer rows' standardisation."""
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    splits = StratifiedGroupKFold(3, shuffle=True, random_state=7).split(train, labels, groups)
    splits = list(splits)
    table = {}
    for scale in scales:
        for C in Cs:
            gamma = 1 / (train.shape[1] * scale**2)
            model = SVC(kernel="rbf", gamma=gamma, C=C, tol=NEAR)
            areas = [
                roc_auc_score(
                    labels[out], model.fit(train[rows], labels[rows]).decision_function(train[out])
                )
                for rows, out in splits
            ]
            table[C, scale] = float(np.mean(areas))
    C, scale = max(sorted(table), key=lambda key: table[key])
    model = SVC(kernel="rbf", gamma=1 / (train.shape[1] * scale**2), C=C, tol=NEAR)
    return table, (C, scale), model.fit(train, labels).decision_function(test)


def test_tuning_equals_a_plain_reference():
    train, labels, groups = patients_rows()
    test = patients_rows(1)[0]
    Cs, scales = (0.1, 1.0, 10.0), (0.5, 1.0, 2.0)
    table, choice, score = plain_reference(train, labels, test, groups, Cs, scales)
    found = tune(
        train, labels, test, groups, ["medium_gaussian"], Cs,
        scale=scales, folds=3, seed=7, jobs=2, tol=NEAR,
    )  # fmt: skip
    assert {(s.C, s.scale): pytest.approx(s.auc, abs=1e-12) for s in found.table} == table
    chosen = found.choices["medium_gaussian"]
    assert (chosen.inner.C, chosen.inner.scale) == choice
    np.testing.assert_allclose(chosen.fit.score, score, atol=1e-6)
    assert len(set(table.values())) > 3  # a choice that could have gone wrong


def test_out_of_fold_scores_come_from_the_fold_that_left_the_row_out():
    train, labels, groups = patients_rows(2)
    found = tune(train, labels, train, groups, ["cubic"], [1.0], scale=[1.0], folds=3, tol=NEAR)
    inner = found.choices["cubic"].inner
    standard = StandardScaler().fit_transform(train)
    for rows, out in inner_folds(labels, groups, 3, 0):
        assert not set(groups[rows]) & set(groups[out])
        model = SVC(kernel="poly", degree=3, gamma=1 / 15, coef0=1, tol=NEAR)
        expected = model.fit(standard[rows], labels[rows]).decision_function(standard[out])
        np.testing.assert_allclose(inner.out_of_fold[out], expected, atol=1e-6)


def test_test_rows_change_no_choice():
    train, labels, groups = patients_rows(3)
    rng = np.random.default_rng(0)
    one, two = (
        tune(train, labels, test, groups, ["linear", "coarse_gaussian"], [0.1, 1.0, 10.0], folds=3)
        for test in (train[:4], 1e6 * rng.normal(size=(9, 15)))
    )
    for name, choice in one.choices.items():
        other = two.choices[name]
        assert (choice.inner.C, choice.inner.scale) == (other.inner.C, other.inner.scale)
        assert choice.inner.fold_auc == other.inner.fold_auc
        np.testing.assert_array_equal(choice.inner.out_of_fold, other.inner.out_of_fold)
        assert choice.fit.iterations == other.fit.iterations
        assert choice.fit.n_support == other.fit.n_support


def test_labels_held_out_do_not_reach_their_own_scores():
    train, labels, groups = patients_rows(4)
    splits = inner_folds(labels, groups, 3, 0)
    out = splits[0][1]
    chosen = tune(train, labels, train[:1], groups, ["linear"], [1.0], scale=[1.0], folds=3)
    # A held-out patient's labels exchanged: its own scores stay only if its fold did not see them.
    changed = labels.copy()
    changed[out] = 1 - changed[out]
    gram = Gram.of(train, train[:1])
    (score,), _ = inner_scores(gram, changed, splits, SweepSettings(["linear"]))
    before = chosen.choices["linear"].inner.out_of_fold
    np.testing.assert_array_equal(score.out_of_fold[out], before[out])
    assert not np.allclose(score.out_of_fold, before)


def test_of_equal_settings_the_simplest_is_taken_and_an_unfinished_one_last():
    def score(C, scale, auc, converged=True):
        return InnerScore("linear", C, scale, auc, (auc,), np.zeros(1), converged)

    ties = [score(10, 1, 0.8), score(1, 2, 0.8), score(1, 1, 0.8), score(0.1, 1, 0.7)]
    assert best(ties) is ties[2]
    unfinished = score(1, 1, 0.9, converged=False)
    assert best([unfinished, *ties]) is ties[2]
    assert best([unfinished]) is unfinished


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": np.zeros(40)}, "all of one group"),
        ({"groups": np.arange(39)}, r"40 training rows but groups of shape \(39,\)"),
        ({"groups": np.arange(40) % 4}, "5 inner folds need negative rows of as many groups"),
        ({"train_labels": np.ones(40)}, "all of one class"),
        ({"train_labels": np.arange(40) == 3}, "need positive rows .* there are 1"),
        ({"train_labels": np.arange(39) % 2}, "40 training rows but 39 labels"),
        ({"train_features": np.full((40, 3), np.nan)}, "not finite in 40 of 40"),
        ({"train_features": np.ones((40, 3))}, "every feature is constant"),
        ({"train_features": np.ones(40)}, "must be matrices"),
        ({"C": []}, "C is an empty list"),
        ({"kernels": ["rbf"]}, "'rbf' is unknown"),
    ],
)
def test_unusable_input_is_named(change, message):
    rng = np.random.default_rng(5)
    arguments = {
        "train_features": rng.normal(size=(40, 3)),
        "train_labels": np.arange(40) % 2,
        "test_features": rng.normal(size=(2, 3)),
        "groups": np.arange(40) // 2,
    }
    if "need negative" in message:
        arguments["groups"] = np.arange(40) % 4
    with pytest.raises(ValueError, match=message):
        tune(**(arguments | change))
