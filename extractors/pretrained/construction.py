"""Builds the networks of timm and torchvision and loads checkpoints into them, nothing left out."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from extractors.errors import BackboneError
from extractors.layers import LayerFeatures, find_classifier, remove_classifier, resolve_layer
from extractors.names import ExtractorName
from extractors.pretrained.catalogue import PublishedWeights
from extractors.pretrained.checkpoints import (
    StateDict,
    explain_mismatch,
    explain_strict_error,
    read_state_dict,
)

# DenseNet's published checkpoints still carry module names that PyTorch no longer allows.
_OLD_DENSENET_KEY = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
# Heads of GoogLeNet and Inception that only training uses.
_AUXILIARY = re.compile(r"aux\d*\.|AuxLogits\.")


def build(name: ExtractorName, published: PublishedWeights, checkpoint: Path | None) -> nn.Module:
    """The network that returns features, with the checkpoint's weights, or random without one."""
    if published.kind == "timm":
        network = _build_timm(name, published, checkpoint)
    elif published.kind == "torchvision":
        network = _build_torchvision(name, published, checkpoint)
    else:
        network = _build_bundled(published, checkpoint)
    return take_features(network, name, published.architecture)


def take_features(network: nn.Module, name: ExtractorName, architecture: str) -> nn.Module:
    """Cut a network off before its classifier, or tap the layer that the name asks for."""
    if name.layer is not None:
        return LayerFeatures(network, resolve_layer(network, name.kind, architecture, name.layer))
    if name.kind in ("torchvision", "network"):
        remove_classifier(network)
    elif name.kind in ("timm", "bundled"):
        network.reset_classifier(0)  # type: ignore[operator]
    return network


def load_strictly(network: nn.Module, checkpoint: Path, architecture: str) -> None:
    """Load a checkpoint in which every tensor must find its place."""
    try:
        network.load_state_dict(read_state_dict(checkpoint))
    except RuntimeError as error:
        raise explain_strict_error(checkpoint, architecture, error) from error


def randomise(network: nn.Module) -> None:
    """Draw all weights anew: by each layer's own rule, else from a normal of std 0.02."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            for parameter in module.parameters(recurse=False):
                nn.init.normal_(parameter, std=0.02)


def _build_timm(
    name: ExtractorName, published: PublishedWeights, checkpoint: Path | None
) -> nn.Module:
    import timm

    size = {} if published.img_size is None else {"img_size": published.img_size}
    tag = None if published.tag == "none" else published.tag
    if checkpoint is None:
        network = timm.create_model(published.architecture, pretrained_cfg=tag, **size)
        return _made(name, network, published)
    state = read_state_dict(checkpoint)
    classes = _head_width(state, published.classifier)
    # The state dict goes through timm's own loader, which converts old names and resamples
    # position embeddings. With the class count of the checkpoint itself that loader is strict.
    source: dict[str, Any] = {"state_dict": state, "num_classes": classes, "custom_load": False}
    try:
        with _missing_keys_reported() as missing:
            network = timm.create_model(
                published.architecture,
                pretrained=True,
                pretrained_cfg=tag,
                pretrained_cfg_overlay=source,
                num_classes=classes,
                **size,
            )
    except Exception as error:
        raise explain_strict_error(checkpoint, name.base, error) from error
    heads = tuple(f"{stem}." for stem in published.classifier)
    lost = [key for key in missing if not key.startswith(heads)]
    if lost:
        raise explain_mismatch(checkpoint, name.base, lost, [])
    network.pretrained_cfg.pop("state_dict", None)
    return _made(name, network, published)


def _made(name: ExtractorName, network: nn.Module, published: PublishedWeights) -> nn.Module:
    """Refuse an input of which a whole number of patches would leave a border out."""
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    sides = (patch, patch) if isinstance(patch, int) else patch
    size = (published.input.height, published.input.width)
    if sides and any(side % p for side, p in zip(size, sides, strict=True)):
        raise BackboneError(f"{name.text}: input size must be a multiple of {sides[0]} pixels")
    return network


def _head_width(state: StateDict, classifier: tuple[str, ...]) -> int:
    """Number of classes of a checkpoint's classifier; 0 if it has none."""
    for stem in (*classifier, "head", "head.fc", "fc", "classifier"):
        weight = state.get(f"{stem}.weight")
        if weight is not None and weight.ndim in (2, 4):
            return int(weight.shape[0])
    return 0


@contextlib.contextmanager
def _missing_keys_reported() -> Iterator[list[str]]:
    """Collects the keys that timm's loader only logs as missing.

    A few architectures are loaded without strictness by timm itself; there the log is the only
    place that tells.
    """
    keys: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found = re.match(r"Missing keys \((.*)\) discovered", record.getMessage())
            if found:
                keys.extend(found[1].split(", "))

    logger = logging.getLogger("timm.models._builder")
    listener, level, propagate = Listener(), logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield keys
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        logger.propagate = propagate


def _build_torchvision(
    name: ExtractorName, published: PublishedWeights, checkpoint: Path | None
) -> nn.Module:
    import torchvision.models as zoo

    network: nn.Module = zoo.get_model_builder(published.architecture)(
        weights=None, **_torchvision_arguments(published)
    )
    if checkpoint is None:
        return network
    state = read_state_dict(checkpoint)
    state = {"".join(m.groups()) if (m := _OLD_DENSENET_KEY.match(k)) else k: v
             for k, v in state.items() if not _AUXILIARY.match(k)}  # fmt: skip
    head = find_classifier(network)
    own = network.state_dict()
    if any(k.startswith(f"{head}.") and k in state and state[k].shape != own[k].shape for k in own):
        state = {k: v for k, v in state.items() if not k.startswith(f"{head}.")}
    wrong = [k for k in own if k in state and state[k].shape != own[k].shape]
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in state if k not in own]
    headless = bool(missing) and all(k.startswith(f"{head}.") for k in missing)
    if wrong or unexpected or (missing and not headless):
        raise explain_mismatch(checkpoint, name.base, missing, unexpected, wrong)
    if headless and name.layer is not None and f"{head}.".startswith(f"{name.layer}."):
        raise BackboneError(f"{name.text}: {checkpoint} has no weights for layer {name.layer}")
    network.load_state_dict(state, strict=False)
    return network


def _torchvision_arguments(published: PublishedWeights) -> dict[str, Any]:
    """What a builder must be told without its weights, so that theirs will fit.

    The published GoogLeNet and Inception were trained on images on [-1, 1] and turn ImageNet's
    normalisation into that by themselves; their auxiliary heads serve training only.
    """
    if published.architecture in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "transform_input": True, "init_weights": True}
    if published.architecture.startswith("vit_"):
        return {"image_size": published.img_size}
    return {}


def _build_bundled(published: PublishedWeights, checkpoint: Path | None) -> nn.Module:
    """The package names its tensors otherwise than timm, but lists them in the same order."""
    import timm

    network: nn.Module = timm.create_model(published.architecture)
    if checkpoint is None:
        return network
    state, own = read_state_dict(checkpoint), network.state_dict()
    wrong = [k for k, mine, other in zip(own, own.values(), state.values(), strict=False)
             if mine.shape != other.shape]  # fmt: skip
    if wrong or len(state) != len(own):
        raise BackboneError(
            f"{checkpoint}: wants {len(own)} tensors in the order of {published.architecture}, "
            f"got {len(state)}, {len(wrong)} of another shape"
        )
    network.load_state_dict(dict(zip(own, state.values(), strict=True)))
    return network
