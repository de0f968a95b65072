"""What `gpu.py` checks and measures: each section is a dictionary of functions, one for each row.

A function gives the figures of its row; where a check does not hold, `why` among them says so.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import platform
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from extraction import QUICK, crops, rates  # the scripts beside this one
from torch import nn
from training import bare_step, made_up

from bench.planning.presets import DEFAULT_EXTRACTORS, PRESETS, SELECTED
from bench.store import Store
from extractors import create_backbone, describe
from extractors.backbone import state_digest
from extractors.batches import features_of
from extractors.costs import CONTEXT, GIB, USABLE, PeakMemory, smallest_gpu
from extractors.create import finish_backbone
from extractors.extraction import choose_precision, lowest_cosine
from extractors.out_of_memory import is_out_of_memory, release_memory
from extractors.precision import computes_bfloat16
from extractors.recipes import Recipe
from extractors.training.loop import train
from extractors.training.state import Checkpoint, Training
from extractors.training.trainable import Trainable, create_trainable, recipe_for, trains
from reports.tables.published import PUBLISHED

Figures = dict[str, Any]
Works = dict[str, Callable[[], Figures]]

AGREES = 0.999
# The official training rows of the masses of CBIS-DDSM.
MASSES = 1318
# Trainings of a network on one subset: seeds of the official split, and folds of patient-cv.
TRAININGS = PRESETS["thesis"].network_seeds + 5 * PRESETS["thesis"].network_repeats


@dataclass(frozen=True)
class Size:
    """How much is done: crops that are compared, extracted and trained on, and which networks."""

    compared: int
    extracted: int
    rounds: int
    trained: int
    backbones: tuple[str, ...]
    networks: tuple[str, ...]
    pixels: int | None = None


TRAINED = tuple(n for n in PRESETS["thesis"].extractors if n != SELECTED and trains(n))
FULL = Size(16, 512, 3, MASSES, DEFAULT_EXTRACTORS, TRAINED)
SMALL = Size(
    compared=12,
    extracted=16,
    rounds=1,
    trained=16,
    backbones=QUICK,
    networks=tuple(
        n
        for n in TRAINED
        if ":" not in n or n.startswith(("torchvision:alexnet", "torchvision:resnet18"))
    ),
    pixels=64,
)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def machine(device: str) -> Figures:
    """What all figures depend on."""
    on_gpu = device.startswith("cuda")
    return {
        "device": device,
        "name": torch.cuda.get_device_name(device) if on_gpu else platform.machine(),
        "memory_gib": round(torch.cuda.mem_get_info(device)[1] / GIB, 1) if on_gpu else None,
        "precision": "bfloat16" if computes_bfloat16(device) else "float32",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


def feature_works(device: str, size: Size) -> Works:
    """Each backbone: its features against the processor's in float32, and its speed."""
    return {name: partial(features, name, device, size) for name in size.backbones}


def features(name: str, device: str, size: Size) -> Figures:
    weights = "auto" if describe(name).cached else "random"
    reference = create_backbone(name, weights=weights)
    images = crops(size.extracted)
    expected = features_of(reference, images[: size.compared], "float32")
    module = copy.deepcopy(reference.module)
    backbone = finish_backbone(describe(name, weights=weights), module, device)
    precision = choose_precision(backbone).precision
    cosine = lowest_cosine(expected, features_of(backbone, images[: size.compared], precision))
    features_of(backbone, images, precision)  # warms up
    plain, tensors, loop = (
        len(images) / s for s in rates(backbone, images, precision, size.rounds)
    )
    return {
        "cosine": cosine,
        "precision": precision,
        "weights": weights,
        "loop_per_s": loop,
        "tensors_per_s": tensors,
        "float32_per_s": plain,
        "loop/tensors": loop / tensors,
        "why": None if cosine > AGREES else f"features do not agree to {AGREES}",
    }


def training_works(device: str, size: Size) -> Works:
    """Every network of the preset `thesis`, those with published hours first."""
    names = sorted(size.networks, key=lambda name: published_hours(name) is None)
    return {name: partial(two_epochs, name, device, size) for name in names}


