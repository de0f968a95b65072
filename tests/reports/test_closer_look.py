"""Subgroups, levels, operating points, probabilities and mistakes of systems picked by a rule."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from reports.evaluation import Evaluation
from reports.statistics.difference import BY_FOLDS
from reports.statistics.probabilities import BINS, calibration_error, net_benefit, probabilities
from reports.statistics.roc import rate_at
from reports.systems.focus import close_groups, honest
from reports.systems.pooling import PooledSystem, pool
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run, read_run
from reports.tables.calibration import calibration
from reports.tables.checklist import checklist
from reports.tables.levels import levels
from reports.tables.mistakes import FALSE_NEGATIVE, FALSE_POSITIVE, errors
from reports.tables.operating_points import operating_points
from reports.tables.subgroups import FEWEST, subgroups
from reports.text.answers import answers
from reports.text.methods import methods
from reports.text.references import references, statistics, to_bibtex
from reports.wanted import read_wanted

NAME = "timm:vit_small_patch16_224"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Path]) -> Run:
    folder = make_run(
        tmp_path_factory.mktemp("closer") / "run",
        extractors=(NAME, "torchvision:resnet18"),
        classifiers=("linear", "medium_gaussian", "logistic"),
        subsets=("mass",),
        n=160,
    )
    lesions = pd.read_parquet(folder / "lesions.parquet")
    side = np.where(np.arange(len(lesions)) // 4 % 2, "LEFT", "RIGHT")
    shape = np.where(np.arange(len(lesions)) % 4 < 2, "IRREGULAR-DISTORTION", "ROUND")
    lesions.assign(laterality=side, shape=shape).to_parquet(folder / "lesions.parquet")
    return read_run(folder)


@pytest.fixture(scope="module")
def systems(run: Run) -> list[PooledSystem]:
    return pool(run)


def with_tables(evaluation: Evaluation, tables: dict[str, pd.DataFrame]) -> Evaluation:
    """The same evaluation with other tables than those that it would compute."""
    changed = Evaluation(evaluation.run, evaluation.systems)
    vars(changed)["tables"] = tables
    return changed


def scored(run: Run, system: PooledSystem) -> pd.DataFrame:
    """The predictions of a system of one unit, with what is known of the crops."""
    unit = system.units["unit"].iloc[0]
    own = run.predictions[run.predictions["unit"] == unit].astype({"crop_id": str})
    known = run.lesions.drop(columns=["lesion_id", "patient_id", "label", "split"])
    return own.merge(known, on="crop_id")


def of(systems: list[PooledSystem], classifier: str) -> PooledSystem:
    for system in systems:
        identity = system.identity
        wanted = (NAME, classifier, "official")
        if (identity["extractor"], identity["classifier"], identity["protocol"]) == wanted:
            return system
    raise AssertionError(classifier)


def rows_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["extractor"] == NAME) & (table["classifier"] == "medium_gaussian")]


def test_the_first_honest_protocol_and_one_kernel(run: Run, systems: list[PooledSystem]) -> None:
    (members,) = close_groups(run, systems).values()
    picked = [(s.identity["protocol"], s.identity["classifier"]) for s in members]
    assert picked == [("official", "medium_gaussian")] * 2
    manifest = {**run.manifest, "audits": ["official"]}
    audited = Run(**{**vars(run), "manifest": manifest})
    (members,) = close_groups(audited, systems).values()
    assert {s.identity["protocol"] for s in members} == {"patient-cv"}
    assert {s.identity["protocol"] for s in honest(audited, systems)} == {"patient-cv"}


def test_subgroups_agree_with_scikit_learn(run: Run, systems: list[PooledSystem]) -> None:
    table = rows_of(subgroups(run, close_groups(run, systems)))
    rows = scored(run, of(systems, "medium_gaussian"))
    for column, variable in (("density", "breast density"), ("view", "view")):
        own = table[table["variable"] == variable].set_index("group")
        assert set(own.index) == set(rows[column].astype(str))
        for group, part in rows.groupby(rows[column].astype(str)):
            assert own.loc[group, "n"] == len(part)
            assert own.loc[group, "n_positive"] == part["label"].sum()
            if min(part["label"].sum(), (1 - part["label"]).sum()) >= FEWEST:
                expected = roc_auc_score(part["label"], part["score"])
                assert own.loc[group, "auc"] == pytest.approx(expected)
                assert own.loc[group, "auc_ci_low"] <= expected <= own.loc[group, "auc_ci_high"]
    shapes = table[table["variable"] == "shape"]
    assert shapes["group"].tolist() == ["irregular", "round"]
    sizes = table[table["variable"] == "crop size"]
    assert sizes["n"].sum() == len(rows)
    assert sizes["n"].max() - sizes["n"].min() <= 2
    assert [group.split()[0] for group in sizes["group"]] == ["up", "over", "over"]


def test_a_measure_on_too_few_rows_is_empty(run: Run, systems: list[PooledSystem]) -> None:
    rows = scored(run, of(systems, "medium_gaussian"))
    positive = set(rows.loc[rows["label"] == 1, "crop_id"].iloc[: FEWEST - 1])
    density = [1 if c in positive else 2 for c in run.lesions["crop_id"]]
    lesions = run.lesions.assign(density=density)
    few = Run(**{**vars(run), "lesions": lesions})
    table = rows_of(subgroups(few, close_groups(few, systems)))
    table = table[table["variable"] == "breast density"].set_index("group")
    assert table.loc["1", ["auc", "sensitivity", "specificity"]].isna().all()
    assert table.loc["1", "n"] == FEWEST - 1
    assert table.loc["2", ["auc", "sensitivity", "auc_ci_low"]].notna().all()


def test_levels_are_means_of_views_and_maxima_of_lesions(
    run: Run, systems: list[PooledSystem]
) -> None:
    table = rows_of(levels(run, close_groups(run, systems))).set_index("level")
    rows = scored(run, of(systems, "medium_gaussian"))
    lesions = rows.groupby("lesion_id").agg(
        label=("label", "max"),
        score=("score", "mean"),
        patient=("patient_id", "first"),
        side=("laterality", "first"),
    )
    breasts = lesions.groupby(["patient", "side"], observed=True).agg(
        label=("label", "max"), score=("score", "max")
    )
    for level, expected in (("crop", rows), ("lesion", lesions), ("breast", breasts)):
        assert table.loc[level, "n"] == len(expected)
        assert table.loc[level, "auc"] == pytest.approx(
            roc_auc_score(expected["label"], expected["score"])
        )
    called = lesions.loc[lesions["label"] == 1, "score"] > 0
    assert table.loc["lesion", "sensitivity"] == pytest.approx(called.mean())
    # A breast without a side is no breast.
    sides = run.lesions["laterality"].where(run.lesions.index > 0, "")
    some = Run(**{**vars(run), "lesions": run.lesions.assign(laterality=sides)})
    assert set(levels(some, close_groups(some, systems))["level"]) == {"crop", "lesion"}


def test_operating_points_lie_on_the_curve(run: Run, systems: list[PooledSystem]) -> None:
    table = rows_of(operating_points(close_groups(run, systems))).iloc[0]
    rows = scored(run, of(systems, "medium_gaussian"))
    false, true, _ = roc_curve(rows["label"], rows["score"], drop_intermediate=False)
    sensitivity = true[false <= 0.1 + 1e-12].max()
    specificity = (1 - false)[true >= 0.9 - 1e-12].max()
    assert table["sensitivity_at_90_specificity"] == pytest.approx(sensitivity)
    assert table["specificity_at_90_sensitivity"] == pytest.approx(specificity)
    low, high = (table[f"sensitivity_at_90_specificity_ci_{end}"] for end in ("low", "high"))
    assert low <= sensitivity <= high


def test_a_weight_of_two_is_a_row_twice() -> None:
    rng = np.random.default_rng(3)
    positive, score = rng.random(40) < 0.5, rng.normal(size=40).round(1)
    index, one = np.arange(40), np.zeros(40, dtype=np.int64)
    weight = rng.integers(0, 3, 40)
    again = np.repeat(index, weight)
    rows = ScoredRows(positive, score, score > 0, index, one)
    twice = ScoredRows(positive[again], score[again], score[again] > 0, again, one[again])
    for reverse in (False, True):
        weighted = rate_at(rows, weight[:, None].astype(float), reverse)
        assert weighted == pytest.approx(rate_at(twice, np.ones((len(again), 1)), reverse))
    assert np.isnan(rate_at(rows, np.zeros((40, 1)))).all()
    # Tied rows have one threshold: all are called positive, or none.
    tied = ScoredRows(positive, np.zeros(40), positive, index, one)
    assert rate_at(tied, np.ones((40, 1))) == 0


def test_calibration_agrees_with_scikit_learn(run: Run, systems: list[PooledSystem]) -> None:
    table = calibration(honest(run, systems))
    assert set(table["classifier"]) == {"logistic"}
    logistic = of(systems, "logistic")
    rows = scored(run, logistic)
    probability = 1 / (1 + np.exp(-rows["score"]))
    own = table[(table["extractor"] == NAME) & (table["protocol"] == "official")].iloc[0]
    assert own["brier"] == pytest.approx(brier_score_loss(rows["label"], probability))
    assert own["brier_ci_low"] < own["brier"] < own["brier_ci_high"]
    tenth = pd.cut(probability, np.linspace(0, 1, BINS + 1), right=False)
    parts = rows.assign(p=probability).groupby(tenth, observed=True)
    expected = (parts["p"].mean() - parts["label"].mean()).abs() * parts.size() / len(rows)
    assert own["calibration_error"] == pytest.approx(expected.sum())
    assert probabilities(of(systems, "linear")) is None


def test_perfect_and_constant_probabilities() -> None:
    positive = np.array([True, True, False, False])
    assert calibration_error(positive, positive.astype(float)) == 0
    assert calibration_error(positive, np.full(4, 0.5)) == 0
    assert calibration_error(positive, np.ones(4)) == 0.5
    rows = (ScoredRows(positive, np.zeros(4), positive, np.arange(4), np.zeros(4, dtype=np.int64)),)
    assert net_benefit(rows, [positive.astype(float)], 0.3) == 0.5
    # Acting on all: prevalence less the odds times the rest.
    assert net_benefit(rows, [np.ones(4)], 0.2) == pytest.approx(0.5 - 0.5 * 0.25)
    assert net_benefit(rows, [np.zeros(4)], 0.2) == 0


def test_the_furthest_mistakes_come_first(run: Run, systems: list[PooledSystem]) -> None:
    table = rows_of(errors(run, close_groups(run, systems)))
    rows = scored(run, of(systems, "medium_gaussian"))
    for kind, label, sign in ((FALSE_POSITIVE, 0, 1), (FALSE_NEGATIVE, 1, -1)):
        own = table[table["kind"] == kind]
        wrong = rows[(rows["label"] == label) & (sign * rows["score"] > 0)]
        furthest = sorted(sign * wrong["score"], reverse=True)[: len(own)]
        assert own["beyond_threshold"].tolist() == pytest.approx(furthest)
        assert set(own["crop_id"]) <= set(wrong["crop_id"])
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert set(own["pathology"]) == {"MALIGNANT" if label else "BENIGN"}
    assert (table["systems_wrong"] <= table["of_systems"]).all()


def test_what_is_right_in_the_mean_over_repeats_is_no_mistake(
    run: Run, systems: list[PooledSystem]
) -> None:
    ((key, (system, *_)), *_) = close_groups(run, systems).items()
    (rows,), (places,) = system.repeats, system.places
    # In the second run every crop lies twice as far on the other side.
    turned = rows._replace(score=-2 * rows.score, called=-2 * rows.score > 0)
    units = pd.concat([system.units.assign(threshold=0.0, repeat=r) for r in (0, 1)])
    first = rows._replace(called=rows.score > 0)
    twice = replace(system, repeats=(first, turned), places=(places, places), units=units)
    table = rows_of(errors(run, {key: [twice]}))
    second_wrong = np.flatnonzero(turned.called != rows.positive)
    assert set(table["crop_id"]) <= set(run.predictions["crop_id"].iloc[places[second_wrong]])
    assert (table["times_wrong"] == 1).all()
    assert len(table)


def test_crops_to_show_are_mistakes_and_their_pictures_are_drawn(run: Run, tmp_path: Path) -> None:
    from reports import build_report

    crops = read_wanted(run.folder).crops
    assert len(crops) == len(set(crops)) == 12
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["data"]["mistakes"] = [{"file": "images/one.png", "crop_id": crops[0]}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = build_report(folder).read_text()
    assert "figures/errors-mass-official.svg" in page
    assert "wrong: 2 of 2 systems" in (folder / "figures/errors-mass-official.svg").read_text()
    for kind in ("reliability", "decision"):
        assert (folder / f"figures/{kind}-mass-official.pdf").is_file()
    assert (folder / "paper" / "methods.txt").read_text().startswith("Data set: phantom")
    assert "@software{vitsvmbench" in (folder / "paper" / "references.bib").read_text()


def test_the_six_questions_are_answered_or_lead_to_a_command(
    run: Run, systems: list[PooledSystem]
) -> None:
    evaluation = Evaluation(run, systems)
    found = answers(evaluation)
    assert len(found) == 6
    for answer in found:
        assert answer.lines or answer.missing
        for _, command in answer.missing:
            assert command.startswith("python -m bench all")
    auc = evaluation.tables["summary"]
    auc = auc[(auc["protocol"] == "official") & (auc["classifier"] == "medium_gaussian")]["auc"]
    low, high = auc.dropna().min(), auc.dropna().max()
    assert any(f"AUC {low:.3f} to {high:.3f}" in text for text in found[0].lines)
    assert any("breast density" in text for text in found[5].lines)


def test_declared_comparisons_open_their_answers(run: Run, systems: list[PooledSystem]) -> None:
    about = ("Do features win?", "Do features win?", "Do hybrids win?", "Does nothing run?")
    made = pd.DataFrame(
        {
            "question": about,
            "subset": "mass",
            "protocol": "official",
            "verdict": ["higher", "not distinguishable", "lower", None],
            "difference": [0.1, -0.02, -0.2, None],
            "sentence": ["one.", "two.", "three.", ""],
        }
    )
    evaluation = Evaluation(run, systems)
    given = {**evaluation.tables, "comparisons": made}
    features, hybrids, *_ = answers(with_tables(evaluation, given))
    assert (
        "1 higher, 1 not distinguishable; differences of AUC -0.020 to 0.100" in features.lines[0]
    )
    assert features.lines[-2:] == ["one.", "two."]
    assert "1 lower" in hybrids.lines[0]
    assert hybrids.lines[-1] == "three."


def test_a_question_of_a_match_is_answered_by_equivalence(
    run: Run, systems: list[PooledSystem]
) -> None:
    asked = "Do ViT features match CNN features?"
    beat = "Do features beat a CNN?"
    place = {"subset": "mass", "protocol": "official"}
    made = [{**place, "question": text, "verdict": "not distinguishable"} for text in (asked, beat)]
    verdicts = ("equivalent", "not shown", "not shown", "")
    tested = [{**place, "question": asked, "verdict": verdict} for verdict in verdicts]
    given = {
        "comparisons": pd.DataFrame(made).assign(difference=0.0, sentence=""),
        "equivalence": pd.DataFrame([*tested, tested[0] | {"question": beat}]),
    }
    evaluation = Evaluation(run, systems)
    features, *_ = answers(with_tables(evaluation, {**evaluation.tables, **given}))
    of_match, of_beat = sorted(features.lines[:2], key=lambda line: beat in line)
    assert of_match.endswith(" Shown to be equivalent within 0.05 of AUC: 1 of 3.")
    assert "equivalent" not in of_beat


def test_an_audit_is_set_beside_its_twin(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    protocols = (("patient-cv", 1, 2), ("image-cv", 1, 2))
    folder = make_run(tmp_path / "run", (NAME,), ("linear",), ("mass",), protocols, failed=None)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["audits"] = ["image-cv"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    evaluation = Evaluation.of(read_run(folder))
    tables = evaluation.tables
    honest_auc, audit_auc = tables["summary"]["auc"]
    said = answers(evaluation)[4].lines
    assert f"AUC differs by {audit_auc - honest_auc:.3f} [" in said[0]
    assert set(tables["errors"]["protocol"]) == {"patient-cv"}


def test_references_are_of_what_was_used(run: Run, systems: list[PooledSystem]) -> None:
    evaluation = Evaluation(run, systems)
    keys = [entry.key for entry in references(evaluation)]
    assert len(keys) == len(set(keys))
    assert {"dosovitskiy2021image", "he2016deep", "cortes1995support"} <= set(keys)
    assert "szegedy2015going" not in keys
    # Made-up images are nobody's data set.
    assert "lee2017curated" not in keys
    text = to_bibtex(references(evaluation))
    assert text.count("{") == text.count("}")


def test_statistics_are_cited_where_they_were_used(run: Run, systems: list[PooledSystem]) -> None:
    evaluation = Evaluation(run, systems)
    tables = evaluation.tables
    of_folds = {"nadeau2003inference", "bouckaert2004evaluating"}
    by_folds = tables["comparisons"].assign(test=BY_FOLDS)
    folded = with_tables(evaluation, {"comparisons": by_folds})
    assert of_folds <= set(statistics(folded)["folds"].split(", "))
    of_comparisons = {"holm1979simple"}
    of_probabilities = {"brier1950verification", "vickers2006decision"}
    keys = {entry.key for entry in references(evaluation)}
    assert of_comparisons | of_probabilities | {"efron1993bootstrap"} <= keys
    assert "platt1999probabilistic" not in keys
    # Every key in the text is in the file.
    text = "\n".join(methods(evaluation))
    named = {key for found in re.findall(r"\[([a-z0-9, ]+)\]", text) for key in found.split(", ")}
    assert of_comparisons | of_probabilities <= named <= keys
    without = {
        name: table
        for name, table in tables.items()
        if name not in ("comparisons", "calibration", "decision_curves")
    }
    keys = {entry.key for entry in references(with_tables(evaluation, without))}
    assert not keys & (of_comparisons | of_probabilities)


def test_methods_and_checklist_tell_the_manifest(run: Run, systems: list[PooledSystem]) -> None:
    evaluation = Evaluation(run, systems)
    text = "\n".join(methods(evaluation))
    for words in ("synthetic", "Left out was 1 row", "patient-cv", "3 repeats", "numpy 2.4.6"):
        assert words in text
    tables = evaluation.tables
    table = checklist(run, systems, tables)
    named = {name for cell in table["where"] for name in cell.split(", ") if name}
    assert named <= {*tables, "methods.txt"}
    answered = table[table["run_says"] != ""]
    assert 0 < len(answered) < len(table)
