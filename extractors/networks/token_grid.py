"""Layers whose output has places in the image: maps and grids of tokens, laid out as one map."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from extractors.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from extractors.layers import Tap

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


def tap_grid(network: nn.Module, grid: TokenGrid) -> Tap:
    """A tap that gives the grid's map (B, C, k, k)."""
    from extractors.layers import Tap

    return Tap(network, grid.layer, lambda output: grid.to_map(output).clone())
