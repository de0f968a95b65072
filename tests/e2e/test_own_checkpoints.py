"""`--checkpoint` on the command line: in tables by its name, and refused before any work."""

import json

import pandas as pd
import pytest


@pytest.fixture
def checkpoint(tmp_path):
    import timm
    import torch

    state = timm.create_model("test_vit", num_classes=2).state_dict()
    torch.save({"state_dict": {f"model.{k}": v for k, v in state.items()}}, tmp_path / "best.pth")
    return tmp_path / "best.pth"


@pytest.mark.parametrize(
    "scheduler", ["local", pytest.param("processes:1", marks=pytest.mark.slow)]
)
def test_a_checkpoint_stands_as_an_extractor(bench, phantom, checkpoint, tmp_path, scheduler):
    ended = bench(
        *("all", "--data", phantom, "--checkpoint", "mine=best.pth:timm:test_vit", "--out", "run"),
        *("--extractors", "mine,fusion:mine+random:timm:test_vit", "--classifiers", "linear"),
        *("--subset", "mass", "--scheduler", scheduler),
    )
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    assert summary.loc["mine", "status"] == "ok"
    assert summary.loc["mine", "weights"].startswith("file:")
    assert "head of 2 classes" in summary.loc["mine", "notes"]
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    (mine,) = (e for e in manifest["extractors"] if e["name"] == "mine")
    assert (mine["architecture"], mine["origin"]) == ("timm:test_vit", "file")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("mine=best.pth", "a checkpoint is given as NAME=PATH:ARCHITECTURE"),
        ("mine=none.pth:timm:test_vit", "none.pth: cannot be read (No such file"),
        ("mine=best.pth:timm:resnet18", "not a checkpoint of timm:resnet18"),
        ("mine=best.pth:timm:test_vitt", "did you mean timm:test_vit"),
        ("timm=best.pth:timm:test_vit", "the name is reserved"),
        ("my.net=best.pth:timm:test_vit", "name holds letters, digits"),
    ],
)
def test_what_cannot_be_used_stops_the_run_in_one_line(bench, phantom, checkpoint, option, said):
    ended = bench(
        *("all", "--data", phantom, "--checkpoint", option, "--out", "run"),
        *("--extractors", "mine", "--classifiers", "linear", "--subset", "mass"),
    )
    assert ended.status == 2
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_a_checkpoint_that_nobody_names_is_given_to_be_used(bench, phantom, checkpoint, tmp_path):
    ended = bench(
        *("all", "--data", phantom, "--checkpoint", "mine=best.pth:timm:test_vit", "--out", "run"),
        *("--extractors", "random:timm:test_vit", "--classifiers", "linear", "--subset", "mass"),
    )
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("extractor")
    assert summary.loc["mine", "status"] == "ok"
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["options"]["checkpoint"] == ["mine=best.pth:timm:test_vit"]
    assert list(manifest["configuration"]["checkpoints"]) == ["mine"]


def test_features_of_a_checkpoint_are_written(bench, phantom, checkpoint, tmp_path):
    ended = bench(
        *("features", "--data", phantom, "--checkpoint", "mine=best.pth:timm:test_vit"),
        *("--extractors", "mine", "--subset", "mass", "--out", "made", "--offline"),
    )
    assert ended.status == 0, ended.err
    assert list((tmp_path / "made").glob("mine*.parquet"))
