"""`--device mps` without one: its tensors lie on the processor, and none may be of 64-bit floats.

Metal has no float64, and its generator of random numbers is not among those that torch forks.
"""

from dataclasses import replace

import kornia.augmentation  # noqa: F401 - it makes tensors of every type when it is imported
import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from extractors import (
    TrainingRows,
    create_backbone,
    create_trainable,
    extract,
    recipe_for,
    train,
)
from extractors.backbone import state_digest
from extractors.training.attempts import BeforeStep


class OnTheProcessor(TorchFunctionMode):
    """Whatever is to lie on Metal lies on the processor."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*tree_map(self.moved, args), **tree_map(self.moved, kwargs or {}))

    def moved(self, value):
        if isinstance(value, str | torch.device) and str(value) == "mps":
            self.asked += 1
            return "cpu"
        return value


class WithoutFloat64(TorchDispatchMode):
    """Refuses what Metal does not know."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(out)[0]:
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                raise TypeError(f"{func}: Metal has no float64")
        return out


@pytest.fixture
def generator(monkeypatch):
    """Metal's generator, as a number."""
    state = [torch.tensor([1])]
    seed = torch.manual_seed

    def seed_all(value):
        state.append(torch.tensor([value]))
        return seed(value)

    monkeypatch.setattr(torch, "manual_seed", seed_all)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state[-1].clone())
    monkeypatch.setattr(torch.mps, "set_rng_state", state.append)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    return state


@pytest.fixture
def metal(generator):
    with OnTheProcessor() as mode, WithoutFloat64():
        yield mode


def test_features_on_metal_are_those_of_the_processor(metal, crops):
    expected = extract(create_backbone("random:timm:resnet18"), crops, precision="float32")
    found = extract(create_backbone("random:timm:resnet18", device="mps"), crops)
    assert metal.asked
    assert (found == expected).all()


@pytest.mark.parametrize("name", ["vit_128_p16_aug", "cct_7", "swin_t+drloc"])
def test_a_training_on_metal_is_that_of_the_processor(name, metal):
    recipe = replace(recipe_for(name, "thesis"), epochs=2, warmup_epochs=0, input_size=32)
    expected, _ = trained(name, recipe, "cpu")
    assert not metal.asked
    found, training = trained(name, recipe, "mps")
    assert metal.asked
    assert found == expected
    assert training.precision == "float32"


def trained(name, recipe, device):
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    rows = TrainingRows(images, np.arange(8) % 2)
    trainable = create_trainable(name, recipe)
    training = train(trainable, rows, recipe, device=device, held_out=rows, allow_bfloat16=False)
    return state_digest(trainable.network), training


def test_a_training_leaves_the_generator_of_metal_as_it_was(metal, generator):
    recipe = replace(recipe_for("vit_128_p16", "thesis"), epochs=1, input_size=32)
    trained("vit_128_p16", recipe, "mps")
    assert generator[-1].item() == 1


def test_an_attempt_that_failed_for_memory_draws_the_same_numbers_again(generator):
    before = BeforeStep(nn.Linear(2, 2), "mps")
    before.keep()
    torch.mps.set_rng_state(torch.tensor([2]))
    before.put_back()
    assert generator[-1].item() == 1
