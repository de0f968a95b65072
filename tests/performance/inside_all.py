"""Measures extraction as a run does it, chunk by chunk into the store, against tensors in memory.

    python tests/performance/inside_all.py [NAME ...]

Prints images a second for each backbone (by default three small ones and a large one) on the
built-in phantom: as a run extracts it the first and the second time in this process, and as the
same network gives on tensors already in memory. The first time pays for what the libraries set up
once in a process.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from extraction import measure  # the script beside this one

from bench.data import CropSettings, build_stack, builtin_phantom, load_lesions
from bench.data.crops.stack import CropStack
from bench.execution.features import Extraction
from bench.execution.site import Site
from bench.planning.extractor import Extractor
from bench.store import Store
from extractors import describe

NAMES = (
    "torchvision:alexnet",
    "torchvision:resnet18",
    "timm:vit_tiny_patch16_224",
    "timm:vit_small_patch16_224",
)


def main() -> None:
    print(f"{'backbone':<36}{'first':>9}{'second':>9}{'tensors':>9}{'first/t':>9}{'second/t':>9}")
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        stack = build_stack(load_lesions(builtin_phantom(cache)), CropSettings(), cache)
        for name in sys.argv[1:] or NAMES:
            first, second = rate(name, stack, cache / "1"), rate(name, stack, cache / "2")
            images = np.asarray(stack.images[:128])
            _, seconds, *_ = measure(name, images, "cpu", rounds=3)
            tensors = len(images) / seconds
            rates = "".join(f"{value:>9.1f}" for value in (first, second, tensors))
            print(f"{name:<36}{rates}{first / tensors:>9.2f}{second / tensors:>9.2f}", flush=True)


def rate(name: str, stack: CropStack, cache: Path) -> float:
    """Images a second of an extraction into an empty store."""
    info = describe(name, weights="auto" if name.startswith("bundled:") else "random")
    source = "auto" if info.weights_path else "random"
    extraction = Extraction(Site(stack, Store(cache)))
    everything = np.arange(len(stack.table))
    extractor = Extractor(name, info, info.weights, source)
    return float(extraction.features(extractor, everything, lambda _: None).profile["images_per_s"])


if __name__ == "__main__":
    main()
