"""Where in an image a score comes from: Grad-CAM on the last map or grid of tokens of a network."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from extractors.backbone import Backbone, evaluating, normalise
from extractors.batches import resize
from extractors.errors import BackboneError
from extractors.isolation import isolated
from extractors.layers import LayerFeatures
from extractors.precision import running

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Features (B, D) to scores (B,), differentiable.
Score = Callable[[torch.Tensor], torch.Tensor]
# Images at a time: gradients want more memory than features.
_BATCH = 4
# A class token. More tokens in front of the grid are believed only if the network tells them.
_MOST_UNTOLD = 1
# What they give is no map, or the map of the layer before.
_NO_MAPS = (nn.Softmax, nn.Dropout, nn.Identity)


@dataclass(frozen=True)
class MapLayer:
    """A layer whose output has places in the image.

    Attributes
    ----------
    path : of the submodule.
    layout : of its output; "NLC" is a list of tokens, row by row.
    grid : places along a side.
    before : tokens in front of such a list that are no place: class and register tokens.
    """

    path: str
    layout: Literal["NCHW", "NHWC", "NLC"]
    grid: int
    before: int = 0

    def to_map(self, output: torch.Tensor) -> torch.Tensor:
        """The output as (B, C, grid, grid)."""
        if self.layout == "NCHW":
            return output
        if self.layout == "NHWC":
            return output.permute(0, 3, 1, 2)
        places = output[:, self.before :].transpose(1, 2)
        return places.reshape(*places.shape[:2], self.grid, self.grid)

    def from_map(self, places: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """`output` with another map, (B, C, grid, grid), in the place of its own."""
        if self.layout == "NCHW":
            return places
        if self.layout == "NHWC":
            return places.permute(0, 2, 3, 1)
        return torch.cat([output[:, : self.before], places.flatten(2).transpose(1, 2)], dim=1)


@dataclass(frozen=True)
class Saliency:
    """Maps of some images.

    Attributes
    ----------
    maps : (N, side, side) float32, 0 where nothing raises the score; each in its own unit.
    scores : (N,) float64, as they came out of the passes that made the maps.
    layer : where the maps were taken.
    """

    maps: NDArray[np.float32]
    scores: NDArray[np.float64]
    layer: MapLayer


def saliency(backbone: Backbone, score: Score, images: NDArray[np.uint8], side: int) -> Saliency:
    """Grad-CAM of a score that is a function of a backbone's features.

    The channels of the layer's map are added up, each weighted by the mean gradient of the score by
    it; what is below 0, places that lower the score, is set to 0 (Selvaraju et al., ICCV 2017,
    equations 1 and 2; here with tokens as places, too). Computed by captum, in 32 bits.

    Parameters
    ----------
    score : from features (B, D), float32 on the backbone's device, to (B,).
    images : uint8 (N, H, H), as for `extract`.
    side : pixels along a side of the maps, which are interpolated from the layer's grid.

    Raises
    ------
    BackboneError
        If no layer has places in the image, or the score does not depend on it smoothly.
    """
    import numpy as np
    from captum.attr import LayerAttribution, LayerGradCam

    with _at_work(backbone):
        layer = map_layer(backbone)
        explained = _Explained(backbone, score, layer)
        cam = LayerGradCam(explained, explained.map)
        maps, scores = [], []
        for start in range(0, len(images), _BATCH):
            pixels = resize(images[start : start + _BATCH], backbone.input).to(backbone.device)
            coarse = cam.attribute(pixels, relu_attributions=True)
            fine = LayerAttribution.interpolate(coarse, (side, side), "bilinear")
            maps.append(fine[:, 0].detach().float().cpu().numpy())
            scores.append(explained.last.double().cpu().numpy())
    found = Saliency(np.concatenate(maps), np.concatenate(scores), layer)
    if not np.isfinite(found.maps).all():
        raise BackboneError(f"{backbone.name}: its saliency is not finite")
    return found


@contextmanager
def _at_work(backbone: Backbone) -> Iterator[None]:
    """Eval mode, 32 bits, gradients; and a guard around a plugin's code."""
    with ExitStack() as stack:
        guard = isolated(backbone.name) if backbone.source_digest else nullcontext()
        stack.enter_context(guard)
        stack.enter_context(running(backbone.device, "float32"))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(evaluating(backbone.module))
        yield


