"""Protocols: patients on both sides in audits only, the same folds for a seed, nothing learnt from
chance."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bench.data.crops.rotated import rotated_positions, rotated_rows
from bench.errors import UnusableInput
from bench.planning.protocols import PROTOCOLS, manifest_rows
from bench.planning.splits import has_official_split, nested_training
from classifiers import fit_reference, sweep
from reports import measures

DOCS = Path(__file__).parents[3] / "docs" / "protocols-and-measures.md"
HONEST = [name for name, protocol in PROTOCOLS.items() if not protocol.audit]
AUDITS = [name for name, protocol in PROTOCOLS.items() if protocol.audit]
TURNED = [name for name, protocol in PROTOCOLS.items() if protocol.rotated]
REPEATED = [name for name, protocol in PROTOCOLS.items() if protocol.repeated]


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


def shared_table(rng, n_patients=60):
    """The same, with every fifth patient that has several rows in both splits."""
    table = random_table(rng, n_patients)
    again = table["patient_id"].duplicated() & (table["patient_id"].str[-1].isin(["0", "5"]))
    return table.assign(split=np.where(again, "test", "train"))


def seen_by(protocol, table):
    """The rows that a protocol splits; for external tests a third of the patients, some of whom are
    in the own set, too."""
    if PROTOCOLS[protocol].internal:
        number = table["patient_id"].str[1:].astype(int)
        stays = (number % 15 == 0) & ~table["patient_id"].duplicated()
        outside = np.where((number % 3 == 0) & ~stays, "far", "")
        return table.assign(external=outside, person=table["patient_id"])
    return rotated_rows(table) if PROTOCOLS[protocol].rotated else table


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), protocol=st.sampled_from(HONEST))
def test_no_patient_stands_on_both_sides(seed, protocol):
    table = seen_by(protocol, random_table(np.random.default_rng(seed)))
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


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), protocol=st.sampled_from(AUDITS))
def test_an_audit_has_patients_on_both_sides_and_says_how_many(seed, protocol):
    table = seen_by(protocol, shared_table(np.random.default_rng(seed)))
    split = PROTOCOLS[protocol].split(table, 2, seed)
    patients = table["patient_id"].to_numpy()
    torn = set()
    for fold in split.folds:
        assert not set(fold.train) & set(fold.test)
        both = set(patients[fold.train]) & set(patients[fold.test])
        assert both
        if fold.repeat == 0:
            torn |= both
    assert split.notices[0].startswith(f"an audit: {len(torn)} ")


@pytest.mark.parametrize("protocol", TURNED)
def test_rotated_rows_are_the_training_rows_of_the_official_split_four_times(protocol):
    table = random_table(np.random.default_rng(2))
    official = np.flatnonzero(table["split"] == "train")
    rows = rotated_rows(table)
    split = PROTOCOLS[protocol].split(rows, 2, 0)
    for fold in split.folds:
        used = np.concatenate([fold.train, fold.test])
        assert sorted(used) == sorted(rotated_positions(official, len(table)))
        assert rows["rotation"].iloc[used].value_counts().to_dict() == dict.fromkeys(
            (0, 90, 180, 270), len(official)
        )
    said = f"the {len(official)} training crops, each rotated by 0, 90, 180, 270 degrees, make "
    assert split.notices[-1] == f"{said}{4 * len(official)} rows"


@pytest.mark.parametrize("protocol", TURNED)
def test_without_an_official_split_all_rows_are_rotated_and_that_is_said(protocol):
    table = random_table(np.random.default_rng(3)).assign(split="none")
    split = PROTOCOLS[protocol].split(rotated_rows(table), 1, 0)
    for fold in split.folds:
        assert len(fold.train) + len(fold.test) == 4 * len(table)
    assert f"the {len(table)} crops (there is no official split)" in split.notices[-1]


def test_a_rotated_row_is_its_crop_and_its_label():
    table = random_table(np.random.default_rng(4))
    rows = rotated_rows(table)
    places = rotated_positions(np.array([3, 8]), len(table))
    assert rows["rotation"].iloc[places].tolist() == [0, 0, 90, 90, 180, 180, 270, 270]
    for column in ("patient_id", "label", "split"):
        assert rows[column].iloc[places].tolist() == table[column].iloc[[3, 8]].tolist() * 4


@pytest.mark.parametrize(
    ("protocol", "torn"),
    [("rotated-holdout", True), ("rotated-image-cv", True), ("rotated-by-patient", False)],
)
def test_whether_one_crop_stands_on_both_sides_in_two_positions(protocol, torn):
    table = random_table(np.random.default_rng(5))
    for fold in PROTOCOLS[protocol].split(rotated_rows(table), 1, 0).folds:
        both = set(fold.train % len(table)) & set(fold.test % len(table))
        assert bool(both) == torn


def test_a_holdout_keeps_70_percent_of_each_class():
    table = rotated_rows(random_table(np.random.default_rng(6)))
    labels = table["label"].to_numpy()
    folds = PROTOCOLS["rotated-holdout"].split(table, 3, 0).folds
    assert [(fold.repeat, fold.number) for fold in folds] == [(0, 0), (1, 0), (2, 0)]
    for fold in folds:
        for label in (0, 1):
            kept = (labels[fold.train] == label).sum()
            of_class = kept + (labels[fold.test] == label).sum()
            assert abs(kept - 0.7 * of_class) <= 0.5
    assert len({tuple(fold.train) for fold in folds}) == 3


@pytest.mark.parametrize("protocol", ["image-cv", "rotated-image-cv", "reused-network"])
def test_folds_by_crop_test_every_row_once_and_keep_the_share_of_each_class(protocol):
    table = seen_by(protocol, random_table(np.random.default_rng(7)).assign(split="none"))
    labels = table["label"].to_numpy()
    folds = PROTOCOLS[protocol].split(table, 2, 0).folds
    assert [(f.repeat, f.number) for f in folds] == [(r, k) for r in range(2) for k in range(5)]
    for repeat in range(2):
        tested = [f.test for f in folds if f.repeat == repeat]
        assert sorted(np.concatenate(tested)) == list(range(len(table)))
        positives = [int(labels[rows].sum()) for rows in tested]
        assert max(positives) - min(positives) <= 1


def test_a_reused_network_has_70_percent_of_all_rows_and_serves_all_folds_of_a_repeat():
    table = random_table(np.random.default_rng(8))
    labels = table["label"].to_numpy()
    split, alone = (PROTOCOLS[n].split(table, 3, 1) for n in ("reused-network", "image-cv"))
    for fold, plain in zip(split.folds, alone.folds, strict=True):
        # The folds are those of image-cv, so that the two differ by the network alone.
        assert np.array_equal(fold.test, plain.test)
        train, rest = fold.network
        assert sorted([*train, *rest]) == list(range(len(table)))
        for label in (0, 1):
            assert abs((labels[train] == label).sum() - 0.7 * (labels == label).sum()) <= 0.5
        # What makes it an audit: the network has seen test rows of every fold.
        assert set(train) & set(fold.test)
    of_repeat = {f.repeat: {tuple(g.network[0]) for g in split.folds if g.repeat == f.repeat}
                 for f in split.folds}  # fmt: skip
    assert [len(rows) for rows in of_repeat.values()] == [1, 1, 1]
    assert len(set.union(*of_repeat.values())) == 3
    assert f"trained on {len(split.folds[0].network[0])} of the {len(table)}" in split.notices[1]
    assert all(f.network is None for f in alone.folds)


def test_official_leaves_rows_without_a_split_alone():
    table = lesions(list("ABCDE"), [0, 1, 0, 1, 1], ["train", "train", "test", "test", "none"])
    (fold,) = PROTOCOLS["official"].split(table, 1, 0).folds
    assert 4 not in {*fold.train, *fold.test}


def test_patient_cv_tests_every_row_once_a_repeat_and_draws_anew():
    table = random_table(np.random.default_rng(0))
    split = PROTOCOLS["patient-cv"].split(table, 3, 7)
    assert [(f.repeat, f.number) for f in split.folds] == [
        (r, k) for r in range(3) for k in range(5)
    ]
    for repeat in range(3):
        tested = np.concatenate([f.test for f in split.folds if f.repeat == repeat])
        assert sorted(tested) == list(range(len(table)))
    firsts = [f.test.tolist() for f in split.folds if f.number == 0]
    assert firsts[0] != firsts[1]
    again = PROTOCOLS["patient-cv"].split(table, 3, 7)
    other = PROTOCOLS["patient-cv"].split(table, 3, 8)
    assert [f.test.tolist() for f in again.folds] == [f.test.tolist() for f in split.folds]
    assert [f.test.tolist() for f in other.folds] != [f.test.tolist() for f in split.folds]


@pytest.mark.parametrize("protocol", REPEATED)
def test_more_repeats_keep_the_first_ones_and_another_seed_draws_others(protocol):
    table = seen_by(protocol, random_table(np.random.default_rng(1)))

    def drawn(repeats, seed):
        folds = PROTOCOLS[protocol].split(table, repeats, seed).folds
        return [[p.tolist() for p in (f.train, f.test, *(f.network or ()))] for f in folds]

    few, many = drawn(1, 0), drawn(3, 0)
    assert few == many[: len(few)]
    assert many[: len(few)] != many[len(few) : 2 * len(few)]
    assert many == drawn(3, 0)
    assert many != drawn(3, 1)


@pytest.mark.parametrize(
    ("protocol", "table", "message"),
    [
        ("patient-cv", lesions(list("AABBCCDD"), [0, 1] * 4), "one a fold; there are 4"),
        ("patient-cv", lesions(list("ABCDEF"), [0] * 5 + [1]), "one class only: too few"),
        ("official", lesions(list("AB"), [0, 1], ["train", "test"]), "one class only"),
        ("official", lesions(list("AA"), [0, 1], ["train", "test"]), "stands in test, too"),
        ("image-cv", lesions(list("ABCDEF"), [0] * 5 + [1]), "each class, one a fold; one has 1"),
        ("reused-network", lesions(list("ABCDEF"), [0] * 5 + [1]), "of each class"),
        ("rotated-image-cv", lesions(list("AB"), [0, 1]), "of each class"),
        ("rotated-holdout", lesions(list("AB"), [0, 0]), "one class only"),
        ("rotated-by-patient", lesions(list("ABCD"), [0, 1] * 2), "one a fold; there are 4"),
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
    # Four rows a crop take four times as long.
    table = seen_by(protocol, random_table(rng, 50 if PROTOCOLS[protocol].rotated else 90))
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


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_share_of_the_patients_keeps_the_proportion_of_both_kinds(share):
    # Two rows a patient: of every fifth patient one is malignant.
    labels = np.tile([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 20)
    table = lesions(np.repeat([f"P{i:03d}" for i in range(100)], 2), labels)
    for seed in range(5):
        chosen = nested_training(table, np.arange(200), share, seed)
        malignant = table.iloc[chosen].groupby("patient_id")["label"].max()
        assert (malignant.sum(), len(malignant)) == (20 * share, 100 * share)


def test_a_small_share_has_a_patient_of_each_kind():
    table = lesions(list("ABCDEFGH"), [1, 0, 0, 0, 0, 0, 0, 1])
    assert set(table["label"][nested_training(table, np.arange(8), 0.01, 0)]) == {0, 1}


def test_an_audit_is_compared_with_an_honest_twin_on_like_rows():
    for name, protocol in PROTOCOLS.items():
        assert bool(protocol.twins) == protocol.audit, name
        for twin in protocol.twins:
            assert twin.protocol in PROTOCOLS
        if protocol.audit:
            honest = PROTOCOLS[protocol.twins[0].protocol]
            assert not honest.audit
            assert honest.rotated == protocol.rotated
            assert not protocol.headline


def test_words_call_an_audit_one():
    for protocol in PROTOCOLS.values():
        assert protocol.description.startswith("audit: ") == protocol.audit
        assert protocol.in_methods.endswith(" (audit)") == protocol.audit


def test_the_manifest_has_the_protocols_of_the_run_headlines_first_and_audits_behind_their_twins():
    names = [name if name != "external" else "external:far" for name in reversed(PROTOCOLS)]
    rows = manifest_rows(names)
    assert [row["name"] for row in rows] == [
        *("official", "patient-cv", "pooled-official", "external:far", "image-cv"),
        *("rotated-by-patient", "rotated-holdout", "rotated-image-cv", "reused-network"),
    ]
    assert [row["name"] for row in manifest_rows(["image-cv", "official"])] == [
        "official",
        "image-cv",
    ]
    (row,) = [row for row in rows if row["name"] == "external:far"]
    assert row["external"] == "far"
    assert row["internal"] == ["official", "patient-cv"]
    assert "the external set far" in row["in_methods"]


def test_the_docs_have_a_row_for_each_protocol_and_for_each_difference():
    text = DOCS.read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \| ", text, re.MULTILINE))
    assert set(PROTOCOLS) <= set(described)
    for name, protocol in PROTOCOLS.items():
        assert ("**audit**" in described[name]) == protocol.audit, name
    documented = set(re.findall(r"`([a-z-]+)` − `([a-z-]+)`", text))
    apart = {
        (name, twin.protocol)
        for name, protocol in PROTOCOLS.items()
        for twin in protocol.twins
        if twin.protocol != name
    }
    assert documented == apart
