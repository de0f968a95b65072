"""What a training leaves alone: frozen blocks, checkpoints in memory, the network of a backbone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from extractors import plugins
from extractors.backbone import state_digest
from extractors.errors import BackboneError
from extractors.recipes import Recipe
from extractors.training.frozen import freeze
from extractors.training.loop import train
from extractors.training.rows import TrainingRows
from extractors.training.state import Checkpoint
from extractors.training.trainable import create_trainable

RECIPE = Recipe("short", epochs=4, batch_size=8, learning_rate=3e-3, weight_decay=1e-4)
LAST = replace(RECIPE, layers="last")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Block(nn.Module):
    """A residual block with all that acts in training mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6)
        self.mix = nn.Conv2d(6, 6, 3, padding=1)
        self.drop = nn.Sequential(nn.Identity(), nn.Dropout(0.5))
        self.modes: set[bool] = set()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            self.modes.add(self.training)
        # As torchvision's DenseNet: a function that asks the block for its mode.
        mixed = nn.functional.dropout(self.mix(self.norm(images)), 0.5, self.training)
        return images + self.drop(mixed)


class Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 4, stride=4)
        self.drop = nn.Dropout(0.5)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.last = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = self.drop(self.first(images))
        for block in self.blocks:
            images = block(images)
        return self.last(images.mean((2, 3)))


def rows(count=24, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) // 2 % 2
    images = random.integers(0, 120, (count, 32, 32)).astype(np.uint8)
    images[labels == 1, 8:-8, 8:-8] += 100
    return TrainingRows(images, labels, np.arange(count) // 2)


@pytest.fixture
def make():
    plugins.register("blocks", input_size=32, recipe=RECIPE)(Blocks)
    return lambda recipe=RECIPE: create_trainable("blocks", recipe)


def test_frozen_blocks_are_in_eval_mode_through_and_through(make) -> None:
    trainable = make(LAST)
    body = trainable.network.body
    seen: dict[str, set[bool]] = {name: set() for name, _ in body.named_modules()}
    for name, module in body.named_modules():
        module.register_forward_hook(
            lambda module, _inputs, _output, name=name: seen[name].add(module.training)
        )
    trained = train(trainable, rows(), LAST)
    assert trained.trainable_parameters > 0
    # Nine layers have parameters; the last two of them are those of the last block.
    for name, modes in seen.items():
        if modes and name not in ("", "blocks"):
            frozen = not name.startswith(("blocks.3", "last"))
            assert modes == ({False} if frozen else {True}), name
    assert body.blocks[0].modes == {False}
    assert body.blocks[3].modes == {True}


def test_the_frozen_part_gives_the_same_for_the_same_image(make) -> None:
    trainable = make(LAST)
    body = trainable.network.body
    pixels = torch.rand(2, 3, 32, 32)
    frozen, _ = freeze(body, LAST)
    body.train()
    for module in frozen:
        module.training = False
    outputs: list[torch.Tensor] = []
    body.blocks[2].register_forward_hook(lambda _m, _i, output: outputs.append(output.detach()))
    before = {k: v.clone() for k, v in body.blocks[0].norm.state_dict().items()}
    for _ in range(2):
        body(pixels)
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    assert all(torch.equal(v, before[k]) for k, v in body.blocks[0].norm.state_dict().items())


@pytest.mark.parametrize(
    "name", ["torchvision:swin_t", "torchvision:convnext_tiny", "torchvision:efficientnet_b0"]
)
def test_stochastic_depth_rests_where_all_is_frozen(name) -> None:
    from torchvision import models
    from torchvision.ops import StochasticDepth

    body = getattr(models, name.split(":")[1])(weights=None)
    frozen, _ = freeze(body, LAST)
    body.train()
    for module in frozen:
        module.training = False
    for path, module in body.named_modules():
        if isinstance(module, StochasticDepth):
            parent = body.get_submodule(path.rpartition(".")[0])
            trained = any(p.requires_grad for p in parent.parameters())
            assert module.training == trained, path
    assert any(isinstance(m, StochasticDepth) and not m.training for m in body.modules())


def test_a_whole_training_has_nothing_frozen(make) -> None:
    assert freeze(make().network.body, RECIPE) == ([], [])


def test_checkpoints_kept_in_memory_stay_what_they_were(make) -> None:
    kept, epochs = [], []
    checkpoint = Checkpoint(lambda: None, lambda *saved: kept.append(saved), every_s=-1.0)
    whole = make()
    training = train(whole, rows(), RECIPE, checkpoint=checkpoint)
    states = {bytes(arrays["state"]) for arrays, _ in kept}
    assert len(states) == len(kept) == RECIPE.epochs
    assert [len(record["history"]) for _, record in kept] == [1, 2, 3, 4]
    # Going on from one leaves it as it was, so that one can go on from it again.
    for _ in range(2):
        again = make()
        resumed = train(
            again,
            rows(),
            RECIPE,
            checkpoint=Checkpoint(lambda: kept[1], lambda *_: None),
            progress=epochs.append,
        )
        assert len(kept[1][1]["history"]) == 2
        assert resumed.history == training.history
        assert state_digest(again.network) == state_digest(whole.network)
    assert epochs == 2 * [2, 1, 1]


def test_a_backbone_is_a_copy_and_leaves_the_network_as_it_is(make) -> None:
    trainable = make()
    trainable.network.train()
    before = [(m.training, p.device, p.stride()) for m in trainable.network.modules()
              for p in m.parameters()]  # fmt: skip
    backbone = trainable.backbone("first")
    after = [(m.training, p.device, p.stride()) for m in trainable.network.modules()
             for p in m.parameters()]  # fmt: skip
    assert before == after
    assert all(m.training for m in trainable.network.modules())
    digest = state_digest(backbone.module)
    assert digest == state_digest(trainable.network.body)
    train(trainable, rows(), RECIPE)
    assert state_digest(backbone.module) == digest != state_digest(trainable.network.body)


def test_a_network_that_cannot_be_copied_is_named(make) -> None:
    trainable = make()
    trainable.network.body.kept = torch.ones(1, requires_grad=True) * 2
    with pytest.raises(BackboneError, match="blocks: cannot be copied"):
        trainable.backbone("first")
