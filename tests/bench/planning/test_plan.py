"""The plan: which units a configuration makes of a lesion table."""

import builtins
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import UnusableInput
from bench.planning import plan as plan_module
from bench.planning.plan import SOFTMAX, NetworkWork
from bench.planning.planner import LEARNING_DRAWS, Request, make_plan

KERNELS = ("linear", "cubic")


def table(splits=("train", "train", "test", "none"), n=40):
    rows = pd.DataFrame({"patient_id": [f"P{i}" for i in range(n)]})
    rows["subset"] = np.where(np.arange(n) < n // 2, "mass", "calc")
    rows["label"] = np.arange(n) % 3 == 0
    rows["split"] = [splits[i % len(splits)] for i in range(n)]
    return rows.astype({"label": int})


SUBSETS = {"mass": ("mass",), "calc": ("calc",), "all": ("mass", "calc")}


def planned(rows, protocols=("official",), subsets=SUBSETS, classifiers=("linear", "knn")):
    extractors = ("a", "b")
    return make_plan(rows, Request(subsets, extractors, classifiers, KERNELS, protocols, 2, 0))


def test_units_are_systems_times_cells_plus_the_reference_points():
    plan = planned(table(), ("official", "patient-cv"))
    assert len(plan.folds) == 3 * (1 + 2 * 5)
    assert plan.n_units("a") == len(plan.folds) * 2
    assert plan.extractors() == ("a", "b", "none", "shortcut:size")
    assert plan.n_units() == len(plan.folds) * (2 * 2 + 2)


def test_cells_point_into_the_whole_table_and_stay_within_their_subset():
    rows = table()
    for fold in planned(rows).folds:
        used = rows.iloc[np.concatenate([fold.train, fold.test])]
        assert set(used["subset"]) <= set(SUBSETS[fold.subset])
        assert set(rows["split"].iloc[fold.train]) == {"train"}
        assert set(rows["split"].iloc[fold.test]) == {"test"}
    assert len({fold.place for fold in planned(rows).folds}) == 3


def test_presets_are_written_out_only_where_they_have_a_meaning():
    systems = {s.classifier: (s.C, s.scale) for s in planned(table()).systems}
    assert systems == {"linear": (1.0, "auto"), "knn": (None, "")}


def test_without_an_official_split_patient_cv_takes_its_place_with_a_notice():
    plan = planned(table(splits=("none",)))
    assert {fold.protocol for fold in plan.folds} == {"patient-cv"}
    assert any("no official split" in n and "takes its place" in n for n in plan.notices)
    both = planned(table(splits=("none",)), ("official", "patient-cv"))
    assert len(both.folds) == len(plan.folds)


def test_the_radius_is_a_reference_point_where_every_row_has_one():
    rows = table()
    rows["radius"] = np.where(rows["subset"] == "mass", 20.0, np.nan)
    references = planned(rows).references
    names = {subset: [s.extractor for s in systems] for subset, systems in references.items()}
    assert names["mass"] == ["none", "shortcut:size", "shortcut:radius"]
    assert names["calc"] == names["all"] == ["none", "shortcut:size"]


def test_a_protocol_that_cannot_be_carried_out_names_subset_and_reason():
    with pytest.raises(
        UnusableInput, match="subset mass, patient-cv: it needs at least 5 patients"
    ):
        planned(table(n=8), ("patient-cv",))


@pytest.mark.parametrize(
    "module",
    [
        "bench/planning/plan.py",
        "bench/planning/planner.py",
        "bench/planning/splits.py",
        "bench/planning/protocols.py",
        "classifiers/kernels.py",
        "reports/statistics/measures.py",
    ],
)
def test_the_pure_modules_open_no_file(module):
    """The import linter keeps I/O libraries out of them; it cannot see `open` or `to_csv`."""
    text = (Path(plan_module.__file__).parents[2] / module).read_text()
    for call in ("open(", ".to_csv(", ".to_parquet(", ".read_", "print(", "np.save", "np.load"):
        assert call not in text, call


def test_planning_opens_no_file(monkeypatch):
    planned(table(), ("official", "patient-cv"))  # imports what it needs

    def refuse(*arguments, **options):
        raise AssertionError(f"a file was opened: {arguments}")

    for place in (builtins, io):
        monkeypatch.setattr(place, "open", refuse)
    planned(table(), ("official", "patient-cv"))


def shared(rows):
    """The same lesions, with one patient on both sides of the official split."""
    return rows.assign(patient_id=["P1" if name == "P2" else name for name in rows["patient_id"]])


def test_the_audit_runs_where_patients_stand_in_both_splits():
    plan = planned(shared(table()), ("official", "pooled-official"))
    places = {(fold.subset, fold.protocol) for fold in plan.folds}
    assert places == {
        ("mass", "official"),
        ("mass", "pooled-official"),
        ("calc", "official"),
        ("all", "official"),
        ("all", "pooled-official"),
    }
    assert "calc: no patient stands in both splits, so no row for pooled-official" in plan.notices
    assert any(notice.startswith("mass, pooled-official: an audit") for notice in plan.notices)


def test_an_audit_alone_is_refused_where_there_is_nothing_to_audit():
    with pytest.raises(UnusableInput, match="nothing is left to run under pooled-official"):
        planned(table(), ("pooled-official",))


def test_an_audit_that_needs_no_shared_patient_runs_on_every_subset():
    plan = planned(table(n=80), ("official", "image-cv"))
    assert {(c.subset, c.protocol) for c in plan.folds} == {
        (subset, protocol) for subset in SUBSETS for protocol in ("official", "image-cv")
    }
    assert not any("no row for" in notice for notice in plan.notices)
    alone = planned(table(splits=("none",), n=80), ("image-cv",))
    assert {fold.protocol for fold in alone.folds} == {"image-cv"}


def test_rotated_folds_point_into_four_copies_of_the_whole_table():
    rows = table(n=80)
    plan = planned(rows, ("rotated-holdout",))
    assert plan.rotates
    assert not planned(rows, ("image-cv",)).rotates
    for fold in plan.folds:
        used = np.concatenate([fold.train, fold.test])
        assert len(set(used)) == len(used)
        crops = rows.iloc[used % len(rows)]
        assert set(crops["subset"]) == set(SUBSETS[fold.subset])
        assert set(crops["split"]) == {"train"}
        official = rows[rows["subset"].isin(SUBSETS[fold.subset]) & (rows["split"] == "train")]
        turns, counts = np.unique(used // len(rows), return_counts=True)
        assert turns.tolist() == [0, 1, 2, 3]
        assert counts.tolist() == [len(official)] * 4


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (table().assign(label=1), "subset mass holds one class only"),
        (table().assign(subset="calc"), "subset mass: none of its crops can be read"),
    ],
)
def test_a_subset_that_cannot_be_classified_is_refused_by_name(rows, said):
    with pytest.raises(UnusableInput, match=said):
        planned(rows)


