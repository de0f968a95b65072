"""Trained networks in a report: their tables, curves and published counterparts, and none of it."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import RunFolderError, build_report
from reports.evaluation import Evaluation
from reports.figures.drawing import drawn
from reports.figures.trainings import TRAINING_FIGURE
from reports.page.pictures import legend_of
from reports.systems.groups import by_network
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import is_whole, pool
from reports.systems.run_folder import Run, read_run
from reports.systems.schema import RECIPE_COLUMNS, TRAINING_COLUMNS
from reports.tables.costs import fits
from reports.tables.every_table import every_table
from reports.tables.published import PUBLISHED, SOURCES, beside_published
from reports.tables.summary import summary
from reports.tables.trainings import CURVE_COLUMNS, learning_curves, recipes, trainings


@pytest.fixture(scope="module")
def run(trained_run: Path) -> Run:
    return read_run(trained_run)


@pytest.fixture
def own_copy(trained_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def test_recipes_are_those_of_the_manifest(run: Run) -> None:
    table = recipes(run)
    assert tuple(table.columns) == RECIPE_COLUMNS
    told = run.manifest["recipes"]
    assert table["extractor"].tolist() == [recipe["extractor"] for recipe in told]
    assert table["localization"].tolist() == ["", "", "paper, weight 0.1"]


@pytest.mark.parametrize("told", [None, "x", [1, None], [{"epochs": {"a": [1]}, "extractor": 3}]])
def test_recipes_that_are_none_break_nothing(run: Run, told: object) -> None:
    table = recipes(replace(run, manifest=run.manifest | {"recipes": told}))
    assert len(table) == (1 if isinstance(told, list) and isinstance(told[-1], dict) else 0)


def test_a_training_row_puts_folds_and_repeats_together(run: Run, trained_run: Path) -> None:
    raw = pd.read_parquet(trained_run / "trainings.parquet")
    table = trainings(run)
    assert len(table) == raw[["protocol", "extractor"]].drop_duplicates().shape[0] == 6
    for row in table.to_dict("records"):
        own = raw[
            (raw["protocol"] == row["protocol"])
            & (raw["extractor"] == row["extractor"])
            & (raw["train_fraction"] == 1)
        ].to_dict("records")
        assert row["trainings"] == len(own) == (2 if row["protocol"] == "official" else 3)
        for name in ("n_train", "kept_epoch", "network_time_s"):
            assert row[name] == pytest.approx(sum(each[name] for each in own) / len(own))
        peak = max(each["peak_host_bytes"] for each in own) / 1024**3
        assert row["peak_host_gib"] == pytest.approx(peak)
        assert math.isnan(row["peak_device_gib"])
        assert row["smallest_gpu_gb"] == f"{max(e['smallest_gpu_gb'] for e in own)} (estimated)"
        assert row["gflops_per_image"] == pytest.approx(1.5)
        assert row["batch_size"] == 32
        assert row["notes"] == "batch of 32 in parts of 16"


def test_a_network_that_fits_no_usual_gpu_says_so(run: Run) -> None:
    none_fits = run.trainings.assign(smallest_gpu_gb=np.nan, gpu_estimated=0.0)
    assert set(trainings(replace(run, trainings=none_fits))["smallest_gpu_gb"]) == {"over 80"}
    unknown = none_fits.assign(peak_device_bytes=np.nan, peak_host_bytes=np.nan)
    assert set(trainings(replace(run, trainings=unknown))["smallest_gpu_gb"]) == {""}


def test_parts_of_the_patients_are_in_summary_and_curves_alone(run: Run) -> None:
    evaluation = Evaluation.of(run)
    tables = evaluation.tables
    assert set(tables["summary"]["train_fraction"]) == {0.25, 1.0}
    assert set(tables["learning_curves"]["train_fraction"]) == {0.25, 1.0}
    for name in ("further_measures", "confusion", "fits", "trainings"):
        shares = tables[name].get("train_fraction", pd.Series(1.0, tables[name].index))
        assert set(shares) == {1.0}, name
    groups = evaluation.groups
    assert [group.slug for group in groups] == ["mass-official", "mass-patient-cv"]
    assert all(entry.system.whole for group in groups for entry in group.entries)


def test_a_learning_curve_goes_through_the_rows_of_the_summary(run: Run) -> None:
    compared = summary(run, pool(run))
    table = learning_curves(compared)
    assert tuple(table.columns) == CURVE_COLUMNS
    assert len(table) == len(compared)
    names = ["protocol", "extractor", "classifier"]
    for key, own in table.groupby(names, sort=False):
        assert own["train_fraction"].tolist() == [0.25, 1.0]
        assert own.index.tolist() == list(range(own.index[0], own.index[0] + 2))
        wanted = compared[(compared[names] == list(key)).all(axis=1)].sort_values("train_fraction")
        assert own["auc"].tolist() == wanted["auc"].tolist()
        assert own["n_train"].tolist() == [60, 240]


def test_comparisons_without_parts_have_no_learning_curve(run: Run) -> None:
    compared = summary(run, pool(run))
    official = compared["protocol"] == "official"
    kept = compared[(compared["train_fraction"] == 1) | official]
    assert set(learning_curves(kept)["protocol"]) == {"official"}
    assert learning_curves(compared[compared["train_fraction"] == 1]).empty


def test_which_classifiers_a_learning_curve_shows_is_a_rule() -> None:
    from reports.systems.focus import by_rule

    pairs = [(name, name) for name in ("linear", "medium_gaussian", "softmax", "linear")]
    assert by_rule(pairs) == ["medium_gaussian", "softmax"]
    assert by_rule([("linear", 1), ("cubic", 2), ("linear", 3)]) == [1, 3]
    assert by_rule([]) == []


@pytest.mark.parametrize("share", [None, 1, 1.0, float("nan")])
def test_all_patients(share: float | None) -> None:
    assert is_whole(share)
    assert not is_whole(0.99)


def test_forms_of_a_network_stand_together_own_head_first(run: Run) -> None:
    systems = [system for system in pool(run) if system.whole]
    official = [s for s in systems if s.identity["protocol"] == "official"]
    order = [(s.identity["extractor"], s.identity["classifier"]) for s in by_network(official)]
    assert order[:5] == [
        ("torchvision:alexnet", "linear"),
        ("torchvision:alexnet", "medium_gaussian"),
        ("torchvision:alexnet+finetuned", "softmax"),
        ("torchvision:alexnet+finetuned", "linear"),
        ("torchvision:alexnet+finetuned", "medium_gaussian"),
    ]
    assert sorted(order) == sorted(
        (s.identity["extractor"], s.identity["classifier"]) for s in official
    )


def test_published_figures_are_consistent_with_what_is_said_of_them() -> None:
    assert {published.source for published in PUBLISHED} == set(SOURCES)
    tp, fn, tn, fp = map(
        int,
        re.search(
            r"(\d+) true positives, (\d+) false negatives, (\d+) true negatives and (\d+) false",
            SOURCES[PUBLISHED[0].source],
        ).groups(),  # type: ignore[union-attr]
    )
    cnn = PUBLISHED[0].figures
    assert cnn["accuracy"] == pytest.approx((tp + tn) / (tp + fn + tn + fp), abs=5e-5)
    assert cnn["sensitivity"] == pytest.approx(tp / (tp + fn), abs=5e-5)
    assert cnn["specificity"] == pytest.approx(tn / (tn + fp), abs=5e-5)
    # The kernels' rows agree among themselves: MCC and accuracy follow from the two rates and the
    # share of malignant images, which is nearly a half.
    for published in PUBLISHED[6:]:
        figures = published.figures
        rates = (figures["sensitivity"], figures["specificity"])
        assert min(rates) - 0.001 <= figures["accuracy"] <= max(rates) + 0.001
        assert figures["mcc"] == pytest.approx(sum(rates) - 1, abs=0.003)


def of_real_crops(run: Run) -> Run:
    """The same run as of images that were not made up."""
    data = {**run.manifest["data"], "synthetic": False}
    return replace(run, manifest={**run.manifest, "data": data})


def test_published_and_measured_stand_side_by_side(run: Run) -> None:
    assert beside_published(run, summary(run, pool(run))).empty
    run = of_real_crops(run)
    compared = summary(run, pool(run))
    table = beside_published(run, compared)
    assert not {"accuracy", "auc", "training_time_s"} & set(table)
    assert set(PUBLISHED[0].figures) <= {
        "accuracy",
        "sensitivity",
        "specificity",
        "training_time_s",
    }
    cnn = table[table["published_system"] == "CNN from scratch, own head"]
    assert cnn["measured_protocol"].tolist() == ["official", "patient-cv"]
    assert cnn["measured_data"].tolist() == ["cbis-ddsm"] * 2
    for row in cnn.to_dict("records"):
        same = (
            (compared["extractor"] == "cnn_baseline")
            & (compared["classifier"] == "softmax")
            & (compared["protocol"] == row["measured_protocol"])
            & (compared["train_fraction"] == 1)
        )
        assert row["measured_auc"] == compared[same]["auc"].item()
        assert row["published_accuracy"] == 0.6217
    linear = table[table["published_system"].str.endswith("linear")]
    assert linear["measured_extractor"].unique().tolist() == [
        "torchvision:alexnet",
        "torchvision:alexnet+finetuned",
    ]
    unmatched = table[table["published_system"].str.startswith("ResNet-18")]
    measured = [name for name in table if name.startswith("measured_")]
    assert len(unmatched) == 1
    assert unmatched[measured].isna().all(axis=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [("subset", "calc"), ("dataset", "mias"), ("region", "full"), ("C", 10.0), ("status", "gone")],
)
def test_other_rows_stand_beside_no_published_figure(run: Run, column: str, value: object) -> None:
    compared = summary(run, pool(run)).assign(**{column: value})
    table = beside_published(of_real_crops(run), compared)
    # On other data there is nothing for the record, either.
    others = column in ("dataset", "subset", "region")
    assert len(table) == (0 if others else len(PUBLISHED))
    assert table["measured_extractor"].isna().all()


def test_network_time_is_a_part_of_the_costs(run: Run) -> None:
    table = fits(pool(run))
    trained = table["recipe"] == "quick"
    assert set(table[trained]["network_time_s"]) == {100.0}
    assert table[~trained]["network_time_s"].isna().all()


def test_a_folder_from_before_there_were_networks_is_read(made_run: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(made_run, tmp_path / "older"))
    units = pd.read_parquet(older / "units.parquet").drop(columns="network_time_s")
    units.to_parquet(older / "units.parquet")
    page = build_report(older).read_text()
    assert 'id="training"' not in page
    assert 'id="learning"' not in page
    assert not list((older / "figures").glob("training-*"))
    assert not (older / "tables" / "trainings.csv").exists()
    assert fits(pool(read_run(older)))["network_time_s"].isna().all()


def test_curves_are_drawn_for_each_comparison(trained_run: Path) -> None:
    drawn = {path.stem for path in (trained_run / "figures").glob("*.svg")}
    for kind in ("training", "learning"):
        assert {f"{kind}-mass-official", f"{kind}-mass-patient-cv"} <= drawn
    text = (trained_run / "figures" / "training-mass-official.svg").read_text()
    for name in ("cnn_baseline", "&lt;b&gt;a_net&lt;/b&gt;+drloc", "held-out rows", "epoch"):
        assert name in text
    assert "inner validation" not in text


def test_a_training_curve_is_the_mean_over_trainings(run: Run) -> None:
    from reports.figures.trainings import by_epoch

    raw = run.history
    own = raw[(raw["protocol"] == "patient-cv") & (raw["extractor"] == "cnn_baseline")]
    own = own[own["train_fraction"] == 1].sample(frac=1, random_state=0)
    curves, (epochs, mean) = by_epoch(own, "train_loss")
    assert len(curves) == own["training"].nunique() == 3
    assert epochs.tolist() == [1, 2, 3, 4]
    for epoch, value in zip(epochs, mean, strict=True):
        rows = own.loc[own["epoch"] == epoch, "train_loss"].tolist()
        assert value == pytest.approx(sum(rows) / 3)
    for across, up in curves:
        assert across.tolist() == [1, 2, 3, 4]
        assert sorted(up, reverse=True) == up.tolist()
    alone = by_epoch(own[own["epoch"] == 1], "train_loss")[1]
    assert alone[0].tolist() == [1, 1.5]


def test_history_without_figures_or_epochs_draws_without_a_word(run: Run) -> None:
    for column in ("train_loss", "test_loss", "epoch"):
        bare = Evaluation.of(replace(run, history=run.history.assign(**{column: np.nan})))
        assert drawn(TRAINING_FIGURE, bare, bare.groups[0]) is not None
    one = Evaluation.of(replace(run, history=run.history[run.history["epoch"] == 1]))
    assert drawn(TRAINING_FIGURE, one, one.groups[0]) is not None


def test_inner_validation_gets_its_line(own_copy: Path) -> None:
    history = pd.read_parquet(own_copy / "history.parquet").assign(inner_loss=0.5)
    history.to_parquet(own_copy / "history.parquet")
    build_report(own_copy)
    assert "inner validation" in (own_copy / "figures" / "training-mass-official.svg").read_text()


def test_the_page_says_what_is_new(trained_run: Path) -> None:
    page = (trained_run / "report.html").read_text()
    for text in (
        'id="table-trainings"',
        'id="learning"',
        "what the seed alone changes",
        "(estimated)",
        "scratch",
    ):
        assert text in page
    assert "<b>a_net" not in page


def test_what_the_std_is_over_is_said_where_networks_trained_again(run: Run) -> None:
    said = "what the seed alone changes"
    for training, times in (("from scratch", 1), ("frozen", 0)):
        rows = [row | {"training": training} for row in run.manifest["extractors"]]
        told = replace(run, manifest=run.manifest | {"extractors": rows})
        groups = Evaluation(told, pool(told)).groups
        legends = [legend_of(group) for group in groups]
        assert [said in legend for legend in legends] == [times == 1, False]


def test_only_parts_of_the_patients(own_copy: Path) -> None:
    for name in ("units", "trainings", "history"):
        table = pd.read_parquet(own_copy / f"{name}.parquet")
        table[table["train_fraction"] < 1].to_parquet(own_copy / f"{name}.parquet")
    page = build_report(own_copy).read_text()
    assert "Every row was trained on a part of the training patients" in page
    curves = pd.read_csv(own_copy / "tables" / "learning_curves.csv")
    assert set(curves["train_fraction"]) == {0.25}
    assert pd.read_csv(own_copy / "tables" / "confusion.csv").empty


@pytest.mark.parametrize("name", ["trainings.parquet", "history.parquet"])
def test_broken_tables_of_trainings_are_refused(own_copy: Path, name: str) -> None:
    table = pd.read_parquet(own_copy / name)
    table.drop(columns="train_fraction").to_parquet(own_copy / name)
    with pytest.raises(RunFolderError, match="lacks the column train_fraction"):
        read_run(own_copy)
    (own_copy / name).write_bytes(b"no table")
    with pytest.raises(RunFolderError, match=name):
        read_run(own_copy)


def test_what_is_no_number_in_a_training_is_missing(own_copy: Path) -> None:
    path = own_copy / "trainings.parquet"
    table = pd.read_parquet(path).astype({"network_time_s": object})
    table["network_time_s"] = "<b>long</b>"
    table["peak_host_bytes"] = float("inf")
    table.to_parquet(path)
    build_report(own_copy)
    shown = trainings(read_run(own_copy))
    assert shown[["network_time_s", "peak_host_gib"]].isna().all(axis=None)


def test_a_trained_run_reports_the_same_bytes_again(trained_run: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(trained_run, tmp_path / "again"))
    build_report(again)
    for path in trained_run.rglob("*"):
        if path.is_file():
            same = path.read_bytes() == (again / path.relative_to(trained_run)).read_bytes()
            assert same, path.name


def test_no_recipes_and_no_trainings_leave_no_table(
    make_trained_run: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_trained_run(tmp_path / "run", protocols=(("official", 1, 1),))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["recipes"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in ("trainings", "history"):
        pd.read_parquet(folder / f"{name}.parquet").iloc[:0].to_parquet(folder / f"{name}.parquet")
    read = read_run(folder)
    assert tuple(read.trainings.columns) == TRAINING_COLUMNS
    assert not {"recipes", "trainings", "learning_curves"} & set(every_table(PooledRun.of(read)))
