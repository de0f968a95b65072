"""The grammar of extractor names.

timm:NAME[.TAG][@layer|@pixels]     torchvision:NAME[.TAG][@layer]
bundled:efficientnet_lite0[@layer]  plugin-id[@layer]
random:<any of these>               the same network with seeded random weights
<a network's id>[+drloc|+drloc-released]      trained from scratch, with the localization loss
<a backbone>[+finetuned|+finetuned-last]      trained on from its weights, whole or the last layers
fusion:A+B                          the features of several of these side by side
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from extractors.errors import BackboneError, UnknownBackbone
from extractors.networks import NETWORKS

# What may stand behind a name: how its network is trained.
FINETUNED = ("finetuned", "finetuned-last")
LOCALIZED = ("drloc", "drloc-released")

LIBRARIES = ("timm", "torchvision", "bundled")
FUSION = "fusion:"
# Words that tables have in place of an extractor's name: no plugin may take them.
NO_EXTRACTORS = ("selected", "none")
RESERVED = frozenset({*LIBRARIES, "random", "fusion", *NO_EXTRACTORS, *NETWORKS})
_PLUGIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LAYER = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


@dataclass(frozen=True)
class ExtractorName:
    """A name taken apart.

    `kind` is "timm", "torchvision", "bundled", "network" (one that is trained from scratch) or
    "plugin"; `steps` is what stands behind a "+".
    """

    text: str
    kind: str
    model: str
    tag: str | None = None
    layer: str | None = None
    pixels: int | None = None
    random: bool = False
    steps: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The name without `random:`, layer and pixels, as a weights file would be called."""
        prefix = "" if self.kind in ("plugin", "network") else f"{self.kind}:"
        return prefix + self.model + (f".{self.tag}" if self.tag else "")


def parse(text: str) -> ExtractorName:
    """Take an extractor name apart; says nothing of whether such a backbone exists.

    Raises
    ------
    UnknownBackbone
        If the prefix is none of those above.
    BackboneError
        If a part is empty, or stands where it may not.
    """
    rest, *steps = text.split("+")
    random = False
    if rest.startswith("random:"):
        rest, random = rest.removeprefix("random:"), True
        if rest.startswith("random:"):
            raise BackboneError(f"{text}: 'random:' stands twice")
    rest, at, suffix = rest.partition("@")
    prefix, colon, model = rest.partition(":")
    if not colon:
        prefix, model = "plugin", rest
    elif prefix not in LIBRARIES:
        raise UnknownBackbone(
            f"{text}: unknown prefix '{prefix}:'; known are {', '.join(f'{p}:' for p in LIBRARIES)}"
            " and random:"
        )
    if prefix == "plugin" and model in NETWORKS:
        prefix = "network"
    model, dot, tag = model.partition(".")
    if not _MODEL.fullmatch(model) or (dot and not _TAG.fullmatch(tag)):
        raise BackboneError(f"{text}: not a valid extractor name")
    if dot and prefix not in ("timm", "torchvision"):
        raise BackboneError(f"{text}: only timm and torchvision names carry a tag")
    layer, pixels = _read_suffix(text, prefix, at, suffix)
    _check_steps(text, prefix, model, layer, random, steps)
    return ExtractorName(
        text, prefix, model, tag if dot else None, layer, pixels, random, tuple(steps)
    )


def split_fusion(text: str) -> list[str]:
    """The names that a fusion puts side by side; of any other name that name alone."""
    if not text.startswith(FUSION):
        return [text]
    parts: list[str] = []
    for piece in text.removeprefix(FUSION).split("+"):
        if parts and piece in (*FINETUNED, *LOCALIZED):
            parts[-1] += f"+{piece}"
        else:
            parts.append(piece)
    return parts


def _check_steps(
    text: str, kind: str, model: str, layer: str | None, random: bool, steps: list[str]
) -> None:
    if not steps:
        return
    known = ", ".join(f"+{step}" for step in (*FINETUNED, *LOCALIZED))
    if len(steps) > 1 or steps[0] not in (*FINETUNED, *LOCALIZED):
        raise BackboneError(f"{text}: behind a name may stand one of {known}")
    if layer is not None and steps[0] in FINETUNED:
        raise BackboneError(f"{text}: +{steps[0]} trains up to the last layer; leave @{layer} out")
    if kind == "network" and steps[0] in FINETUNED:
        raise BackboneError(f"{text}: {model} is trained from scratch; it has no weights to go on")
    able = [name for name, network in NETWORKS.items() if network.localization_weight is not None]
    if steps[0] in LOCALIZED and (random or model not in able):
        raise BackboneError(f"{text}: +{steps[0]} is for {', '.join(able)}")


def _read_suffix(text: str, kind: str, at: str, suffix: str) -> tuple[str | None, int | None]:
    if not at:
        return None, None
    if kind == "network":
        raise BackboneError(f"{text}: a network that is trained here takes nothing after '@'")
    if suffix.isdecimal() and suffix.isascii():
        if kind != "timm":
            raise BackboneError(f"{text}: only timm names take an input size after '@'")
        if not 16 <= int(suffix) <= 4096:
            raise BackboneError(f"{text}: input size must lie between 16 and 4096 pixels")
        return None, int(suffix)
    if not _LAYER.fullmatch(suffix):
        raise BackboneError(f"{text}: '@' wants a layer's name or an input size in pixels")
    return suffix, None


def check_plugin_id(name: str) -> None:
    """Refuse a plugin id that the grammar could not tell from something else.

    Raises
    ------
    BackboneError
        If it is a reserved word or holds anything but letters, digits, `_` and `-`.
    """
    if name.casefold() in RESERVED or name.split(":", 1)[0].casefold() in RESERVED:
        raise BackboneError(f"{name!r}: a plugin may not use the reserved prefix of another kind")
    if not _PLUGIN_ID.fullmatch(name):
        raise BackboneError(
            f"{name!r}: a plugin's name holds letters, digits, '_' and '-' only "
            "(':', '@', '.', '+' and ',' belong to the grammar of names)"
        )
