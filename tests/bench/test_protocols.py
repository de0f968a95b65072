"""Protocols: no patient on both sides, the same folds for a seed, nothing learnt from chance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bench.errors import UnusableInput
from bench.protocols import PROTOCOLS, has_official_split
from classifiers import fit_reference, sweep
from reports import measures

HONEST = [name for name, protocol in PROTOCOLS.items() if not protocol.audit]


def lesions(patients, labels, splits=None):
    return pd.DataFrame(
        {
            "patient_id": patients,
            "label": labels,
            "split": splits if splits is not None else ["none"] * len(labels),
        }
    )


def random_table(rng, n_patients=60):
    """One to three rows a patient, mostly of one label, with a split by patient."""
    sizes = rng.integers(1, 4, n_patients)
    patients = np.repeat([f"P{i:03d}" for i in range(n_patients)], sizes)
    lean = np.repeat(rng.random(n_patients) < 0.4, sizes)
    labels = np.where(rng.random(len(patients)) < 0.15, ~lean, lean).astype(int)
    split = np.repeat(np.where(rng.random(n_patients) < 0.3, "test", "train"), sizes)
    return lesions(patients, labels, split)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), protocol=st.sampled_from(HONEST))
def test_no_patient_stands_on_both_sides(seed, protocol):
    table = random_table(np.random.default_rng(seed))
    split = PROTOCOLS[protocol].split(table, 2, seed)
    patients = table["patient_id"].to_numpy()
    for fold in split.folds:
        assert not set(patients[fold.train]) & set(patients[fold.test])
        assert set(table["label"].to_numpy()[fold.train]) == {0, 1}


def test_official_takes_shared_patients_out_of_training_and_says_so():
    table = lesions(
        ["A", "A", "B", "C", "D", "D"],
        [0, 1, 1, 0, 0, 1],
        ["train", "test", "train", "train", "test", "test"],
    )
    split = PROTOCOLS["official"].split(table, 1, 0)
    (fold,) = split.folds
    assert fold.train.tolist() == [2, 3]
    assert fold.test.tolist() == [1, 4, 5]
    assert "1 patients" in split.notices[0]
    assert "1 training crops" in split.notices[0]


def test_pooled_official_keeps_shared_patients_and_says_so():
    table = lesions(
        ["A", "A", "A", "B", "C", "D", "E"],
        [0, 1, 1, 1, 0, 0, 1],
        ["train", "test", "test", "train", "train", "test", "none"],
    )
    split = PROTOCOLS["pooled-official"].split(table, 1, 0)
    (fold,) = split.folds
    assert fold.train.tolist() == [0, 3, 4]
    assert fold.test.tolist() == [1, 2, 5]
    assert split.notices == (
        "an audit: 1 patients stand on both sides, with 1 training and 2 test crops",
    )


def test_every_protocol_that_leaks_is_called_an_audit():
    assert set(PROTOCOLS) - set(HONEST) == {"pooled-official"}


def test_official_leaves_rows_without_a_split_alone():
    table = lesions(list("ABCDE"), [0, 1, 0, 1, 1], ["train", "train", "test", "test", "none"])
    (fold,) = PROTOCOLS["official"].split(table, 1, 0).folds
    assert 4 not in {*fold.train, *fold.test}


def test_patient_cv_tests_every_row_once_a_repeat_and_draws_anew():
    table = random_table(np.random.default_rng(0))
    split = PROTOCOLS["patient-cv"].split(table, 3, 7)
    assert [(f.repeat, f.fold) for f in split.folds] == [(r, k) for r in range(3) for k in range(5)]
    for repeat in range(3):
        tested = np.concatenate([f.test for f in split.folds if f.repeat == repeat])
        assert sorted(tested) == list(range(len(table)))
    firsts = [f.test.tolist() for f in split.folds if f.fold == 0]
    assert firsts[0] != firsts[1]
    again = PROTOCOLS["patient-cv"].split(table, 3, 7)
    other = PROTOCOLS["patient-cv"].split(table, 3, 8)
    assert [f.test.tolist() for f in again.folds] == [f.test.tolist() for f in split.folds]
    assert [f.test.tolist() for f in other.folds] != [f.test.tolist() for f in split.folds]


def test_more_repeats_keep_the_first_ones():
    table = random_table(np.random.default_rng(1))
    few, many = (PROTOCOLS["patient-cv"].split(table, r, 0).folds for r in (1, 3))
    assert [f.test.tolist() for f in few] == [f.test.tolist() for f in many[:5]]


@pytest.mark.parametrize(
    ("protocol", "table", "message"),
    [
        ("patient-cv", lesions(list("AABBCCDD"), [0, 1] * 4), "one a fold; there are 4"),
        ("patient-cv", lesions(list("ABCDEF"), [0] * 5 + [1]), "one class only: too few"),
        ("official", lesions(list("AB"), [0, 1], ["train", "test"]), "one class only"),
        ("official", lesions(list("AA"), [0, 1], ["train", "test"]), "stands in test, too"),
    ],
)
def test_what_cannot_be_split_is_said_in_one_line(protocol, table, message):
    with pytest.raises(UnusableInput, match=message) as caught:
        PROTOCOLS[protocol].split(table, 1, 0)
    assert "\n" not in str(caught.value)


def test_a_table_has_an_official_split_only_with_both_sides():
    assert has_official_split(lesions("AB", [0, 1], ["train", "test"]))
    assert not has_official_split(lesions("AB", [0, 1], ["train", "train"]))
    assert not has_official_split(lesions("AB", [0, 1]))


def exchanged(table, rng):
    """Whole label vectors exchanged between patients with equal numbers of rows."""
    labels = table["label"].to_numpy().copy()
    rows = table.groupby("patient_id").indices
    by_size = {}
    for patient, places in rows.items():
        by_size.setdefault(len(places), []).append(patient)
    for patients in by_size.values():
        for giver, taker in zip(patients, rng.permutation(patients), strict=True):
            labels[rows[taker]] = table["label"].to_numpy()[rows[giver]]
    return table.assign(label=labels)


@pytest.mark.parametrize("protocol", HONEST)
def test_exchanged_labels_leave_nothing_to_learn(protocol):
    """Mean AUC over 120 permutations within 2 standard errors of 0.5, for every classifier."""
    rng = np.random.default_rng(20_231)
    table = random_table(rng, n_patients=90)
    patient = table["patient_id"].factorize()[0]
    # Features carry the patient and the true label, so that only the exchange makes them worthless.
    features = rng.normal(size=(patient.max() + 1, 12))[patient]
    features += 0.5 * rng.normal(size=features.shape)
    features[:, 0] += 1.5 * table["label"]
    aucs = {}
    for _ in range(120):
        null = exchanged(table, rng)
        labels = null["label"].to_numpy()
        pooled = {}
        tested = []
        for fold in PROTOCOLS[protocol].split(null, 1, 0).folds:
            inside, outside = features[fold.train], features[fold.test]
            fits = {k: f for (k, _), f in sweep(inside, labels[fold.train], outside).fits.items()}
            for name in ("logistic", "knn", "majority"):
                fits[name] = fit_reference(name, inside, labels[fold.train], outside)
            for name, fit in fits.items():
                pooled.setdefault(name, []).append(fit.score)
            tested.append(fold.test)
        # Ranked across folds, the fine Gaussian comes out 5 to 7 standard errors below 0.5: its
        # scores are little but the intercept, which follows the balance of the training rows.
        of_row = np.repeat(np.arange(len(tested)), [len(rows) for rows in tested])
        truth = labels[np.concatenate(tested)]
        for name, score in pooled.items():
            auc = measures(truth, np.concatenate(score), fold=of_row)["auc"]
            aucs.setdefault(name, []).append(auc)
    for name, values in aucs.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - 0.5) <= 2 * error, (name, np.mean(values), error)


def test_the_labels_as_they_are_can_be_learnt():
    """The null test above would pass on features without any signal; these have one."""
    rng = np.random.default_rng(20_231)
    table = random_table(rng, n_patients=90)
    labels = table["label"].to_numpy()
    features = rng.normal(size=(len(table), 12))
    features[:, 0] += 1.5 * labels
    (fold,) = PROTOCOLS["official"].split(table, 1, 0).folds
    score = sweep(features[fold.train], labels[fold.train], features[fold.test]).scores
    assert roc_auc_score(labels[fold.test], score["linear", 1.0]) > 0.7
