"""The state of a training as plain arrays, and back: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
State = dict[str, torch.Tensor]


def pack(
    modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, kept: State | None
) -> Arrays:
    """Weights of the modules, moments of the optimiser and the weights kept so far, by name."""
    tensors = {
        f"{kind}.{name}": tensor
        for kind, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    tensors |= {f"kept.{name}": tensor for name, tensor in (kept or {}).items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def unpack(
    arrays: Mapping[str, NDArray[Any]],
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    device: str,
) -> State | None:
    """Put back what `pack` took; the weights kept so far, on the device, or None."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    for kind, module in modules.items():
        module.load_state_dict(_below(f"{kind}.", tensors))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, State] = {}
    for name, value in _below("optimizer.", tensors).items():
        number, _, moment = name.partition(".")
        of = parameters[int(number)]
        if value.shape == of.shape:
            # The fused optimiser walks through memory: moments must lie as their parameter does.
            value = torch.empty_like(of, dtype=value.dtype).copy_(value)
        moments.setdefault(int(number), {})[moment] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    kept = {name: value.to(device) for name, value in _below("kept.", tensors).items()}
    return kept or None


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> State:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
