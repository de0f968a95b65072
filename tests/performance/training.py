"""Measures training: the whole loop against the bare step on one batch that lies ready.

    python tests/performance/training.py [--device cpu] [--images N] [--size PIXELS]

Columns: training images a second of the bare step (forward, loss, backward, clipping, AdamW, in
the precision of the loop and with the recipe's augmentation, always the same batch on the device),
of the loop as `train` runs it, and their ratio; then the peak of the process' memory, or of the
GPU's. The bare step is timed before and after the loop, and the faster counts.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from extraction import wait  # the script beside this one
from torch import nn
from torch.nn import functional

from extractors.backbone import normalise
from extractors.costs import GIB, PeakMemory
from extractors.networks import NETWORKS
from extractors.precision import computes_bfloat16, without_tf32
from extractors.recipes import THESIS_AUGMENTATION, Recipe
from extractors.training.augmentation import make_augmentation
from extractors.training.loop import train
from extractors.training.rows import TrainingRows, stack_on_device
from extractors.training.trainable import Trainable, create_trainable, recipe_for

EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--preset", default="quick")
    options = parser.parse_args()
    rows = made_up(options.images)
    precision = "bfloat16" if computes_bfloat16(options.device) else "float32"
    print(
        f"{options.images} crops of 256 × 256, {options.preset} recipe with the thesis' "
        f"augmentation, {options.device}, {precision}, {torch.get_num_threads()} threads"
    )
    print(f"{'network':<24}{'pixels':>8}{'step':>9}{'loop':>9}{'ratio':>8}{'peak GiB':>10}")
    for name in options.networks.split(","):
        recipe = recipe_for(name, options.preset)
        recipe = replace(recipe, epochs=EPOCHS, warmup_epochs=0, augmentation=THESIS_AUGMENTATION)
        bare = bare_step(create_trainable(name, recipe), rows, recipe, options.device)
        with PeakMemory(options.device) as peak:
            trainable = create_trainable(name, recipe)
            training = train(trainable, rows, recipe, device=options.device)
        again = bare_step(create_trainable(name, recipe), rows, recipe, options.device)
        bare = max(bare, again)
        taken = (peak.device if peak.device is not None else peak.host) / GIB
        print(
            f"{name:<24}{trainable.input.height:>8}{bare:>9.1f}{training.images_per_s:>9.1f}"
            f"{training.images_per_s / bare:>8.2f}{taken:>10.2f}",
            flush=True,
        )


def made_up(count: int) -> TrainingRows:
    """Noise, and labels in turns."""
    images = np.random.default_rng(0).integers(0, 256, (count, 256, 256), dtype=np.uint8)
    return TrainingRows(images, np.arange(count) % 2)


def bare_step(trainable: Trainable, rows: TrainingRows, recipe: Recipe, device: str) -> float:
    """Images a second of the step alone, on the first batch, as many steps as the loop has."""
    network = trainable.network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, fused=True)
    steps = -(-len(rows.labels) // recipe.batch_size)
    size = len(rows.labels) // steps
    stack = stack_on_device(rows.images[:size], trainable.input, device)
    labels = torch.from_numpy(rows.labels[:size]).to(device)
    augment = make_augmentation(recipe.augmentation) if recipe.augmentation else nn.Identity()
    kind = device.partition(":")[0]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        pixels = augment(stack.float() / 255) * 255
        with torch.autocast(kind, torch.bfloat16, enabled=computes_bfloat16(device)):
            logits = network(normalise(pixels, trainable.input)).float()
        functional.cross_entropy(logits, labels).backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        optimizer.step()

    with without_tf32():
        for _ in range(steps):
            step()
        wait(device)
        started = time.perf_counter()
        for _ in range(steps * (recipe.epochs - 1)):
            step()
        wait(device)
    return steps * (recipe.epochs - 1) * size / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
