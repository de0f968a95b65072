"""Data sets and reference points that users register."""

import numpy as np
import pandas as pd
import pytest

from bench import make_dataset, register_dataset, register_reference_point
from bench.data import DATASETS, load_lesions
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.reference_points import reference_points
from bench.plugins.datasets import DATASET_PLUGINS
from bench.plugins.references import REFERENCE_PLUGINS, told
from extractors.errors import RegistrationError


@pytest.fixture(autouse=True)
def _own_registries(monkeypatch):
    for registry in (DATASET_PLUGINS, REFERENCE_PLUGINS):
        monkeypatch.setattr(registry, "_entries", {})
        monkeypatch.setattr(registry, "_entry_points_read", True)


@pytest.fixture
def films(tmp_path, save):
    root = tmp_path / "films"
    for number in range(6):
        save(root / "images" / f"{number}.png")
    return root


def table(**columns):
    rows = {"path": [f"images/{n}.png" for n in range(6)], "label": [0, 1, 0, 1, 0, 1]}
    return pd.DataFrame(rows | columns)


def test_a_table_of_two_columns_is_a_data_set(films):
    @register_dataset("mine")
    def load(root):
        """Films of ours."""
        assert root == films
        return table()

    found = load_lesions(films, "mine")
    assert (found.name, found.patient_ids, list(found.subsets)) == ("mine", False, ["all"])
    assert found.table["crop_id"].tolist() == found.table["path"].tolist()
    assert set(found.table["pathology"]) == {"benign", "malignant"}
    assert any("no patient ids" in notice for notice in found.notices)
    assert DATASET_PLUGINS.find("mine").value.title == "Films of ours"


def test_everything_that_is_known_is_kept(films):
    @register_dataset("mine", find=lambda root: (root / "images").is_dir())
    def load(root):
        rows = table(patient_id=[1, 1, 2, 2, 3, 3], age=range(50, 56), subset=list("aabbbb"))
        return make_dataset(root, rows, positive="ill", negative="well", organ="lung", citation="X")

    found = load_lesions(films)
    assert (found.name, found.patient_ids, found.organ) == ("mine", True, "lung")
    assert list(found.subsets) == ["a", "b", "all"]
    assert found.subsets["all"].positive == "ill"
    assert found.table["patient_id"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert found.table["age"].tolist() == list(range(50, 56))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (lambda: table().drop(columns="label"), "lacks the column label"),
        (lambda: table(label=[0, 1, 2, 0, 1, 0]), "label '2' is neither 0 nor 1"),
        (lambda: table(label=list("010101")).assign(label="well"), "label 'well' is neither"),
        (lambda: table(patient_id=["a", None, *"bcde"]), "patient_id is missing in 1 of 6 rows"),
        (lambda: table(crop_id=["a"] * 6), "crop_id"),
        (lambda: table(path=["../up.png"] * 6, crop_id=range(6)), "../up.png"),
        (lambda: table(split="later"), "later"),
        (lambda: table().iloc[:0], "empty"),
        (lambda: [1, 2], "must return a table or a Dataset, not list"),
        (lambda: 1 / 0, "data set mine: ZeroDivisionError"),
        (lambda: exit(1), "data set mine: SystemExit"),
    ],
)
def test_what_is_no_data_set_is_one_line(films, rows, said):
    register_dataset("mine")(lambda root: rows())
    with pytest.raises(UnusableInput) as caught:
        load_lesions(films, "mine")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_names_that_are_taken_or_unknown_are_said(films):
    for name in ("auto", *DATASETS):
        with pytest.raises(RegistrationError, match="reserved"):
            register_dataset(name)
    register_dataset("mine")(lambda root: table())
    with pytest.raises(UnusableInput, match="did you mean mine"):
        load_lesions(films, "minee")
    with pytest.raises(UnusableInput, match="--dataset 'ddsm': is not one of auto, cbis-ddsm"):
        prepare_job(Configuration(dataset="ddsm"))

    def look(root):
        raise OSError("gone")

    register_dataset("looks", find=look)(lambda root: table())
    with pytest.raises(UnusableInput, match="data set looks cannot look at it: OSError: gone"):
        load_lesions(films)


def test_a_reference_point_stands_where_its_columns_are(films):
    @register_reference_point("age", columns=["age", "sex"], classifier="knn")
    def age(rows):
        assert not {"label", "pathology", "split"} & set(rows)
        return rows[["age", "sex"]]

    rows = make_dataset(films, table(age=range(6), sex=list("mfmfmf"))).table
    assert ("reference:age", "knn") in list(reference_points(rows))
    assert ("reference:age", "knn") not in list(reference_points(rows.drop(columns="sex")))
    matrix = told("age", rows)
    np.testing.assert_array_equal(matrix[:, 0], range(6))
    np.testing.assert_array_equal(matrix[:, 1], np.array([0, 1] * 3))  # sex_f
    assert matrix.shape == (6, 3)
    some = rows.assign(age=[1, np.nan, 2, 3, 4, 5])
    assert np.isnan(told("age", some)[1]).all()
    assert ("reference:age", "knn") not in list(reference_points(some))


@pytest.mark.parametrize(
    ("tell", "said"),
    [
        (lambda rows: rows[["age"]] - rows["age"].mean(), "depends on the other rows"),
        (lambda rows: rows[["age"]].rank(pct=True), "depends on the other rows"),
        (lambda rows: rows[["age"]].iloc[1:], r"\(5, 1\) for 6 rows"),
        (lambda rows: rows["label"], "KeyError: 'label'"),
        (lambda rows: rows[[]], r"\(6, 0\) for 6 rows"),
    ],
)
def test_a_reference_point_that_breaks_its_contract_is_refused(films, tell, said):
    register_reference_point("age", columns=["age"])(tell)
    rows = make_dataset(films, table(age=[3, 5, 1, 9, 2, 7])).table
    with pytest.raises(RegistrationError, match=said):
        told("age", rows)


def test_what_says_the_answer_is_no_reference_point():
    with pytest.raises(RegistrationError, match="label says the answer"):
        register_reference_point("cheat", columns=["label"])
    with pytest.raises(RegistrationError, match="list of the columns"):
        register_reference_point("odd", columns="age")
    with pytest.raises(RegistrationError, match="not registered on this machine"):
        told("gone", pd.DataFrame())


@pytest.mark.parametrize(
    ("find", "state", "said"),
    [
        (lambda root: (root / "ours.csv").is_file(), "ok", "no such data set"),
        (lambda root: True, "bad", "an empty folder is one, too"),
        (lambda root: root / 1, "bad", "in an empty folder: data set ours cannot look at it"),
    ],
)
def test_a_check_has_find_look_at_an_empty_folder(find, state, said):
    from bench.commands.plugin import _looked_at

    register_dataset("ours", find=find)(lambda root: None)
    finding = _looked_at("ours")
    assert finding.state == state
    assert said in finding.found


def test_no_plugin_takes_the_name_of_a_kind_of_the_suite() -> None:
    assert {"auto", *DATASETS} <= DATASET_PLUGINS.reserved
