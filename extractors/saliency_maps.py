"""Where in an image a score comes from: Grad-CAM on the last map or grid of tokens of a network."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from extractors.backbone import Backbone, evaluating, normalise
from extractors.batches import grey_stack, resize
from extractors.errors import BackboneError
from extractors.isolation import isolated
from extractors.layers import LayerFeatures, is_channels_last
from extractors.networks.token_grid import TokenGrid
from extractors.precision import running

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Features (B, D) to scores (B,), differentiable.
Score = Callable[[torch.Tensor], torch.Tensor]
# Images at a time: gradients want more memory than features.
_BATCH = 4
# A class token. More tokens in front of the grid are believed only if the network states them.
_MOST_UNSTATED = 1
# What they give is no map, or the map of the layer before.
_NO_MAPS = (nn.Softmax, nn.Dropout, nn.Identity)


@dataclass(frozen=True)
class Saliency:
    """Maps of some images.

    Attributes
    ----------
    maps : NDArray[np.float32], shape (n, side, side)
        0 where nothing raises the score; each in its own unit.
    scores : NDArray[np.float64], shape (n,)
        As they came out of the passes that made the maps.
    grid : TokenGrid
        Where the maps were taken.
    """

    maps: NDArray[np.float32]
    scores: NDArray[np.float64]
    grid: TokenGrid


def saliency(backbone: Backbone, score: Score, images: NDArray[np.uint8], side: int) -> Saliency:
    """Grad-CAM of a score that is a function of a backbone's features.

    The channels of the layer's map are added up, each weighted by the mean gradient of the score by
    it; what is below 0, places that lower the score, is set to 0. Computed by captum, in 32 bits.

    Parameters
    ----------
    backbone : Backbone
        The network that gives the features.
    score : Score
        From features (B, D), float32 on the backbone's device, to (B,).
    images : NDArray[np.uint8], shape (n, h, h)
        As for `extract`.
    side : int
        Pixels along a side of the maps, which are interpolated from the layer's grid.

    Returns
    -------
    Saliency
        The maps, and the scores that they explain.

    Raises
    ------
    BackboneError
        If `images` is no such stack, no layer has places in the image, or the score does not
        depend on it smoothly.

    References
    ----------
    Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2; here with tokens as places, too.
    """
    import numpy as np
    from captum.attr import LayerAttribution, LayerGradCam

    images = grey_stack(images, backbone.name)
    if not len(images):
        raise BackboneError(f"{backbone.name}: no image to explain")
    with _explaining(backbone):
        grid = find_grid(backbone)
        explained = _Explained(backbone, score, grid)
        cam = LayerGradCam(explained, explained.map)
        maps, scores = [], []
        for start in range(0, len(images), _BATCH):
            pixels = resize(images[start : start + _BATCH], backbone.input).to(backbone.device)
            coarse = cam.attribute(pixels, relu_attributions=True)
            fine = LayerAttribution.interpolate(coarse, (side, side), "bilinear")
            maps.append(fine[:, 0].detach().float().cpu().numpy())
            scores.append(explained.last.double().cpu().numpy())
    found = Saliency(np.concatenate(maps), np.concatenate(scores), grid)
    if not np.isfinite(found.maps).all():
        raise BackboneError(f"{backbone.name}: its saliency is not finite")
    return found


@contextmanager
def _explaining(backbone: Backbone) -> Iterator[None]:
    """Eval mode, 32 bits, gradients; a plugin's code is isolated."""
    with ExitStack() as stack:
        guard = isolated(backbone.name) if backbone.source_digest else nullcontext()
        stack.enter_context(guard)
        stack.enter_context(running(backbone.device, "float32"))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(evaluating(backbone.module))
        yield


