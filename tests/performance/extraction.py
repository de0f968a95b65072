"""Measures feature extraction: a library's own float32 network against what `extract` makes of it.

    python tests/performance/extraction.py [--quick] [--images N] [--device cpu]

Weights are random where none are cached: speed does not depend on them, the cosine does. Columns:
images a second of the library's own float32 network on tensors in memory, of the same network as
the suite prepares it (the precision it chooses, channels last) on tensors in memory, of the whole
loop from 8-bit crops, with ratios; that precision; and the lowest cosine between float32 and
bfloat16 features over all crops, whichever was chosen.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from bench.planning.presets import DEFAULT_EXTRACTORS
from extractors import Backbone, create_backbone, describe
from extractors.backbone import Precision
from extractors.batches import BATCH_SIZES, features_of, resize
from extractors.extraction import choose_precision, lowest_cosine
from extractors.precision import running, without_tf32

QUICK = ("torchvision:resnet18", "timm:vit_tiny_patch16_224", "bundled:efficientnet_lite0")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three small backbones, fewer images")
    parser.add_argument("--images", type=int, help="crops a backbone (default 128, quick 64)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of so many counts")
    options = parser.parse_args()
    names = QUICK if options.quick else DEFAULT_EXTRACTORS
    images = crops(options.images or (64 if options.quick else 128))
    print(
        f"{len(images)} crops of 256 × 256 on {options.device}, {torch.get_num_threads()} threads"
    )
    print(
        f"{'backbone':<36}{'float32':>9}{'tensors':>9}{'loop':>9}"
        f"{'speed-up':>10}{'loop/tensors':>14}{'precision':>11}{'cosine':>9}"
    )
    before = after = 0.0
    for name in names:
        default, tensors, loop, precision, cosine = measure(
            name, images, options.device, options.rounds
        )
        before, after = before + default, after + loop
        rates = "".join(f"{len(images) / seconds:>9.1f}" for seconds in (default, tensors, loop))
        print(
            f"{name:<36}{rates}{default / loop:>10.2f}{tensors / loop:>14.2f}"
            f"{precision:>11}{cosine:>9.5f}",
            flush=True,
        )
    print(f"whole list: {before:.1f} s -> {after:.1f} s, {before / after:.2f} times as fast")


def measure(
    name: str, images: NDArray[np.uint8], device: str, rounds: int
) -> tuple[float, float, float, Precision, float]:
    """Seconds in float32, in memory, in the loop; the precision chosen; the lowest cosine."""
    weights = "auto" if describe(name).cached else "random"
    backbone = create_backbone(name, weights=weights, device=device)
    precision = choose_precision(backbone).precision
    full = features_of(backbone, images, "float32")
    half = features_of(backbone, images, "bfloat16")  # also warms up
    return *rates(backbone, images, precision, rounds), precision, lowest_cosine(full, half)


def rates(
    backbone: Backbone, images: NDArray[np.uint8], precision: Precision, rounds: int
) -> tuple[float, float, float]:
    """Seconds in float32, in memory, in the loop. The network's memory format is another after."""
    batch = BATCH_SIZES.get(backbone.device.partition(":")[0], 32)
    tensors = resize(images, backbone.input).to(backbone.device)
    in_memory, loop = fastest(
        rounds,
        backbone.device,
        lambda: run_tensors(backbone, tensors, precision, batch),
        lambda: features_of(backbone, images, precision),
    )
    as_given = backbone.module.to(memory_format=torch.contiguous_format)
    plain = tensors.expand(-1, 3, -1, -1).contiguous()
    (default,) = fastest(rounds, backbone.device, lambda: run_plain(as_given, plain, batch))
    return default, in_memory, loop


def run_tensors(
    backbone: Backbone, tensors: torch.Tensor, precision: Precision, batch: int
) -> None:
    """The suite's network on images that lie in memory, resized."""
    with running(backbone.device, precision):
        for part in torch.split(tensors, batch):
            backbone.features(part).cpu()


def run_plain(module: torch.nn.Module, tensors: torch.Tensor, batch: int) -> None:
    """The library's network in its own float32 and memory format."""
    with torch.inference_mode(), without_tf32():
        for part in torch.split(tensors, batch):
            module(part).cpu()


def fastest(rounds: int, device: str, *actions: Callable[[], object]) -> list[float]:
    """Seconds of the fastest of several rounds of each action.

    They take turns, so that a change of the machine's load meets them alike.
    """
    best = [float("inf")] * len(actions)
    for _ in range(rounds):
        for i, action in enumerate(actions):
            start = time.perf_counter()
            action()
            wait(device)
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def wait(device: str) -> None:
    """Until a GPU has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        torch.mps.synchronize()


def crops(count: int) -> NDArray[np.uint8]:
    """Smooth noise of several scales, so that features differ from crop to crop."""
    rng = np.random.default_rng(0)
    total = np.zeros((count, 256, 256))
    for folds in (4, 16, 64, 256):
        noise = rng.normal(size=(count, folds, folds))
        total += np.kron(noise, np.ones((256 // folds, 256 // folds)))
    return np.clip(128 + 32 * total, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
