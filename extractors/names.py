"""The grammar of extractor names.

timm:NAME[.TAG][@LAYER|@PIXELS]     torchvision:NAME[.TAG][@LAYER]
hf-hub:ORG/NAME[@LAYER|@PIXELS]     timm's models on the Hugging Face Hub; timm/NAME for short
hf:ORG/NAME[@pooled|@cls|@mean]     models of transformers on the Hub[@LAYER]
open_clip:NAME[.TAG][@LAYER]        open_clip:hf-hub:ORG/NAME[@LAYER]
bundled:efficientnet_lite0[@LAYER]  a plugin's id[@LAYER]
random:<any of these>               the same network with seeded random weights
<a network's id>[+drloc|+drloc-released]      trained from scratch, with the localization loss
<a backbone>[+finetuned|+finetuned-last]      trained from its weights, whole or the last layers
fusion:A+B                          the features of several of these side by side
features:NAME                       features from a file, which no network here makes

Only the text is read here; `extractors.describe` finds what a name stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from extractors.errors import BackboneError

# What may follow a name: how its network is trained.
FINETUNED = ("finetuned", "finetuned-last")
LOCALIZED = ("drloc", "drloc-released")
STEPS = (*FINETUNED, *LOCALIZED)

# What a network does with an image: convolve, attend, both, or neither.
Family = Literal["CNN", "transformer", "hybrid", "other"]
FAMILIES: tuple[Family, ...] = get_args(Family)

# What stands for an image among the outputs of a model of transformers.
Pooling = Literal["pooled", "cls", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

# Libraries whose names are repositories on the Hugging Face Hub.
TIMM_ON_HUB, TRANSFORMERS, OPEN_CLIP = "hf-hub", "hf", "open_clip"
# What the Hub calls timm's own repositories.
_TIMMS = "timm/"

RANDOM = "random:"
FUSION = "fusion:"
FEATURES = "features:"
# Words that tables have in place of an extractor's name: no plugin may take them.
NO_EXTRACTORS = ("selected", "none")

_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LAYER = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_LEAST_PIXELS, _MOST_PIXELS = 16, 4096


@dataclass(frozen=True, kw_only=True)
class ExtractorName:
    """The parts of a name.

    Attributes
    ----------
    text : str
        The whole name.
    prefix : str
        The library, before the colon; empty for networks of this package and plugins.
    model : str
        The architecture, the repository, or the id of a network or plugin.
    tag : str | None
        Which of several published weights.
    layer : str | None
        The layer whose output are the features; by default the one before the classifier.
    pixels : int | None
        Side of the input.
    pooling : Pooling | None
        Of a model of transformers, what stands for the image.
    random : bool
        Whether the weights are drawn.
    steps : tuple[str, ...]
        What follows "+".
    """

    text: str
    prefix: str
    model: str
    tag: str | None = None
    layer: str | None = None
    pixels: int | None = None
    pooling: Pooling | None = None
    random: bool = False
    steps: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The name without `random:`, layer, pooling and pixels."""
        return self.architecture + (f".{self.tag}" if self.tag else "")

    @property
    def architecture(self) -> str:
        """The library and the architecture or repository; the id of a network or plugin."""
        if self.prefix == OPEN_CLIP and is_repository(self.model):
            return f"{self.prefix}:{TIMM_ON_HUB}:{self.model}"
        return f"{self.prefix}:{self.model}" if self.prefix else self.model

    @property
    def network(self) -> str:
        """The whole name without what follows "+"."""
        return self.text.partition("+")[0]


def parse(text: str) -> ExtractorName:
    """Take an extractor's name apart. Whether there is such a backbone is not looked up.

    Raises
    ------
    BackboneError
        If it is no text, or a part is empty or stands where it may not.
    """
    if not isinstance(text, str):
        raise BackboneError(f"an extractor's name is a text, not {text!r}")
    rest, *steps = text.split("+")
    random = rest.startswith(RANDOM)
    rest = rest.removeprefix(RANDOM)
    if rest.startswith(RANDOM):
        raise BackboneError(f"{text}: 'random:' occurs twice")
    rest, at, suffix = rest.partition("@")
    prefix, model, tag = _read_base(text, rest)
    pooling = next((one for one in POOLINGS if prefix == TRANSFORMERS and suffix == one), None)
    layer, pixels = _read_suffix(text, suffix) if at and not pooling else (None, None)
    _check_steps(text, layer, steps)
    return ExtractorName(
        text=text,
        prefix=prefix,
        model=model,
        tag=tag or None,
        layer=layer,
        pixels=pixels,
        pooling=pooling,
        random=random,
        steps=tuple(steps),
    )