def with_networks(rows, work, protocols=("official", "patient-cv"), fractions=(1.0,)):
    extractors = ("frozen", "net", "fusion:net+frozen")
    request = Request(
        *(SUBSETS, extractors, (SOFTMAX, "linear"), KERNELS, protocols, 4, 0, work, fractions)
    )
    return make_plan(rows, request)


TRAINED = frozenset({"net", "fusion:net+frozen"})


def places(plan, extractor):
    return [fold.place for fold, _ in plan.work(extractor)]


def test_networks_have_repeats_of_their_own():
    plan = with_networks(table(n=80), NetworkWork(TRAINED, 3, 2, frozenset(SUBSETS)))
    mass = [p for p in places(plan, "net") if p[0] == "mass"]
    assert [p[2] for p in mass if p[1] == "official"] == [0, 1, 2]  # three seeds
    assert sorted({p[2] for p in mass if p[1] == "patient-cv"}) == [0, 1]
    frozen = [p for p in places(plan, "frozen") if p[0] == "mass"]
    assert [p[2] for p in frozen if p[1] == "official"] == [0]
    assert sorted({p[2] for p in frozen if p[1] == "patient-cv"}) == [0, 1, 2, 3]
    assert places(plan, "none") == places(plan, "frozen")
    assert places(plan, "fusion:net+frozen") == places(plan, "net")


def test_only_a_trained_network_has_a_head_of_its_own():
    plan = with_networks(table(), NetworkWork(TRAINED, 1, 1, frozenset(SUBSETS)))
    pairs = {(s.extractor, s.classifier) for s in plan.systems}
    assert (pairs & {(name, SOFTMAX) for name in plan.extractors()}) == {("net", SOFTMAX)}
    with pytest.raises(UnusableInput, match="no extractor requested has a head of its own"):
        planned(table(), classifiers=(SOFTMAX,))


def test_networks_keep_to_their_subsets():
    plan = with_networks(table(), NetworkWork(TRAINED, 2, 1, frozenset({"mass"})))
    assert {p[0] for p in places(plan, "net")} == {"mass"}
    assert {p[0] for p in places(plan, "frozen")} == set(SUBSETS)
    assert all(fold.for_networks or fold.for_frozen for fold in plan.folds)