def two_epochs(name: str, device: str, size: Size) -> Figures:
    whole, recipe = recipe_for(name, "thesis"), short(name, epochs=2, pixels=size.pixels)
    rows = made_up(size.trained)
    trainable = build(name, recipe)
    with PeakMemory(device) as peak:
        training = train(trainable, rows, recipe, device=device)
    taken, why = None, None
    if peak.device is not None:
        taken = torch.cuda.max_memory_allocated(device)
        card = smallest_gpu(training.tensor_bytes)
        if card is None or taken + CONTEXT > USABLE * card * 1e9:
            why = f"took more than the GPU of {card} GB that its estimate names has"
    bare = None
    # The bare step has no localization loss, and no parts.
    if "+drloc" not in name and training.accumulation_steps == 1:
        bare = bare_or_none(trainable, rows, recipe, device)
    later = training.seconds - training.first_epoch_seconds
    seconds = training.first_epoch_seconds + (whole.epochs - 1) * later
    return {
        "crops": size.trained,
        "pixels": trainable.input.height,
        "loop_per_s": training.images_per_s,
        "step_per_s": bare,
        "loop/step": None if bare is None else training.images_per_s / bare,
        "parts": training.accumulation_steps,
        "estimate_gib": training.tensor_bytes / GIB,
        "peak_gib": None if taken is None else taken / GIB,
        "reserved_gib": None if peak.device is None else peak.device / GIB,
        "peak/estimate": None if taken is None else taken / training.tensor_bytes,
        "epochs": whole.epochs,
        "hours": seconds / 3600,
        # Those are of whole images and all masses: beside anything smaller they mislead.
        "published_hours": published_hours(name) if size == FULL else None,
        "why": why,
    }


