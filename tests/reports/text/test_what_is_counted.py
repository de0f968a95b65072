"""Sentences count systems of one kind, say what they rest on, and agree with each other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.evaluation import Evaluation
from reports.figures.drawing import drawn
from reports.figures.performance import drop_figure
from reports.systems.counted import classifiers_counted, extractors_counted
from reports.systems.hosts import hosts_of_table
from reports.systems.run_folder import read_run
from reports.tables.every_table import TABLES
from reports.tables.levels import levels
from reports.tables.literature import REPORTED, Reported
from reports.tables.mistakes import hardest, wrong_in_all
from reports.tables.published import PUBLISHED, may_be_marked
from reports.text.answers import _time, answers
from reports.text.methods import methods
from reports.values import number

MakeRun = Callable[..., Path]

VIT, CNN = "timm:vit_small_patch16_224", "torchvision:resnet18"
SIZE, READER = "shortcut:size", "reader:assessment"
OFFICIAL = (("official", 1, 1),)
SVM = ("medium_gaussian",)


def change(folder: Path, **sections: Any) -> Path:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for name, values in sections.items():
        known = manifest.get(name)
        manifest[name] = {**known, **values} if isinstance(known, dict) else values
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def evaluated(folder: Path) -> Evaluation:
    return Evaluation.of(read_run(folder))


def said(folder: Path) -> str:
    return "\n".join(line for answer in answers(evaluated(folder)) for line in answer.lines)


def test_random_weights_are_in_no_sentence(tmp_path: Path, make_run: MakeRun) -> None:
    names = (VIT, "random:resnet50", "random:alexnet", "random:vit_tiny")
    folder = make_run(tmp_path / "run", names, SVM, ("mass",), OFFICIAL, n=160, failed=None)
    text = said(folder)
    evaluation = evaluated(folder)
    (row,) = (r for r in evaluation.tables["summary"].to_dict("records") if r["extractor"] == VIT)
    assert f"(1 system): AUC {row['auc']:.3f}" in text
    assert "median" not in text
    assert f"frozen features + SVM: {_time(row['training_time_s'])}." in text
    by_group = evaluation.tables["subgroups"]
    one = by_group[(by_group["extractor"] == VIT) & (by_group["variable"] == "density")]
    assert all(number(value) in text for value in one["auc"].dropna())


def test_reference_points_have_a_figure_each(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(
        tmp_path / "run", (VIT, SIZE, READER), SVM, ("mass",), OFFICIAL, n=160, failed=None
    )
    text = said(folder)
    rows = evaluated(folder).tables["summary"].set_index("extractor")
    for name in (SIZE, READER):
        low, high = number(rows["auc_ci_low"][name]), number(rows["auc_ci_high"][name])
        assert f"{name}: AUC {number(rows['auc'][name])} [{low}, {high}]" in text
    assert "(2 systems)" not in text


def test_networks_are_counted_by_kind_and_once(tmp_path: Path, make_trained_run: MakeRun) -> None:
    folder = make_trained_run(tmp_path / "run", protocols=OFFICIAL)
    evaluation = evaluated(folder)
    found = answers(evaluation)
    table = evaluation.tables["summary"]
    first = "\n".join(found[0].lines)
    assert "pretrained features + SVM (2 systems)" in first
    assert "fine-tuned features + SVM (1 system)" in first
    assert "CNNs from scratch, own head (1 system)" in first
    costs = "\n".join(found[2].lines)
    own = table[(table["classifier"] == "softmax") & ~table["extractor"].str.contains("finetuned")]
    low, high = own["training_time_s"].min(), own["training_time_s"].max()
    middle = own["training_time_s"].median()
    assert f"{_time(low)} to {_time(high)}, median {_time(middle)}" in costs
    assert "4 GB (estimated) for" in costs


def test_a_reading_has_no_training_time(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(tmp_path / "run", (VIT, SIZE, READER), SVM, ("mass",), OFFICIAL, failed=None)
    tables = evaluated(folder).tables
    for name in ("summary", "fits"):
        times = tables[name].set_index("extractor")[["training_time_s", "extraction_time_s"]]
        assert times.loc[READER].isna().all(), name
        assert times.loc[[VIT, SIZE]].notna().all(axis=None), name


def perfect(folder: Path, name: str) -> None:
    """Let the scores of an extractor be the labels."""
    units = pd.read_parquet(folder / "units.parquet")
    own = set(units.loc[units["extractor"] == name, "unit"])
    scores = pd.read_parquet(folder / "predictions.parquet")
    these = scores["unit"].isin(own)
    scores.loc[these, "score"] = scores.loc[these, "label"] - 0.5
    scores.to_parquet(folder / "predictions.parquet")


@pytest.mark.parametrize(
    ("name", "from_label", "words"),
    [
        (READER, True, "each grade of the readers' assessment has one label"),
        (READER, False, "as a reading does that the label was made from"),
        (SIZE, False, "gives the class away"),
        (VIT, False, ""),
    ],
)
def test_what_gives_the_label_away_is_no_reference(
    tmp_path: Path, make_run: MakeRun, name: str, from_label: bool, words: str
) -> None:
    folder = make_run(tmp_path / "run", (VIT, SIZE, READER), SVM, ("mass",), OFFICIAL, failed=None)
    notes = evaluated(folder).tables["summary"]["notes"]
    assert not notes.str.contains("label|class").any()
    if from_label:
        lesions = pd.read_parquet(folder / "lesions.parquet")
        lesions.assign(assessment=2 + 2 * lesions["label"]).to_parquet(folder / "lesions.parquet")
    else:
        perfect(folder, name)
    rows = evaluated(folder).tables["summary"].set_index("extractor")["notes"]
    assert words in rows[name]
    assert not words or words in said(folder)
    assert not rows.drop(name).str.contains("label|class").any()


def test_a_mixed_assessment_made_no_label(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(tmp_path / "run", (READER,), SVM, ("mass",), OFFICIAL, failed=None)
    lesions = pd.read_parquet(folder / "lesions.parquet")
    lesions.assign(assessment=2 + np.arange(len(lesions)) % 3).to_parquet(
        folder / "lesions.parquet"
    )
    assert not evaluated(folder).tables["summary"]["notes"].str.contains("label").any()


def test_common_mistakes_are_of_all_crops_and_of_networks(
    tmp_path: Path, make_run: MakeRun
) -> None:
    names = (VIT, CNN, SIZE, READER, "random:alexnet")
    folder = make_run(tmp_path / "run", names, SVM, ("mass",), OFFICIAL, n=160, failed=None)
    evaluation = evaluated(folder)
    (systems,) = evaluation.close.values()
    wrong = []
    for system in systems:
        if system.identity["extractor"] in (VIT, CNN):
            (rows,), (places,) = system.repeats, system.places
            crops = evaluation.run.predictions["crop_id"].iloc[places].astype(str)
            wrong.append(set(crops[rows.called != rows.positive]))
    both = len(wrong[0] & wrong[1])
    assert both > 0
    assert wrong_in_all(evaluation.run, systems) == (160, both, 2)
    assert f"of 160 test crops, {both} are wrong in all 2 systems with a network." in said(folder)
    assert {row["of_systems"] for row in hardest(evaluation.run, systems)} == {2}
    assert set(evaluation.tables["errors"]["of_systems"]) == {2}


def test_subgroups_are_told_with_their_number_and_interval(
    tmp_path: Path, make_run: MakeRun
) -> None:
    folder = make_run(tmp_path / "run", (VIT,), SVM, ("mass",), OFFICIAL, n=160, failed=None)
    evaluation = evaluated(folder)
    text = said(folder)
    table = evaluation.tables["subgroups"]
    rows = table[(table["variable"] == "breast density") & table["auc"].notna()]
    assert len(rows) > 1
    for row in rows.to_dict("records"):
        limits = f"[{number(row['auc_ci_low'])}, {number(row['auc_ci_high'])}]"
        assert f"{row['group']}: {number(row['auc'])} {limits}, {row['n']} crops" in text
    for how in ("linear", "medium_gaussian"):
        two = make_run(tmp_path / how, (VIT, CNN), (how,), ("mass",), OFFICIAL, n=160, failed=None)
        assert "crops" in "".join(a for a in answers(evaluated(two))[5].lines if "median" in a)


def test_a_level_that_repeats_the_one_below_has_no_row(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(tmp_path / "run", (VIT,), SVM, ("mass",), OFFICIAL, failed=None)
    lesions = pd.read_parquet(folder / "lesions.parquet")
    scores = pd.read_parquet(folder / "predictions.parquet")
    first = lesions.drop_duplicates("lesion_id")["crop_id"]
    scores[scores["crop_id"].isin(first)].to_parquet(folder / "predictions.parquet")
    evaluation = evaluated(folder)
    assert evaluation.run.lesion_ids
    assert levels(evaluation.run, evaluation.close).empty


@pytest.mark.parametrize(("organ", "words"), [("eye", "An eye is"), ("breast", "A breast is")])
def test_words_are_those_of_the_organ(
    tmp_path: Path, make_run: MakeRun, organ: str, words: str
) -> None:
    folder = make_run(tmp_path / "run", (VIT,), SVM, ("mass",), OFFICIAL, failed=None)
    change(folder, data={"organ": organ})
    lesions = pd.read_parquet(folder / "lesions.parquet")
    lesions.assign(laterality="LEFT").to_parquet(folder / "lesions.parquet")
    evaluation = evaluated(folder)
    (declared,) = (one for one in TABLES if one.name == "levels")
    intro = declared.in_words_of(evaluation, evaluation.tables["levels"]).intro
    assert words in str(intro)


@pytest.mark.parametrize(
    ("dataset", "subset", "data", "there", "marked"),
    [
        ("cbis-ddsm", "mass", {"synthetic": False}, True, True),
        ("cbis-ddsm", "mass", {"synthetic": False, "published_figures": False}, True, False),
        ("cbis-ddsm", "calc", {"synthetic": False}, False, False),
        ("cbis-ddsm", "mass", {"synthetic": True}, False, False),
        ("phantom", "mass", {"synthetic": True}, False, False),
        ("eyes", "mass", {"synthetic": False}, False, False),
        ("mias", "mass", {"synthetic": False}, False, False),
    ],
)
def test_published_figures_belong_to_real_mass_crops(
    tmp_path: Path,
    make_run: MakeRun,
    dataset: str,
    subset: str,
    data: dict[str, Any],
    there: bool,
    marked: bool,
) -> None:
    names = ("torchvision:alexnet",)
    folder = make_run(tmp_path / "run", names, SVM, (subset,), OFFICIAL, failed=None)
    change(folder, data={**data, "dataset": dataset, "changed": "made smaller"})
    units = pd.read_parquet(folder / "units.parquet")
    units.assign(dataset=dataset).to_parquet(folder / "units.parquet")
    evaluation = evaluated(folder)
    tables = evaluation.tables
    assert bool(len(tables["published"])) is there
    assert ("literature" in tables) is there
    assert may_be_marked(evaluation.run, tables["summary"]) is marked
    (declared,) = (one for one in TABLES if one.name == "published")
    intro = str(declared.in_words_of(evaluation, tables["published"]).intro)
    assert ("changed copy (changed: made smaller)" in intro) is (there and not marked)


def test_each_published_figure_says_what_it_counts() -> None:
    for one in PUBLISHED:
        assert one.unit in ("crop", "image", "two views", "case")
        assert one.split in ("official", "own by patient", "own by image", "unknown")
        assert one.n_test
        assert not one.verified


@pytest.mark.parametrize("one", REPORTED, ids=lambda one: f"{one.source[:8]}-{one.system}")
def test_what_others_report_says_what_it_counts(one: Reported) -> None:
    assert one.unit in ("", "crop", "image", "two views", "case")
    assert one.split in ("official", "own by patient", "own by image", "unknown")
    assert 0.5 < one.auc < 1
    assert not one.verified


def test_counts_are_the_same_everywhere(tmp_path: Path, make_run: MakeRun) -> None:
    names = (VIT, CNN, "random:alexnet", SIZE, "selected")
    folder = make_run(tmp_path / "run", names, ("linear", *SVM), ("mass",), OFFICIAL, failed=None)
    evaluation = evaluated(folder)
    found = extractors_counted(evaluation.systems)
    assert found == "3 networks (3 frozen), 1 reference point, selected"
    assert classifiers_counted(evaluation.systems) == "2 on networks, 2 of reference points"
    rows = evaluation.tables["checklist"]
    (models,) = {text for text in rows["run_says"] if "networks (" in str(text)}
    assert models == f"{found}; classifiers: {classifiers_counted(evaluation.systems)}"


def test_conflicts_say_which_are_of_this_run(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(tmp_path / "run", (VIT,), SVM, ("mass",), OFFICIAL, failed=None)
    listed = [
        {"lesion_id": name, "CC": "BENIGN", "MLO": "MALIGNANT"} for name in ("mass-L0001", "x")
    ]
    change(folder, data={"conflicts": listed})
    evaluation = evaluated(folder)
    table = evaluation.tables["conflicts"]
    assert table["in_this_run"].tolist() == ["yes", "no"]
    (declared,) = (one for one in TABLES if one.name == "conflicts")
    intro = str(declared.in_words_of(evaluation, table).intro)
    assert "Of the whole data set there are 2, of this run's crops 1." in intro


def test_a_table_names_the_machines_of_its_own_rows(
    tmp_path: Path, make_trained_run: MakeRun
) -> None:
    folder = make_trained_run(tmp_path / "run", protocols=OFFICIAL)
    for name in ("units", "trainings"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        networks = table["network_time_s"].notna()
        table["host"] = ["two" if network else "one" for network in networks]
        table.to_parquet(folder / f"{name}.parquet")
    evaluation = evaluated(folder)
    run, tables = evaluation.run, evaluation.tables
    assert hosts_of_table(run, tables["fits"]) == ["one", "two"]
    frozen = tables["summary"][tables["summary"]["recipe"] == "frozen"]
    assert hosts_of_table(run, frozen) == ["one"]
    assert hosts_of_table(run, tables["confusion"]) == []
    assert len(hosts_of_table(run, tables["trainings"])) < 2


def test_limits_of_protocols_hold_without_patient_ids(tmp_path: Path, make_run: MakeRun) -> None:
    from reports.text.leakage_audit import limits

    folder = make_run(tmp_path / "run", (VIT,), SVM, ("mass",), OFFICIAL, failed=None)
    assert "besides patients on both sides" in limits(read_run(folder))
    change(folder, data={"patient_ids": False})
    text = limits(read_run(folder))
    assert "on both sides" not in text
    assert "besides how they split" in text
    assert methods(evaluated(folder))


EXTERNAL = ("external:other", 1, 1)


@pytest.mark.parametrize(("n", "enough"), [(160, True), (24, False)])
def test_the_drop_has_a_sentence_a_figure_and_an_interval_of_enough_patients(
    tmp_path: Path, make_run: MakeRun, n: int, enough: bool
) -> None:
    names, protocols = (VIT, "random:alexnet", SIZE), (*OFFICIAL, EXTERNAL)
    folder = make_run(tmp_path / "run", names, SVM, ("mass",), protocols, n=n, failed=None)
    evaluation = evaluated(folder)
    table = evaluation.tables["external"]
    for name in ("auc", "internal_auc", "auc_drop", "sensitivity_drop"):
        assert table[name].notna().all()
        assert (table[f"{name}_ci_low"].notna() == enough).all()
    row = table[table["extractor"] == VIT].iloc[0]
    (line,) = (text for text in said(folder).split("\n") if "tested on other" in text)
    assert f"drop {row['auc_drop']:.3f}" in line
    assert ("too few for an interval" in line) is not enough
    assert "1 system, frozen" in line
    group = next(one for one in evaluation.groups if "external" in one.slug)
    kind = drop_figure(evaluation.tables["external"])
    figure = drawn(kind, evaluation, group)
    assert figure is not None
    assert "drop of AUC" in figure.svg.decode()
    internal = next(one for one in evaluation.groups if "external" not in one.slug)
    assert drawn(kind, evaluation, internal) is None
