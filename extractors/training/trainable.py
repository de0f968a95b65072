"""What is trained: a network that turns images into features, with a linear head on them.

`create_trainable` builds one by its name: a network from scratch, a backbone to be fine-tuned from
its weights, or a plugin that brought a recipe. `recipe_for` says how a preset trains it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from extractors import plugins
from extractors.backbone import Backbone, InputSpec
from extractors.create import build_backbone, finish_backbone, seeded
from extractors.describe import describe
from extractors.errors import BackboneError
from extractors.layers import find_classifier
from extractors.names import parse
from extractors.networks import NETWORKS, Grid
from extractors.recipes import RECIPES, THESIS_AUGMENTATION, Localization, LocalizationForm, Recipe

N_CLASSES = 2


class Classifier(nn.Module):
    """A body, (B, 3, H, W) to (B, D), and the linear head that makes logits (B, 2) of it."""

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to logits (B, 2)."""
        logits: torch.Tensor = self.head(self.body(images))
        return logits


@dataclass
class Trainable:
    """A network with a head, ready to be trained.

    Attributes
    ----------
    name : the name it was asked for.
    network : body and head.
    input : the image it wants.
    weights : label of the weights it starts from: `scratch`, or the backbone's own label.
    grid : where its last token grid comes out, for the localization loss; else None.
    source_digest : digest of a plugin's source; None for everything else.
    """

    name: str
    network: Classifier = field(repr=False)
    input: InputSpec
    weights: str
    grid: Grid | None = None
    source_digest: str | None = None

    def backbone(self, weights_digest: str, device: str = "cpu") -> Backbone:
        """Its body as a backbone, whose features enter the head.

        weights_digest : what identifies the weights; a training's key.
        """
        info = replace(
            describe(self.name), input=self.input, weights=self.weights,
            weights_digest=weights_digest,
        )  # fmt: skip
        return finish_backbone(info, self.network.body, device)


def create_trainable(
    name: str,
    recipe: Recipe,
    *,
    seed: int = 0,
    weights: str | Path = "auto",
    weights_dir: str | Path | None = None,
) -> Trainable:
    """Build a network to be trained; see `extractors.names` for the grammar.

    Parameters
    ----------
    recipe : its `input_size` takes the place of the network's own, where the network is built here.
    seed : of all weights that are drawn.
    weights, weights_dir : of a backbone that is fine-tuned, as for `create_backbone`.

    Raises
    ------
    BackboneError
        If there is no such network, it is not one that trains, or its weights are missing or do not
        fit.
    """
    parsed = parse(name)
    if not trains(name):
        raise BackboneError(f"{name}: is not trained; +finetuned behind its name would do that")
    info = describe(name, weights_dir, weights=weights, seed=seed)
    if parsed.kind == "network":
        network = NETWORKS[parsed.model]
        size = recipe.input_size or network.input_size
        with seeded(seed):
            built = network.build(size)
        spec = replace(info.input or InputSpec(), height=size, width=size)
        return Trainable(name, _split(built), spec, info.weights, network.grid)
    with seeded(seed):
        backbone = build_backbone(parsed, info)
        if info.kind == "plugin":
            _check_fresh(name, backbone.module, build_backbone(parsed, info).module)
        head = nn.Linear(backbone.feature_width, N_CLASSES)
    return Trainable(
        name,
        Classifier(backbone.module, head),
        backbone.input,
        info.weights,
        source_digest=info.source_digest,
    )


def trains(name: str) -> bool:
    """Whether the suite trains what this name says."""
    parsed = parse(name)
    if parsed.kind == "network":
        return not parsed.random
    if parsed.steps:
        return True
    ours = parsed.kind == "plugin" and not parsed.random
    plugin = plugins.find_plugin(parsed.model) if ours else None
    return isinstance(plugin, plugins.Plugin) and plugin.recipe is not None


def recipe_for(name: str, preset: str) -> Recipe:
    """How a preset trains the network of that name.

    A plugin's own recipe holds under every preset. `+drloc` and `+drloc-released` say the form of
    the localization loss; its weight is the network's.
    """
    parsed = parse(name)
    if parsed.kind == "network":
        network = NETWORKS[parsed.model]
        recipe = RECIPES[preset, network.section]
        if network.augmented and recipe.augmentation is None:
            recipe = replace(recipe, augmentation=THESIS_AUGMENTATION)
        if parsed.steps and network.localization_weight is not None:
            form: LocalizationForm = "paper" if parsed.steps == ("drloc",) else "released"
            recipe = replace(recipe, localization=Localization(form, network.localization_weight))
        return recipe
    plugin = plugins.find_plugin(parsed.model) if parsed.kind == "plugin" else None
    if isinstance(plugin, plugins.Plugin) and plugin.recipe is not None and not parsed.steps:
        return plugin.recipe
    recipe = RECIPES[preset, "C"]
    return replace(recipe, layers="last") if "finetuned-last" in parsed.steps else recipe


def _check_fresh(name: str, network: nn.Module, again: nn.Module) -> None:
    """Refuse a plugin whose networks share weights: what one fold learns would reach the next."""
    memory = {tensor.data_ptr() for tensor in network.state_dict().values() if tensor.numel()}
    if any(t.data_ptr() in memory for t in again.state_dict().values() if t.numel()):
        raise BackboneError(
            f"{name}: gives the same weights each time it is built, and would carry what it learnt "
            "from fold to fold; build the network inside the function"
        )


def _split(network: nn.Module) -> Classifier:
    """Take a network apart before its last linear layer."""
    path = find_classifier(network)
    head = network.get_submodule(path)
    assert isinstance(head, nn.Linear)
    parent, _, child = path.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return Classifier(network, head)
