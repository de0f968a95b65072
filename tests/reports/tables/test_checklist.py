"""The checklist claims for a run only what holds of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.systems.pooling import pool
from reports.systems.run_folder import read_run
from reports.tables.checklist import checklist

Answers = Callable[..., dict[str, str]]


@pytest.fixture
def answers(tmp_path: Path, make_run: Callable[..., Path]) -> Answers:
    """What the checklist of a small run says, by item of a guideline."""

    def ask(
        tables: tuple[str, ...] = (),
        extractors: tuple[str, ...] = ("torchvision:resnet18", "none"),
        failed: str | None = None,
        classifiers: tuple[str, ...] = ("linear",),
        labels: tuple[int, ...] = (),
        guideline: str = "CLAIM 2024",
        protocols: tuple[tuple[str, int, int], ...] = (("official", 1, 1),),
        synthetic: bool = False,
        data: dict[str, Any] | None = None,
        **sections: Any,
    ) -> dict[str, str]:
        folder = make_run(
            *(tmp_path / "run", extractors, classifiers, ("mass",), protocols),
            failed=failed,
            synthetic=synthetic,
        )
        if labels:
            scores = pd.read_parquet(folder / "predictions.parquet")
            scores[scores["label"].isin(labels)].to_parquet(folder / "predictions.parquet")
        file = folder / "manifest.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        manifest["data"] |= data or {}
        file.write_text(json.dumps(manifest | sections), encoding="utf-8")
        run = read_run(folder)
        table = checklist(run, pool(run), tables)
        table = table[table["guideline"] == guideline]
        return dict(zip(table["item"], table["run_says"], strict=True))

    return ask


def test_without_patient_ids_nothing_is_disjoint_by_patient(answers: Answers) -> None:
    assert answers()["20"] == "patients"
    without = answers(data={"patient_ids": False})
    assert without["20"] == "images: there are no patient ids"
    assert "over images" in without["29"]
    assert "over patients" in answers()["29"]


def test_a_spread_is_named_where_there_are_repeats(answers: Answers) -> None:
    assert "std over repeats" not in answers()["29"]
    assert "std over repeats" in answers(protocols=(("official", 2, 1),))["29"]


def test_crops_that_were_taken_out_are_exclusions(answers: Answers) -> None:
    assert "taken out" not in answers()["8"]
    row = {"subset": "mass", "crops": 3, "because_of": "test crops of their patients"}
    said = answers(taken_out=[row], left_out=[])["8"]
    assert said == (
        "no row of the data set left out; 3 training crops of mass taken out because of test crops "
        "of their patients"
    )


def test_models_and_weights_are_those_that_ran(answers: Answers) -> None:
    said = answers(extractors=("torchvision:resnet18", "none"), failed="random:resnet50")
    assert said["22"].startswith("1 network (1 frozen)")
    assert said["24"] == "imagenet"


def test_synthetic_images_are_no_data_of_patients(answers: Answers) -> None:
    assert "no patient" in answers(synthetic=True)["5"]
    assert "analysed again" in answers()["5"]


def test_subgroups_are_named_where_there_is_a_table(answers: Answers) -> None:
    assert "subgroups" not in answers()["30"]
    assert "subgroups" in answers(("subgroups",))["30"]


AUDIT = ("image-cv", 1, 2)
TRIPOD = "TRIPOD+AI 2024"


@pytest.mark.parametrize(
    ("protocols", "disjoint"),
    [
        ((("official", 1, 1),), "patients"),
        ((("patient-cv", 1, 2), AUDIT), "patients, but for the audits"),
        ((AUDIT,), "none: all protocols are audits"),
    ],
)
def test_the_level_of_the_parts_is_that_of_the_protocols_that_have_rows(
    answers: Answers, protocols: tuple[tuple[str, int, int], ...], disjoint: str
) -> None:
    said = answers(protocols=protocols, audits=["image-cv"])
    assert said["20"] == disjoint
    assert ("image-cv" in said["30"]) is (AUDIT in protocols)


@pytest.mark.parametrize(
    ("classifiers", "thresholds"),
    [
        (("linear",), "0 for distances to a boundary"),
        (("linear+platt", "softmax"), "0.5 for probabilities"),
        (("logistic", "knn"), "0 for log-odds, 0.5 for shares of neighbours"),
        (("majority",), ""),
    ],
)
def test_thresholds_are_those_of_the_scores_that_there_are(
    answers: Answers, classifiers: tuple[str, ...], thresholds: str
) -> None:
    assert answers(classifiers=classifiers, guideline=TRIPOD)["15"] == thresholds


@pytest.mark.parametrize(
    ("labels", "measures"),
    [
        ((0, 1), "accuracy, AUC, sensitivity, specificity, MCC"),
        ((0,), "accuracy, specificity"),
        ((1,), "accuracy, sensitivity"),
    ],
)
def test_measures_are_those_that_the_test_rows_allow(
    answers: Answers, labels: tuple[int, ...], measures: str
) -> None:
    assert answers(labels=labels)["28"] == f"{measures} and those of the tables"


@pytest.mark.parametrize(
    ("classifiers", "exception"), [(("linear",), False), (("linear", "softmax"), True)]
)
def test_own_heads_are_excepted_where_there_are_some(
    answers: Answers, classifiers: tuple[str, ...], exception: bool
) -> None:
    said = answers(classifiers=classifiers, guideline=TRIPOD)["12b"]
    assert ("own heads" in said) is exception


def test_reference_points_and_mistakes_are_named_where_there_are_some(answers: Answers) -> None:
    said = answers()
    assert "1 reference point;" in said["22"]
    assert said["39"] == "confusion counts"
    said = answers(("errors",), extractors=("torchvision:resnet18",))
    assert "reference point;" not in said["22"]
    assert said["39"] == "confusion counts and the most confident mistakes"


def test_learning_curves_are_named_where_there_is_a_table(answers: Answers) -> None:
    shares = {"train_fraction": [0.5, 1.0]}
    assert "learning curves" not in answers(configuration=shares)["30"]
    assert "learning curves" in answers(("learning_curves",))["30"]


def test_an_ensemble_is_one_that_ran(answers: Answers) -> None:
    assert answers()["27"] == "none"
    assert answers(extractors=("fusion:a+b",))["27"] == "fusion:a+b"
