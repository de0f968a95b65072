"""Chooses between float32 and bfloat16: faster where the device has it and the features agree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.backbone import Backbone, Precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Features of every crop are to agree to 0.999. Only a few are compared, so those have to do better.
LOWEST_COSINE = 0.9995
SAMPLE = 8


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision, the lowest cosine seen between both (None if not compared), and why."""

    precision: Precision
    min_cosine: float | None
    note: str


def choose_precision(
    backbone: Backbone, images: NDArray[np.uint8], *, allow_bfloat16: bool = True
) -> PrecisionChoice:
    """bfloat16 if the device computes in it and features of eight crops agree with float32.

    Nothing is timed, so the same machine, weights and images give the same choice. Choose once for
    a whole stack and pass the result to `extract`, so that all its rows are computed alike.

    Parameters
    ----------
    images : uint8 (N, H, W); eight, spread over the stack, are looked at.
    allow_bfloat16 : False keeps float32 whatever the device.
    """
    import numpy as np

    from extractors.extraction import features_of

    if not allow_bfloat16:
        return PrecisionChoice("float32", None, "bfloat16 is switched off")
    if not computes_bfloat16(backbone.device):
        return PrecisionChoice("float32", None, f"{backbone.device} does not compute in bfloat16")
    if len(images) == 0:
        return PrecisionChoice("float32", None, "no image to compare on")
    sample = images[np.unique(np.linspace(0, len(images) - 1, SAMPLE).round().astype(int))]
    full = features_of(backbone, sample, "float32")
    half = features_of(backbone, sample, "bfloat16")
    lowest = lowest_cosine(full, half)
    if lowest > LOWEST_COSINE:
        return PrecisionChoice("bfloat16", lowest, f"bfloat16 agrees (cosine {lowest:.5f})")
    return PrecisionChoice(
        "float32", lowest, f"bfloat16 disagrees with float32 (cosine {lowest:.5f})"
    )


def lowest_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Lowest cosine between the rows of two (N, D) matrices; -1 if any is undefined."""
    import numpy as np

    a, b = first.astype(np.float64), second.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(all="ignore"):
        cosines = (a * b).sum(1) / norms
    return float(np.where(np.isfinite(cosines), cosines, -1.0).min())


def computes_bfloat16(device: str) -> bool:
    """Whether the device has instructions for bfloat16; emulation does not count."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    """The processor's features, where the system lists them (Linux); empty elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
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
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=enabled):
        yield
