"""What a network costs: its arithmetic, and the memory that a piece of work takes at its peak."""

from __future__ import annotations

import contextlib
import copy
import threading
from typing import TYPE_CHECKING, Self

from extractors.backbone import InputSpec, evaluating
from extractors.isolation import isolated
from extractors.out_of_memory import release_memory

if TYPE_CHECKING:
    import torch
    from torch import nn

GIB = 2**30
# Memory of usual GPUs, in GB as they are sold.
USUAL_GPUS = (4, 8, 12, 16, 24, 40, 80)
# What the CUDA context and its libraries need besides the tensors, in bytes.
CONTEXT = GIB // 2
# The share of a card's memory that a program can use.
USABLE = 0.95


def forward_flops(network: nn.Module, spec: InputSpec, device: str = "cpu") -> int | None:
    """Floating-point operations of one image's forward pass, by torch's own counter.

    A multiplication and an addition count as two; elementwise operations are not counted. None for
    a network that does not run under the counter.
    """
    import torch

    with contextlib.suppress(Exception):
        # Shapes alone: nothing is multiplied. Not every network can be copied or runs so.
        shapes = copy.deepcopy(network).to("meta")
        counted = _counted_flops(shapes, torch.zeros(1, 3, spec.height, spec.width, device="meta"))
        if counted is not None:
            return counted
    return _counted_flops(network, torch.zeros(1, 3, spec.height, spec.width, device=device))


def _counted_flops(network: nn.Module, image: torch.Tensor) -> int | None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # Attention as matrix products: the counter does not know all of the fused kernels.
    counter = FlopCounterMode(display=False)
    fast = torch.backends.mha.get_fastpath_enabled()
    # Nor does it know the fused attention of nn.MultiheadAttention.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            isolated("the counted network"),
            evaluating(network),
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            counter,
        ):
            network(image)
    except Exception:
        # A plugin's network may do what the counter cannot follow; only this figure is lost.
        return None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return int(counter.get_total_flops())


def smallest_gpu(tensor_bytes: int) -> int | None:
    """The smallest usual GPU, in GB, for so many bytes of tensors; None where none is enough."""
    needed = tensor_bytes + CONTEXT
    fitting = [size for size in USUAL_GPUS if needed <= USABLE * size * 1e9]
    return fitting[0] if fitting else None


class SavedTensors:
    """Counts inside a `with` block what a forward pass saves for the backward pass.

    Its `bytes` are those of all saved tensors, each memory once, without the network's parameters.

    Parameters
    ----------
    network : nn.Module
        The network that is run.
    """

    def __init__(self, network: nn.Module) -> None:
        import torch

        self.bytes = 0
        self._seen = {p.untyped_storage().data_ptr() for p in network.parameters()}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._count, lambda saved: saved)

    def _count(self, tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in self._seen:
            self._seen.add(memory.data_ptr())
            self.bytes += memory.nbytes()
        # Not the tensor itself: an output would keep itself alive after a pass that failed.
        return tensor.detach()

    def __enter__(self) -> Self:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)


class PeakMemory:
    """Measures the memory of this process at its highest inside a `with` block.

    Its `host` is the resident memory of the whole process in bytes, sampled twenty times a second.
    It includes what was used before: memory that was freed is often kept, and used again. Its
    `device` is the highest number of bytes that torch held on the GPU besides what others held when
    the block began; None without one.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1".
    """

    def __init__(self, device: str) -> None:
        self.host = 0
        self.device: int | None = None
        self._device = device
        self._done = threading.Event()

    def __enter__(self) -> Self:
        import psutil

        self._process = psutil.Process()
        self.host = self._process.memory_info().rss
        if self._on_gpu:
            import torch

            # What a network before this one left in torch's cache is not this one's.
            release_memory(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._others = int(torch.cuda.memory_reserved(self._device))
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watcher.join()
        if self._on_gpu:
            import torch

            self.device = int(torch.cuda.max_memory_reserved(self._device)) - self._others

    @property
    def _on_gpu(self) -> bool:
        return self._device.startswith("cuda")

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.host = max(self.host, self._process.memory_info().rss)
