"""Which family a network is of, found from its built modules and never from its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extractors.names import Family

if TYPE_CHECKING:
    from torch import nn

# Children that project onto queries, keys and values.
_PROJECTIONS = re.compile(r"(.*_)?(q|w_?q|qkvs?|quer(y|ies))(_.*)?", re.IGNORECASE)
_ATTENTION = re.compile("attn|attention|mhsa|mhca", re.IGNORECASE)
# Attention that weights channels or places, or pools at the end: a CNN with it stays one.
_NO_TOKEN_MIXING = re.compile(
    "pool|channel|spatial|kernel|split|simple|strip|coord|gate|squeeze|excit|^se(?!lf|q)|^eca|cbam",
    re.IGNORECASE,
)
# Layers that may carry something from patch to patch.
_MIXERS = frozenset({"Linear", "LSTM", "GRU", "RNN"})
# Convolutions that only say where a token lies.
_POSITIONS = re.compile("pos|^LPI$", re.IGNORECASE)
# Transformers by the account of their authors and of the field, whose convolutions are a stem, the
# pooling of tokens, or a part of a block that attends.
_TRANSFORMERS = frozenset(
    {
        "CrossVit",
        "Nest",
        "PyramidVisionTransformerV2",
        "MultiScaleVit",
        "VOLO",
        "VisionTransformerSAM",
        "Xcit",
    }
)


def network_family(network: nn.Module) -> Family:
    """Whether a network convolves, attends, does both or neither.

    A transformer may begin with patches, and merge them, by convolutions; what convolves besides is
    a hybrid. So is one with a stem of several overlapping convolutions before its first attention.

    Parameters
    ----------
    network : nn.Module
        On any device, the meta device included. Nothing is run.

    Returns
    -------
    Family
        "CNN", "transformer", "hybrid" or "other" (mixers and the like).
    """
    kinds = {type(module).__name__ for module in network.modules()}
    if "HybridEmbed" in kinds:  # timm's name of a CNN whose maps are a transformer's patches
        return "hybrid"
    if kinds & _TRANSFORMERS:
        return "transformer"
    attends, inner, stem, strided, patches = False, 0, 0, 0, 0
    skipped: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if _POSITIONS.search(type(module).__name__):
            skipped += (f"{name}.",)
        attends = attends or _attends(module)
        if not _overlaps(module) or name.startswith(skipped):
            patches += _sees_neighbours(module)
            continue
        if max(_stride(module)) == 1:
            inner += 1
        else:
            strided += 1
            stem += not attends
    if attends:
        return "hybrid" if inner or stem > 1 else "transformer"
    # A pooling in place of attention leaves strided convolutions between its stages only.
    mixes = "Pooling" in kinds
    if inner or (strided and not mixes):
        return "CNN"
    # Patches alone are a CNN if nothing follows that could mix them.
    mixes = mixes or not _MIXERS.isdisjoint(kinds)
    return "CNN" if patches and not mixes else "other"


def _attends(module: nn.Module) -> bool:
    """Whether it is self-attention between tokens (or, as in XCiT, between their channels)."""
    from torch import nn

    kind = type(module).__name__
    if "pool" in kind.lower():
        return False
    if isinstance(module, nn.MultiheadAttention):
        return True
    if any(_PROJECTIONS.fullmatch(name) for name, _ in module.named_children()):
        return True
    return bool(_ATTENTION.search(kind)) and not _NO_TOKEN_MIXING.search(kind)


def _sees_neighbours(module: nn.Module) -> bool:
    """Whether it is a convolution with windows of several pixels."""
    from torch.nn.modules.conv import _ConvNd

    return isinstance(module, _ConvNd) and max(module.kernel_size) > 1


def _overlaps(module: nn.Module) -> bool:
    """Whether it is a convolution whose windows overlap; those of patches do not."""
    from torch.nn.modules.conv import _ConvNd

    if not isinstance(module, _ConvNd):
        return False
    return any(k > s for k, s in zip(module.kernel_size, _stride(module), strict=True))


def _stride(module: nn.Module) -> tuple[int, ...]:
    stride: tuple[int, ...] = module.stride  # type: ignore[assignment]
    return stride
