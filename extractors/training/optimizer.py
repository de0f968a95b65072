"""AdamW with the rates and decays of a recipe, and what it keeps of each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from extractors.recipes import Recipe

# Where torch has AdamW as one kernel, which allocates nothing.
FUSED = ("cpu", "cuda", "mps")


def make_optimizer(
    modules: Mapping[str, nn.Module], recipe: Recipe, device: str
) -> torch.optim.AdamW:
    """AdamW on all parameters of some modules that are trained."""
    return torch.optim.AdamW(
        decay_groups(modules, recipe),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=device.partition(":")[0] in FUSED,
    )


def learning_rate(recipe: Recipe, epoch: int, done: float) -> float:
    """The learning rate when the share `done` of an epoch (from 0) is over."""
    at = epoch + done
    if at < recipe.warmup_epochs:
        # Never quite zero: a first step that moves nothing would be a step lost.
        return recipe.learning_rate * max(at, 0.01) / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return recipe.learning_rate
    left = (at - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1)
    return recipe.learning_rate * 0.5 * float(1 + np.cos(np.pi * left))


def decay_groups(modules: Mapping[str, nn.Module], recipe: Recipe) -> list[dict[str, Any]]:
    """The trained parameters, those that the weight decay spares in a group of their own."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for module in modules.values():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                spared = parameter.ndim <= 1 or name.endswith(".bias")
                groups[recipe.decayed == "all" or not spared].append(parameter)
    decays = {True: recipe.weight_decay, False: 0.0}
    return [{"params": g, "weight_decay": decays[d]} for d, g in groups.items() if g]


def allocate_moments(optimizer: torch.optim.AdamW) -> None:
    """Allocate what AdamW keeps of each parameter before it changes any, all of it or nothing.

    AdamW does so itself in its first step, group after group: where memory runs out between two
    tensors, it leaves half a state, and one group of parameters may have moved already.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if len(optimizer.state[parameter]) < 3:
                where = parameter.device if group["fused"] else "cpu"
                optimizer.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=where),
                    "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                    "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                }


def steps_taken(optimizer: torch.optim.AdamW) -> int:
    """The number of steps of the parameter that has moved most often."""
    return max((int(state["step"]) for state in optimizer.state.values() if state), default=0)
