"""The networks that are trained from scratch: what each is called, how it is built, what it wants.

Nothing heavy is imported before a network is built.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from extractors.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn

SMALLEST_INPUT = 32


@dataclass(frozen=True)
class Grid:
    """Where the last grid of tokens of a network comes out.

    Attributes
    ----------
    layer : dotted path of the submodule whose output it is.
    layout : of that output; "NLC" is a list of tokens, row by row.
    class_token : whether the first token of such a list is no place in the image.
    pooled : whether the released code of the localization loss pools the grid before it samples
        from it (window 3, stride 2, padding 1, which is not counted in the mean).
    """

    layer: str
    layout: Literal["NCHW", "NHWC", "NLC"]
    class_token: bool = False
    pooled: bool = False


@dataclass(frozen=True)
class Network:
    """A network that is trained from scratch.

    Attributes
    ----------
    id : its name on the command line and in every table.
    section : "A", the thesis' own networks, or "B", hybrids for small data.
    title : short name for people.
    input_size : pixels of the full form.
    build : `build(input_size, classes=2)` returns a module that maps (B, 3, H, W) to logits
        (B, classes); its last linear layer is the head. All weights are drawn from torch's global
        generator. Raises BackboneError for a size that it cannot take.
    grid : its last grid of tokens; None where the localization loss is not offered.
    localization_weight : λ of that loss; None likewise.
    augmented : whether the thesis trained it with augmentation.
    """

    id: str
    section: Literal["A", "B"]
    title: str
    input_size: int
    build: Callable[..., nn.Module]
    grid: Grid | None = None
    localization_weight: float | None = None
    augmented: bool = False


def _build(
    place: str, multiple: int, input_size: int, classes: int = 2, **settings: int
) -> nn.Module:
    """Build what lies at `module.name` in this package, for an input that it can take whole."""
    module, name = place.split(".")
    if input_size < SMALLEST_INPUT or input_size % multiple:
        raise BackboneError(
            f"{name} cannot take an input of {input_size} pixels: "
            f"at least {SMALLEST_INPUT}, in steps of {multiple}"
        )
    make = getattr(importlib.import_module(f"extractors.networks.{module}"), name)
    network: nn.Module = make(input_size, classes, **settings)
    return network


_vit = partial(_build, "thesis.ThesisViT")

# λ is that of Liu et al. (2021): 0.1 for CvT and T2T, 0.5 for Swin.
_ALL = (
    Network("cnn_baseline", "A", "Small CNN", 256, partial(_build, "thesis.cnn_baseline", 1)),
    Network("vit_256_p32", "A", "ViT, 256 px, patch 32", 256, partial(_vit, 32, patch=32)),
    Network("vit_256_p16", "A", "ViT, 256 px, patch 16", 256, partial(_vit, 16, patch=16)),
    Network("vit_128_p16", "A", "ViT, 128 px, patch 16", 128, partial(_vit, 16, patch=16)),
    Network(
        "vit_128_p16_aug",
        "A",
        "ViT, 128 px, patch 16, augmented",
        128,
        partial(_vit, 16, patch=16),
        augmented=True,
    ),
    Network(
        "vit_128_p16_aug_l12",
        "A",
        "ViT, 128 px, patch 16, augmented, 12 layers",
        128,
        partial(_vit, 16, patch=16, layers=12),
        augmented=True,
    ),
    Network(
        "cvt_13",
        "B",
        "CvT-13",
        224,
        partial(_build, "small_data.cvt_13", 16),
        Grid("layers.2", "NCHW", pooled=True),
        0.1,
    ),
    Network(
        "swin_t",
        "B",
        "Swin-T",
        224,
        partial(_build, "small_data.swin_t", 16),
        Grid("norm", "NHWC"),
        0.5,
    ),
    Network(
        "t2t_vit_14",
        "B",
        "T2T-ViT-14",
        224,
        partial(_build, "t2t_vit.T2TViT", 16),
        Grid("norm", "NLC", class_token=True, pooled=True),
        0.1,
    ),
    Network("cct_7", "B", "CCT-7/7×2", 224, partial(_build, "small_data.cct_7", 16)),
    Network(
        "spt_lsa_vit",
        "B",
        "ViT with SPT and LSA",
        224,
        partial(_build, "small_data.spt_lsa_vit", 16),
    ),
)

# In the order in which they are listed and reported.
NETWORKS: Mapping[str, Network] = MappingProxyType({network.id: network for network in _ALL})
