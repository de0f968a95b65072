"""Layers whose output has places in the image: maps and grids of tokens, laid out and caught."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from extractors.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import nn

Layout = Literal["NCHW", "NHWC", "NLC"]


@dataclass(frozen=True)
class TokenGrid:
    """A layer whose output has places in the image.

    Attributes
    ----------
    layer : str
        Dotted path of the submodule.
    layout : Layout
        Of its output; "NLC" is a list of tokens, row by row.
    prefix_tokens : int
        Tokens in front of such a list that are no places: class and register tokens.
    side : int | None
        Places along a side; None where that depends on the input.
    pooled : bool
        Whether the released code of the localization loss pools the grid before it samples from it
        (window 3, stride 2, padding 1, which is not counted in the mean).
    """

    layer: str
    layout: Layout
    _: KW_ONLY
    prefix_tokens: int = 0
    side: int | None = None
    pooled: bool = False

    def to_map(self, output: torch.Tensor) -> torch.Tensor:
        """The layer's output as a map (B, C, k, k).

        Raises
        ------
        BackboneError
            If it is none: other axes than the layout's, or places that make no square.
        """
        if output.ndim != len(self.layout):
            raise BackboneError(
                f"a token grid {self.layout} has {len(self.layout)} axes, not {output.ndim}"
            )
        if self.layout == "NHWC":
            output = output.permute(0, 3, 1, 2)
        elif self.layout == "NLC":
            tokens = output[:, self.prefix_tokens :].transpose(1, 2)
            side = math.isqrt(tokens.shape[2])
            if side**2 != tokens.shape[2]:
                raise BackboneError(f"{tokens.shape[2]} tokens make no square grid")
            output = tokens.reshape(*tokens.shape[:2], side, side)
        if output.shape[2] != output.shape[3]:
            raise BackboneError(
                f"a token grid of {output.shape[2]} × {output.shape[3]} is no square"
            )
        return output

    def from_map(self, grid: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """`output` with another map, (B, C, k, k), in place of its own."""
        import torch

        if self.layout == "NCHW":
            return grid
        if self.layout == "NHWC":
            return grid.permute(0, 2, 3, 1)
        tokens = grid.flatten(2).transpose(1, 2)
        return torch.cat([output[:, : self.prefix_tokens], tokens], dim=1)


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

    def remove(self) -> None:
        """Leave the network as it was."""
        self._handle.remove()
        self._caught = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def tap_grid(network: nn.Module, grid: TokenGrid) -> Tap:
    """A tap that gives the grid's map (B, C, k, k)."""
    return Tap(network, grid.layer, lambda output: grid.to_map(output).clone())
