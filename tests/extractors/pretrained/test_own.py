"""Checkpoints of the user's own: declared, unwrapped, loaded whole or refused with the way out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from extractors import (
    BackboneError,
    create_backbone,
    declare_checkpoints,
    describe,
    extract,
    read_declaration,
)
from extractors.pretrained.weights import checkpoint_digest


@pytest.fixture(autouse=True)
def _nothing_declared():
    yield
    declare_checkpoints([])


def declare(path: Path, architecture: str, name: str = "mine") -> None:
    declare_checkpoints([read_declaration(f"{name}={path}:{architecture}")])


def seeded(build: Any, **arguments: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return build(**arguments).eval()


@pytest.mark.parametrize(
    ("text", "path", "architecture"),
    [
        ("mine=best.pth:timm:resnet50", "best.pth", "timm:resnet50"),
        ("mine=best.pth:timm:resnet50.a1_in1k@320", "best.pth", "timm:resnet50.a1_in1k@320"),
        ("mine=best.pth:timm/resnet50.a1_in1k", "best.pth", "timm/resnet50.a1_in1k"),
        (r"mine=C:\m\best.pth:timm:resnet50", r"C:\m\best.pth", "timm:resnet50"),
        ("mine=C:/m/best.pth:torchvision:resnet18", "C:/m/best.pth", "torchvision:resnet18"),
        ("mine=a=b, c:d/best.pth:my-net", "a=b, c:d/best.pth", "my-net"),
        ("mine=best.pth:hf:org/name@cls", "best.pth", "hf:org/name@cls"),
        ("mine=b.tar:open_clip:hf-hub:o/n", "b.tar", "open_clip:hf-hub:o/n"),
    ],
)
def test_a_declaration_is_taken_apart(text, path, architecture) -> None:
    found = read_declaration(text)
    assert (found.name, found.architecture) == ("mine", architecture)
    assert str(found.path).endswith(path)
    assert read_declaration(str(found)) == found


@pytest.mark.parametrize(
    "text", ["mine", "mine=", "=a.pth:timm:x", "mine=a.pth", r"mine=C:\m\a.pth", "mine=:timm:x"]
)
def test_what_is_no_declaration_shows_the_form(text) -> None:
    with pytest.raises(BackboneError, match="NAME=PATH:ARCHITECTURE, as mine="):
        read_declaration(text)


def without_head(state: dict[str, Any]) -> dict[str, Any]:
    return {key: tensor for key, tensor in state.items() if not key.startswith("fc.")}


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + key: tensor for key, tensor in state.items()}


WRAPS: dict[str, Any] = {
    "plain": lambda s: s,
    "lightning": lambda s: {"state_dict": prefixed(s, "model."), "epoch": 3},
    "parallel": lambda s: {"model": prefixed(s, "module.")},
    "loss beside it": lambda s: {
        "state_dict": {**prefixed(s, "net."), "loss.weight": torch.ones(2)}
    },
    "self-supervised": lambda s: {
        **prefixed(without_head(s), "backbone."),
        "projection_head.0.weight": torch.ones(2, 2),
    },
    "other classes": lambda s: {**s, "fc.weight": torch.ones(2, 512), "fc.bias": torch.ones(2)},
    "another head": lambda s: {
        **without_head(s),
        "fc.1.weight": torch.ones(2, 512),
        "fc.1.bias": torch.ones(2),
    },
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_usual_wrappers_and_heads_give_the_features_of_the_network(
    wrap, library, tmp_path, crops
) -> None:
    build = timm.create_model if library == "timm" else torchvision.models.get_model
    network = seeded(build, **{"model_name" if library == "timm" else "name": "resnet18"})
    path = tmp_path / "best.pth"
    torch.save(WRAPS[wrap](dict(network.state_dict())), path)
    declare(path, f"{library}:resnet18")
    info = describe("mine")
    assert (info.kind, info.architecture) == (library, "resnet18")
    assert (info.weights, info.origin) == (f"file:{checkpoint_digest(path)[:12]}", "file")
    backbone = create_backbone("mine")
    network.fc = nn.Identity()
    reference = create_backbone(f"random:{library}:resnet18")
    reference.module = network
    np.testing.assert_allclose(
        extract(backbone, crops, precision="float32"),
        extract(reference, crops, precision="float32"),
        atol=1e-5,
    )
    dropped = wrap not in ("plain", "lightning", "parallel")
    assert bool([note for note in backbone.notes if "left out" in note]) == dropped


def test_what_does_not_fit_is_said_with_counts_examples_and_the_way_out(tmp_path) -> None:
    path = tmp_path / "best.safetensors"
    save_file(timm.create_model("resnet18").state_dict(), path)
    declare(path, "torchvision:resnet34")
    with pytest.raises(BackboneError) as caught:
        create_backbone("mine")
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "not a checkpoint of torchvision:resnet34: " in said
    assert " missing (layer1.2.conv1.weight, layer1.2.bn1.weight, …)" in said
    assert "save that network's own state_dict, or build it in a plugin" in said
    assert "\n" not in said


def test_a_network_that_is_there_twice_is_refused(tmp_path) -> None:
    state = without_head(dict(timm.create_model("resnet18").state_dict()))
    path = tmp_path / "moco.pth"
    torch.save({"state_dict": prefixed(state, "encoder_q.") | prefixed(state, "encoder_k.")}, path)
    declare(path, "timm:resnet18")
    with pytest.raises(BackboneError, match=r"there under encoder_k\., encoder_q\.; save the one"):
        create_backbone("mine")


def test_files_with_code_are_refused_with_the_way_out(tmp_path) -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    torch.save(network, tmp_path / "whole.pth")
    torch.jit.script(network).save(tmp_path / "script.pt")
    for file, said in (("whole.pth", "it would run code"), ("script.pt", "a TorchScript archive")):
        declare(tmp_path / file, "timm:resnet18")
        with pytest.raises(BackboneError, match=f"{said}.*save the network's state_dict"):
            create_backbone("mine")


def test_layers_random_weights_and_training_go_by_its_name(tmp_path, crops) -> None:
    from extractors.training.trainable import create_trainable, recipe_for, trains

    path = tmp_path / "best.pth"
    torch.save(timm.create_model("test_vit").state_dict(), path)
    declare(path, "timm:test_vit")
    for name in ("mine@blocks.1", "random:mine"):
        assert extract(create_backbone(name), crops, precision="float32").shape == (6, 64)
    assert describe("random:mine").weights == "random"
    assert trains("mine+finetuned")
    trainable = create_trainable("mine+finetuned", recipe_for("mine+finetuned", "quick"))
    assert trainable.info.weights == describe("mine").weights


@pytest.mark.parametrize("architecture", ["cnn_baseline", "random:timm:resnet18", "timm:nonsense"])
def test_only_a_library_or_a_plugin_is_an_architecture(architecture, tmp_path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "best.pth")
    declare(tmp_path / "best.pth", architecture)
    with pytest.raises(BackboneError):
        create_backbone("mine")


def test_a_plugin_is_an_architecture(tmp_path, crops) -> None:
    from extractors import register

    @register("toy", input_size=32)
    def toy():
        return nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten(), nn.Linear(64, 5))

    state = toy().state_dict()
    torch.save({"state_dict": prefixed(state, "model.")}, tmp_path / "best.pth")
    declare(tmp_path / "best.pth", "toy")
    backbone = create_backbone("mine")
    assert backbone.weights == describe("mine").weights
    assert torch.equal(backbone.module.state_dict()["0.weight"], state["0.weight"])


def test_an_input_that_is_not_square_says_how_crops_fit_in(tmp_path, crops) -> None:
    from dataclasses import replace

    from extractors.create import build_backbone
    from extractors.describe import describe_resolved, resolve

    resolved = resolve("random:timm:resnet18")
    info = describe_resolved(resolved)
    assert info.input is not None
    wide = replace(info, input=replace(info.input, height=64, width=96))
    backbone = build_backbone(resolved, wide)
    assert backbone.notes == ["square crops are stretched to 64 × 96 pixels (height × width)"]
    assert extract(backbone, crops, precision="float32").shape == (6, 512)


def test_what_follows_its_name_is_read_as_in_a_name_of_its_architecture(tmp_path) -> None:
    path = tmp_path / "best.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    declare(path, "timm:resnet18@layer1")
    info = describe("mine@96")
    assert info.input is not None
    assert (info.input.height, info.input.width) == (96, 96)
    declare(path, "torchvision:resnet18")
    with pytest.raises(BackboneError, match=r"mine@96: only names of .* take an input size"):
        describe("mine@96")
    declare(path, "timm:resnet18@layer1")
    with pytest.raises(BackboneError, match="leave @layer1 out"):
        describe("mine+finetuned")
    with pytest.raises(BackboneError, match=r"mine.a1_in1k: mine is a checkpoint.*no tag"):
        describe("mine.a1_in1k")


def test_an_architecture_whose_configuration_is_missing_says_how_to_get_it(tmp_path) -> None:
    path = tmp_path / "best.pth"
    torch.save(timm.create_model("test_vit").state_dict(), path)
    declare(path, "hf-hub:some/tiny")
    with pytest.raises(BackboneError, match="weights download hf-hub:some/tiny --to DIR gets it"):
        create_backbone("mine")


def test_the_usual_number_of_classes_is_that_of_the_tag() -> None:
    from extractors.pretrained.timm import _usual_classes

    tagged = {"model_name": "vit_small_patch16_224", "pretrained_cfg": "augreg_in21k"}
    assert _usual_classes(tagged) == 21843
    assert _usual_classes({**tagged, "pretrained_cfg": None}) == 1000
