"""Builds a backbone: library, weights, input and feature layer, as its name says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from extractors import plugins
from extractors.backbone import Backbone, BackboneInfo, state_digest
from extractors.describe import describe
from extractors.errors import BackboneError, MissingWeights
from extractors.isolation import isolated
from extractors.names import ExtractorName, parse
from extractors.networks import NETWORKS
from extractors.pretrained import catalogue

if TYPE_CHECKING:
    from torch import nn


def create_backbone(
    name: str,
    weights: str | Path = "auto",
    weights_dir: str | Path | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Backbone:
    """Build a backbone by its name; see `extractors.names` for the grammar.

    Parameters
    ----------
    weights : "auto" takes the published weights from this machine (never from the network; see
        `download_weights`), "random" draws seeded ones, anything else is the path of a checkpoint.
    weights_dir : a folder of checkpoints that is searched before the libraries' caches.
    device : where the network shall lie.
    seed : of random weights. The global generators are left as they were.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone.
    MissingWeights
        If its weights are not on this machine; the message says how to get them.
    BackboneError
        If a checkpoint is refused or does not fit, if a plugin fails, or if the network does not
        return (B, D).
    """
    parsed = parse(name)
    info = describe(name, weights_dir, weights=weights, seed=seed)
    if info.problem is not None:
        raise BackboneError(f"{name}: {info.problem}")
    if not info.cached:
        raise MissingWeights(f"{name}: weights {info.weights} are not cached; {info.hint}")
    with seeded(seed):
        return build_backbone(parsed, info, device)


def build_backbone(name: ExtractorName, info: BackboneInfo, device: str = "cpu") -> Backbone:
    """Build what has been described; random weights come from torch's generator as it is."""
    return finish_backbone(info, _build(name, info), device)


def _build(name: ExtractorName, info: BackboneInfo) -> nn.Module:
    from extractors.pretrained import construction

    if name.kind == "plugin":
        network = _build_plugin(name, info)
        return construction.take_features(network, name, info.architecture)
    if name.kind == "network":
        network = NETWORKS[name.model].build(NETWORKS[name.model].input_size)
        return construction.take_features(network, name, info.architecture)
    published = catalogue.look_up(name)
    return construction.build(name, published, info.weights_path)


def _build_plugin(name: ExtractorName, info: BackboneInfo) -> nn.Module:
    from torch import nn

    from extractors.pretrained import construction

    plugin = plugins.find_plugin(name.model)
    assert isinstance(plugin, plugins.Plugin)
    try:
        with isolated(name.text):
            network = plugin.build()
    except BackboneError:
        raise
    except Exception as error:
        raise BackboneError(
            f"{name.text}: {plugin.origin} cannot build it "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error
    if not isinstance(network, nn.Module):
        raise BackboneError(
            f"{name.text}: {plugin.origin} must return a torch.nn.Module, "
            f"not {type(network).__name__}"
        )
    if info.weights == "random":
        construction.randomise(network)
    elif info.weights_path is not None:
        construction.load_strictly(network, info.weights_path, name.model)
    return network


def finish_backbone(info: BackboneInfo, module: nn.Module, device: str) -> Backbone:
    """Place the network, find its width, and put together what is known of it."""
    import torch

    assert info.input is not None
    try:
        module = module.eval().to(torch.device(device)).to(memory_format=torch.channels_last)
    except (RuntimeError, AssertionError, ValueError) as error:
        first_line = str(error).split("\n")[0]
        raise BackboneError(
            f"{info.name}: device {device} cannot be used ({first_line})"
        ) from error
    try:
        backbone = Backbone(
            name=info.name,
            module=module,
            input=info.input,
            weights=info.weights,
            weights_digest=info.weights_digest or state_digest(module),
            device=device,
            parameters=sum(p.numel() for p in module.parameters()),
            source_digest=info.source_digest,
        )
        width = backbone.probe()
        if info.kind == "plugin":
            backbone.check_crops_alone()
        return replace(backbone, feature_width=width)
    except BackboneError:
        raise
    except Exception as error:
        size = f"{info.input.height} × {info.input.width}"
        raise BackboneError(
            f"{info.name}: fails on an image of {size} pixels "
            f"({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        ) from error


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generator seeded inside the block and as it was afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
