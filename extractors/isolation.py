"""Isolates the code of plugins: what all code in a process shares is restored after it.

That is defaults and switches of torch, generators of random numbers and the working folder. Torch
is imported when the first code is isolated.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extractors.errors import BackboneError

if TYPE_CHECKING:
    import torch

TORCH_GENERATOR = "torch's generator"


@contextlib.contextmanager
def isolated(name: str) -> Iterator[None]:
    """Run a plugin's code: afterwards torch's defaults and the working folder are as before.

    A default that stayed changed (the type of floats, the device, gradients, threads, the state of
    the generator) would change the results of every other backbone, and they would be kept under
    keys that do not hold it. `name` names the plugin in an error.

    Raises
    ------
    BackboneError
        If the code ends the program by `sys.exit`.
    """
    try:
        with restoring_process():
            yield
    except SystemExit as error:
        raise BackboneError(f"{name}: ends the program (sys.exit({error.code!r}))") from error


@contextlib.contextmanager
def restoring_process() -> Iterator[list[str]]:
    """Run a block; afterwards the process is as before it.

    Yields
    ------
    list[str]
        Once the block is over, the names of what it had changed.
    """
    before = [(part, part.get()) for part in _parts()]
    changed: list[str] = []
    try:
        yield changed
    finally:
        for part, value in before:
            if part.get() != value:
                changed.append(part.name)
                part.set(value)


@dataclass(frozen=True)
class _Part:
    name: str
    get: Callable[[], Any]
    set: Callable[[Any], object]


def _parts() -> tuple[_Part, ...]:
    """What is restored, in this order; the default device early, as the rest makes tensors."""
    import torch

    return (
        _Part("the default device", torch.get_default_device, _set_default_device),
        _Part("the default type of floats", torch.get_default_dtype, torch.set_default_dtype),
        _Part("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
        _Part("torch's gradient mode", torch.is_grad_enabled, torch.set_grad_enabled),
        _Part("torch's deterministic algorithms", _deterministic, _set_deterministic),
        _Part("the modes of cuDNN", _cudnn, _set_cudnn),
        _Part(
            "the precision of matrix products",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
        ),
        _Part(TORCH_GENERATOR, _torch_generator, _set_torch_generator),
        _Part("numpy's global generator", _numpy_generator, _set_numpy_generator),
        _Part("the generator of Python's random", random.getstate, random.setstate),
        _Part("the working folder", os.getcwd, os.chdir),
    )


def _set_default_device(device: torch.device) -> None:
    import torch

    torch.set_default_device(None if device.type == "cpu" else device)


def _deterministic() -> tuple[bool, bool]:
    import torch

    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _set_deterministic(modes: tuple[bool, bool]) -> None:
    import torch

    torch.use_deterministic_algorithms(modes[0], warn_only=modes[1])


def _cudnn() -> tuple[bool, bool]:
    from torch.backends import cudnn

    return cudnn.deterministic, cudnn.benchmark


def _set_cudnn(modes: tuple[bool, bool]) -> None:
    from torch.backends import cudnn

    cudnn.deterministic, cudnn.benchmark = modes


def _torch_generator() -> bytes:
    import torch

    return torch.get_rng_state().numpy().tobytes()


def _set_torch_generator(state: bytes) -> None:
    import torch

    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _numpy_generator() -> bytes:
    import numpy as np

    return pickle.dumps(np.random.get_state())  # noqa: NPY002 - the global one is what is watched


def _set_numpy_generator(state: bytes) -> None:
    import numpy as np

    np.random.set_state(pickle.loads(state))  # noqa: NPY002
