"""The methods section says what the run folder tells, and nothing that may be false of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.planning.protocols import manifest_rows
from reports.evaluation import Evaluation
from reports.statistics.difference import BY_BOOTSTRAP, BY_FOLDS
from reports.systems.pooling import pool
from reports.systems.run_folder import read_run
from reports.tables.run_facts import provenance
from reports.text.methods import methods

Said = Callable[..., str]

OFFICIAL, CV = ("official", 1, 1), ("patient-cv", 1, 5)
FROZEN = "timm:vit_small_patch16_224"


def text_of(folder: Path) -> str:
    run = read_run(folder)
    return "\n".join(methods(Evaluation(run, pool(run))))


def change(folder: Path, **sections: dict[str, Any] | list[Any]) -> None:
    """Sections of the manifest with some values put in place of theirs."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for name, values in sections.items():
        known = manifest.get(name)
        both = isinstance(known, dict) and isinstance(values, dict)
        manifest[name] = {**known, **values} if both else values
    file.write_text(json.dumps(manifest), encoding="utf-8")


def change_units(folder: Path, where: dict[str, Any], **values: Any) -> None:
    """Columns of units.parquet in the rows that have these values."""
    units = pd.read_parquet(folder / "units.parquet")
    rows = pd.Series(True, index=units.index)
    for name, value in where.items():
        rows &= units[name] == value
    for name, value in values.items():
        units.loc[rows, name] = value
    units.to_parquet(folder / "units.parquet")


@pytest.fixture
def said(tmp_path: Path, make_run: Callable[..., Path]) -> Said:
    """The text of a small run, with sections of its manifest changed."""

    def write(
        protocols: tuple[tuple[str, int, int], ...] = (OFFICIAL,),
        extractors: tuple[str, ...] = (FROZEN,),
        classifiers: tuple[str, ...] = ("linear",),
        units: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (),
        failed: str | None = None,
        **sections: Any,
    ) -> str:
        folder = make_run(
            *(tmp_path / "run", extractors, classifiers, ("mass",), protocols),
            failed=failed,
        )
        change(folder, **sections)
        for where, values in units:
            change_units(folder, where, **values)
        return text_of(folder)

    return write


@pytest.mark.parametrize("window", ["own", "voi"])
def test_only_wider_grey_values_are_scaled(said: Said, window: str) -> None:
    text = said(configuration={"size": 256, "fit": "pad", "window": window})
    assert "8-bit grey values are kept as they are, others are scaled" in text
    assert "VOI" in text if window == "voi" else "VOI" not in text


def test_the_words_for_the_grey_values_are_what_is_done() -> None:
    import numpy as np

    from bench.data.images.pixels import to_eight_bit

    narrow = np.array([[10, 20], [30, 40]], np.uint8)
    assert (to_eight_bit(narrow) == narrow).all()
    assert to_eight_bit(narrow.astype(np.uint16)).min() == 0
    assert to_eight_bit(narrow.astype(np.uint16)).max() == 255


def test_what_was_done_with_colours_and_pages_is_told(said: Said) -> None:
    line = "3 of 9 crops come from colour pictures, made grey"
    size = {"size": 256, "fit": "pad", "window": "own"}
    told = {"notices": ["no official split", line], "decoding": [line]}
    text = said(data=told, configuration=size)
    assert f" {line}." in text
    assert "no official split" not in text
    # A notice with the same words that says something else is none of them.
    assert "crops come from" not in said(
        data={"notices": ["window voi: 2 of 9 crops come from files without a window"]},
        configuration=size,
    )
    assert "crops come from" not in said(configuration=size)


def test_a_stretched_crop_has_no_longest_side(said: Said) -> None:
    configuration = {"size": 256, "window": "own"}
    text = said(configuration=configuration | {"fit": "stretch"})
    assert "stretched to a square of 256 pixels" in text
    assert "longest side" not in text
    assert "zeros" not in text
    text = said(configuration=configuration | {"fit": "pad"})
    assert "longest side brought to 256 pixels" in text
    assert "zeros" in text


