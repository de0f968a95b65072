"""Precision: whether a device computes in bfloat16, and running code in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from extractors.backbone import Precision

# Features of every crop are to agree to 0.999. Only a few are compared, so those have to do better.
LOWEST_COSINE = 0.9995


def computes_bfloat16(device: str) -> bool:
    """Whether the device has instructions for bfloat16; emulation does not count."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    """The processor's features, where the system lists them (Linux); empty elsewhere."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


@contextlib.contextmanager
def running(device: str, precision: Precision) -> Iterator[None]:
    """The precision for everything inside the block.

    Keep one block around a whole loop: the weights' bfloat16 copies live as long as it does. Making
    them anew for each batch costs AlexNet a quarter of its speed.
    """
    import torch

    enabled = precision == "bfloat16"
    with (
        without_tf32(),
        torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=enabled),
    ):
        yield


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """float32 as it is written, on every GPU: torch lets cuDNN round to the 10 bits of TF32.

    Where a GPU has TF32 it has bfloat16, too; float32 is computed there only where bfloat16 is not
    exact enough.
    """
    import torch
    from torch.backends import cudnn

    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]
