"""The checks of a plugin's features: shape, independence of the batch, weights that say all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from extractors.backbone import state_digest
from extractors.conformance.findings import ContractBroken
from extractors.conformance.subject import BATCHES, Subject, Watched
from extractors.errors import BackboneError
from extractors.extraction import lowest_cosine
from extractors.precision import LOWEST_COSINE, running

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
            raise ContractBroken(
                str(error).removeprefix(f"{subject.name}: "),
                "return one row of features an image, e.g. with torch.flatten(x, 1)",
            ) from error
        except Exception as error:
            raise ContractBroken(
                f"a batch of {count} images ({count}, 3, {spec.height}, {spec.width}) raises "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                "forward must take any number of images of the registered input_size; they lie "
                "channels-last in memory, where reshape works and view may not",
            ) from error
    if len(widths) > 1 or 0 in widths:
        raise ContractBroken(
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
        raise ContractBroken(
            f"features of an image that is {' or '.join(bad)} are not finite",
            "look for divisions by a spread that may be zero, logarithms, overflow",
        )
    return "for noise, black and white images"


def _independent_of_batch(subject: Subject) -> str:
    images = subject.images
    together = subject.features(images)
    alone = torch.cat([subject.features(image[None]) for image in images])
    difference = _difference(together, alone)
    if not difference <= ALLOWED:
        raise ContractBroken(
            f"an image's features change with the other images of its batch (by {difference:.0%} "
            "of the largest)",
            "that carries test images into training: take no mean or norm over the batch; "
            "BatchNorm must keep running statistics",
        )
    return "features are the same in a batch as for a single image"


def _repeatable(subject: Subject) -> str:
    images = subject.images
    torch.manual_seed(1)
    first = subject.features(images)
    torch.manual_seed(2)
    difference = _difference(first, subject.features(images))
    if not difference <= ALLOWED:
        raise ContractBroken(
            f"a second pass gives other features for the same images (by {difference:.0%} of the "
            "largest)",
            "drop out or draw only in training: torch.nn.Dropout, or dropout(x, training="
            "self.training)",
        )
    return "a second pass gives the same features"


def _in_eval_mode(subject: Subject) -> str:
    watched = subject.backbone.module
    assert isinstance(watched, Watched)
    before = state_digest(watched)
    watched.left_eval = False
    subject.features(subject.images)
    if watched.left_eval:
        raise ContractBroken(
            "parts of the network are in training mode during extraction",
            "do not call train() in forward; a train() or eval() of your own must reach all parts",
        )
    if state_digest(watched) != before:
        raise ContractBroken(
            "extraction changes weights or buffers",
            "change buffers only where self.training is true",
        )
    return "kept, and weights and buffers stay as they are"


def _distinct(subject: Subject) -> str:
    features = subject.features(subject.images)
    if _difference(features, features[:1]) <= 1e-6:
        raise ContractBroken(
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
        raise ContractBroken(f"fails under autocast ({text})", hint, "note") from error
    cosine = lowest_cosine(full.numpy(), half.numpy())
    if not cosine > LOWEST_COSINE:
        raise ContractBroken(
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
        raise ContractBroken(
            "two builds share weights: training one would change the other",
            "make the network and load its weights inside the decorated function",
        )
    if state_digest(first.module) != state_digest(again.module):
        raise ContractBroken(
            "the same seed gives other weights",
            "draw weights from torch's generator only, not from numpy, random or the time",
        )
    return "the same seed gives the same weights"


def _loadable(subject: Subject) -> str:
    saved: dict[str, Any] = {}
    for name, value in subject.backbone.module.state_dict().items():
        try:
            saved[name] = value.detach().cpu().numpy().copy()
        except (AttributeError, TypeError) as error:
            raise ContractBroken(
                f"state_dict entry {name.removeprefix('network.')} cannot be kept "
                f"({' '.join(str(error).split())})",
                "keep weights as tensors of a type that numpy has, e.g. float32",
            ) from error
    other = subject.build(1)
    try:
        other.module.load_state_dict({k: torch.from_numpy(v) for k, v in saved.items()})
    except RuntimeError as error:
        raise ContractBroken(
            f"its state_dict does not fit a second build ({' '.join(str(error).split())[:200]})",
            "build the same layers each time",
        ) from error
    images = subject.images
    difference = _difference(subject.features(images), subject.features(images, other))
    if not difference <= ALLOWED_LOADED:
        raise ContractBroken(
            f"features change after saving and loading (by {difference:.0%} of the largest)",
            "what they depend on must be in state_dict: nn.Parameter, register_buffer, "
            "nn.ModuleList instead of a list",
        )
    return "features are the same after saving and loading"


def _difference(first: torch.Tensor, second: torch.Tensor) -> float:
    """Largest difference, as a share of the largest feature; 0 for equal ones, else NaN stays."""
    largest = float((first - second).abs().max())
    return largest / float(first.abs().max()) if largest else 0.0


def _storages(module: nn.Module) -> set[int]:
    tensors = [*module.parameters(), *module.buffers()]
    return {t.untyped_storage().data_ptr() for t in tensors} - {0}


FEATURE_CHECKS: dict[str, Callable[[Subject], str]] = {
    "builds": _builds,
    "shape": _shape,
    "finite": _finite,
    "single or batch": _independent_of_batch,
    "second pass": _repeatable,
    "eval mode": _in_eval_mode,
    "tells apart": _distinct,
    "bfloat16": _bfloat16,
    "seeded": _seeded,
    "save and load": _loadable,
}
