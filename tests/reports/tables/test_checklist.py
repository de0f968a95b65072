"""The checklist claims for a run only what holds of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.systems.pooling import pool
from reports.systems.run_folder import read_run
from reports.tables.checklist import checklist

Answers = Callable[..., dict[str, str]]


@pytest.fixture
def answers(tmp_path: Path, make_run: Callable[..., Path]) -> Answers:
    """What the checklist of a small run says, by item of CLAIM."""

    def ask(
        tables: tuple[str, ...] = (),
        extractors: tuple[str, ...] = ("torchvision:resnet18", "none"),
        failed: str | None = None,
        protocols: tuple[tuple[str, int, int], ...] = (("official", 1, 1),),
        synthetic: bool = False,
        data: dict[str, Any] | None = None,
        **sections: Any,
    ) -> dict[str, str]:
        folder = make_run(
            *(tmp_path / "run", extractors, ("linear",), ("mass",), protocols),
            failed=failed,
            synthetic=synthetic,
        )
        file = folder / "manifest.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        manifest["data"] |= data or {}
        file.write_text(json.dumps(manifest | sections), encoding="utf-8")
        run = read_run(folder)
        table = checklist(run, pool(run), tables)
        table = table[table["guideline"] == "CLAIM 2020"]
        return dict(zip(table["item"], table["run_says"], strict=True))

    return ask


def test_without_patient_ids_nothing_is_disjoint_by_patient(answers: Answers) -> None:
    assert answers()["21"] == "patients"
    assert answers(audits=["image-cv"])["21"] == "patients, but for the audits"
    without = answers(data={"patient_ids": False})
    assert without["21"] == "images: there are no patient ids"
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
    assert said["22"].startswith("1 extractors")
    assert said["24"] == "imagenet"


def test_synthetic_images_are_no_data_of_patients(answers: Answers) -> None:
    assert "no patient" in answers(synthetic=True)["5"]
    assert "analysed again" in answers()["5"]


def test_subgroups_are_named_where_there_is_a_table(answers: Answers) -> None:
    assert "subgroups" not in answers()["30"]
    assert "subgroups" in answers(("subgroups",))["30"]