def renamed(known: ExtractorName, name: ExtractorName) -> ExtractorName:
    """A name that stands for a known one, read by the known one's grammar.

    What follows "@" takes the place of the known one's. Weights and training are the name's own.
    """
    suffix = name.text.partition("+")[0].partition("@")[2]
    asked = parse(f"{known.base}@{suffix}") if suffix else known
    layer = asked.layer or known.layer
    _check_steps(name.text, layer, list(name.steps))
    return replace(
        known,
        text=name.text,
        layer=layer,
        pixels=asked.pixels or known.pixels,
        pooling=asked.pooling or known.pooling,
        random=name.random,
        steps=name.steps,
    )


def is_repository(model: str) -> bool:
    """Whether a model's name is that of a repository on the Hub, `ORG/NAME`."""
    return _REPOSITORY.fullmatch(model) is not None


def _read_base(text: str, rest: str) -> tuple[str, str, str]:
    """Library, model and tag. The dots of a repository's name begin no tag."""
    if rest.startswith(_TIMMS):
        rest = f"{TIMM_ON_HUB}:{rest}"
    prefix, colon, model = rest.partition(":")
    if not colon:
        prefix, model = "", rest
    on_hub = prefix in (TIMM_ON_HUB, TRANSFORMERS)
    if prefix == OPEN_CLIP and model.startswith(f"{TIMM_ON_HUB}:"):
        model, on_hub = model.removeprefix(f"{TIMM_ON_HUB}:"), True
    if on_hub:
        if not is_repository(model):
            raise BackboneError(
                f"{text}: wants a repository on the Hugging Face Hub, as {prefix}:ORG/NAME"
            )
        return prefix, model, ""
    if not colon and is_repository(rest):
        raise BackboneError(
            f"{text}: name its library, too: hf:{rest} (transformers), {TIMM_ON_HUB}:{rest} (timm) "
            f"or {OPEN_CLIP}:{TIMM_ON_HUB}:{rest}"
        )
    model, dot, tag = model.partition(".")
    wrong_tag = dot and not _TAG.fullmatch(tag)
    if (colon and not prefix) or not _MODEL.fullmatch(model) or wrong_tag:
        raise BackboneError(f"{text}: not a valid extractor name")
    return prefix, model, tag


def split_fusion(text: str) -> list[str]:
    """The names that a fusion puts side by side; of any other name that name alone."""
    if not text.startswith(FUSION):
        return [text]
    parts: list[str] = []
    for piece in text.removeprefix(FUSION).split("+"):
        if parts and piece in STEPS:
            parts[-1] += f"+{piece}"
        else:
            parts.append(piece)
    return parts


def _check_steps(text: str, layer: str | None, steps: list[str]) -> None:
    if not steps:
        return
    if len(steps) > 1 or steps[0] not in STEPS:
        known = ", ".join(f"+{step}" for step in STEPS)
        raise BackboneError(f"{text}: a name may be followed by one of {known}")
    if layer is not None and steps[0] in FINETUNED:
        raise BackboneError(f"{text}: +{steps[0]} trains up to the last layer; leave @{layer} out")


def _read_suffix(text: str, suffix: str) -> tuple[str | None, int | None]:
    """The layer or the input size that follows "@"."""
    if suffix.isdecimal() and suffix.isascii():
        if not _LEAST_PIXELS <= int(suffix) <= _MOST_PIXELS:
            raise BackboneError(
                f"{text}: input size must lie between {_LEAST_PIXELS} and {_MOST_PIXELS} pixels"
            )
        return None, int(suffix)
    if not _LAYER.fullmatch(suffix):
        raise BackboneError(f"{text}: '@' wants a layer's name or an input size in pixels")
    return suffix, None
