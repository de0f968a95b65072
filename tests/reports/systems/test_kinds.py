"""What a system is stands in the manifest; no name, label of weights or recipe has a say in it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.evaluation import Evaluation
from reports.page.overview import overview
from reports.systems import kinds
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem, pool
from reports.systems.run_folder import Run, read_run
from reports.tables.comparisons import comparisons
from reports.text.answers import answers
from reports.text.references import references
from reports.wanted import candidates_to_explain, read_wanted

NETWORK = {"role": "network", "origin": "pretrained", "training": "frozen", "library": "timm"}
PLUGIN = {"origin": "plugin", "weights": "plugin", "library": "plugin", "architecture": "own"}
# Each name, label and word tells of something else than the system is.
SYSTEMS: dict[str, dict[str, Any]] = {
    "retrieval_cnn": {"family": "CNN", **PLUGIN},
    "my_vit_resnet": {"family": "other", **PLUGIN},
    "timm:xcit_nano": {"family": "transformer", "architecture": "timm:xcit_nano"},
    "timm:coatnet_0": {"family": "hybrid", "architecture": "timm:coatnet_0"},
    "timm:resnet_vit": {"family": "CNN", "architecture": "timm:regnet"},
    "fusion:a+b": {
        "role": "fusion",
        "origin": "pretrained, plugin",
        "weights": "imagenet, plugin",
        "family": "CNN, transformer",
        "parts": [{"name": "a", "architecture": "timm:swin"}, {"name": "b", **PLUGIN}],
    },
    "fusion:a+c": {"role": "fusion", "origin": "pretrained, random", "weights": "imagenet, random"},
    "timm:deit_own": {"family": "transformer", "origin": "file", "weights": "file:0123456789ab"},
    "noneed": {"role": "reference point", "origin": None, "training": None, "weights": ""},
    "cvt_13+drloc": {"family": "CNN", "training": "trained", "localized": False, **PLUGIN},
}


@pytest.fixture(scope="module")
def folder(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "run"
    protocols = (("official", 1, 1),)
    make_run(path, tuple(SYSTEMS), ("medium_gaussian",), ("mass",), protocols, failed=None)
    units = pd.read_parquet(path / "units.parquet")
    weights = {name: facts.get("weights", "imagenet") for name, facts in SYSTEMS.items()}
    units["weights"] = units["extractor"].map(weights)
    units.to_parquet(path / "units.parquet")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["extractors"] = [
        {"name": name, "network": name, "weights": weights[name], **NETWORK, **facts}
        for name, facts in SYSTEMS.items()
    ]
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


@pytest.fixture(scope="module")
def systems(run: Run) -> dict[str, PooledSystem]:
    return {str(system.identity["extractor"]): system for system in pool(run)}


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        (kinds.pretrained, {"timm:xcit_nano", "timm:coatnet_0", "timm:resnet_vit"}),
        (kinds.transformer, {"timm:xcit_nano", "timm:deit_own"}),
        (kinds.is_reference, {"noneed"}),
        (kinds.hybrid, set()),
        (kinds.localized, set()),
    ],
)
def test_what_the_manifest_says_decides(
    systems: dict[str, PooledSystem], test: Callable[[PooledSystem], bool], wanted: set[str]
) -> None:
    assert {name for name, system in systems.items() if test(system)} == wanted
    assert systems["cvt_13+drloc"].trained
    assert not systems["retrieval_cnn"].trained


def test_no_answer_counts_other_weights_as_pretrained(run: Run) -> None:
    first = answers(Evaluation.of(run))[0].lines
    assert any("pretrained features + SVM (3 systems)" in line for line in first)
    assert any("weights from a plugin or a file + SVM (5 systems)" in line for line in first)
    assert any("noneed: AUC" in line for line in first)
    both = "ViT features + SVM (1 system): AUC"
    assert any(both in line and "; frozen CNN features + SVM (1 system)" in line for line in first)


def test_no_declared_comparison_is_about_them(run: Run) -> None:
    table = comparisons(PooledRun.of(run).headline, "patients")
    asked = {
        question: set(rows["extractor"].dropna())
        for question, rows in table.groupby("question", sort=False)
    }
    beat, match = list(asked.values())[:2]
    assert beat == {"timm:xcit_nano", "timm:coatnet_0", "timm:resnet_vit"}
    assert match == {"timm:xcit_nano"}


def test_a_network_is_explained_as_what_it_is(
    folder: Path, systems: dict[str, PooledSystem]
) -> None:
    found = {
        kind: [str(system.identity["extractor"]) for system in members]
        for kind, members in candidates_to_explain(list(systems.values())).items()
        if members
    }
    assert found == {
        "CNN": ["retrieval_cnn", "timm:resnet_vit", "cvt_13+drloc"],
        "ViT": ["timm:xcit_nano", "timm:deit_own"],
        "hybrid": ["timm:coatnet_0"],
        "other network": ["my_vit_resnet"],
    }
    assert [wanted.kind for wanted in read_wanted(folder).systems] == list(found)


def test_a_plugin_cites_no_paper_of_its_namesake(run: Run) -> None:
    keys = {reference.key for reference in references(Evaluation.of(run))}
    assert "liu2021swin" in keys  # a part of a fusion
    assert not {"he2016deep", "wu2021cvt", "liu2021efficient", "touvron2021training"} & keys


def test_a_fusion_with_drawn_parts_is_marked_on_the_page(run: Run) -> None:
    groups = overview(Evaluation(run, pool(run)))["groups"]
    marked = {one["x"] for group in groups for one in group["systems"] if one.get("random")}
    assert marked == {"fusion:a+c"}


def test_where_the_manifest_says_nothing_a_name_says_nothing(folder: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(folder, tmp_path / "run"))
    manifest = json.loads((cut / "manifest.json").read_text())
    del manifest["extractors"]
    (cut / "manifest.json").write_text(json.dumps(manifest))
    run = read_run(cut)
    assert not candidates_to_explain(pool(run))["CNN"]
    assert not answers(Evaluation.of(run))[0].lines
