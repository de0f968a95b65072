"""A test on an external set: the training rows of the own set, without what both sides share."""

import numpy as np
import pandas as pd
import pytest

from bench.data.crops.joined import ExternalRows, joined_rows
from bench.data.lesions import READING, Dataset, SubsetInfo
from bench.data.sources import FolderSource
from bench.errors import UnusableInput
from bench.planning.external_rows import external
from bench.planning.plan import NetworkWork
from bench.planning.planner import Request, make_plan
from bench.planning.splits import official

KERNELS = ("linear",)


def lesions(n=24, splits=("train", "train", "test"), **columns):
    number = np.arange(n)
    told = {
        "crop_id": [f"c{i}" for i in number],
        "lesion_id": [f"l{i}" for i in number],
        "patient_id": [f"P_{i // 2:03d}" for i in number],
        "subset": "mass",
        "label": number // 2 % 2,
        "split": [splits[i // 4 % len(splits)] for i in number],
    }
    return pd.DataFrame(told | columns)


def dataset(table, tmp_path, **options):
    info = {"mass": SubsetInfo(("mass",))}
    return Dataset("made", FolderSource(tmp_path), table, pd.DataFrame(), info, **options)


def both(own, other, tmp_path, own_options=None, **options):
    rows = ExternalRows("far", dataset(other, tmp_path, **options), other)
    return joined_rows(dataset(own, tmp_path, **(own_options or {})), own, [rows])


def others(n=10, **columns):
    return lesions(n, ("none",), **{"patient_id": [f"Q{i}" for i in range(n)]} | columns)


def test_training_is_that_of_the_official_split_and_all_external_rows_are_tested(tmp_path):
    own = lesions()
    table = both(own, others(), tmp_path)
    (fold,) = external(table, 1, 0).folds
    (inside,) = official(own, 1, 0).folds
    np.testing.assert_array_equal(fold.train, inside.train)
    np.testing.assert_array_equal(fold.held_out, inside.test)
    assert list(fold.test) == list(range(24, 34))


def test_without_an_official_split_all_rows_are_trained_on(tmp_path):
    (fold,) = external(both(lesions(splits=("none",)), others(), tmp_path), 1, 0).folds
    assert list(fold.train) == list(range(24))
    assert fold.held_out is not None
    assert not len(fold.held_out)


@pytest.mark.parametrize("spelled", ["P_003", "p-3", "P 0003"])
def test_a_patient_on_both_sides_is_taken_out_of_training(tmp_path, spelled):
    other = others()
    other.loc[2, "patient_id"] = spelled
    table = both(lesions(splits=("none",)), other, tmp_path)
    split = external(table, 1, 0)
    (fold,) = split.folds
    assert set(range(24)) - set(fold.train) == {6, 7}
    assert len(fold.test) == 10
    (notice,) = split.notices
    assert "2 of 24 training crops, of 1 patients, are left out of training" in notice


def test_a_picture_on_both_sides_takes_out_all_crops_of_the_group(tmp_path):
    own = lesions(splits=("none",))
    own["group_id"] = own["patient_id"].replace({"P_004": "P_003"})
    table = both(own, others(), tmp_path)
    picture = np.arange(len(table))
    picture[6] = picture[30]
    split = external(table.assign(picture=picture), 1, 0)
    assert set(range(24)) - set(split.folds[0].train) == {6, 7, 8, 9}
    assert "with a picture that far has, too" in split.notices[0]


@pytest.mark.parametrize(
    ("own", "far", "left"),
    [("one", "two", 16), ("one", "one", 8), ("one", "", 8), ("", "two", 8), ("", "", 8)],
)
def test_only_numberings_that_are_known_and_differ_share_no_patient(tmp_path, own, far, left):
    """mini-MIAS and CBIS-DDSM both have a P 1; a table of a user's own may be of either."""
    other = others(patient_id=[f"P_{i:03d}" for i in range(6)] + ["Q1", "Q2", "Q3", "Q4"])
    (fold,) = external(
        both(lesions(), other, tmp_path, {"numbering": own}, numbering=far), 1, 0
    ).folds
    assert len(fold.train) == left


def test_images_without_patient_ids_share_no_patient(tmp_path):
    other = others(patient_id=[f"P_{i:03d}" for i in range(10)])
    (fold,) = external(both(lesions(), other, tmp_path, patient_ids=False), 1, 0).folds
    assert len(fold.train) == 16


def test_the_data_that_are_trained_on_are_refused(tmp_path):
    with pytest.raises(UnusableInput, match="holds the data that are trained on"):
        external(both(lesions(), lesions(), tmp_path), 1, 0)


def test_training_rows_of_one_class_that_are_left_are_refused(tmp_path):
    own = lesions(splits=("none",))
    positive = own.loc[own["label"] == 1, "patient_id"].unique()
    other = others(n=len(positive), patient_id=positive)
    with pytest.raises(UnusableInput, match="one class only"):
        external(both(own, other, tmp_path), 1, 0)


def planned(table, externals=None, networks=("b",)):
    work = NetworkWork(frozenset(networks), 2, 1, frozenset({"mass"}))
    request = Request({"mass": ("mass",)}, ("a", "b"), ("linear", "softmax"), KERNELS,
                      ("official",), 2, 0, work, externals=externals or {})  # fmt: skip
    return make_plan(table, request)


def test_each_set_has_folds_of_its_own_and_the_others_do_not_change(tmp_path):
    own, one, two = lesions(), others(), others(n=8)
    sets = [ExternalRows(name, dataset(t, tmp_path), t) for name, t in (("x", one), ("y", two))]
    table = joined_rows(dataset(own, tmp_path), own, sets)
    tested = {name: {"mass": (f"{name}:mass",)} for name in ("x", "y")}
    plan, alone = planned(table, tested), planned(own)
    for fold, before in zip(plan.folds, alone.folds, strict=False):
        assert fold.place == before.place
        np.testing.assert_array_equal(fold.train, before.train)
        np.testing.assert_array_equal(fold.test, before.test)
    more = plan.folds[len(alone.folds) :]
    assert [(f.protocol, f.repeat, len(f.test)) for f in more] == [
        ("external:x", 0, 10), ("external:x", 1, 10), ("external:y", 0, 8), ("external:y", 1, 8),
    ]  # fmt: skip
    assert {fold.for_frozen for fold in more if fold.repeat} == {False}
    for fold in more:
        for rows, official_rows in zip(fold.network_rows, plan.folds[0].network_rows, strict=True):
            np.testing.assert_array_equal(rows, official_rows)


def test_reference_points_are_those_that_both_sets_have(tmp_path):
    own = lesions(assessment=np.arange(24) % 5, radius=3.0)
    table = both(own, others(), tmp_path)
    plan = planned(table, {"far": {"mass": ("far:mass",)}}, networks=())
    (inside, outside) = plan.folds
    assert [s.extractor for s in plan.references_on(inside)] == [
        "none", "shortcut:size", "shortcut:radius", "reader:assessment",
    ]  # fmt: skip
    assert [s.extractor for s in plan.references_on(outside)] == ["none", "shortcut:size"]


def test_what_a_set_lacks_does_not_change_the_text_of_what_the_other_has(tmp_path):
    own = lesions(assessment=np.arange(24) % 5)
    table = both(own, others(), tmp_path)
    assert [str(value) for value in table["assessment"][:3]] == ["0", "1", "2"]


def test_readers_are_not_measured_by_labels_made_of_their_reading(tmp_path):
    read = {"assessment": np.arange(24) % 5}
    far = others(assessment=np.arange(10) % 5)
    tested = {"far": {"mass": ("far:mass",)}}
    for label_from, there in ((f"{READING} 4 to 6 positive", False), ("biopsy", True)):
        table = both(lesions(**read), far.assign(label_from=label_from), tmp_path)
        (inside, outside) = planned(table, tested, networks=()).folds
        assert "reader:assessment" in names(table, inside, tested)
        assert ("reader:assessment" in names(table, outside, tested)) == there


def names(table, fold, tested):
    plan = planned(table, tested, networks=())
    return [system.extractor for system in plan.references_on(fold)]
