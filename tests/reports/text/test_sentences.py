"""No sentence of a report is false of its run: each that can be is tried where it does not hold.

A report is built of a small run folder and read as a person does: the page without its markup, the
tables for print, and the words for those who cannot see a figure.
"""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.planning.protocols import manifest_rows
from reports import build_report
from reports.evaluation import Evaluation
from reports.systems.run_folder import read_run
from reports.tables.every_table import TABLES
from reports.text.answers import answers

MakeRun = Callable[..., Path]

FROZEN = "timm:vit_small_patch16_224"
OFFICIAL, CV, AUDIT = ("official", 1, 1), ("patient-cv", 1, 3), ("image-cv", 1, 3)


def change(folder: Path, **sections: Any) -> Path:
    """Sections of the manifest with some values put in place of theirs."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for name, values in sections.items():
        known = manifest.get(name)
        both = isinstance(known, dict) and isinstance(values, dict)
        manifest[name] = {**known, **values} if both else values
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def change_table(folder: Path, name: str, **columns: Any) -> Path:
    """A table of the run folder with other columns; a function makes one of the table."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    table.assign(**columns).to_parquet(folder / f"{name}.parquet")
    return folder


def folder_data(folder: Path, protocols: tuple[str, ...], **data: Any) -> Path:
    """The same run as of a user's own folder of pictures: no patients, lesions, views or organ."""
    for name in ("predictions", "lesions"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        unknown = [column for column in ("view", "density") if column in table]
        ids = {"lesion_id": table["crop_id"], "patient_id": table["crop_id"]}
        table.drop(columns=unknown).assign(**ids).to_parquet(folder / f"{name}.parquet")
    for name in ("units", "trainings", "history"):
        if (folder / f"{name}.parquet").exists():
            change_table(folder, name, dataset="folder")
    plain = {"dataset": "folder", "patient_ids": False, "organ": "", "synthetic": False}
    plain |= {"notices": [], "source_tables": [], "overlaps": [], "conflicts": []}
    plain |= {"citation": "", "licence": ""}
    rows = manifest_rows(protocols, patient_ids=False)
    return change(folder, data={**plain, **data}, protocols=rows)


def said(folder: Path) -> str:
    """All that a report says, without names of protocols, columns of CSV files and commands."""
    build_report(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    # The values that the script draws are words of the page, too.
    page = page.replace('<script id="data-of-page" type="application/json">', "<span>")
    page = re.sub(r"<(style|script|pre)\b.*?</\1>", " ", page, flags=re.DOTALL)
    labels = " ".join(re.findall(r'(?:aria-label|alt)="([^"]*)"', page))
    text = html.unescape(re.sub(r"<[^>]+>", " ", page) + labels)
    printed = "\n".join(file.read_text() for file in sorted((folder / "tables").glob("*.tex")))
    return re.sub(r"patient-cv|rotated-by-patient", "CV", f"{text}\n{printed}")


def around(word: str, text: str) -> list[str]:
    """Where a word stands in a text, with some of its neighbours."""
    found = re.finditer(rf".{{0,60}}{word}.{{0,40}}", text, flags=re.IGNORECASE)
    return [" ".join(match[0].split()) for match in found]


# Sentences that hold of any data: what is not known, what a guideline asks for.
_HOLDS = (
    "no patient ids",
    "counts as a patient of its own",
    "without patient ids",
    "Involvement of patients",
)


def frozen_run(make_run: MakeRun, make_trained_run: MakeRun, folder: Path) -> Path:
    names = (FROZEN, "torchvision:resnet18", "none", "selected", "shortcut:size")
    classifiers = ("linear", "medium_gaussian", "medium_gaussian+tuned", "logistic")
    return make_run(folder, names, classifiers, ("mass",), (OFFICIAL, CV), failed=None)


def trained_run(make_run: MakeRun, make_trained_run: MakeRun, folder: Path) -> Path:
    return make_trained_run(folder, protocols=(OFFICIAL, CV), fractions=(0.25, 1.0))


def audited_run(make_run: MakeRun, make_trained_run: MakeRun, folder: Path) -> Path:
    protocols = (CV, AUDIT)
    made = make_run(folder, (FROZEN,), ("linear",), ("mass",), protocols, failed=None)
    return change(made, audits=["image-cv"])


def only_audits(make_run: MakeRun, make_trained_run: MakeRun, folder: Path) -> Path:
    made = make_run(folder, (FROZEN,), ("linear",), ("mass",), (AUDIT,), failed=None)
    return change(made, audits=["image-cv"])


KINDS = (frozen_run, trained_run, audited_run, only_audits)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_speaks_of_patients_organs_or_lesions_that_the_data_do_not_have(
    tmp_path: Path,
    make_run: MakeRun,
    make_trained_run: MakeRun,
    kind: Callable[[MakeRun, MakeRun, Path], Path],
) -> None:
    folder = kind(make_run, make_trained_run, tmp_path / "run")
    protocols = tuple(pd.read_parquet(folder / "units.parquet")["protocol"].unique())
    text = said(folder_data(folder, protocols))
    patients = [line for line in around("patient", text) if not any(w in line for w in _HOLDS)]
    assert patients == []
    for word in ("lesion", "breast", "mammo", "BI-RADS", "radiolog", r"\bviews?\b"):
        assert around(word, text) == [], word


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_with_patient_ids_patients_are_what_is_drawn(
    tmp_path: Path,
    make_run: MakeRun,
    make_trained_run: MakeRun,
    kind: Callable[[MakeRun, MakeRun, Path], Path],
) -> None:
    text = said(kind(make_run, make_trained_run, tmp_path / "run"))
    assert "draws that take patients, not crops" in text
    assert around("bootstrap over images", text) == []
    assert around("no patient ids", text) == []


def words_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Title and intro of each table that the run has."""
    evaluation = Evaluation.of(read_run(folder))
    tables = evaluation.tables
    there = [table for table in TABLES if table.name in tables]
    worded = {one.name: one.in_words_of(evaluation, tables[one.name]) for one in there}
    return {name: (str(one.title), str(one.intro)) for name, one in worded.items()}


@pytest.mark.parametrize(
    ("organ", "side"), [("breast", "breast"), ("", "side")], ids=["breast", "other"]
)
def test_what_has_two_sides_is_called_by_what_the_data_show(
    tmp_path: Path, make_run: MakeRun, organ: str, side: str
) -> None:
    folder = make_run(
        *(tmp_path / "run", (FROZEN,), ("linear",), ("mass",), (OFFICIAL,)), failed=None
    )
    change(folder, data={"organ": organ})
    change_table(folder, "lesions", laterality="LEFT", assessment=lambda t: t.index % 3)
    title, intro = words_of(folder)["levels"]
    assert title == f"By crop, lesion and {side}"
    assert f"A {side} is positive if one of its lesions is" in intro
    evaluation = Evaluation.of(read_run(folder))
    variables = set(evaluation.tables["subgroups"]["variable"])
    assert ("BI-RADS assessment" in variables) is bool(organ)
    assert ("breast density" in variables) is bool(organ)
    assert organ or {"density", "assessment"} <= variables


def test_levels_name_those_that_there_are(tmp_path: Path, make_run: MakeRun) -> None:
    made = (tmp_path / "run", (FROZEN,), ("linear",), ("mass",), (OFFICIAL,))
    folder = make_run(*made, failed=None)
    title, intro = words_of(folder)["levels"]
    assert title == "By crop and lesion"
    assert "breast" not in intro
    ids = {"lesion_id": lambda table: table["crop_id"]}
    change_table(folder, "lesions", laterality="LEFT", **ids)
    change_table(folder, "predictions", **ids)
    title, intro = words_of(folder)["levels"]
    assert title == "By crop and breast"
    assert "one of its crops is" in intro
    assert "lesion" not in intro
    change_table(folder, "lesions", laterality="")
    assert "levels" not in words_of(folder)


@pytest.mark.parametrize(
    ("extractors", "classifiers", "words"),
    [
        ((FROZEN,), ("linear",), ("frozen",)),
        (("none",), ("majority",), ("none", "frozen")),
        (("shortcut:file", "selected"), ("logistic",), ("shortcut:file", "selected", "frozen")),
    ],
)
def test_names_are_explained_where_they_stand(
    tmp_path: Path,
    make_run: MakeRun,
    extractors: tuple[str, ...],
    classifiers: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    from reports.text.reading import reading

    folder = make_run(
        tmp_path / "run", extractors, classifiers, ("mass",), (OFFICIAL,), failed=None
    )
    text, names = reading(Evaluation.of(read_run(folder)))
    assert tuple(name for name, _ in names) == words
    assert "all folds" not in text


@pytest.mark.parametrize(
    ("changed", "dataset"),
    [
        ({}, "mias"),
        ({}, "folder"),
        ({}, "phantom"),
    ],
)
def test_published_figures_stand_beside_no_other_data(
    tmp_path: Path, make_run: MakeRun, changed: dict[str, Any], dataset: str
) -> None:
    made = ("torchvision:alexnet",), ("linear",), ("mass",), (CV, AUDIT)
    folder = make_run(tmp_path / "run", *made, failed=None, synthetic=False)
    change(folder, audits=["image-cv"])
    text = said(folder)
    tables = Evaluation.of(read_run(folder)).tables
    assert tables["published"]["measured_extractor"].notna().any()
    assert "published" in tables["protocols_side_by_side"]
    assert "5,272" in text
    change_table(folder, "units", dataset=dataset)
    change(folder, data={"dataset": dataset, **changed})
    text = said(folder)
    tables = Evaluation.of(read_run(folder)).tables
    assert tables["published"].empty
    assert "published" not in tables["protocols_side_by_side"]
    assert "these data are others" in text
    assert "A published figure is no cell of ours" not in text
    assert not any(word in text for word in ("5,272", "Ragab", "0.913", "of that gap"))


def test_the_split_is_fixed_only_where_every_repeat_tests_the_same_rows(
    tmp_path: Path, make_trained_run: MakeRun
) -> None:
    folder = make_trained_run(tmp_path / "run", protocols=(("official", 2, 1),))
    assert "The split is fixed" in said(folder)
    scores = pd.read_parquet(folder / "predictions.parquet")
    # As under a hold-out that is drawn anew for each repeat.
    kept = (scores["repeat"] == 0) | (scores.groupby("unit").cumcount() % 2 == 0)
    scores[kept].to_parquet(folder / "predictions.parquet")
    assert "The split is fixed" not in said(folder)


def test_frozen_features_are_those_with_svms_only_where_they_are(
    tmp_path: Path, make_run: MakeRun
) -> None:
    for classifier, words in (("linear", "SVM"), ("knn", "classifier")):
        folder = make_run(
            *(tmp_path / classifier, (FROZEN,), (classifier,), ("mass",), (OFFICIAL,)), failed=None
        )
        costs = answers(Evaluation.of(read_run(folder)))[2]
        assert f"frozen features + {words}:" in costs.lines[0]


@pytest.mark.parametrize("options", ["--extractors x --classifiers cubic", "--protocols image-cv"])
def test_a_proposed_command_is_not_kept_from_its_end_by_the_runs_own_choices(
    tmp_path: Path, make_run: MakeRun, options: str
) -> None:
    protocols = (AUDIT,) if "image-cv" in options else (OFFICIAL,)
    folder = make_run(*(tmp_path / "run", (FROZEN,), ("cubic",), ("mass",), protocols), failed=None)
    command = f"python -m bench all --data d {options}"
    audits = ["image-cv"] if "image-cv" in options else []
    change(folder, run={"command": command}, not_run=[], audits=audits)
    first = answers(Evaluation.of(read_run(folder)))[0]
    (_, proposed) = first.missing[0]
    assert "--preset thesis" in proposed
    assert "--data d" in proposed
    assert not any(word in proposed for word in options.split())


def test_a_median_over_systems_takes_more_than_one(tmp_path: Path, make_run: MakeRun) -> None:
    for names, words in (((FROZEN,), "AUC by"), ((FROZEN, "torchvision:resnet18"), "median AUC")):
        made = tmp_path / f"run{len(names)}", names, ("linear",), ("mass",), (OFFICIAL,)
        folder = make_run(*made, n=160, failed=None)
        lines = answers(Evaluation.of(read_run(folder)))[5].lines
        assert f"official: {words}" in lines[0]


def test_papers_are_those_of_what_ran(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run(
        *(tmp_path / "run", (FROZEN,), ("linear",), ("mass",), (OFFICIAL,)), failed="timm:swin_tiny"
    )
    build_report(folder)
    cited = (folder / "paper" / "references.bib").read_text()
    assert "dosovitskiy2021image" in cited
    assert "liu2021swin" not in cited
