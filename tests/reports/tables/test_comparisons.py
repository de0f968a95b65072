"""Headlines are declared: which systems meet depends on what they are, never on their figures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.statistics.difference import (
    ALIKE,
    BY_BOOTSTRAP,
    BY_FOLDS,
    HIGHER,
    contrast,
    smallest_difference,
)
from reports.systems.focus import headline_groups
from reports.systems.pooling import PooledSystem, pool
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run, read_run
from reports.tables.comparisons import COLUMNS, QUESTIONS, comparisons
from reports.tables.ranks import ranks

FROZEN = ("torchvision:alexnet", "timm:vit_tiny_patch16_224", "timm:deit_small_patch16_224")
TRAINED = ("cnn_baseline", "swin_t", "swin_t+drloc", "cct_7", "torchvision:alexnet+finetuned")
FINE_TUNED_VIT = "timm:vit_tiny_patch16_224+finetuned"
SINGLE, FOLDED = ("official", 2, 1), ("patient-cv", 2, 3)
PAIR = ["extractor", "classifier", "reference_extractor", "reference_classifier"]


@pytest.fixture(scope="module")
def run(make_trained_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Every kind of system of the questions, under both headline protocols."""
    folder = tmp_path_factory.mktemp("headlines") / "run"
    make_trained_run(folder, FROZEN, (*TRAINED, FINE_TUNED_VIT), protocols=(SINGLE, FOLDED))
    return read_run(folder)


@pytest.fixture(scope="module")
def systems(run: Run) -> list[PooledSystem]:
    """All of them on the same folds, and with the same crops hard for all."""
    return [_on_the_same_folds(system) for system in pool(run)]


@pytest.fixture(scope="module")
def single(systems: list[PooledSystem]) -> list[PooledSystem]:
    """Those of the single split."""
    return [system for system in systems if system.identity["protocol"] == "official"]


@pytest.fixture(scope="module")
def table(run: Run, systems: list[PooledSystem]) -> pd.DataFrame:
    return declared(run, systems)


def declared(run: Run, systems: list[PooledSystem]) -> pd.DataFrame:
    return comparisons(headline_groups(run, systems), run.patients)


def _on_the_same_folds(system: PooledSystem) -> PooledSystem:
    """Rows in the order of patients, in folds that are drawn by the repeat alone."""
    n_folds = system.units["fold"].nunique()
    repeats = []
    for number, rows in enumerate(system.repeats):
        order = np.lexsort([rows.positive, rows.patient])
        ordered = ScoredRows(*(column[order] for column in rows))
        drawn = np.random.default_rng(number).permutation(rows.patient.max() + 1) % n_folds
        repeats.append(ordered._replace(fold=drawn[ordered.patient]))
    return dataclasses.replace(system, repeats=tuple(repeats))


def rescored(system: PooledSystem, score: Callable[[ScoredRows], np.ndarray]) -> PooledSystem:
    repeats = tuple(rows._replace(score=score(rows)) for rows in system.repeats)
    return dataclasses.replace(system, repeats=repeats)


def of(table: pd.DataFrame, question: int, protocol: str = "official") -> pd.DataFrame:
    asked = table["question"] == QUESTIONS[question].text
    return table[asked & (table["protocol"] == protocol)]


def pairs(table: pd.DataFrame) -> set[tuple[str, ...]]:
    return set(table[PAIR].itertuples(index=False, name=None))