class _Explained(nn.Module):
    """Image to score, with the layer's output led through `map` as (B, C, k, k)."""

    last: torch.Tensor

    def __init__(self, backbone: Backbone, score: Score, grid: TokenGrid) -> None:
        super().__init__()
        self.network = backbone.module
        self.input = backbone.input
        self.score = score
        self.grid = grid
        self.map = nn.Identity()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) on [0, 255] to (B,)."""
        layer = self.network.get_submodule(self.grid.layer)
        with layer.register_forward_hook(self._replace):
            scores = self.score(self.network(normalise(pixels, self.input)).float())
        self.last = scores.detach()
        return scores

    def _replace(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Cut off from what comes before: nothing there needs a gradient.
        places = self.grid.to_map(output).detach().requires_grad_()
        return self.grid.from_map(self.map(places), output.detach())


def find_grid(backbone: Backbone) -> TokenGrid:
    """The last layer with places in the image on which the features depend.

    Of a CNN that is its last map with spatial extent. Of a transformer only norms and whole blocks
    are considered, so that no query or attention is taken for tokens: where a head reads all tokens
    it is the last of them, and where it reads the class token alone, which the patches reach
    through attention only, the norm before the last attention. Two images of noise decide, no crop.

    Raises
    ------
    BackboneError
        If there is none.
    """
    size = (backbone.input.height, backbone.input.width)
    generator = torch.Generator().manual_seed(0)
    pixels = (255 * torch.rand(2, 1, *size, generator=generator)).to(backbone.device)
    found: list[tuple[TokenGrid, torch.Tensor]] = []
    with _explaining(backbone), _collecting(backbone.module, found) as calls:
        features = backbone.module(normalise(pixels, backbone.input).requires_grad_()).float()
        # Any direction but that of equal weights, in which features behind a norm never move.
        weights = torch.randn(features.shape[1], generator=generator).to(features)
        grads: tuple[torch.Tensor | None, ...] = ()
        if found and features.requires_grad:
            outputs = [output for _, output in found]
            grads = torch.autograd.grad((features @ weights).sum(), outputs, allow_unused=True)
    for (grid, _), grad in reversed(list(zip(found, grads, strict=False))):
        # A module that is called again (one activation for all layers) is no one place of the pass.
        once = calls[grid.layer] == 1
        if once and grad is not None and bool((grid.to_map(grad) != 0).any()):
            return grid
    raise BackboneError(
        f"{backbone.name}: has no layer with places in the image on which its features depend"
    )


@contextmanager
def _collecting(
    network: nn.Module, found: list[tuple[TokenGrid, torch.Tensor]]
) -> Iterator[Counter[str]]:
    """Collects in `found`, in the order of the pass, the outputs that have places in the image.

    Yields how often each module was called.
    """
    whole = network.network if isinstance(network, LayerFeatures) else network
    blocks = _blocks(network)
    calls: Counter[str] = Counter()

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def collect(module: nn.Module, _inputs: Any, output: Any) -> None:
            calls[path] += 1
            if isinstance(output, torch.Tensor) and len(output) == 2 and output.requires_grad:
                grid = _grid_of(whole, module, path, output, path in blocks)
                if grid is not None:
                    found.append((grid, output))

        return collect

    with ExitStack() as stack:
        for path, module in network.named_modules():
            if path:
                stack.enter_context(module.register_forward_hook(hook_of(path)))
        yield calls


def _blocks(network: nn.Module) -> set[str]:
    """Paths of the repeated parts of a network: composed modules of one class in one list."""
    found = set()
    for path, parent in network.named_modules():
        if isinstance(parent, nn.Sequential | nn.ModuleList):
            inside = {n: m for n, m in parent.named_children() if any(True for _ in m.children())}
            of_class = Counter(map(type, inside.values()))
            found |= {f"{path}.{name}" for name, m in inside.items() if of_class[type(m)] > 1}
    return found


def _grid_of(
    network: nn.Module, module: nn.Module, path: str, output: torch.Tensor, is_block: bool
) -> TokenGrid | None:
    """How a module's output lies in the image; None where it does not."""
    if isinstance(module, _NO_MAPS):
        return None
    if output.ndim == 4:
        last = is_channels_last(network, output)
        height, width = output.shape[1:3] if last else output.shape[2:]
        square = height == width > 1
        return TokenGrid(path, "NHWC" if last else "NCHW", side=height) if square else None
    if output.ndim == 3 and (is_block or "norm" in type(module).__name__.lower()):
        stated: int | None = getattr(network, "num_prefix_tokens", None)
        side = math.isqrt(max(output.shape[1] - (stated or 0), 0))
        prefix = output.shape[1] - side**2
        plain = prefix == stated if stated is not None else prefix <= _MOST_UNSTATED
        return (
            TokenGrid(path, "NLC", prefix_tokens=prefix, side=side) if plain and side > 1 else None
        )
    return None
