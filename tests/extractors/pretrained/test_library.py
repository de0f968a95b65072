"""A further library is one class: names, weights, layers and errors follow from it."""

import importlib
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from torch import nn

from extractors import BackboneError, UnknownBackbone, create_backbone, describe, pretrained
from extractors.backbone import InputSpec, state_digest
from extractors.pretrained.checkpoints import load_strictly
from extractors.pretrained.library import Library, Published
from extractors.pretrained.weights import checkpoint_digest
from extractors.training.trainable import create_trainable, recipe_for, trains

# The module: the package exports a function of its name.
describing = importlib.import_module("extractors.describe")


class Toys(Library):
    """One network, with published weights in a repository that nobody has fetched."""

    prefix = "toys"
    package = "timm"
    layer_aliases = MappingProxyType({"mean": {"first": "0"}})

    def names(self):
        return ["toys:mean"]

    def look_up(self, name, weights_dir=None):
        if name.model != "mean":
            return None
        spec = InputSpec(16, 16)
        return Published(
            name=name,
            library=self,
            architecture="mean",
            tag="made",
            input=spec,
            repository="toys/mean",
            filenames=("mean.safetensors",),
        )

    def build(self, published, checkpoint):
        network = nn.Sequential(
            nn.Conv2d(3, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 9)
        )
        if checkpoint is not None:
            load_strictly(network, checkpoint, published.name.base)
        return network

    def cached(self, published):
        yield Path("nowhere")


@pytest.fixture(autouse=True)
def _with_toys(monkeypatch) -> None:
    libraries = {**pretrained.LIBRARIES, "toys": Toys()}
    monkeypatch.setattr(pretrained, "LIBRARIES", libraries)
    monkeypatch.setattr(describing, "LIBRARIES", libraries)


def test_its_backbones_are_described_built_and_trained(tmp_path, crops) -> None:
    info = describe("toys:mean", tmp_path)
    assert (info.kind, info.weights, info.cached) == ("toys", "made", False)
    assert "get mean.safetensors from https://huggingface.co/toys/mean" in info.hint
    random = create_backbone("random:toys:mean", seed=4)
    assert random.feature_width == 4
    assert random.weights_digest.startswith("random-seed4-toys:mean-torch")
    assert create_backbone("random:toys:mean@first").feature_width == 4
    recipe = recipe_for("toys:mean+finetuned", "quick")
    assert trains("toys:mean+finetuned")
    assert create_trainable("random:toys:mean+finetuned", recipe).input.height == 16


@pytest.mark.parametrize("place", ["mean.pth", "toys/mean.pth", "mean.made.pth"])
def test_its_checkpoints_are_found_in_a_folder(place, tmp_path) -> None:
    network = Toys().build(None, None)
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    torch.save(network.state_dict(), path)
    backbone = create_backbone("toys:mean", weights_dir=tmp_path)
    assert backbone.weights == f"file:{checkpoint_digest(path)[:12]}"
    network[3] = nn.Identity()
    assert state_digest(backbone.module) == state_digest(network)


def test_what_it_does_not_know_is_refused_with_what_it_does() -> None:
    with pytest.raises(UnknownBackbone, match="did you mean toys:mean"):
        describe("toys:meen")
    with pytest.raises(
        BackboneError, match="only names of timm, torchvision, open_clip carry a tag"
    ):
        describe("toys:mean.made")
    with pytest.raises(UnknownBackbone, match=r"known are .*toys:"):
        describe("toy:mean")


@pytest.mark.parametrize("name", ["bundled:efficientnet_lite0", "random:toys:mean+finetuned"])
def test_a_name_is_parsed_once_and_looked_up_once(name, monkeypatch) -> None:
    parsed, looked_up = [], []
    parse = describing.parse

    def counted(text):
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(describing, "parse", counted)
    for library in describing.LIBRARIES.values():
        look_up = library.look_up
        monkeypatch.setattr(
            library,
            "look_up",
            lambda name, folder, look_up=look_up: (looked_up.append(name.text), look_up(name))[1],
        )
    if "finetuned" in name:
        recipe = recipe_for("toys:mean+finetuned", "quick")
        parsed.clear()
        looked_up.clear()
        create_trainable(name, recipe).backbone("key")
    else:
        create_backbone(name)
    assert parsed == looked_up == [name]
