"""The row `selected`: chosen inside the training rows, by patient, and by nothing else."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import classifiers
from bench.errors import UnusableInput
from bench.execution.features import FeatureRecord, Features
from bench.execution.selected import Selection
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task, judged_of
from bench.execution.units import UnitResult, fit_fold, judge_fold
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor, choose_extractors
from bench.planning.plan import Fold, NetworkWork, System
from bench.planning.planner import Request, make_plan
from bench.store import Store
from classifiers import KERNELS, judge_kernels

N = 120
TEST = np.arange(90, N)
FOLD = Fold("mass", "official", 0, 0, np.arange(90), TEST)
PATIENTS = np.array([f"P{i // 2}" for i in range(N)])
LABELS = (np.arange(N) // 2 % 2).astype(np.int64)


def site(labels, patients, store, jobs=1):
    """A site without images: labels and patients are all that fits need of a crop stack."""
    table = pd.DataFrame({"label": labels, "patient_id": patients})
    return Site(SimpleNamespace(table=table), store, jobs=jobs)


def features(name, train_signal, test_signal, seed=0):
    values = np.random.default_rng([seed, len(name)]).normal(size=(N, 6))
    signal = np.where(np.arange(N) < 90, train_signal, test_signal)
    values[:, 0] += signal * (2 * LABELS - 1)
    return Features(values.astype(np.float32), FeatureRecord(f"origin {name} {seed}", 0.25, {}))


def judge(chosen, folder, name, found, fold=FOLD, kernels=("linear", "cubic")):
    systems = tuple(System(name, kernel, 1.0, "auto") for kernel in kernels)
    bench = site(LABELS, PATIENTS, Store(folder))
    fitted = fit_fold(fold, "fold", systems, found, bench)
    judged = judged_of(fold, "fold", found, fitted, bench)
    answer = Answer(Task(name, 0, systems), found.record, fitted, judged)
    return chosen.add(answer, fold, Extractor(name, None, f"weights of {name}"))


def test_the_choice_follows_the_training_rows_and_not_the_test_rows(tmp_path):
    chosen = Selection()
    judge(chosen, tmp_path, "learnt", features("learnt", 2.0, 0.0))
    results = judge(chosen, tmp_path, "lucky", features("lucky", 0.2, 4.0))
    choice = chosen.choice(FOLD)
    assert choice.chosen.system.extractor == "learnt"
    assert choice.n_candidates == 4
    assert chosen.extractor().weights == "weights of learnt, weights of lucky"
    assert chosen.facts()["role"] == "selection"
    # What was not chosen would have done far better on the test rows.
    lucky = results[System("lucky", "linear", 1.0, "auto")].score
    positive = LABELS[TEST] == 1
    assert lucky[positive].mean() - lucky[~positive].mean() > 1


def test_noise_in_place_of_test_rows_changes_no_judgement(tmp_path):
    plain, noisy = features("a", 1.0, 1.0), features("a", 1.0, 1.0)
    noisy.matrix[TEST] = np.random.default_rng(5).normal(size=(len(TEST), 6))
    noisy = replace(noisy, record=replace(noisy.record, origin="noisy"))
    one, other = (
        {s.classifier: r.meta["inner_auc"] for s, r in judged.items()}
        for judged in (
            judge(Selection(), tmp_path / "1", "a", plain),
            judge(Selection(), tmp_path / "2", "a", noisy),
        )
    )
    assert one == other
    assert set(one) == {"linear", "cubic"}


def test_the_rows_of_one_patient_are_never_on_both_sides_of_an_inner_fold():
    """Features that tell patients apart and nothing else: by row they would be worth much."""
    rng = np.random.default_rng(3)
    labels = np.repeat(rng.integers(0, 2, 60), 4)
    patients = np.repeat(np.arange(60), 4)
    values = np.repeat(rng.normal(size=(60, 8)), 4, axis=0) + 0.01 * rng.normal(size=(240, 8))
    by_patient = judge_kernels([values], labels, patients, ["fine_gaussian"])
    by_row = judge_kernels([values], labels, np.arange(240), ["fine_gaussian"])
    assert by_row["fine_gaussian"].auc > 0.95
    assert by_patient["fine_gaussian"].auc < 0.7


def test_a_cell_s_judgement_keeps_patients_together(tmp_path):
    """The same features and rows, once with rows that are each a patient: by row all is known."""
    rng = np.random.default_rng(3)
    labels = np.repeat(rng.integers(0, 2, 60), 4)
    values = np.repeat(rng.normal(size=(60, 8)), 4, axis=0) + 0.01 * rng.normal(size=(240, 8))
    found = Features(values.astype(np.float32), FeatureRecord("origin", 0.1, {}))
    fold = Fold("mass", "official", 0, 0, np.arange(200), np.arange(200, 240))
    system = System("a", "fine_gaussian", 1.0, "auto")

    def worth(patients):
        # One store: patients are part of the key.
        bench = site(labels, patients, Store(tmp_path))
        return judge_fold(fold, "fold", [system], found, bench)[system].auc

    assert worth(np.arange(240)) > 0.95
    assert worth(np.repeat(np.arange(60), 4)) < 0.7


def test_a_judgement_in_the_store_is_not_made_again(tmp_path, monkeypatch):
    def refuse(*given, **named):
        raise AssertionError("judged once more")

    found = features("a", 1.0, 1.0)
    first = judge(Selection(), tmp_path, "a", found)
    monkeypatch.setattr(classifiers, "judge_kernels", refuse)
    again = judge(Selection(), tmp_path, "a", found)
    worth = {system: result.meta["inner_auc"] for system, result in first.items()}
    assert {system: result.meta["inner_auc"] for system, result in again.items()} == worth
    with pytest.raises(AssertionError, match="once more"):
        judge(Selection(), tmp_path, "a", features("a", 1.0, 1.0, seed=1))


def test_its_time_is_that_of_all_candidates(tmp_path):
    chosen = Selection()
    results = {
        **judge(chosen, tmp_path, "a", features("a", 2, 2)),
        **judge(chosen, tmp_path, "b", features("b", 1, 1)),
    }
    choice = chosen.choice(FOLD)
    # Two extractors of 90 crops at 0.25 s each, whatever their number of kernels.
    assert choice.extraction_s == pytest.approx(2 * 90 * 0.25)
    gram = sum(results[System(name, "linear", 1.0, "auto")].meta["gram_time_s"] for name in "ab")
    assert choice.gram_s == pytest.approx(gram)
    assert choice.fit_s > gram


def test_what_failed_or_cannot_be_judged_is_not_chosen(tmp_path):
    chosen = Selection()
    system = System("a", "linear", 1.0, "auto")
    failed = {system: UnitResult("key", None, {}, "features are constant")}
    found, bench = features("a", 1, 1), site(LABELS, PATIENTS, Store(tmp_path))
    judged = judged_of(FOLD, "fold", found, failed, bench)
    answer = Answer(Task("a", 0, (system,)), found.record, failed, judged)
    chosen.add(answer, FOLD, Extractor("a", None, ""))
    assert chosen.choice(FOLD) == "none of the systems to choose from ran"
    few = Fold("mass", "official", 0, 0, np.arange(6), TEST)
    assert judge(chosen, tmp_path, "a", features("a", 1, 1), few)
    assert "5 inner folds need" in chosen.choice(few)


def test_a_fusion_with_it_is_refused():
    asked = Configuration.checked({"extractors": ("fusion:selected+bundled:efficientnet_lite0",)})
    with pytest.raises(UnusableInput, match="'selected' is no backbone"):
        choose_extractors(asked, synthetic=True)


def test_audits_and_parts_of_the_training_patients_have_no_such_row():
    n = 80
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i // 2}" for i in range(n)],
            "label": (np.arange(n) // 2 % 2),
            "split": np.where(np.arange(n) < 56, "train", "test"),
            "subset": "mass",
        }
    )

    def plan(extractors, protocols, classifiers=("linear",), **more):
        request = Request(
            {"mass": ("mass",)}, extractors, classifiers, tuple(KERNELS), protocols, 1, 0, **more
        )
        return make_plan(table, request)

    laid = plan(("a", "selected"), ("official", "patient-cv", "image-cv", "rotated-by-patient"),
                train_fractions=(0.5, 1.0))  # fmt: skip
    folds = [fold for fold, _ in laid.work("selected")]
    assert {fold.protocol for fold in folds} == {"official", "patient-cv"}
    assert {fold.train_fraction for fold in folds} == {1.0}
    assert [s.extractor for s in laid.systems] == ["a", "selected"]
    for lacking in (
        plan(("a", "selected"), ("official",), classifiers=("logistic",)),
        plan(("net", "selected"), ("official",), networks=NetworkWork(frozenset({"net"}), 1, 1,
             frozenset({"mass"}))),
    ):  # fmt: skip
        assert "selected" not in lacking.extractors()
        assert any("selected has no row" in notice for notice in lacking.notices)
