"""What is trained: a network that turns images into features, with a linear head on them.

`create_trainable` builds one by its name: a network from scratch, a backbone to be fine-tuned from
its weights, or a plugin with a recipe. `recipe_for` says how a preset trains it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from extractors.backbone import Backbone, BackboneInfo, InputSpec
from extractors.create import build_backbone, finish_backbone, seeded
from extractors.describe import (
    FromPlugin,
    FromScratch,
    Resolved,
    describe_resolved,
    resolve,
)
from extractors.errors import BackboneError
from extractors.layers import find_classifier
from extractors.networks import Network
from extractors.networks.token_grid import TokenGrid
from extractors.pretrained.library import Published
from extractors.recipes import RECIPES, THESIS_AUGMENTATION, Localization, LocalizationForm, Recipe
from extractors.registration.registry import Registered

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
    info : BackboneInfo
        What is known of its body; the input is the one that it was built for.
    network : Classifier
        Body and head.
    grid : TokenGrid | None
        Where its last token grid comes out, for the localization loss; else None.
    """

    info: BackboneInfo
    network: Classifier = field(repr=False)
    grid: TokenGrid | None = None

    @property
    def name(self) -> str:
        """The name by which it was created."""
        return self.info.name

    @property
    def input(self) -> InputSpec:
        """The image it wants."""
        assert self.info.input is not None
        return self.info.input

    def backbone(self, weights_digest: str, device: str = "cpu") -> Backbone:
        """Its body as a backbone, whose features enter the head.

        Parameters
        ----------
        weights_digest : str
            What identifies the weights: a training's key.
        device : str
            Where the network shall lie.

        Returns
        -------
        Backbone
            Has a copy of the weights: this network stays where and as it is, and training it
            further changes no feature of the backbone.

        Raises
        ------
        BackboneError
            If the network cannot be copied, or the device cannot be used.
        """
        try:
            body = copy.deepcopy(self.network.body)
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            raise BackboneError(
                f"{self.name}: cannot be copied ({type(error).__name__}: {reason})"
            ) from error
        return finish_backbone(replace(self.info, weights_digest=weights_digest), body, device)


def create_trainable(
    name: str,
    recipe: Recipe,
    *,
    seed: int = 0,
    weights: str | Path = "auto",
    weights_dir: str | Path | None = None,
) -> Trainable:
    """Build a network to be trained.

    Parameters
    ----------
    name : str
        Its name; see `extractors.names` for the grammar.
    recipe : Recipe
        Its `input_size` takes the place of the network's own, where the network is built here.
    seed : int
        Of all weights that are drawn.
    weights : str | Path
        Of a backbone that is fine-tuned, as for `create_backbone`.
    weights_dir : str | Path | None
        As for `create_backbone`.

    Returns
    -------
    Trainable
        With a linear head of two classes.

    Raises
    ------
    BackboneError
        If there is no such network, it is not one that trains, or its weights are missing or do not
        fit.
    """
    resolved = resolve(name, weights_dir)
    if not _is_trained(resolved):
        raise BackboneError(f"{name}: is not trained; with +finetuned after its name it would be")
    info = describe_resolved(resolved, weights_dir, weights=weights, seed=seed)
    if isinstance(resolved, FromScratch):
        network = resolved.network
        size = recipe.input_size or network.input_size
        with seeded(seed):
            built = network.build(size)
        spec = replace(info.input or InputSpec(), height=size, width=size)
        return Trainable(replace(info, input=spec), _split(built), _grid(network, recipe))
    with seeded(seed):
        backbone = build_backbone(resolved, info)
        if isinstance(resolved, FromPlugin):
            _check_fresh(name, backbone.module, build_backbone(resolved, info).module)
        head = nn.Linear(backbone.feature_width, N_CLASSES)
    return Trainable(info, Classifier(backbone.module, head))


def _grid(network: Network, recipe: Recipe) -> TokenGrid | None:
    """Where the localization loss takes its tokens, in the form that the recipe names."""
    released = recipe.localization is not None and recipe.localization.form == "released"
    return network.released_grid if released and network.released_grid else network.grid


def trains(name: str) -> bool:
    """Whether the suite trains what this name says."""
    return _is_trained(resolve(name))


def _is_trained(resolved: Resolved) -> bool:
    match resolved:
        case FromScratch(name=name):
            return not name.random
        case FromPlugin(name=name):
            return bool(name.steps) or (not name.random and _recipe_of(resolved) is not None)
        case Published(name=name):
            return bool(name.steps)


def _recipe_of(resolved: FromPlugin) -> Recipe | None:
    """The recipe that a plugin brings, if it does."""
    return resolved.plugin.value.recipe if isinstance(resolved.plugin, Registered) else None


def recipe_for(name: str, preset: str) -> Recipe:
    """How a preset trains the network of that name.

    A plugin's own recipe holds under every preset. `+drloc` and `+drloc-released` say the form of
    the localization loss; its weight is the network's.

    Parameters
    ----------
    name : str
        The network's name; see `extractors.names` for the grammar.
    preset : str
        "quick", "thesis" or "full".

    Returns
    -------
    Recipe
        For `create_trainable` and `train`.
    """
    resolved = resolve(name)
    steps = resolved.name.steps
    if isinstance(resolved, FromScratch):
        return _recipe_from_scratch(resolved, preset)
    if isinstance(resolved, FromPlugin) and not steps:
        recipe = _recipe_of(resolved)
        if recipe is not None:
            return recipe
    recipe = RECIPES[preset, "C"]
    return replace(recipe, layers="last") if "finetuned-last" in steps else recipe


def _recipe_from_scratch(scratch: FromScratch, preset: str) -> Recipe:
    network, steps = scratch.network, scratch.name.steps
    recipe = RECIPES[preset, network.section]
    if network.augmented and recipe.augmentation is None:
        recipe = replace(recipe, augmentation=THESIS_AUGMENTATION)
    if steps and network.localization_weight is not None:
        form: LocalizationForm = "paper" if steps == ("drloc",) else "released"
        recipe = replace(recipe, localization=Localization(form, network.localization_weight))
    return recipe


def _check_fresh(name: str, network: nn.Module, again: nn.Module) -> None:
    """Refuse a plugin whose networks share weights, which would carry a training to others."""
    memory = {tensor.data_ptr() for tensor in network.state_dict().values() if tensor.numel()}
    if any(t.data_ptr() in memory for t in again.state_dict().values() if t.numel()):
        raise BackboneError(
            f"{name}: gives the same weights each time it is built, and would carry what it learns "
            "from fold to fold; build the network inside the function"
        )


def _split(network: nn.Module) -> Classifier:
    """Split a network before its last linear layer."""
    path = find_classifier(network)
    head = network.get_submodule(path)
    assert isinstance(head, nn.Linear)
    parent, _, child = path.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return Classifier(network, head)
