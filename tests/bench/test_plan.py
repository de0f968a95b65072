"""The plan: which units a configuration makes of a lesion table."""

import builtins
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import plan as plan_module
from bench.errors import UnusableInput
from bench.plan import make_plan

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
    return make_plan(rows, subsets, extractors, classifiers, KERNELS, protocols, 2, 0)


def test_units_are_systems_times_cells_plus_the_reference_points():
    plan = planned(table(), ("official", "patient-cv"))
    assert len(plan.cells) == 3 * (1 + 2 * 5)
    assert plan.n_units("a") == len(plan.cells) * 2
    assert plan.extractors() == ("a", "b", "none", "shortcut:size")
    assert plan.n_units() == len(plan.cells) * (2 * 2 + 2)


def test_cells_point_into_the_whole_table_and_stay_within_their_subset():
    rows = table()
    for cell in planned(rows).cells:
        used = rows.iloc[np.concatenate([cell.train, cell.test])]
        assert set(used["subset"]) <= set(SUBSETS[cell.subset])
        assert set(rows["split"].iloc[cell.train]) == {"train"}
        assert set(rows["split"].iloc[cell.test]) == {"test"}
    assert len({cell.place for cell in planned(rows).cells}) == 3


def test_presets_are_written_out_only_where_they_have_a_meaning():
    systems = {s.classifier: (s.C, s.scale) for s in planned(table()).systems}
    assert systems == {"linear": (1.0, "auto"), "knn": (None, "")}


def test_without_an_official_split_patient_cv_takes_its_place_with_a_notice():
    plan = planned(table(splits=("none",)))
    assert {cell.protocol for cell in plan.cells} == {"patient-cv"}
    assert any("no official split" in n and "takes its place" in n for n in plan.notices)
    both = planned(table(splits=("none",)), ("official", "patient-cv"))
    assert len(both.cells) == len(plan.cells)


def test_the_radius_is_a_reference_point_where_every_row_has_one():
    rows = table()
    rows["radius"] = np.where(rows["subset"] == "mass", 20.0, np.nan)
    references = planned(rows).references
    names = {subset: [s.extractor for s in systems] for subset, systems in references.items()}
    assert names["mass"] == ["none", "shortcut:size", "shortcut:radius"]
    assert names["calc"] == names["all"] == ["none", "shortcut:size"]


def test_a_protocol_that_cannot_be_carried_out_names_subset_and_reason():
    with pytest.raises(UnusableInput, match="subset mass: patient-cv needs at least 5 patients"):
        planned(table(n=8), ("patient-cv",))


@pytest.mark.parametrize(
    "module",
    ["bench/plan.py", "bench/protocols.py", "classifiers/kernels.py", "reports/measures.py"],
)
def test_the_pure_modules_open_no_file(module):
    """The import linter keeps I/O libraries out of them; it cannot see `open` or `to_csv`."""
    text = (Path(plan_module.__file__).parents[1] / module).read_text()
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
    places = {(cell.subset, cell.protocol) for cell in plan.cells}
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
