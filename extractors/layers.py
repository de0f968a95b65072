"""Where in a network the features are taken: before its classifier, or at a layer that is named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from extractors.errors import BackboneError
from extractors.token_grid import Tap, is_channels_last


class LayerFeatures(nn.Module):
    """Runs a network and returns what one of its layers gave, one row an image.

    Vectors (B, C) are taken as they are. Token grids (B, N, C) are averaged over all N tokens,
    class and register tokens included. Maps are averaged over space, (B, C, H, W) as well as
    channels-last (B, H, W, C).
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network = network
        self.layer = layer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, D)."""
        with Tap(self.network, self.layer, self._flatten) as tap:
            self.network(images)
            return tap.take()

    def _flatten(self, output: Any) -> torch.Tensor:
        if not isinstance(output, torch.Tensor):
            raise BackboneError(f"layer {self.layer} gives {type(output).__name__}, not a tensor")
        if output.ndim == 2:
            return output.clone()
        if output.ndim == 3:
            return output.float().mean(1)
        if output.ndim == 4:
            space = (1, 2) if is_channels_last(self.network, output) else (2, 3)
            return output.float().mean(space)
        raise BackboneError(f"layer {self.layer} gives {output.ndim} axes, wants 2, 3 or 4")


def resolve_layer(network: nn.Module, title: str, layer: str, aliases: Mapping[str, str]) -> str:
    """The module path of a layer's name or alias; `title` names the network in an error.

    Raises
    ------
    BackboneError
        If the network has no such layer; the nearest are given.
    """
    path = aliases.get(layer, layer)
    known = [name for name, _ in network.named_modules() if name]
    if path not in known:
        near = difflib.get_close_matches(layer, [*aliases, *known], n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise BackboneError(f"{title} has no layer {layer}{hint}")
    return path


def find_classifier(network: nn.Module) -> str:
    """Path of the layer that turns features into classes: the last linear one.

    SqueezeNet has none; there it is the last convolution.
    """
    for wanted in (nn.Linear, nn.Conv2d):
        found: list[str] = [
            n for n, module in network.named_modules() if isinstance(module, wanted)
        ]
        if found:
            return found[-1]
    raise BackboneError(f"{type(network).__name__} has no classifier")


def remove_classifier(network: nn.Module) -> None:
    """Replace the classifier by the identity, so that the network returns what enters it."""
    parent, _, name = find_classifier(network).rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())
