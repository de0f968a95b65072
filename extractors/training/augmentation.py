"""Augmentation of a whole batch where it lies, on CPU or GPU: each image with its own draw.

The steps are kornia's. It draws on the CPU, from torch's global generator, wherever the images lie:
one seed gives one sequence of draws on every device, and the caller seeds and forks that generator
(`torch.random.fork_rng`). What an image gets depends on its place in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kornia.augmentation as kornia
import torch
from torch import nn

from extractors.errors import BackboneError
from extractors.recipes import Augmentation

# Shares of the image's area.
ERASED_AREA = (0.02, 0.2)

# The largest share that still means something: half a turn either way is every angle, values live
# on [0, 1], a zoom by the whole extent leaves no image, a probability ends at 1.
LIMITS = {
    "brightness": 1.0,
    "contrast": 1.0,
    "rotation": 0.5,
    "zoom": 0.9,
    "shift": 1.0,
    "erase": 1.0,
    "strength": 1.0,
}


def make_augmentation(augmentation: Augmentation) -> Callable[[torch.Tensor], torch.Tensor]:
    """Build what varies training images as `augmentation` says.

    It maps pixels (B, 1, H, W), float32 on [0, 1], to the same shape, type, range and device. In
    this order: mirroring; one bilinear resampling, which zooms along the image's own axes, turns
    about the centre and shifts; brightness; contrast; erasing (to 0). Brightness is added, then
    clipped. A zoom of f shows 1 + f of the extent, so f > 0 zooms out; height and width have each
    their own f. Beyond its border an image goes on mirrored: d c b a | a b c d | d c b a.

    These are the meanings of RandomBrightness, RandomZoom, RandomRotation and "reflect" in Keras,
    which the thesis used. Keras resamples in each of these layers; resampling once blurs less and
    fills the corners from another part of the mirror image.

    All draws are uniform. `strength` scales the ranges, and the probabilities of mirroring and
    erasing. A step without a range is not built and draws nothing: at strength 0 the tensor itself
    comes back.

    Raises
    ------
    BackboneError
        If a field is negative or so large that it means nothing.
    """
    for name, limit in LIMITS.items():
        share = getattr(augmentation, name)
        if not 0 <= share <= limit:
            raise BackboneError(f"augmentation: {name} is {share}, wants 0 to {limit}")
    strength = augmentation.strength
    if strength == 0:
        return nn.Identity()
    steps: list[nn.Module] = []
    if augmentation.flip_horizontal:
        steps.append(kornia.RandomHorizontalFlip(p=0.5 * strength))
    if augmentation.flip_vertical:
        steps.append(kornia.RandomVerticalFlip(p=0.5 * strength))
    if augmentation.rotation or augmentation.zoom or augmentation.shift:
        steps.append(_make_placement(augmentation))
    if augmentation.brightness:
        reach = augmentation.brightness * strength
        steps.append(kornia.RandomBrightness((1 - reach, 1 + reach), p=1.0))
    if augmentation.contrast:
        # RandomContrast scales the values themselves; this one scales about the image's mean, which
        # kornia before 0.9 took over the whole batch.
        steps.append(kornia.ColorJitter(contrast=augmentation.contrast * strength, p=1.0))
    if augmentation.erase:
        steps.append(kornia.RandomErasing(ERASED_AREA, p=augmentation.erase * strength))
    return _Steps(*steps)


class _Steps(nn.Sequential):
    """One after the other in full precision: autocast would round the placements to bfloat16."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(pixels.device.type, enabled=False):
            for step in self:
                pixels = step(pixels)
        return pixels


def _make_placement(augmentation: Augmentation) -> nn.Module:
    zoom = augmentation.zoom * augmentation.strength
    shift = augmentation.shift * augmentation.strength
    return _Placement(
        degrees=360 * augmentation.rotation * augmentation.strength,
        scale=(1 - zoom, 1 + zoom, 1 - zoom, 1 + zoom),
        translate=(shift, shift),
        padding_mode="reflection",
        p=1.0,
    )


class _Placement(kornia.RandomAffine):
    """RandomAffine that draws the extent to show, where kornia's own draws the magnification."""

    def compute_transformation(
        self, input: torch.Tensor, params: dict[str, torch.Tensor], flags: dict[str, Any]
    ) -> torch.Tensor:
        params = {**params, "scale": 1 / params["scale"]}
        matrix: torch.Tensor = super().compute_transformation(input, params, flags)
        return matrix