def test_without_a_network_nothing_is_resized_for_one(said: Said) -> None:
    size = {"size": 256, "fit": "pad", "window": "own"}
    assert "input of each network" in said(configuration=size)
    assert "input of each network" not in said(extractors=("shortcut:size",), configuration=size)


@pytest.mark.parametrize("known", [True, False])
def test_patients_are_named_only_where_there_are_ids(said: Said, known: bool) -> None:
    names = ("patient-cv", "rotated-by-patient", "image-cv")
    text = said(
        protocols=tuple((name, 2, 5) for name in names),
        classifiers=("linear", "linear+tuned"),
        extractors=(FROZEN, "selected"),
        data={"patient_ids": known},
        configuration={"train_fraction": [0.5, 1]},
        units=(({"classifier": "linear+tuned"}, {"C": None}),),
        audits=["image-cv"],
    )
    claims = ("grouped by patient", "draws of patients", "training patients", " patients;")
    # The words of the protocols are those of the manifest; see the next test.
    rest = "\n".join(part for part in text.split("\n") if not part.startswith("Protocol"))
    assert all(claim in text for claim in claims) == known
    if known:
        assert "no patient ids" not in text
    else:
        assert "every image counts as a patient of its own" in rest
        assert not any(claim in rest for claim in claims)
        assert "draws of images" in text
        assert "training images" in text


def test_the_words_for_a_protocol_know_of_missing_ids() -> None:
    names = ("official", "patient-cv", "rotated-by-patient")
    for row in manifest_rows(names, patient_ids=False):
        assert "by patient" not in row["in_methods"]
    with_ids = {row["name"]: row["in_methods"] for row in manifest_rows(names)}
    assert all("by patient" in with_ids[name] for name in names[1:])


def test_rows_are_those_that_systems_were_trained_on(said: Said) -> None:
    text = said(units=(({}, {"n_train": 149}),))
    assert "Subset mass under official: 149 training rows, 60 test rows." in text
    folds = (({"fold": 0}, {"n_train": 47}), ({"fold": 1}, {"n_train": 49}))
    text = said(protocols=(CV,), units=(({}, {"n_train": 48}), *folds))
    assert "under patient-cv: 47 to 49 training rows in a fold, 60 test rows in all folds" in text


def test_crops_that_were_taken_out_are_counted(said: Said) -> None:
    row = {"subset": "mass", "protocol": "official", "crops": 3, "patients": 2, "marked": 152}
    text = said(taken_out=[row | {"because_of": "test crops of their patients"}])
    assert (
        "Of the 152 crops that the data set marks for training in subset mass, 3 of 2 patients "
        "were taken out of training under official because of test crops of their patients."
    ) in text
    assert "taken out" not in said()


def test_only_what_ran_is_reported(said: Said) -> None:
    text = said(failed="timm:swin_tiny")
    assert f"frozen weights: {FROZEN} (imagenet weights)." in text
    assert "Not every system with these ran to its end: timm:swin_tiny." in text
    assert "ran to its end" not in said()


def test_audits_are_named_only_where_one_ran(said: Said) -> None:
    text = said(audits=["image-cv"], protocols=(("image-cv", 1, 5),))
    assert "Outside audits nothing was fitted" in text
    assert "Audits do not keep" in text
    text = said(audits=[])
    assert "udits" not in text
    assert "Nothing was fitted or chosen on test rows" in text


def test_folds_are_named_only_where_there_are_some(said: Said) -> None:
    words = ("folds of a repeat are pooled", "hold given the trained models")
    text = said()
    assert not any(word in text for word in (*words, "±"))
    text = said(protocols=(CV,))
    assert all(word in text for word in words)
    assert "±" not in text
    assert "±" in said(protocols=(("patient-cv", 2, 5),))