def bare_or_none(trainable: Trainable, rows: Any, recipe: Recipe, device: str) -> float | None:
    """Images a second of the bare step; None where it does not fit, which the loop may do."""
    try:
        return bare_step(trainable, rows, recipe, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def whole_table(rows: list[Figures]) -> list[Figures]:
    """The sum over all networks, of one training each and of all on one subset."""
    found = [row for row in rows if row["section"] == "training"]
    known = [row["hours"] for row in found if "hours" in row]
    published = [row["published_hours"] for row in found if row.get("published_hours")]
    sums = {
        f"{len(found)} networks, once each": 1,
        f"the same, {TRAININGS} trainings each": TRAININGS,
    }
    return [
        {
            "section": "whole",
            "what": what,
            "status": "ok" if len(known) == len(found) else "not reached",
            "networks": len(known),
            "hours": times * sum(known),
            "published_hours": sum(published) if times == 1 and published else None,
        }
        for what, times in sums.items()
    ]


def published_hours(name: str) -> float | None:
    """The published hours of a training, where there are some."""
    for result in PUBLISHED:
        if name in result.extractors and "training_time_s" in result.figures:
            return result.figures["training_time_s"] / 3600
    return None


def short(name: str, epochs: int, pixels: int | None) -> Recipe:
    """The preset's recipe with fewer epochs, and another input where a network is built here."""
    recipe = recipe_for(name, "thesis")
    warmup = min(recipe.warmup_epochs, epochs - 1)
    size = pixels if ":" not in name else None
    return replace(recipe, epochs=epochs, warmup_epochs=warmup, input_size=size)


def build(name: str, recipe: Recipe) -> Trainable:
    """Backbones have random weights: no published ones are needed."""
    return create_trainable(name, recipe, weights="random" if ":" in name else "auto")


def memory_works(device: str, size: Size) -> Works:
    """Work that does not fit as a whole, with half of the memory that it took before."""
    return {
        "cnn_baseline": partial(training_in_parts, device, size),
        "torchvision:resnet18": partial(features_in_parts, device, size),
    }


def training_in_parts(device: str, size: Size) -> Figures:
    recipe = short("cnn_baseline", epochs=2, pixels=size.pixels)
    rows = made_up(min(size.trained, 512))

    def trained(cap: int | None) -> tuple[Training, int]:
        trainable = build("cnn_baseline", recipe)
        capped = limited(device, trainable.network, cap)
        with capped if cap is not None else contextlib.nullcontext(), PeakMemory(device) as peak:
            result = train(trainable, rows, recipe, device=device, allow_bfloat16=False)
        return result, peak.device or 0

    whole, peak = trained(None)
    parts, _ = trained(peak // 2)
    losses = [run.history[-1]["train_loss"] for run in (whole, parts)]
    why = None
    if parts.accumulation_steps <= whole.accumulation_steps:
        why = "the memory was not too small: nothing was divided"
    elif abs(losses[1] / losses[0] - 1) > 0.02:
        why = "another loss in parts"
    return {
        "parts": parts.accumulation_steps,
        "cap_gib": peak / 2 / GIB if peak else None,
        "loss": losses[0],
        "loss_in_parts": losses[1],
        "why": why,
    }


def features_in_parts(device: str, size: Size) -> Figures:
    backbone = create_backbone("torchvision:resnet18", weights="random", device=device)
    images = crops(max(size.extracted // 2, 40))
    with PeakMemory(device) as peak:
        whole = features_of(backbone, images, "float32")
    with limited(device, backbone.module, (peak.device or 0) // 2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = features_of(backbone, images, "float32")
    cosine = lowest_cosine(whole, parts)
    why = None if backbone.most_images else "the memory was not too small: nothing was divided"
    if cosine <= AGREES:
        why = f"features in parts do not agree to {AGREES}"
    return {
        "images": backbone.most_images,
        "cap_gib": peak.device / 2 / GIB if peak.device else None,
        "cosine": cosine,
        "why": why,
    }


@contextlib.contextmanager
def limited(device: str, network: nn.Module, cap: int) -> Iterator[None]:
    """Let this process have `cap` bytes more of the GPU; elsewhere refuse more than 8 images."""
    if not device.startswith("cuda"):

        def refuse(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if len(inputs[0]) > 8:
                raise torch.OutOfMemoryError("made up: out of memory")

        hook = network.register_forward_pre_hook(refuse)
        try:
            yield
        finally:
            hook.remove()
        return
    release_memory(device)
    index = torch.device(device).index or 0
    total = torch.cuda.get_device_properties(index).total_memory
    fraction = (torch.cuda.memory_reserved(index) + cap) / total
    torch.cuda.set_per_process_memory_fraction(min(fraction, 1.0), index)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, index)
        release_memory(device)


RESUMED = "vit_128_p16_aug"
RESUMED_CROPS, RESUMED_EPOCHS, RESUMED_BATCH = 64, 6, 16
# Inside the fourth epoch.
KILLED_AT_STEP = 3 * RESUMED_CROPS // RESUMED_BATCH + 2


def resume_works(device: str, script: Path) -> Works:
    """A training that is killed inside an epoch and started again, against one that was not."""
    return {RESUMED: partial(killed_and_resumed, device, script)}


def killed_and_resumed(device: str, script: Path) -> Figures:
    with TemporaryDirectory() as folder:
        command = [sys.executable, str(script), "--device", device, "--resumed", folder]
        killed = subprocess.run(command, timeout=60, capture_output=True, text=True)
        if killed.returncode != -signal.SIGKILL:
            last = (killed.stderr.strip() or "no message").splitlines()[-1]
            return {"why": f"the first process was not killed but ended by itself ({last})"}
        subprocess.run(command, timeout=60, check=True)
        resumed = json.loads((Path(folder) / "resumed.json").read_text(encoding="utf-8"))
        undisturbed = resumable(Store(Path(folder) / "undisturbed"), device, kill=False)
    pairs = zip(resumed["losses"], undisturbed["losses"], strict=True)
    apart = max(abs(one / other - 1) for one, other in pairs)
    same = resumed["digest"] == undisturbed["digest"]
    why = None
    if not 0 < resumed["began"] < RESUMED_EPOCHS:
        why = f"began at epoch {resumed['began']}, not at the checkpoint"
    elif device == "cpu" and not same:
        why = "other weights than without the kill"
    elif apart > 0.05:
        why = "other losses than without the kill"
    return {"epochs_kept": resumed["began"], "same_bits": same, "losses_apart": apart, "why": why}


def train_until_killed(folder: Path, device: str) -> None:
    """Train, in a process of its own; the first time this process kills itself."""
    store = Store(folder / "store")
    kill = ("checkpoints", "resumed") not in store
    result = resumable(store, device, kill)
    (folder / "resumed.json").write_text(json.dumps(result), encoding="utf-8")


def resumable(store: Store, device: str, kill: bool) -> Figures:
    """A training with a checkpoint after each epoch; its losses, and a digest of its weights."""
    recipe = replace(short(RESUMED, RESUMED_EPOCHS, pixels=64), batch_size=RESUMED_BATCH)
    trainable = build(RESUMED, recipe)
    steps, began = 0, 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        if kill and steps == KILLED_AT_STEP:
            os.kill(os.getpid(), signal.SIGKILL)

    def load() -> tuple[dict[str, Any], dict[str, Any]] | None:
        nonlocal began
        found = store.get("checkpoints", "resumed")
        if found is None:
            return None
        began = found.meta["epochs"]
        return found.arrays, found.meta

    trainable.network.register_forward_pre_hook(count)
    checkpoint = Checkpoint(
        load, lambda arrays, meta: store.put("checkpoints", "resumed", arrays, meta), every_s=0.0
    )
    rows = made_up(RESUMED_CROPS)
    training = train(trainable, rows, recipe, device=device, checkpoint=checkpoint)
    return {
        "began": began,
        "losses": [row["train_loss"] for row in training.history],
        "digest": state_digest(trainable.network),
    }
