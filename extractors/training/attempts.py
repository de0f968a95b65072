"""What an attempt at a training step changes before memory runs out, so that it can be undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import groupby

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class BeforeStep:
    """Batch statistics and random generators before a step, so that it can be tried once more.

    Parameters
    ----------
    network : nn.Module
        Whose buffers are kept.
    device : str
        Whose generator is kept, beside that of the processor.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = device
        buffers = sorted(network.buffers(), key=lambda one: str(one.dtype))
        # One call for all tensors of a type: there are hundreds of them, and each is small.
        self._buffers = [list(group) for _, group in groupby(buffers, key=lambda one: one.dtype)]
        self._kept = [[one.detach().clone() for one in group] for group in self._buffers]

    def keep(self) -> None:
        """Remember how things are now."""
        self._generator = torch.get_rng_state()
        self._device_generator = _generator_state(self._device)
        with torch.no_grad():
            for buffers, kept in zip(self._buffers, self._kept, strict=True):
                torch._foreach_copy_(kept, buffers)

    def put_back(self) -> None:
        """Make things as they were at the last `keep`."""
        torch.set_rng_state(self._generator)
        _set_generator_state(self._device, self._device_generator)
        with torch.no_grad():
            for buffers, kept in zip(self._buffers, self._kept, strict=True):
                torch._foreach_copy_(buffers, kept)


@contextlib.contextmanager
def kept_generators(device: str) -> Iterator[None]:
    """Afterwards the generators of the processor and of the device are as they were before."""
    # Torch forks generators of CUDA, but not that of Metal.
    before = _generator_state(device)
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            _set_generator_state(device, before)


def _generator_state(device: str) -> torch.Tensor | None:
    """The state of a GPU's generator; None for a processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device == "mps" else None


def _set_generator_state(device: str, state: torch.Tensor | None) -> None:
    if state is None:
        return
    if device == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.cuda.set_rng_state(state, device)


def fewest_images(network: nn.Module) -> int:
    """The fewest images of a part of a batch: batch normalisation cannot learn from one alone."""
    normalised = any(isinstance(m, _BatchNorm) and m.training for m in network.modules())
    return 2 if normalised else 1