def test_each_question_compares_what_it_declares(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == COLUMNS
    svm, head = "medium_gaussian", "softmax"
    scratch = ("cnn_baseline", head)
    cnn = ("torchvision:alexnet", svm)
    vits = [(name, svm) for name in FROZEN[1:]]
    hybrids = [(name, head) for name in ("swin_t", "swin_t+drloc", "cct_7")]
    wanted = [
        {(*one, *scratch) for one in [cnn, *vits]},
        {(*one, *cnn) for one in vits},
        {(FINE_TUNED_VIT, svm, "torchvision:alexnet+finetuned", svm)},
        {(*one, *scratch) for one in hybrids},
        {(*one, *cnn) for one in hybrids},
        {("swin_t+drloc", head, "swin_t", head)},
    ]
    for protocol in ("official", "patient-cv"):
        for number, declared in enumerate(wanted):
            rows = of(table, number, protocol)
            assert pairs(rows) == declared
            assert (rows["comparisons"] == len(declared)).all()
            assert (rows["status"] == "ok").all()


def test_no_figure_has_a_say_in_it(
    run: Run, systems: list[PooledSystem], table: pd.DataFrame
) -> None:
    turned = [rescored(system, lambda rows: -rows.score) for system in systems]
    found = declared(run, turned)
    pd.testing.assert_frame_equal(found[["question", *PAIR]], table[["question", *PAIR]])
    assert (found["difference"] != table["difference"]).all()


def test_the_smallest_difference_counts_the_whole_family(
    run: Run, single: list[PooledSystem]
) -> None:
    by_name = {(s.identity["extractor"], s.identity["classifier"]): s for s in single}
    row = of(declared(run, single), 0).iloc[0]
    system, reference = (
        by_name[row[f"{side}extractor"], row[f"{side}classifier"]] for side in ("", "reference_")
    )
    alone = contrast(system, reference)
    assert row["comparisons"] == 3
    assert row["smallest_difference"] == pytest.approx(smallest_difference(alone, 3))


def test_one_split_and_folds_have_their_own_test(table: pd.DataFrame) -> None:
    by_protocol = table.groupby("protocol")["test"].unique()
    assert list(by_protocol["official"]) == [BY_BOOTSTRAP]
    assert list(by_protocol["patient-cv"]) == [BY_FOLDS]
    folded = table[table["protocol"] == "patient-cv"]["sentence"]
    assert folded.str.contains("given the trained models; approximate p").all()
    assert (table["p_holm"] >= table["p"]).all()
    np.testing.assert_allclose(table["difference"], table["value"] - table["reference_value"])


def test_a_difference_is_said_in_words(run: Run, single: list[PooledSystem]) -> None:
    noise = np.random.default_rng(0).normal(size=200)

    def score(system: PooledSystem) -> Callable[[ScoredRows], np.ndarray]:
        skill = 4.0 if system.identity["extractor"] == FROZEN[1] else 0.0
        return lambda rows: skill * rows.positive + noise[: len(rows.score)]

    found = declared(run, [rescored(system, score(system)) for system in single])
    rows = of(found, 0).set_index("extractor")
    good, same = rows.loc[FROZEN[1]], rows.loc[FROZEN[0]]
    assert good["verdict"] == HIGHER
    assert f"{FROZEN[1]} + medium gaussian is above cnn_baseline + softmax" in good["sentence"]
    assert "by Holm among 3" in good["sentence"]
    assert same["verdict"] == ALIKE
    assert "is not distinguishable from" in same["sentence"]
    assert (
        f"difference of {same['smallest_difference']:.3f} or more would have been seen"
        in (same["sentence"])
    )


def test_what_did_not_run_is_said_with_its_reason(run: Run, single: list[PooledSystem]) -> None:
    def without(*names: str) -> pd.DataFrame:
        broken = [
            dataclasses.replace(system, repeats=(), status="out of memory")
            if system.identity["extractor"] in names
            else system
            for system in single
        ]
        return declared(run, broken)

    system = of(without("cct_7"), 3).set_index("extractor").loc["cct_7"]
    assert system["status"] == "cct_7 + softmax did not run: out of memory"
    assert pd.isna(system["difference"])
    others = of(without("cct_7"), 3).drop(index=system.name, errors="ignore")
    assert set(others["comparisons"].dropna()) == {2}
    reference = of(without("cnn_baseline"), 0)
    assert (
        reference["status"] == "the reference cnn_baseline + softmax did not run: out of memory"
    ).all()
    assert reference["sentence"].str.startswith("Not compared: the reference").all()


def test_what_the_run_lacks_is_said(run: Run, single: list[PooledSystem]) -> None:
    only = [system for system in single if system.identity["extractor"] == FROZEN[1]]
    found = declared(run, only)
    assert of(found, 0)["status"].tolist() == ["the run has no reference: cnn baseline + softmax"]
    assert of(found, 5)["status"].tolist() == ["the run has no such system"]
    assert found["verdict"].isna().all()


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({}, {"origin": "random"}),
        ({}, {"origin": "file"}),
        ({}, {"origin": "plugin"}),
        ({"C": 10.0}, {}),
        ({"tuned": True}, {}),
        ({"train_fraction": 0.5}, {}),
    ],
)
def test_only_the_preset_on_all_patients_with_published_weights_counts(
    run: Run, single: list[PooledSystem], change: dict[str, object], facts: dict[str, str]
) -> None:
    changed = [
        dataclasses.replace(
            system, identity=system.identity | change, extractor={**system.extractor, **facts}
        )
        if system.identity["extractor"] in FROZEN[:2]
        else system
        for system in single
    ]
    found = declared(run, changed)
    assert FROZEN[2] in set(found["extractor"])
    # Neither a system nor the reference of one.
    assert not set(FROZEN[:2]) & {*found["extractor"], *found["reference_extractor"]}


def test_audits_and_rotated_rows_have_neither_headlines_nor_ranks(
    run: Run, systems: list[PooledSystem]
) -> None:
    audit = dataclasses.replace(run, manifest=run.manifest | {"audits": ["official"]})
    assert set(declared(audit, systems)["protocol"]) == {"patient-cv"}
    assert set(ranks(headline_groups(audit, systems))["protocol"]) == {"patient-cv"}
    turned = [
        dataclasses.replace(s, identity=s.identity | {"protocol": "rotated-by-patient"})
        for s in systems
    ]
    assert declared(run, turned).empty
    assert ranks(headline_groups(run, turned)).empty


def test_ranks_order_each_comparison_by_itself(run: Run, systems: list[PooledSystem]) -> None:
    found = ranks(headline_groups(run, systems))
    assert len(found) == len(systems)
    for _, group in found.groupby("protocol"):
        assert group["auc"].is_monotonic_decreasing
        assert (group["rank"] == group["auc"].rank(ascending=False)).all()
        assert (group["rank_ci_low"] <= group["rank"]).all()
        assert (group["rank_ci_high"] >= group["rank"]).all()
        assert (group["n_systems"] == len(group)).all()
    json.dumps(found.to_dict("records"), default=str)
