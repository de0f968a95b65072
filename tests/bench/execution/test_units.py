"""Units of one fold: what is fitted on which columns, and what their keys hold."""

import socket
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.execution import units
from bench.execution.features import FeatureRecord, Features, _fused
from bench.execution.site import Site
from bench.execution.units import fit_fold
from bench.planning.plan import Fold, System
from bench.planning.rules import Rules
from bench.record.run_tables import fit_notes
from bench.store import Store
from classifiers import KERNELS
from classifiers.convergence import COLLAPSED
from classifiers.memory import gram_bytes

N = 60
PATIENTS = np.array([f"P{i // 2}" for i in range(N)])
LABELS = (np.arange(N) // 2 % 3 == 0).astype(np.int64)
FOLD = Fold("mass", "official", 0, 0, np.arange(44), np.arange(44, N))
PROFILE = {
    "precision": "float32",
    "feature_width": 5,
    "parameters": 10,
    "family": "CNN",
    "training": "frozen",
    "extraction_s": 2.0,
    "images_per_s": 30.0,
}


def site(labels, patients, store, jobs=1, memory=2.0**32):
    """A site without images: labels and patients are all that fits need of a crop stack."""
    table = pd.DataFrame({"label": labels, "patient_id": patients})
    return Site(SimpleNamespace(table=table), store, jobs=jobs, rules=Rules(memory=memory))


def features(seed, width=5):
    values = np.random.default_rng(seed).normal(size=(N, width)) + LABELS[:, None]
    record = FeatureRecord(f"origin {seed}", 0.5, PROFILE | {"feature_width": width})
    return Features(values.astype(np.float32), record)


def run(tmp_path, names, found=None, patients=PATIENTS, extractor="a", **machine):
    systems = [System(extractor, name, 1.0, "auto") for name in names]
    found = found if found is not None else features(1)
    return fit_fold(
        FOLD, "fold", systems, found, site(LABELS, patients, Store(tmp_path), **machine)
    )


def test_a_fusion_keeps_the_columns_of_each_backbone_apart(tmp_path):
    parts = [features(1), features(2, 7)]
    fused = _fused(parts)
    assert [part.shape for part in fused.parts] == [(N, 5), (N, 7)]
    np.testing.assert_array_equal(fused.parts[1], parts[1].matrix)
    assert fused.record.seconds_per_crop == 1.0
    assert fused.record.profile["feature_width"] == 12
    assert fused.record.profile["family"] == "CNN"
    assert fused.record.profile["training"] == "frozen"
    assert fused.record.profile["images_per_s"] == pytest.approx(15.0)
    assert fused.record.origin != _fused(parts[::-1]).record.origin
    alone = features(1)
    assert [part.shape for part in alone.parts] == [(N, 5)]


def test_a_fusion_is_one_svm_on_all_columns(tmp_path):
    fused = _fused([features(1), features(2, 7)])
    flat = replace(fused, record=replace(fused.record, widths=(), origin="flat"))
    names = ["cubic", "linear+tuned", "knn"]
    left, right = (
        {s.classifier: r for s, r in run(tmp_path, names, one).items()} for one in (fused, flat)
    )
    for name in names:
        np.testing.assert_allclose(left[name].score, right[name].score, atol=1e-6)


def test_patients_are_in_the_key_of_what_uses_inner_folds(tmp_path):
    """Which rows are of one patient decides the inner folds, and with them what is chosen."""
    names = ["linear", "knn", "linear+pca", "linear+platt", "linear+tuned"]
    other = np.array([f"P{i // 4}" for i in range(N)])
    renamed = np.array([f"Q{i // 2}" for i in range(N)])
    keys = [
        {s.classifier: r.key for s, r in run(tmp_path, names, patients=who).items()}
        for who in (PATIENTS, other, renamed)
    ]
    changed = {name for name in names if keys[0][name] != keys[1][name]}
    assert changed == {"linear+platt", "linear+tuned"}
    assert len(set(keys[0].values())) == len(names)


def test_a_choice_comes_back_from_the_store(tmp_path, monkeypatch):
    (first,) = run(tmp_path, ["cubic+pca+tuned+platt"]).values()
    monkeypatch.setattr(units, "_fit", None)
    (second,) = run(tmp_path, ["cubic+pca+tuned+platt"]).values()
    np.testing.assert_array_equal(first.score, second.score)
    assert dict(first.meta) == dict(second.meta)
    assert first.meta["chosen_C"] > 0
    assert first.meta["components"] >= 1


def test_what_cannot_be_tuned_fails_alone_and_is_not_kept(tmp_path):
    alone = np.where(LABELS == 1, "P", PATIENTS)
    found = {
        s.classifier: r
        for s, r in run(tmp_path, ["linear", "linear+tuned"], patients=alone).items()
    }
    assert found["linear"].status == "ok"
    assert "inner folds need positive rows" in found["linear+tuned"].status
    assert found["linear+tuned"].score is None
    assert ("units", found["linear+tuned"].key) not in Store(tmp_path)


def test_an_approximate_fit_never_stands_in_for_an_exact_one(tmp_path):
    """A run with more memory must not take from the store what one with little has put there."""
    (small,) = run(tmp_path, ["cubic"], memory=50_000.0).values()
    (large,) = run(tmp_path, ["cubic"]).values()
    assert (small.meta["approximate"], large.meta["approximate"]) == (True, False)
    assert small.key != large.key


def test_the_number_of_threads_neither_makes_a_fit_approximate_nor_enters_its_key(tmp_path):
    limit = float(gram_bytes(len(FOLD.train), len(FOLD.test), 5))  # room for one thread
    (one,) = run(tmp_path / "one", ["cubic"], memory=limit).values()
    (two,) = run(tmp_path / "two", ["cubic"], memory=limit, jobs=2).values()
    assert one.key == two.key
    assert not two.meta["approximate"]
    np.testing.assert_array_equal(one.score, two.score)


def test_the_backbone_of_a_fusion_that_is_constant_is_told(tmp_path):
    constant = replace(features(2), matrix=np.ones((N, 5), dtype=np.float32))
    (found,) = run(tmp_path, ["cubic+tuned"], _fused([features(1), constant])).values()
    assert found.status.startswith("backbone 2 of 2: every feature is constant")


def test_a_collapsed_svm_says_so_in_its_row_and_its_own_features_do_not(tmp_path):
    """Its AUC is noise of the solver; a warning would be lost among those of a whole run."""
    noise = np.random.default_rng(0).normal(size=(N, 1)).astype(np.float32)
    poor = Features(noise, FeatureRecord("noise", 0.5, PROFILE | {"feature_width": 1}))
    names = ["linear", "linear+platt", "knn", "logistic"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):  # fitted, then from the store
            found = {s.classifier: r for s, r in run(tmp_path, names, poor).items()}
            notes = {name: fit_notes(result.meta) for name, result in found.items()}
            assert COLLAPSED in notes["linear"]
            assert notes["linear+platt"][0].startswith(COLLAPSED)
            assert notes["knn"] == notes["logistic"] == []
    sound = run(tmp_path, list(KERNELS), features(1, 200))
    assert [fit_notes(result.meta) for result in sound.values()] == [[]] * len(KERNELS)


def test_units_and_judgements_say_which_machine_made_them(tmp_path):
    run(tmp_path, ["linear", "logistic"])
    systems = [System("a", "linear", 1.0, "auto")]
    for _ in range(2):  # the second time from the store
        units.judge_fold(
            FOLD, "fold", systems, features(1), site(LABELS, PATIENTS, Store(tmp_path))
        )
    for kind, count in (("units", 2), ("judgements", 1)):
        files = list((tmp_path / kind).rglob("*.safetensors"))
        assert len(files) == count
        for file in files:
            assert Store(tmp_path).get(kind, file.stem).meta["host"] == socket.gethostname()
