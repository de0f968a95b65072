"""The checks of a plugin's features: their shape, that images stay apart, that weights tell all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from extractors.backbone import state_digest
from extractors.conformance.subject import BATCHES, NotKept, Subject, Watched
from extractors.errors import BackboneError
from extractors.precision import LOWEST_COSINE, running
from extractors.precision_choice import lowest_cosine

# By how much features of one image may differ, as a share of the largest: as in a run.
ALLOWED = 1e-3
# By how much they may after saving and loading; the same numbers then go the same way.
ALLOWED_LOADED = 1e-5


def _builds(subject: Subject) -> str:
    subject.backbone = subject.build(0)
    return f"{subject.backbone.parameters:,} parameters"


def _shape(subject: Subject) -> str:
    spec, widths = subject.plugin.input, set()
    for count in BATCHES:
        try:
            widths.add(subject.features(subject.images[:count]).shape[1])
        except BackboneError as error:
            raise NotKept(
                str(error).removeprefix(f"{subject.plugin.name}: "),
                "return one row of features an image, e.g. with torch.flatten(x, 1)",
            ) from error
        except Exception as error:
            raise NotKept(
                f"a batch of {count} images ({count}, 3, {spec.height}, {spec.width}) raises "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                "forward must take any number of images of the registered input_size; they lie "
                "channels-last in memory, where reshape works and view may not",
            ) from error
    if len(widths) > 1 or 0 in widths:
        raise NotKept(
            f"batches of {BATCHES} images have features of width {sorted(widths)}",
            "return the same number of features, at least one, for every batch",
        )
    return f"(B, {widths.pop()}) for B = {', '.join(map(str, BATCHES))} at {spec.height} px"


def _finite(subject: Subject) -> str:
    spec = subject.plugin.input
    noise = 255 * torch.rand(1, 1, spec.height, spec.width, generator=torch.Generator())
    kinds = {"noise": noise, "black": torch.zeros_like(noise), "white": 0 * noise + 255}
    bad = [k for k, image in kinds.items() if not subject.features(image).isfinite().all()]
    if bad:
        raise NotKept(
            f"features of an image that is {' or '.join(bad)} are not finite",
            "look for divisions by a spread that may be zero, logarithms, overflow",
        )
    return "for noise, black and white images"


def _alone(subject: Subject) -> str:
    images = subject.images
    together = subject.features(images)
    alone = torch.cat([subject.features(image[None]) for image in images])
    apart = _distance(together, alone)
    if not apart <= ALLOWED:
        raise NotKept(
            f"an image's features change with the other images of its batch (by {apart:.0%} of "
            "the largest)",
            "that carries test images into training: take no mean or norm over the batch; "
            "BatchNorm must keep running statistics",
        )
    return "features are the same in a batch as for a single image"


def _again(subject: Subject) -> str:
    images = subject.images
    torch.manual_seed(1)
    first = subject.features(images)
    torch.manual_seed(2)
    apart = _distance(first, subject.features(images))
    if not apart <= ALLOWED:
        raise NotKept(
            f"a second pass gives other features for the same images (by {apart:.0%} of the "
            "largest)",
            "drop out or draw only in training: torch.nn.Dropout, or dropout(x, training="
            "self.training)",
        )
    return "a second pass gives the same features"


def _eval(subject: Subject) -> str:
    watched = subject.backbone.module
    assert isinstance(watched, Watched)
    before = state_digest(watched)
    watched.left_eval = False
    subject.features(subject.images)
    if watched.left_eval:
        raise NotKept(
            "parts of the network are in training mode during extraction",
            "do not call train() in forward; a train() or eval() of your own must reach all parts",
        )
    if state_digest(watched) != before:
        raise NotKept(
            "extraction changes weights or buffers",
            "change buffers only where self.training is true",
        )
    return "kept, and weights and buffers stay as they are"


def _apart(subject: Subject) -> str:
    features = subject.features(subject.images)
    if _distance(features, features[:1]) <= 1e-6:
        raise NotKept(
            "five different images have the same features",
            "no classifier can learn from these; were the weights loaded?",
            "note",
        )
    return "different images have different features"


def _bfloat16(subject: Subject) -> str:
    hint = "correct it, or it fails in a run where the device computes in bfloat16"
    full = subject.features(subject.images)
    try:
        with running("cpu", "bfloat16"):
            half = subject.features(subject.images)
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise NotKept(f"fails under autocast ({text})", hint, "note") from error
    cosine = lowest_cosine(full.numpy(), half.numpy())
    if not cosine > LOWEST_COSINE:
        raise NotKept(
            f"disagrees with float32 (lowest cosine {cosine:.4f})",
            "nothing to do: a run then computes in float32",
            "note",
        )
    return f"agrees with float32 (lowest cosine {cosine:.5f})"


def _seeded(subject: Subject) -> str:
    first, again = subject.build(0), subject.build(0)
    if not first.module.state_dict():
        return "there are no weights"
    if _storages(first.module) & _storages(again.module):
        raise NotKept(
            "two builds share weights: training one would change the other",
            "make the network and load its weights inside the decorated function",
        )
    if state_digest(first.module) != state_digest(again.module):
        raise NotKept(
            "the same seed gives other weights",
            "draw weights from torch's generator only, not from numpy, random or the time",
        )
    return "the same seed gives the same weights"


def _saved(subject: Subject) -> str:
    saved: dict[str, Any] = {}
    for name, value in subject.backbone.module.state_dict().items():
        try:
            saved[name] = value.detach().cpu().numpy().copy()
        except (AttributeError, TypeError) as error:
            raise NotKept(
                f"state_dict entry {name.removeprefix('network.')} cannot be kept "
                f"({' '.join(str(error).split())})",
                "keep weights as tensors of a type that numpy has, e.g. float32",
            ) from error
    other = subject.build(1)
    try:
        other.module.load_state_dict({k: torch.from_numpy(v) for k, v in saved.items()})
    except RuntimeError as error:
        raise NotKept(
            f"its state_dict does not fit a second build ({' '.join(str(error).split())[:200]})",
            "build the same layers each time",
        ) from error
    images = subject.images
    apart = _distance(subject.features(images), subject.features(images, other))
    if not apart <= ALLOWED_LOADED:
        raise NotKept(
            f"features change after saving and loading (by {apart:.0%} of the largest)",
            "what they depend on must be in state_dict: nn.Parameter, register_buffer, "
            "nn.ModuleList instead of a list",
        )
    return "features are the same after saving and loading"


def _distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Largest difference, as a share of the largest feature; 0 for equal ones, else NaN stays."""
    apart = float((first - second).abs().max())
    return apart / float(first.abs().max()) if apart else 0.0


def _storages(module: nn.Module) -> set[int]:
    tensors = [*module.parameters(), *module.buffers()]
    return {t.untyped_storage().data_ptr() for t in tensors} - {0}


FEATURE_CHECKS: dict[str, Callable[[Subject], str]] = {
    "builds": _builds,
    "shape": _shape,
    "finite": _finite,
    "single or batch": _alone,
    "second pass": _again,
    "eval mode": _eval,
    "tells apart": _apart,
    "bfloat16": _bfloat16,
    "seeded": _seeded,
    "save and load": _saved,
}
