"""The networks that are trained from scratch: their names, how they are built, their input size.

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
from extractors.names import Family
from extractors.networks.token_grid import TokenGrid

if TYPE_CHECKING:
    from torch import nn

SMALLEST_INPUT = 32


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that is trained from scratch.

    Attributes
    ----------
    id : str
        Its name on the command line and in every table.
    section : Literal["A", "B"]
        "A", the thesis' own networks, or "B", hybrids for small data.
    title : str
        Short name for people.
    family : Family
        What it is made of.
    input_size : int
        Side of the input of the full form, in pixels.
    build : Callable[..., nn.Module]
        `build(input_size, classes=2)` returns a module that maps (B, 3, H, W) to logits
        (B, classes); its last linear layer is the head. All weights are drawn from torch's global
        generator. Raises BackboneError for a size that it cannot take.
    grid : TokenGrid | None
        Its last grid of tokens; None where the localization loss is not offered.
    released_grid : TokenGrid | None
        The one that the released code of that loss takes, where it is another.
    localization_weight : float | None
        λ of that loss; None likewise.
    augmented : bool
        Whether the thesis trained it with augmentation.
    """

    id: str
    section: Literal["A", "B"]
    title: str
    family: Family
    input_size: int
    build: Callable[..., nn.Module]
    grid: TokenGrid | None = None
    released_grid: TokenGrid | None = None
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


_cnn = partial(_build, "thesis.cnn_baseline")
_vit = partial(_build, "thesis.ThesisViT")

# λ is that of Liu et al. (2021): 0.1 for CvT and T2T, 0.5 for Swin.
_ALL = (
    Network(
        id="cnn_baseline",
        section="A",
        title="Small CNN",
        family="CNN",
        input_size=256,
        build=partial(_cnn, 1),
    ),
    Network(
        id="vit_256_p32",
        section="A",
        title="ViT, 256 px, patch 32",
        family="transformer",
        input_size=256,
        build=partial(_vit, 32, patch=32),
    ),
    Network(
        id="vit_256_p16",
        section="A",
        title="ViT, 256 px, patch 16",
        family="transformer",
        input_size=256,
        build=partial(_vit, 16, patch=16),
    ),
    Network(
        id="vit_128_p16",
        section="A",
        title="ViT, 128 px, patch 16",
        family="transformer",
        input_size=128,
        build=partial(_vit, 16, patch=16),
    ),
    Network(
        id="vit_128_p16_aug",
        section="A",
        title="ViT, 128 px, patch 16, augmented",
        family="transformer",
        input_size=128,
        build=partial(_vit, 16, patch=16),
        augmented=True,
    ),
    Network(
        id="vit_128_p16_aug_l12",
        section="A",
        title="ViT, 128 px, patch 16, augmented, 12 layers",
        family="transformer",
        input_size=128,
        build=partial(_vit, 16, patch=16, layers=12),
        augmented=True,
    ),
    Network(
        id="cvt_13",
        section="B",
        title="CvT-13",
        family="hybrid",
        input_size=224,
        build=partial(_build, "small_data.cvt_13", 16),
        grid=TokenGrid("layers.2", "NCHW", pooled=True),
        localization_weight=0.1,
    ),
    Network(
        id="swin_t",
        section="B",
        title="Swin-T",
        family="transformer",
        input_size=224,
        build=partial(_build, "small_data.swin_t", 16),
        grid=TokenGrid("norm", "NHWC"),
        released_grid=TokenGrid("layers.3", "NHWC"),
        localization_weight=0.5,
    ),
    Network(
        id="t2t_vit_14",
        section="B",
        title="T2T-ViT-14",
        family="transformer",
        input_size=224,
        build=partial(_build, "t2t_vit.T2TViT", 16),
        grid=TokenGrid("norm", "NLC", prefix_tokens=1, pooled=True),
        localization_weight=0.1,
    ),
    Network(
        id="cct_7",
        section="B",
        title="CCT-7/7×2",
        family="hybrid",
        input_size=224,
        build=partial(_build, "small_data.cct_7", 16),
    ),
    Network(
        id="spt_lsa_vit",
        section="B",
        title="ViT with SPT and LSA",
        family="transformer",
        input_size=224,
        build=partial(_build, "small_data.spt_lsa_vit", 16),
    ),
)

# In the order in which they are listed and reported.
NETWORKS: Mapping[str, Network] = MappingProxyType({network.id: network for network in _ALL})