def test_settings_of_machines_are_those_of_their_rows(said: Said) -> None:
    text = said(classifiers=("logistic",), extractors=("shortcut:size",))
    assert "upport vector" not in text
    assert "box constraint" not in text
    text = said()
    assert "box constraint C is 1" in text
    assert not any(word in text for word in ("uned ones", "pca", "approximate", "converged"))
    text = said(
        classifiers=("linear", "linear+tuned", "cubic+pca"),
        units=(
            ({"classifier": "linear+tuned"}, {"C": None}),
            ({"classifier": "cubic+pca"}, {"notes": "approximate: sampled; not converged"}),
        ),
    )
    for word in ("but for tuned ones", "Tuned ones take", "marked pca", "approximate", "converged"):
        assert word in text


def test_the_precision_of_features_is_told(said: Said) -> None:
    assert f"Features were extracted in float32 ({FROZEN})." in said()
    half = (({}, {"precision": "bfloat16"}),)
    assert f"Features were extracted in bfloat16 ({FROZEN})." in said(units=half)


RULES = {"device": "cuda", "bfloat16": True, "tf32": False, "threads": 4, "memory": 6 * 2.0**30}


def test_the_rules_of_the_machines_are_told(said: Said) -> None:
    assert "TF32" not in said()  # of a run folder that does not hold any
    text = said(configuration={"rules": RULES})
    assert "Networks ran on the device cuda; products of float32 numbers were never rounded" in text
    assert "threads" not in text  # not in the keys of what a GPU gave
    assert "up to 6.0 GiB of memory" in text
    assert "took 4 threads each" in said(configuration={"rules": {**RULES, "device": "cpu"}})
    text = said(
        classifiers=("logistic",),
        extractors=("shortcut:size",),
        configuration={"rules": RULES},
    )
    assert "Networks ran" not in text
    assert "GiB" not in text


def test_the_settings_of_a_run_hold_its_rules(
    tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    folder = make_run(tmp_path / "run")
    change(folder, configuration={"rules": RULES, "recipes": {"cct_7": "0a1b"}})
    rows = provenance(read_run(folder)).set_index(["part", "name"])["value"]
    assert dict(rows["rules"]) == {
        "device": "cuda",
        "bfloat16": "true",
        "tf32": "false",
        "threads": "4",
        "memory": "6.0 GiB",
    }
    assert rows["configuration", "recipes"] == "cct_7 0a1b"
    assert not rows.str.contains("{", regex=False).any()


def test_optimiser_and_precision_of_trainings_are_told(
    tmp_path: Path, make_trained_run: Callable[..., Path]
) -> None:
    folder = make_trained_run(tmp_path / "run", protocols=(OFFICIAL,))
    recipes = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["recipes"]
    change(folder, recipes=[row | {"optimizer": "AdamW"} for row in recipes])
    text = text_of(folder)
    assert "cnn_baseline was trained on cross-entropy with recipe quick, optimizer AdamW" in text
    assert "Networks were trained in bfloat16." in text
    # A network that failed was not trained.
    change_units(folder, {"extractor": "cnn_baseline"}, status="no memory")
    assert "cnn_baseline was trained" not in text_of(folder)


@pytest.mark.parametrize(
    ("test", "words", "others"),
    [
        (BY_BOOTSTRAP, "normal deviate", "resampled t-test"),
        (BY_FOLDS, "resampled t-test", "normal deviate"),
    ],
)
def test_the_test_behind_a_p_value_is_named(
    tmp_path: Path, make_trained_run: Callable[..., Path], test: str, words: str, others: str
) -> None:
    folder = make_trained_run(
        tmp_path / "run", classifiers=("medium_gaussian",), protocols=(OFFICIAL,)
    )
    run = read_run(folder)
    evaluation = Evaluation(run, pool(run))
    compared = evaluation.tables["comparisons"].assign(test=test)
    evaluation.__dict__["tables"] = {**evaluation.tables, "comparisons": compared}
    text = "\n".join(methods(evaluation))
    assert words in text
    assert "Holm" in text
    assert others not in text
