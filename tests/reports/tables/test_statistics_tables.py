"""The tables of further statistics: their figures agree with the summary and with each other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.systems.pooled_run import PooledRun
from reports.systems.run_folder import read_run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.every_table import every_table

IDENTITY = [name for name in SYSTEM_COLUMNS if name != "tuned"]


@pytest.fixture(scope="module")
def tables(
    make_trained_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    folder = make_trained_run(
        tmp_path_factory.mktemp("statistics") / "run",
        protocols=(("official", 1, 1), ("patient-cv", 1, 3)),
    )
    return every_table(PooledRun.of(read_run(folder)))


@pytest.mark.parametrize("name", ["told_apart", "auc_check", "precision_recall"])
def test_there_is_a_row_a_system_once(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert not tables[name].duplicated(IDENTITY).any()


def test_the_auc_is_that_of_the_summary(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("told_apart", "auc_check"):
        both = tables[name].merge(tables["summary"], on=IDENTITY, suffixes=("", "_summary"))
        assert len(both) == len(tables[name])
        assert np.allclose(both["auc"], both["auc_summary"])


def test_the_highest_is_not_below_itself(tables: dict[str, pd.DataFrame]) -> None:
    for _, group in tables["told_apart"].groupby(["subset", "protocol"]):
        highest = group.loc[group["auc"].idxmax()]
        assert highest["below_highest"] == 0
        assert not highest["told_from_highest"]
        apart = group["below_highest_ci_low"] > 0
        assert (apart == group["told_from_highest"].astype(bool)).all()


def test_standard_errors_of_three_kinds_are_of_one_size(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["auc_check"].dropna()
    ratio = table["se_bootstrap"] / table["se_by_patient"]
    assert ratio.between(0.7, 1.4).all()


def test_predictive_values_hold_their_prevalence(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["predictive_values"]
    se, sp, share = (table[name] for name in ("sensitivity", "specificity", "prevalence"))
    expected = se * share / (se * share + (1 - sp) * (1 - share))
    assert np.allclose(table["ppv"], expected, equal_nan=True)
    inside = table.dropna()
    assert (
        (inside["ppv_ci_low"] <= inside["ppv"]) & (inside["ppv"] <= inside["ppv_ci_high"])
    ).all()


def test_equivalence_is_of_the_declared_comparisons(tables: dict[str, pd.DataFrame]) -> None:
    declared = tables["comparisons"]
    made = declared[declared["verdict"].notna() & (declared["verdict"] != "")]
    found = tables.get("equivalence", made.iloc[:0])
    assert len(found) == len(made)
    assert np.allclose(found["difference"], made["difference"])
    for row in found.to_dict("records"):
        shown = row["verdict"] == "equivalent"
        assert shown is (row["p_holm"] < 0.05)
        assert ("not shown" in row["sentence"]) is not shown


def test_differences_of_subgroups_are_of_all_rows(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["subgroup_differences"]
    assert len(table)
    assert (table["n"] + table["n_rest"] == 60).all()
    assert np.allclose(table["auc"] - table["auc_rest"], table["auc_difference"])
    assert (table["auc_difference_ci_low"] <= table["auc_difference_ci_high"]).all()


def test_net_benefit_has_an_interval(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["decision_curves"] if "decision_curves" in tables else pd.DataFrame()
    if len(table):
        assert (table["net_benefit_ci_low"] <= table["net_benefit"] + 1e-9).all()
        assert (table["net_benefit"] <= table["net_benefit_ci_high"] + 1e-9).all()
