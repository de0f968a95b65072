"""What a training leaves: the record of how it went, and checkpoints from which it goes on."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from extractors.backbone import Precision
from extractors.pretrained.checkpoints import StateDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]

# Changes whenever what a checkpoint holds does; one of another format is ignored.
_FORMAT = "training 3"


@dataclass
class Training:
    """How a training went. The network that was given holds the weights.

    Attributes
    ----------
    history : list[dict[str, float]]
        A row for each epoch: epoch (from 1), learning_rate (its last), train_loss, train_accuracy
        (means over the epoch's steps, in training mode), localization_loss, test_loss,
        test_accuracy, inner_loss; the last four only where there is such a thing, and those of
        held-out (test) rows only after some epochs (`held_out.on_the_curve`).
    seconds : float
        Time until the weights were final: resizing, training and inner validation, without the
        evaluation of held-out rows.
    first_epoch_seconds : float
        The part of it up to the end of the first epoch.
    images_per_s : float
        After the first epoch, where there is a second.
    kept_epoch : int
        The epoch whose weights were kept, from 1.
    trainable_parameters : int
        Number of the network's parameters that were trained.
    tensor_bytes : int
        What the first batch needed at once: weights, gradients and moments of the optimiser, what
        the forward pass saved for the backward pass, and the crop stack.
    precision : Precision
        Type of autocast.
    accumulation_steps : int
        Parts into which a batch had to be divided.
    notes : list[str]
        What a reader of the results must know.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    first_epoch_seconds: float = 0.0
    images_per_s: float = 0.0
    kept_epoch: int = 0
    trainable_parameters: int = 0
    tensor_bytes: int = 0
    precision: Precision = "float32"
    accumulation_steps: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """Where a training that was cut short goes on.

    Attributes
    ----------
    load : Callable[[], tuple[Mapping[str, NDArray[Any]], dict[str, Any]] | None]
        What was saved last; None where nothing was. What is no checkpoint of this training is
        ignored.
    save : Callable[[Arrays, dict[str, Any]], None]
        Keeps arrays and a dictionary for JSON, whole or not at all.
    every_s : float
        Seconds between two, counted at the ends of epochs.
    """

    load: Callable[[], tuple[Mapping[str, NDArray[Any]], dict[str, Any]] | None]
    save: Callable[[Arrays, dict[str, Any]], None]
    every_s: float = 60.0


def pack(
    modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, kept: StateDict | None
) -> Arrays:
    """Weights of the modules, state of the optimiser and the best weights so far, as bytes."""
    state = {
        "format": _FORMAT,
        "modules": {name: module.state_dict() for name, module in modules.items()},
        "optimizer": optimizer.state_dict(),
        "kept": kept,
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return {"state": np.frombuffer(buffer.getvalue(), dtype=np.uint8)}


def unpack(
    arrays: Mapping[str, NDArray[Any]], modules: Mapping[str, nn.Module]
) -> dict[str, Any] | None:
    """What `pack` took of such modules, on the CPU; None for anything else."""
    packed = arrays.get("state", np.empty(0)).tobytes()
    try:
        state = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
        return None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        return None
    shapes = {name: _shapes(module.state_dict()) for name, module in modules.items()}
    same = {name: _shapes(saved) for name, saved in state["modules"].items()} == shapes
    return state if same else None


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
