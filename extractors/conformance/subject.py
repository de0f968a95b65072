"""The plugin that is checked: what its checks use, and what its network changes in the process."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn

from extractors.backbone import Backbone
from extractors.batches import resize
from extractors.conformance.findings import ContractBroken
from extractors.extraction import probe_images
from extractors.isolation import TORCH_GENERATOR, restoring_process
from extractors.plugins import Plugin
from extractors.pretrained.connectivity import unreachable_hub_fails_at_once
from extractors.registration.registry import Registered

BATCHES = (1, 2, 5)
# Names of tensors that a line may list.
LISTED = 3


class Watched(nn.Module):
    """A plugin's network; records what a forward pass changes in the process."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.changed: set[str] = set()
        self.left_eval = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What the network makes of (B, 3, H, W)."""
        with restoring_process() as changed:
            features: torch.Tensor = self.network(images)
        # In training, dropout draws from torch's generator as it should.
        self.changed.update(set(changed) - ({TORCH_GENERATOR} if self.training else set()))
        if not self.training:
            self.left_eval |= any(module.training for module in self.network.modules())
        return features


class Subject:
    """The plugin that is checked.

    Its `backbone` is the network as it was built first, there once "builds" has passed; its
    `images` are five different textures, (5, 1, h, w) on [0, 255]; `changed` holds what the plugin
    changes in the process, by what it was doing.

    Parameters
    ----------
    plugin : Registered[Plugin]
        What was registered.
    """

    def __init__(self, plugin: Registered[Plugin]) -> None:
        self.name, self.plugin = plugin.name, plugin.value
        self.backbone: Backbone
        self.images = resize(probe_images()[: max(BATCHES)], self.plugin.input)
        self.changed: dict[str, set[str]] = {}
        self._builds = 0

    def build(self, seed: int) -> Backbone:
        """Build the network once more: torch's generator is seeded, all others are elsewhere."""
        self._builds += 1
        reseed_others(self._builds)
        torch.manual_seed(seed)
        with restoring_process() as changed, unreachable_hub_fails_at_once():
            network = self.plugin.build()
        # Weights are drawn from torch's generator, as they should be.
        self.record("building it", set(changed) - {TORCH_GENERATOR})
        if not isinstance(network, nn.Module):
            raise ContractBroken(
                f"the decorated function returns {type(network).__name__}",
                "return a torch.nn.Module",
            )
        network = network.eval().to(memory_format=torch.channels_last)
        return Backbone(
            name=self.name,
            module=Watched(network),
            input=self.plugin.input,
            weights="plugin",
            weights_digest="",
            parameters=sum(p.numel() for p in network.parameters()),
        )

    def features(self, pixels: torch.Tensor, backbone: Backbone | None = None) -> torch.Tensor:
        """Features (B, D) of images (B, 1, h, w) on [0, 255], as in extraction."""
        backbone = backbone or self.backbone
        features = backbone.features(pixels)
        assert isinstance(backbone.module, Watched)
        self.record("a forward pass", backbone.module.changed)
        return features

    def record(self, doing: str, changed: set[str]) -> None:
        """Record what the plugin has changed in the process while it did something."""
        self.changed.setdefault(doing, set()).update(changed)


def reseed_others(number: int) -> None:
    """Seed the generators that the suite does not seed, differently each time."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - the one that a plugin might draw from


def first_names(names: list[str]) -> str:
    """The first few of some names."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
