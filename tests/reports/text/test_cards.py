"""Cards say what lies in the run folder, and `cite` prints what the report cites."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from reports.evaluation import Evaluation
from reports.systems.run_folder import read_run
from reports.text.bibliography import read_bibtex
from reports.text.references import references, to_bibtex


def test_the_data_card_describes_the_table_of_crops(reported_run: Path) -> None:
    card = json.loads((reported_run / "croissant.json").read_text(encoding="utf-8"))
    lesions = pd.read_parquet(reported_run / "lesions.parquet")
    (file,), (records,) = card["distribution"], card["recordSet"]
    assert card["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    content = (reported_run / file["contentUrl"]).read_bytes()
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert [field["name"] for field in records["field"]] == list(lesions.columns)
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    assert columns == list(lesions.columns)
    kinds = {field["name"]: field["dataType"] for field in records["field"]}
    assert kinds["crop_id"] == "sc:Text"
    assert kinds["label"] == "sc:Integer"


def test_the_results_card_has_the_rows_of_the_summary(reported_run: Path) -> None:
    card = json.loads((reported_run / "results.json").read_text(encoding="utf-8"))
    summary = pd.read_csv(reported_run / "tables/summary.csv")
    measured = summary[summary["auc"].notna()]
    values = [row["value"] for row in card["variableMeasured"]]
    assert values == pytest.approx(measured["auc"].tolist(), abs=1e-5)
    low = [row["minValue"] for row in card["variableMeasured"]]
    assert low == pytest.approx(measured["auc_ci_low"].tolist(), abs=1e-5)
    marked = [
        any(one["name"] == "audit" for one in row["additionalProperty"])
        for row in card["variableMeasured"]
    ]
    assert marked == measured["protocol"].isin(read_run(reported_run).audits).tolist()


def test_cite_prints_what_the_report_cites(reported_run: Path) -> None:
    ended = CliRunner().invoke(app, ["cite", str(reported_run)])
    assert ended.exit_code == 0
    assert ended.stdout == (reported_run / "paper/references.bib").read_text(encoding="utf-8")
    assert "author = {{vit-svm-bench contributors}}" in ended.stdout


def test_data_and_backbones_without_an_entry_are_cited_as_they_say_themselves(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    file = run / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["data"] |= {
        "dataset": "own", "title": "Own & only", "synthetic": False,
        "citation": "Who {et al.}, 100 %_sure, 2020, https://example.org/own.",
    }  # fmt: skip
    manifest["external"] = [
        {"name": "B", "dataset": "mias", "citation": "by hand", "synthetic": False},
        {"name": "C", "dataset": "phantom", "citation": "synthetic crops", "synthetic": True},
    ]
    for one in manifest["extractors"]:
        one["cite"] = "Some, A model, 2024; https://huggingface.co/some/model"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    found = references(Evaluation.of(read_run(run)))
    text = to_bibtex(found)
    # Entries are whole, and each key occurs once.
    entries = read_bibtex(text)
    assert [one.key for one in found] == list(entries)
    assert r"Own \& only" in entries["data_1"].bibtex
    assert r"100 \%\_sure" in entries["data_1"].bibtex
    assert "url = {https://example.org/own}" in entries["data_1"].bibtex
    assert "suckling1994mias" in entries
    assert "synthetic crops" not in text
    assert "by hand" not in text
    assert "url = {https://huggingface.co/some/model}" in entries["backbone_1"].bibtex
    assert "backbone_2" not in entries
    for one in found:
        assert one.bibtex.count("{") - one.bibtex.count(r"\{") == one.bibtex.count(
            "}"
        ) - one.bibtex.count(r"\}")
