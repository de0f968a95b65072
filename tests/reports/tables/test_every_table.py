"""summary.csv has its declared columns, its declared meaning, and cells that do no harm."""

import csv
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import build_report, measures, patient_bootstrap
from reports.page import page
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import pool
from reports.systems.run_folder import read_run
from reports.systems.schema import SUMMARY_COLUMNS, SUMMARY_MEASURES
from reports.tables import every_table as every_table_module
from reports.tables.costs import COSTS_TABLE, tuning
from reports.tables.every_table import TABLES, every_table
from reports.tables.formats import csv_cell, escape_latex, to_csv, to_latex
from reports.tables.report_table import ReportTable
from reports.tables.run_facts import LEFT_OUT_TABLE
from reports.tables.summary import SUMMARY_TABLE, summary
from reports.values import estimate, short


@pytest.fixture(scope="module")
def table(made_run: Path) -> pd.DataFrame:
    run = read_run(made_run)
    return summary(run, pool(run))


def one(table: pd.DataFrame, protocol: str, extractor: str = "random:resnet18") -> pd.Series:
    chosen = table[
        (table["subset"] == "mass")
        & (table["protocol"] == protocol)
        & (table["extractor"] == extractor)
        & (table["classifier"] == "linear")
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def scores_of(folder: Path, row: pd.Series) -> pd.DataFrame:
    units = pd.read_parquet(folder / "units.parquet")
    same = np.logical_and.reduce(
        [units[name] == row[name] for name in ("subset", "protocol", "extractor", "classifier")]
    )
    scores = pd.read_parquet(folder / "predictions.parquet")
    return scores.merge(units.loc[same, ["unit", "threshold"]], on="unit")


def test_columns_are_exactly_the_declared_ones(reported_run: Path) -> None:
    with (reported_run / "tables" / "summary.csv").open(newline="") as file:
        assert tuple(next(csv.reader(file))) == SUMMARY_COLUMNS


def test_systems_stand_in_the_order_of_the_units(made_run: Path, table: pd.DataFrame) -> None:
    names = ["subset", "protocol", "extractor", "classifier"]
    units = pd.read_parquet(made_run / "units.parquet")[names].drop_duplicates()
    assert table[names].to_numpy().tolist() == units.to_numpy().tolist()


def test_mean_and_std_are_over_pooled_repeats(made_run: Path, table: pd.DataFrame) -> None:
    row = one(table, "patient-cv")
    repeats = [
        measures(part["label"], part["score"], part["threshold"], fold=part["fold"])
        for _, part in scores_of(made_run, row).groupby("repeat")
    ]
    assert row["n_runs"] == len(repeats) == 3
    for name in SUMMARY_MEASURES:
        values = [repeat[name] for repeat in repeats]
        assert row[name] == pytest.approx(np.mean(values))
        assert row[f"{name}_std"] == pytest.approx(np.std(values, ddof=1))


def test_one_run_has_no_std_and_the_interval_of_patient_bootstrap(
    made_run: Path, table: pd.DataFrame
) -> None:
    row = one(table, "official")
    scores = scores_of(made_run, row)
    for name in SUMMARY_MEASURES:
        assert np.isnan(row[f"{name}_std"])
        limits = patient_bootstrap(
            scores["label"],
            scores["score"],
            scores["patient_id"],
            name,
            threshold=scores["threshold"],
        )
        np.testing.assert_allclose((row[f"{name}_ci_low"], row[f"{name}_ci_high"]), limits)


def test_sizes_are_those_of_one_repeat(made_run: Path, table: pd.DataFrame) -> None:
    row = one(table, "patient-cv")
    scores = scores_of(made_run, row)
    assert row["n_test"] == len(scores) / 3 == 60
    assert row["n_patients"] == scores["patient_id"].nunique()
    assert row["n_train"] == 240


def test_a_failed_system_keeps_its_row_with_empty_measures(table: pd.DataFrame) -> None:
    row = one(table, "patient-cv", "timm:swin_tiny")
    assert row["status"] == "weights not cached: python -m bench doctor"
    assert row["n_runs"] == 0
    assert row[list(SUMMARY_MEASURES)].isna().all()


def test_one_failed_fold_leaves_the_system_without_a_figure(made_run: Path) -> None:
    run = read_run(made_run)
    first = run.units.index[(run.units["protocol"] == "patient-cv")][0]
    run.units.loc[first, "status"] = "out of memory"
    system = next(s for s in pool(run) if s.identity["protocol"] == "patient-cv")
    assert (system.status, system.repeats) == ("out of memory (in 1 of 15 folds)", ())


def test_lost_predictions_are_said(made_run: Path) -> None:
    run = read_run(made_run)
    kept = run.predictions[run.predictions["unit"] != run.units["unit"].iloc[0]]
    assert pool(replace(run, predictions=kept))[0].status == "no predictions for 1 of 1 units"


def test_notes_are_joined_once(table: pd.DataFrame) -> None:
    assert one(table, "patient-cv")["notes"] == "not converged"
    assert one(table, "official")["notes"] == ""


def test_confusion_counts_add_up(made_run: Path) -> None:
    counts = every_table(PooledRun.of(read_run(made_run)))["confusion"][["tp", "fn", "fp", "tn"]]
    np.testing.assert_allclose(counts.sum(axis=1), 60)


def test_the_page_asks_for_tables_at_every_place_where_one_stands() -> None:
    template = (Path(page.__file__).parent / "templates" / "report.html.j2").read_text()
    asked = re.findall(r'tables_at\("([a-z-]+)"\)', template)
    assert len(asked) == len(set(asked))
    assert set(asked) == {table.place for table in TABLES} - {""}
    names = [table.name for table in TABLES]
    assert len(names) == len(set(names))
    assert all(table.title for table in TABLES if table.place)


def test_a_declared_table_is_written_and_shown_in_its_place(
    made_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more value in the list of tables is all that a new table takes."""
    declared = ReportTable(
        "sides",
        lambda pooled, tables: pd.DataFrame({"side": ["left"], "n": [len(tables["summary"])]}),
        title="Which side",
        place="closer",
        intro="Counted by side.",
        headings={"n": "counted rows"},
    )
    empty = replace(declared, name="nothing", build=lambda pooled, _: pd.DataFrame({"n": []}))
    for module in (every_table_module, page):
        monkeypatch.setattr(module, "TABLES", (*TABLES, declared, empty))
    folder = Path(shutil.copytree(made_run, tmp_path / "run"))
    text = build_report(folder).read_text()
    rows = len(pd.read_csv(folder / "tables" / "summary.csv"))
    assert (folder / "tables" / "sides.csv").read_text() == f"side,n\nleft,{rows}\n"
    assert "counted rows" in (folder / "tables" / "sides.tex").read_text()
    assert not (folder / "tables" / "nothing.csv").exists()
    section = text[text.index('<section id="wrong">') : text.index('<section id="trust">')]
    assert '<h3 id="table-sides">Which side</h3>' in section
    assert "Counted by side." in section
    assert '"sides":{"columns":[["Side",false],["Counted rows",true]]' in text
    assert "table-nothing" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-1.5", "-1.5"),
        (-1.5, "-1.5"),
        (float("nan"), ""),
        (None, ""),
        (True, "true"),
        (np.float64(1 / 3), "0.333333"),
        (np.int64(22_050_664), "22050664"),
        (pd.NA, ""),
        ("linear", "linear"),
    ],
)
def test_csv_cells(value: object, text: str) -> None:
    assert csv_cell(value) == text


def test_csv_reads_back_with_line_feeds_alone() -> None:
    text = to_csv(pd.DataFrame({"a": ['x, "y"', "two\nlines"], "b": [1.0, None]}))
    assert "\r" not in text
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ['x, "y"', "1"], ["two\nlines", ""]]


def test_latex_is_escaped_and_has_booktabs_rules() -> None:
    assert escape_latex("a_b%&$#{}~^\\\n<>") == (
        r"a\_b\%\&\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}\textgreater{}"
    )
    text = to_latex(LEFT_OUT_TABLE, pd.DataFrame({"crop_id": ["a_b%"], "reason": ["x & y"]}))
    for part in (
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\end{tabular}",
    ):
        assert part in text
    assert r"a\_b\% & x \& y \\" in text


def test_every_csv_has_a_latex_twin_with_even_rows(reported_run: Path) -> None:
    tables = reported_run / "tables"
    names = {path.stem for path in tables.glob("*.csv")}
    assert names == {path.stem for path in tables.glob("*.tex")}
    for name in names:
        text = (tables / f"{name}.tex").read_text()
        body = text.split(r"\midrule")[-1]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        ampersands = {line.replace(r"\&", "").count("&") for line in rows}
        assert len(ampersands) <= 1, name
        assert text.count(r"\begin{") == text.count(r"\end{")


def test_print_says_shared_settings_once_but_always_the_weights() -> None:
    settings = {"extractor": ["a", "b"], "weights": ["random"] * 2, "C": [1.0, None], "seed": 0}
    text = to_latex(COSTS_TABLE, pd.DataFrame(settings | {"auc": [-0.5, 0.25]}))
    assert "% all rows: C 1, seed 0" in text
    assert r"\begin{tabular}{llr}" in text
    assert r"a & random & $-$0.5 \\" in text


def test_an_interval_stands_below_its_estimate_in_print() -> None:
    row = dict.fromkeys(SUMMARY_COLUMNS) | {"extractor": "x", "auc": 0.5, "auc_std": 0.1}
    table = pd.DataFrame([row | {"auc_ci_low": -0.1, "auc_ci_high": 0.9}])
    text = to_latex(SUMMARY_TABLE, table)
    assert r"\shortstack[r]{0.500 $\pm$ 0.100\\{}[$-$0.100, 0.900]}" in text
    assert r"\resizebox{\ifdim\width>\textwidth" in text


def test_estimates_in_print() -> None:
    row = {"auc": 0.81234, "auc_std": 0.01, "auc_ci_low": 0.7, "auc_ci_high": 0.9}
    assert estimate(row, "auc") == "0.812 ± 0.010 [0.700, 0.900]"
    assert estimate({**row, "auc_std": None}, "auc") == "0.812 [0.700, 0.900]"
    assert estimate(dict.fromkeys(row), "auc") == ""


def test_short_text_of_numpy_booleans() -> None:
    assert short(np.bool_(True)) == "true"


def test_what_tuning_chose_is_counted_over_folds(made_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made_run, tmp_path / "run")
    units = pd.read_parquet(run / "units.parquet")
    tuned = (units["classifier"] == "linear") & (units["protocol"] == "patient-cv")
    tuned &= (units["status"] == "ok") & (units["subset"] == units["subset"].iloc[0])
    first = units[tuned]["extractor"].iloc[0]
    tuned &= units["extractor"] == first
    n = int(tuned.sum())
    units.loc[tuned, "chosen_C"] = [1.0] + [10.0] * (n - 1)
    units.loc[tuned, "chosen_scale"] = 2.0
    units.loc[tuned, "inner_auc"] = 0.75
    units.to_parquet(run / "units.parquet")
    read = read_run(run)
    found = tuning(pool(read))
    assert found[
        ["chosen_C", "chosen_scale", "folds", "of_folds", "inner_auc"]
    ].to_numpy().tolist() == [
        [10.0, 2.0, n - 1, n, 0.75],
        [1.0, 2.0, 1, n, 0.75],
    ]
    assert "tuning" not in every_table(PooledRun.of(read_run(made_run)))
