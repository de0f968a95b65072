"""Looks at what a run needs: device, memory, disk, network, weights, data, each with its remedy."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import UnusableInput

# What the default run on the phantom was measured to need, with room to spare.
MEMORY_GIB = 4
DISK_GIB = 2


@dataclass(frozen=True)
class Check:
    """One thing looked at: fine, worth knowing, or in the way of a run.

    backbone : whether it is about the weights of one backbone.
    """

    state: Literal["ok", "note", "bad"]
    what: str
    found: str
    hint: str = ""
    backbone: bool = False


def examine(data: Path | None, weights_dir: Path | None, cache: Path | None) -> list[Check]:
    """Look at everything; ends within seconds without a network, too."""
    return [
        *_device(),
        _memory(),
        *_disk(cache),
        _network(),
        *_weights(weights_dir),
        _data(data),
    ]


def _device() -> Iterator[Check]:
    import torch

    from bench.provenance import processor
    from extractors.precision import computes_bfloat16

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            gib = torch.cuda.get_device_properties(number).total_memory / 2**30
            yield Check("ok", "GPU", f"{torch.cuda.get_device_name(number)}, {gib:.0f} GiB")
    else:
        yield Check("note", "GPU", "none", "everything runs on the processor, more slowly")
    fast = computes_bfloat16("cpu")
    speed = "bfloat16 instructions" if fast else "no bfloat16 instructions: float32, slower"
    yield Check("ok" if fast else "note", "processor", f"{processor()}, {speed}")


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    found = f"{free:.1f} GiB free"
    if free < MEMORY_GIB:
        return Check("bad", "memory", found, f"a run wants {MEMORY_GIB} GiB: end other programs")
    return Check("ok", "memory", found)


def _disk(asked: Path | None) -> Iterator[Check]:
    from bench.store import cache_folder

    cache = cache_folder(asked)
    for what, folder, hint in (
        ("store", cache, "name another folder with --cache or $BENCH_CACHE"),
        ("run folders", Path("runs"), "name another folder with --out"),
    ):
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free / 2**30
        found = f"{folder}, {free:.1f} GiB free"
        if not place.is_dir() or not os.access(place, os.W_OK):
            yield Check("bad", what, f"{folder}: cannot be written", hint)
        elif free < DISK_GIB:
            yield Check("bad", what, found, f"a run wants {DISK_GIB} GiB: {hint}")
        else:
            yield Check("ok", what, found)


def _network() -> Check:
    from extractors import is_online

    if is_online():
        return Check("ok", "network", "weights can be downloaded")
    return Check(
        "note", "network", "none", "put checkpoint files in a folder and name it: --weights-dir"
    )


def _weights(weights_dir: Path | None) -> Iterator[Check]:
    from extractors import BackboneError, available

    try:
        infos = available(weights_dir)
    except BackboneError as error:
        yield Check("bad", "weights", str(error), "name another folder with --weights-dir")
        return
    for info in infos:
        if info.kind == "network":
            continue  # trained in the run, from no weights
        if info.problem is not None:
            yield Check("note", info.name, info.problem, info.hint)
        elif info.cached:
            yield Check("ok", info.name, f"weights {info.weights} cached", backbone=True)
        else:
            yield Check("note", info.name, "weights not cached", info.hint, backbone=True)


def _data(asked: Path | None) -> Check:
    from bench.data import load_lesions

    root = asked or os.environ.get("BENCH_DATA") or None
    if root is None:
        return Check(
            "note", "data", "the built-in phantom", "name real data with --data or $BENCH_DATA"
        )
    try:
        dataset = load_lesions(root)
    except UnusableInput as error:
        return Check("bad", "data", str(error), "see `data info PATH`")
    found = f"{dataset.name}: {len(dataset.table)} crops"
    if dataset.left_out.empty:
        return Check("ok", "data", found)
    found += f", {len(dataset.left_out)} rows left out"
    return Check("note", "data", found, "see `data info PATH`")
