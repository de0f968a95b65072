"""Curves enclose the AUC that the tables give, and names tell systems apart in every figure."""

from pathlib import Path

import numpy as np
import pytest

from reports.evaluation import Evaluation
from reports.figures.fonts import SANS, families
from reports.figures.layout import looks, shortened, spread, wrapped
from reports.figures.panels import Box, Sheet, round_ticks
from reports.figures.performance import roc_panels
from reports.statistics.roc import MOST_POINTS, mean_roc
from reports.systems.groups import slugs, titles
from reports.systems.names import names
from reports.systems.pooling import pool
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import read_run
from reports.tables.summary import measured


def rows_of(seed: int, n: int, folds: int = 1) -> ScoredRows:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    score = rng.normal(positive, 1)
    return ScoredRows(positive, score, score > 0, np.arange(n), np.arange(n) % folds)


def test_one_curve_is_exact_and_thin() -> None:
    few, many = rows_of(0, 100), rows_of(1, 5000)
    for rows, close in ((few, 1e-12), (many, 0.01)):
        false, true = mean_roc([rows])
        assert len(false) <= MOST_POINTS
        assert np.trapezoid(true, false) == pytest.approx(measured(rows)["auc"], abs=close)


def test_mean_curve_of_folds_and_repeats_encloses_the_mean_auc() -> None:
    repeats = [rows_of(seed, 600, folds=5) for seed in range(3)]
    false, true = mean_roc(repeats)
    wanted = np.mean([measured(rows)["auc"] for rows in repeats])
    assert np.trapezoid(true, false) == pytest.approx(wanted, abs=0.02)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()


def test_a_curve_without_one_of_the_classes_is_empty() -> None:
    rows = ScoredRows(
        np.ones(3, bool), np.arange(3.0), np.ones(3, bool), np.arange(3), np.zeros(3, int)
    )
    assert [len(part) for part in mean_roc([rows])] == [0, 0]


def test_names_tell_apart_what_differs(made_run: Path) -> None:
    run = read_run(made_run)
    run.units.loc[run.units["extractor"] == "random:resnet18", "extractor"] = "=1+1"
    run.units.loc[(run.units["extractor"] == "=1+1") & (run.units["weights"] == "random"), "C"] = (
        2.0
    )
    systems = [system for system in pool(run) if system.group[1:5:3] == ("mass", "official")]
    called = names(systems)
    assert len(set(called)) == len(systems)
    assert ("=1+1 (weights random)", "linear") in called
    assert ("timm:vit_small_patch16_224", "medium gaussian") in called


def test_group_names_differ_and_are_safe_file_names(reported_run: Path) -> None:
    keys = [
        ("set", subset, "crop", "256", protocol, fraction)
        for subset in ("mass", "ma/ss", "MA ss")
        for protocol in ("official", "../x")
        for fraction in ("0.5", "1.0")
    ]
    found = slugs(keys)
    assert len(set(found.values())) == len(keys)
    assert all(slug.replace("-", "").isalnum() for slug in found.values())
    assert len(set(titles(keys, read_run(reported_run)).values())) == len(keys)


def test_every_classifier_of_a_group_looks_different(made_run: Path) -> None:
    group = Evaluation.of(read_run(made_run)).groups[0]
    look = looks(group)
    assert set(look) == {entry.name.classifier for entry in group.ran}
    assert len(set(look.values())) == len(look)


def test_labels_are_spread_and_cut() -> None:
    places = spread([0.5, 0.5, 0.5, 0.99], 0.1)
    assert np.diff(sorted(places)).min() >= 0.1 - 1e-9
    assert max(places) <= 1
    assert shortened("abcdef", 4) == "abc…"
    assert wrapped("a" * 50, 10).count("\n") == 1


def test_a_box_places_data_and_holds_them_inside() -> None:
    box = Box(left=1.0, bottom=2.0, width=2.0, height=4.0, across=(0.0, 10.0), up=(-1.0, 1.0))
    x, y = box.line([0, 5, 10, 99], [-1, 0, 1, -99])
    assert x.tolist() == [1, 2, 3, 3]
    assert y.tolist() == [2, 4, 6, 2]


def test_lines_of_one_look_are_one_path_with_gaps() -> None:
    sheet = Sheet(5, 4, (1.0, 0.5), {})
    assert [len(boxes) for boxes in sheet.boxes] == [2] * 5
    assert [sheet.leftmost(place) for place in range(5)] == [True, False, False, False, True]
    assert [sheet.lowest(place) for place in range(5)] == [False, True, True, True, True]
    upper, lower = sheet.boxes[4]
    assert upper.bottom > lower.bottom + lower.height
    assert lower.bottom > 0
    sheet.plot([upper.line([0, 1], [0, 1]), lower.line([0, 1], [1, 0])])
    x = sheet.axes.lines[-1].get_xdata()
    assert np.isnan(x).tolist() == [False, False, True, False, False, True]


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.7, 0.7), (-3e9, 2e12), (0.0, 0.0)])
def test_ticks_lie_within_limits_around_the_values(low: float, high: float) -> None:
    (first, last), ticks = round_ticks(low, high, 4)
    assert first < low <= high < last
    assert all(first <= tick <= last for tick in ticks)
    assert len(ticks) <= 5


def test_a_figure_whose_letters_the_lean_font_lacks_gets_the_whole_one() -> None:
    assert len(families("AUC 0.5 − µ é")) == 2
    # Hebrew is in DejaVu Sans, and not in the lean copy.
    assert families("AUC \u05d0") == [SANS]


def test_pdfs_carry_one_truetype_font_with_the_letters_they_use(reported_run: Path) -> None:
    for path in (reported_run / "figures").glob("*.pdf"):
        content = path.read_bytes()
        assert b"/Type3" not in content
        fonts = content.count(b"/FontFile2")
        # The headings of bars are bold.
        assert fonts == (2 if b"DejaVuSans-Bold" in content else 1), path.name
        assert content.count(b"/ToUnicode") == fonts
        assert len(content) < 60_000


def test_the_majority_class_has_no_panel_of_its_own(made_run: Path) -> None:
    run = read_run(made_run)
    chosen = (run.units["extractor"] == "random:resnet18") & (run.units["classifier"] == "linear")
    run.units.loc[chosen, ["extractor", "classifier"]] = ["none", "majority"]
    group = Evaluation.of(run).groups[0]
    assert "none" in [entry.name.extractor for entry in group.ran]
    figure = roc_panels(group)
    assert figure is not None
    heads = [text.get_text() for text in figure.axes[0].texts]
    assert "random:resnet18" in heads
    assert "none" not in heads
    alone = [entry for entry in group.entries if entry.name.extractor == "none"]
    assert roc_panels(group._replace(entries=alone)) is None