class _Explained(nn.Module):
    """Image to score, with the layer's output led through `map` as (B, C, grid, grid)."""

    last: torch.Tensor

    def __init__(self, backbone: Backbone, score: Score, layer: MapLayer) -> None:
        super().__init__()
        self.network = backbone.module
        self.input = backbone.input
        self.score = score
        self.layer = layer
        self.map = nn.Identity()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) on [0, 255] to (B,)."""
        handle = self.network.get_submodule(self.layer.path).register_forward_hook(self._led)
        try:
            scores = self.score(self.network(normalise(pixels, self.input)).float())
        finally:
            handle.remove()
        self.last = scores.detach()
        return scores

    def _led(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Cut off from what comes before: nothing there needs a gradient.
        places = self.layer.to_map(output).detach().requires_grad_()
        return self.layer.from_map(self.map(places), output.detach())


def map_layer(backbone: Backbone) -> MapLayer:
    """The last layer with places in the image on which the features depend.

    Of a CNN that is its last map with spatial extent. Of a transformer only norms and whole blocks
    are asked, so that no query or attention is taken for tokens: where a head looks at all tokens
    it is the last of them, and where it looks at the class token alone, which the patches reach
    through attention only, the norm before the last attention. Two images of noise decide, no crop.

    Raises BackboneError where there is none.
    """
    size = (backbone.input.height, backbone.input.width)
    generator = torch.Generator().manual_seed(0)
    pixels = (255 * torch.rand(2, 1, *size, generator=generator)).to(backbone.device)
    seen: list[tuple[MapLayer, torch.Tensor]] = []
    with _at_work(backbone), _watched(backbone.module, seen) as calls:
        features = backbone.module(normalise(pixels, backbone.input).requires_grad_()).float()
        # Any direction but that of equal weights, in which features behind a norm never move.
        weights = torch.randn(features.shape[1], generator=generator).to(features)
        grads: tuple[torch.Tensor | None, ...] = ()
        if seen and features.requires_grad:
            outputs = [output for _, output in seen]
            grads = torch.autograd.grad((features @ weights).sum(), outputs, allow_unused=True)
    for (layer, _), grad in reversed(list(zip(seen, grads, strict=False))):
        # A module that is called again (one activation for all layers) is no one place of the pass.
        once = calls[layer.path] == 1
        if once and grad is not None and bool((layer.to_map(grad) != 0).any()):
            return layer
    raise BackboneError(
        f"{backbone.name}: has no layer with places in the image on which its features depend"
    )


@contextmanager
def _watched(
    network: nn.Module, seen: list[tuple[MapLayer, torch.Tensor]]
) -> Iterator[Counter[str]]:
    """Collects, in the order of the pass, the outputs that have places in the image.

    Gives how often each module was called.
    """
    whole = network.network if isinstance(network, LayerFeatures) else network
    blocks = _blocks(network)
    calls: Counter[str] = Counter()

    def watch(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
            calls[path] += 1
            if isinstance(output, torch.Tensor) and len(output) == 2 and output.requires_grad:
                layer = _places(whole, module, path, output, path in blocks)
                if layer is not None:
                    seen.append((layer, output))

        return keep

    handles = [m.register_forward_hook(watch(p)) for p, m in network.named_modules() if p]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _blocks(network: nn.Module) -> set[str]:
    """Paths of the repeated parts of a network: composed modules of one class in one list."""
    found = set()
    for path, parent in network.named_modules():
        if isinstance(parent, nn.Sequential | nn.ModuleList):
            inside = {n: m for n, m in parent.named_children() if any(True for _ in m.children())}
            of_class = Counter(map(type, inside.values()))
            found |= {f"{path}.{name}" for name, m in inside.items() if of_class[type(m)] > 1}
    return found


def _places(
    network: nn.Module, module: nn.Module, path: str, output: torch.Tensor, block: bool
) -> MapLayer | None:
    if isinstance(module, _NO_MAPS):
        return None
    if output.ndim == 4:
        return _of_map(network, path, output)
    if output.ndim == 3 and (block or "norm" in type(module).__name__.lower()):
        told: int | None = getattr(network, "num_prefix_tokens", None)
        grid = math.isqrt(max(output.shape[1] - (told or 0), 0))
        before = output.shape[1] - grid**2
        plain = before == told if told is not None else before <= _MOST_UNTOLD
        return MapLayer(path, "NLC", grid, before) if plain and grid > 1 else None
    return None


def _of_map(network: nn.Module, path: str, output: torch.Tensor) -> MapLayer | None:
    """Images are square here, so two equal sides are space; see `layers.LayerFeatures`."""
    _, first, second, third = output.shape
    last = "NHWC" in str(getattr(network, "output_fmt", "NCHW"))
    if second == third > 1 and not (first == second and last):
        return MapLayer(path, "NCHW", second)
    if first == second > 1:
        return MapLayer(path, "NHWC", first)
    return None