def test_shares_of_the_training_patients_are_nested_and_leave_the_test_rows_alone():
    rows = table(n=120)
    rows["patient_id"] = [f"P{i // 2}" for i in range(120)]
    work = NetworkWork(TRAINED, 1, 1, frozenset(SUBSETS))
    plan = with_networks(rows, work, ("official",), (0.25, 0.5, 1.0))
    folds = [fold for fold, _ in plan.work("frozen") if fold.subset == "mass"]
    whole = [fold for fold in folds if fold.train_fraction == 1]
    assert len(whole) == 1
    for draw in range(LEARNING_DRAWS):
        small, half = (
            next(c for c in folds if (c.train_fraction, c.repeat) == (share, draw))
            for share in (0.25, 0.5)
        )
        assert set(small.train) < set(half.train) < set(whole[0].train)
        patients = rows["patient_id"]
        for fold, share in ((small, 0.25), (half, 0.5)):
            kept, everyone = (set(patients.iloc[c.train]) for c in (fold, whole[0]))
            assert len(kept) / len(everyone) == pytest.approx(share, abs=0.15)
            # All rows of a patient, or none.
            assert set(fold.train) == {i for i in whole[0].train if patients.iloc[i] in kept}
            assert np.array_equal(fold.test, whole[0].test)
    draws = {tuple(c.train) for c in folds if c.train_fraction == 0.25}
    assert len(draws) > 1
    assert places(plan, "net") == places(plan, "frozen")


def test_shares_of_a_repeated_protocol_are_drawn_once_a_fold():
    work = NetworkWork(TRAINED, 1, 1, frozenset(SUBSETS))
    plan = with_networks(table(n=120), work, ("patient-cv",), (0.5, 1.0))
    folds = [c for c, _ in plan.work("frozen") if c.subset == "mass"]
    assert len(folds) == 2 * 4 * 5
    assert len({c.place for c in folds}) == len(folds)


def test_a_reused_network_belongs_to_networks_and_to_no_fold():
    rows = table(n=80)
    work = NetworkWork(TRAINED, 1, 2, frozenset({"mass", "calc"}))
    plan = with_networks(rows, work, ("patient-cv", "reused-network"), (0.5, 1.0))
    reused = [fold for fold in plan.folds if fold.protocol == "reused-network"]
    assert {fold.subset for fold in reused} == {"mass", "calc"}
    assert {fold.train_fraction for fold in reused} == {1.0}
    assert "all: no network is trained on it, so no row for reused-network" in plan.notices
    for name, classifiers in (("net", {"linear"}), ("fusion:net+frozen", {"linear"})):
        found = [systems for fold, systems in plan.work(name) if fold in reused]
        assert len(found) == 2 * 2 * 5  # subsets, repeats of networks, folds
        assert {s.classifier for systems in found for s in systems} == classifiers
    assert not [fold for fold, _ in plan.work("frozen") if fold in reused]
    assert not [fold for fold, _ in plan.work("none") if fold in reused]
    for fold in reused:
        used = np.concatenate(fold.network_rows)
        assert set(rows["subset"].iloc[used]) == {fold.subset}
        assert sorted(used) == sorted([*fold.train, *fold.test])
        assert len(fold.network_rows[0]) == round(0.7 * len(used))
    own = next(fold for fold in plan.folds if fold.protocol == "patient-cv")
    assert own.network_rows == (own.train, own.test)


def test_what_reuses_a_network_alone_leaves_no_work_to_frozen_features():
    work = NetworkWork(TRAINED, 1, 1, frozenset({"mass"}))
    plan = with_networks(table(n=80), work, ("reused-network",))
    assert plan.extractors() == ("net", "fusion:net+frozen")
    for networks, classifiers in ((NetworkWork(), ("linear",)), (work, (SOFTMAX,))):
        request = Request(
            *(SUBSETS, ("net", "frozen"), classifiers, KERNELS),
            *(("reused-network",), 1, 0, networks),
        )
        with pytest.raises(UnusableInput, match="nothing is left to run under reused-network"):
            make_plan(table(n=80), request)


@pytest.mark.parametrize(("patient_ids", "words"), [(True, "patients"), (False, "images")])
def test_notices_name_what_is_kept_apart(patient_ids: bool, words: str) -> None:
    rows = pd.DataFrame(
        {
            "crop_id": [f"c{number}" for number in range(40)],
            "lesion_id": [f"c{number}" for number in range(40)],
            "patient_id": [f"c{number}" for number in range(40)],
            # The last training crop belongs with the last test crop.
            "group_id": [f"c{number if number != 29 else 39}" for number in range(40)],
            "subset": "all",
            "label": [number % 2 for number in range(40)],
            "split": ["train"] * 30 + ["test"] * 10,
        }
    )
    protocols = ("official", "pooled-official", "image-cv")
    request = Request(
        *({"all": ("all",)}, ("timm:a",), ("linear",), ("linear",), protocols, 1, 0),
        patient_ids=patient_ids,
    )
    notices = make_plan(rows, request).notices
    other = {"patients": "images", "images": "patients"}[words]
    assert [words in notice for notice in notices] == [True] * len(notices) != []
    assert not any(other in notice for notice in notices)
    assert any("same persons" in notice for notice in notices) is patient_ids
