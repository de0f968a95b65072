"""The part of a network that a recipe does not train: it keeps its weights and its eval mode."""

from __future__ import annotations

from torch import nn

from extractors.recipes import Recipe


def freeze(body: nn.Module, recipe: Recipe) -> tuple[list[nn.Module], list[nn.Parameter]]:
    """Freeze what a recipe does not train.

    Parameters
    ----------
    body : nn.Module
        The network without its head.
    recipe : Recipe
        Its `layers` say what is trained.

    Returns
    -------
    tuple[list[nn.Module], list[nn.Parameter]]
        The modules that stay in eval mode, and the parameters that were frozen. Besides the frozen
        layers these modules are all before the first trained layer that hold none: dropout and
        stochastic depth have no parameters, and belong to the block in which they are.
    """
    if recipe.layers == "all":
        return [], []
    modules = list(body.modules())
    layers = [m for m in modules if any(True for _ in m.parameters(recurse=False))]
    count = len(layers) - max(len(layers) // 4, 1)
    frozen, trained = layers[:count], set(layers[count:])
    parameters = [p for m in frozen for p in m.parameters(recurse=False) if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    before = modules[: next((i for i, m in enumerate(modules) if m in trained), 0)]
    still = [m for m in before if trained.isdisjoint(m.modules())]
    return list(dict.fromkeys([*frozen, *still])), parameters
