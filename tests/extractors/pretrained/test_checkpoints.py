"""Checkpoints as training scripts leave them: wrapped, averaged, with a prefix."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from extractors import BackboneError
from extractors.pretrained.checkpoints import load_strictly, read_state_dict


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 9))


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "mine.pth")
    return folder / "mine.pth"


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def assert_loaded(path: Path, state: dict[str, torch.Tensor]) -> None:
    loaded = network()
    load_strictly(loaded, path, "mine")
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, state[name])


OPTIMIZER = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    "name",
    [
        *("state_dict", "model", "model_state_dict", "model_state", "net", "network", "module"),
        *("backbone", "encoder", "params", "weights", "ema", "params_ema", "my_own_name"),
    ],
)
def test_a_wrapped_state_dict_is_found(tmp_path: Path, name: str) -> None:
    state = network().state_dict()
    training = {"epoch": 3, "loss": torch.tensor(0.5), "optimizer": OPTIMIZER}
    contents: list[Any] = [{name: state}, {name: {"state_dict": state}, "epoch": 3}]
    if name != "my_own_name":
        contents += [{**training, name: state}, {"checkpoint": {name: state}, **training}]
    else:
        contents = [{name: state}, {"epoch": 3, "optimizer": OPTIMIZER, name: state}]
    for content in contents:
        assert_loaded(saved(tmp_path, content), state)


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    plain, averaged = network().state_dict(), network().state_dict()
    for name in ("model_ema", "ema", "params_ema", "state_dict_ema"):
        for other in ("model", "state_dict", "params"):
            assert_loaded(saved(tmp_path, {other: plain, name: averaged}), averaged)
    # A wrapper without tensors is none.
    assert_loaded(saved(tmp_path, {"ema": {"decay": 0.9}, "model": plain}), plain)


def test_an_averaged_model_of_torch(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(network())
    path = saved(tmp_path, averaged.state_dict())
    assert_loaded(path, averaged.module.state_dict())


@pytest.mark.parametrize(
    "prefix",
    [
        *("model.", "backbone.", "encoder.", "net.", "_model.", "0.", "module.model."),
        *("student.backbone.", "_orig_mod.module.net.", "a.b.c."),
    ],
)
def test_one_prefix_of_all_names_is_taken_off(tmp_path: Path, prefix: str) -> None:
    state = network().state_dict()
    for content in (prefixed(state, prefix), {"state_dict": prefixed(state, prefix), "epoch": 3}):
        assert_loaded(saved(tmp_path, content), state)


def test_a_prefix_that_belongs_to_the_network_stays(tmp_path: Path) -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

    whole = Whole()
    for prefix in ("", "net.", "module."):
        path = saved(tmp_path, prefixed(whole.state_dict(), prefix))
        loaded = Whole()
        load_strictly(loaded, path, "whole")
        assert torch.equal(loaded.model[0].weight, whole.model[0].weight)
    # Without the names of a network nothing is known to be too much.
    path = saved(tmp_path, whole.state_dict())
    assert set(read_state_dict(path)) == set(whole.state_dict())


def test_two_networks_in_one_file_are_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    both = {**prefixed(state, "student."), **prefixed(state, "teacher.")}
    with pytest.raises(BackboneError, match="not a checkpoint of one network") as caught:
        load_strictly(network(), saved(tmp_path, both), "mine")
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(BackboneError, match="holds no state dict"):
        load_strictly(network(), saved(tmp_path, {"one": state, "two": state}), "mine")


@pytest.mark.parametrize("name", ["timm:test_vit", "torchvision:resnet18"])
def test_a_prefix_in_a_checkpoint_of_a_library(tmp_path: Path, name: str) -> None:
    from extractors import create_backbone

    if name.startswith("timm"):
        import timm

        state = timm.create_model("test_vit").state_dict()
    else:
        import torchvision

        state = torchvision.models.resnet18().state_dict()
    results = []
    for content in (state, {"net": prefixed(state, "model.")}):
        path = saved(tmp_path, content)
        backbone = create_backbone(name, weights=path)
        results.append([tensor.clone() for tensor in backbone.module.state_dict().values()])
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))
