"""Where in a network the features are taken: before its classifier, or at a layer that is named."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import nn

from extractors.errors import BackboneError


def is_channels_last(network: nn.Module, output: torch.Tensor) -> bool:
    """Whether a map of four axes is (B, H, W, C), not (B, C, H, W).

    Images are square here, so two equal sides are space; where all three are equal, what timm's
    networks say of themselves (`output_fmt`) decides, else channels come first.
    """
    _, first, second, third = output.shape
    if first == second == third:
        return "NHWC" in str(getattr(network, "output_fmt", "NCHW"))
    return first == second


class Tap:
    """Keeps what a layer gave last, until it is taken. The network's output is not changed.

    In a `with` statement the tap is removed from the network at the end.

    Parameters
    ----------
    network : nn.Module
        The network that is run.
    layer : str
        Dotted path of the submodule.
    read : Callable[[Any], torch.Tensor]
        From the layer's output to what is kept. It has to copy or to reduce: a later layer may work
        in place.

    Raises
    ------
    BackboneError
        If the network has no such layer.
    """

    def __init__(self, network: nn.Module, layer: str, read: Callable[[Any], torch.Tensor]) -> None:
        self._layer = layer
        self._read = read
        self._caught: torch.Tensor | None = None
        try:
            submodule = network.get_submodule(layer)
        except AttributeError:
            raise BackboneError(
                f"{type(network).__name__} has no layer {layer} to take an output from"
            ) from None
        self._handle = submodule.register_forward_hook(self._catch)

    def _catch(self, _layer: nn.Module, _inputs: object, output: Any) -> None:
        self._caught = self._read(output)

    def take(self) -> torch.Tensor:
        """What was kept of the last batch, once, so that it does not stay in memory.

        Raises
        ------
        BackboneError
            If no batch has passed the layer since the last call.
        """
        if self._caught is None:
            raise BackboneError(f"no batch has passed layer {self._layer}")
        caught, self._caught = self._caught, None
        return caught

    def forget(self) -> None:
        """Drop what was kept."""
        self._caught = None

    def remove(self) -> None:
        """Leave the network as it was."""
        self._handle.remove()
        self.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class LayerFeatures(nn.Module):
    """Runs a network and returns what one of its layers gave, one row an image.

    See `average` for what becomes of tokens and maps.
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network = network
        self.layer = layer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, D)."""
        with Tap(self.network, self.layer, self._average) as tap:
            self.network(images)
            return tap.take()

    def _average(self, output: Any) -> torch.Tensor:
        return average(self.network, output, f"layer {self.layer}")


class AveragedOutput(nn.Module):
    """Runs a network that has no classifier and returns the average of its output, by `average`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, D)."""
        return average(self.network, self.network(images), type(self.network).__name__)


class OneChannel(nn.Module):
    """A network of one channel, which takes the first of three: those of a grey image are equal."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to what the network gives."""
        out: torch.Tensor = self.network(images[:, :1])
        return out


def average(network: nn.Module, output: Any, source: str) -> torch.Tensor:
    """One row an image, (B, C), of what a network or a layer of it gave; `source` says which.

    Vectors (B, C) are copied. Token grids (B, N, C) are averaged over all N tokens, class and
    register tokens included. Maps are averaged over space, (B, C, H, W) as well as channels-last
    (B, H, W, C).

    Raises
    ------
    BackboneError
        If the output is anything else.
    """
    if not isinstance(output, torch.Tensor):
        raise BackboneError(f"{source} gives {type(output).__name__}, not a tensor")
    if output.ndim == 2:
        return output.clone()
    if output.ndim == 3:
        return output.float().mean(1)
    if output.ndim == 4:
        space = (1, 2) if is_channels_last(network, output) else (2, 3)
        return output.float().mean(space)
    raise BackboneError(f"{source} gives {output.ndim} axes, wants 2, 3 or 4")


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
