"""Grids of tokens: every layout becomes the same map and back; a tap changes nothing."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from extractors.errors import BackboneError
from extractors.layers import Tap
from extractors.networks.token_grid import TokenGrid, tap_grid


class Tiny(nn.Module):
    """Convolutions with padding, so that places differ; a head that works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.BatchNorm2d(16)
        )
        self.after = nn.ReLU(inplace=True)
        self.head = nn.Linear(16, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.after(self.body(images)).mean((2, 3)))


BODY = TokenGrid("body", "NCHW")


def test_a_network_is_the_same_with_the_tap_on_and_after_it_is_off() -> None:
    network = Tiny().eval()
    images = torch.rand(3, 1, 28, 28)
    alone = network(images)
    hooks = copy.copy(network.body._forward_hooks)
    names = list(network.state_dict())
    tap = tap_grid(network, BODY)
    assert torch.equal(network(images), alone)
    assert list(network.state_dict()) == names
    tap.remove()
    assert torch.equal(network(images), alone)
    assert network.body._forward_hooks == hooks
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(BackboneError, match="no batch has passed layer body"):
        tap.take()


def test_a_tap_gives_what_the_layer_gave_and_gives_it_once() -> None:
    network = Tiny().eval()
    images = torch.rand(3, 1, 28, 28)
    tap = tap_grid(network, BODY)
    network(torch.rand(2, 1, 28, 28))
    network(images)
    # Negative values are there only before the ReLU that works in place.
    assert torch.equal(tap.take(), network.body(images))
    tap.take()
    with pytest.raises(BackboneError, match="no batch has passed"):
        tap.take()


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(BackboneError, match=r"Tiny has no layer stages\.3 to take"):
        tap_grid(Tiny(), TokenGrid("stages.3", "NCHW"))


def test_every_layout_becomes_the_same_grid() -> None:
    grid = torch.randn(2, 5, 3, 3)
    channels_last = grid.permute(0, 2, 3, 1)
    tokens = channels_last.reshape(2, 9, 5)
    with_class = torch.cat([torch.full((2, 1, 5), 9.0), tokens], 1)
    assert torch.equal(TokenGrid("", "NCHW").to_map(grid), grid)
    assert torch.equal(TokenGrid("", "NHWC").to_map(channels_last), grid)
    assert torch.equal(TokenGrid("", "NLC").to_map(tokens), grid)
    assert torch.equal(TokenGrid("", "NLC", prefix_tokens=1).to_map(with_class), grid)


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((2, 10, 5), "NLC", "10 tokens make no square grid"),
        ((2, 5, 3, 4), "NCHW", "3 × 4 is no square"),
        ((2, 5), "NLC", "NLC has 3 axes, not 2"),
    ],
)
def test_what_is_no_grid_is_refused(shape, layout, message) -> None:
    with pytest.raises(BackboneError, match=message):
        TokenGrid("", layout).to_map(torch.zeros(shape))


@pytest.mark.parametrize(
    "grid",
    [TokenGrid("", "NCHW"), TokenGrid("", "NHWC"), TokenGrid("", "NLC", prefix_tokens=2)],
    ids=lambda grid: grid.layout,
)
def test_a_map_goes_back_to_its_place(grid) -> None:
    shape = {"NCHW": (2, 5, 3, 3), "NHWC": (2, 3, 3, 5), "NLC": (2, 11, 5)}[grid.layout]
    output = torch.randn(shape)
    assert torch.equal(grid.from_map(grid.to_map(output), output), output)


def test_another_map_leaves_the_prefix_tokens_alone() -> None:
    grid, output = TokenGrid("", "NLC", prefix_tokens=2), torch.randn(2, 11, 5)
    doubled = grid.from_map(2 * grid.to_map(output), output)
    assert torch.equal(doubled[:, :2], output[:, :2])
    assert torch.equal(doubled[:, 2:], 2 * output[:, 2:])


def test_a_tap_in_a_with_statement_is_removed_where_a_pass_fails() -> None:
    network = Tiny().eval()

    def refuse(output: torch.Tensor) -> torch.Tensor:
        raise BackboneError("no such output")

    with pytest.raises(BackboneError, match="no such output"), Tap(network, "body", refuse):
        network(torch.rand(3, 1, 28, 28))
    assert not any(module._forward_hooks for module in network.modules())


def test_the_value_is_there_without_torch() -> None:
    code = "import sys, extractors.networks.token_grid; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
