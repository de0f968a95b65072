"""`bench doctor`: looks at what a run needs and says what to do where something is missing."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.commands.printing import print_json, say_wrapped
from bench.errors import UnusableInput

if TYPE_CHECKING:
    from bench.data import Dataset

# What the default run on the phantom was measured to need, with room to spare.
MEMORY_GIB = 4
DISK_GIB = 2
# Letters from which on Windows refuses a path, and those of the longest kind in the store.
WINDOWS_PATH, _LONGEST_KIND = 260, 12
# Where the second line of a finding begins.
_FURTHER = " " * 6


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    state : Literal["ok", "note", "bad"]
        Fine, worth knowing, or in the way of a run.
    what : str
        What was looked at.
    found : str
        What was found.
    hint : str
        What to do about it; empty where nothing is to be done.
    backbone : bool
        Whether it is about the weights of one backbone.
    """

    state: Literal["ok", "note", "bad"]
    what: str
    found: str
    hint: str = ""
    backbone: bool = False


def doctor(
    data: Annotated[Path | None, typer.Option(help="Data to look at; else $BENCH_DATA.")] = None,
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of checkpoint files.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with versions.")] = False,
) -> None:
    """Check device, memory, disk, weights and data, each with its remedy."""
    findings = examine(data, weights_dir, cache)
    if as_json:
        print_json(described(findings))
    else:
        print_checks(findings)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def examine(data: Path | None, weights_dir: Path | None, cache: Path | None) -> list[Check]:
    """Look at everything; ends within seconds without a network, too."""
    return [
        *_device(),
        _memory(),
        *_disk(cache),
        *_long_paths(cache),
        *_network(),
        *_weights(weights_dir),
        *_data(data, cache),
    ]


def described(findings: Iterable[Check]) -> dict[str, object]:
    """What was found and the versions it was found with, as `--json` prints it."""
    import torch

    from bench.provenance import DISTRIBUTION, environment, suite_version

    return {
        DISTRIBUTION: suite_version(),
        "environment": environment("cuda" if torch.cuda.is_available() else "cpu"),
        "checks": [asdict(finding) for finding in findings],
    }


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


def _disk(requested: Path | None) -> Iterator[Check]:
    from bench.inventory import nearest
    from bench.store import cache_folder

    cache = cache_folder(requested)
    for what, folder, hint in (
        ("store", cache, "name another folder with --cache or $BENCH_CACHE"),
        ("run folders", Path("runs"), "name another folder with --out"),
    ):
        place = nearest(folder)
        free = shutil.disk_usage(place).free / 2**30
        found = f"{folder}, {free:.1f} GiB free"
        if not place.is_dir() or not os.access(place, os.W_OK):
            yield Check("bad", what, f"{folder}: cannot be written", hint)
        elif free < DISK_GIB:
            yield Check("bad", what, found, f"a run wants {DISK_GIB} GiB: {hint}")
        else:
            yield Check("ok", what, found)


def _long_paths(requested: Path | None) -> Iterator[Check]:
    """Where Windows has a limit of 260 letters, whether the files of the store stay below it."""
    from bench.store import Store, cache_folder

    if sys.platform != "win32" or _has_long_paths():
        return
    cache = cache_folder(requested)
    longest = len(str(Store(cache.absolute()).path("x" * _LONGEST_KIND, "0" * 64)))
    if longest < WINDOWS_PATH:
        yield Check("ok", "long paths", f"the longest of the store has {longest} letters")
        return
    hint = "name a shorter folder with --cache, or switch long paths on (LongPathsEnabled)"
    found = f"the longest of the store has {longest} letters, Windows takes {WINDOWS_PATH - 1}"
    yield Check("bad", "long paths", found, hint)


def _has_long_paths() -> bool:
    """Whether Windows has been told to take paths of any length."""
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:  # type: ignore[attr-defined,unused-ignore]
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False


def _network() -> Iterator[Check]:
    from extractors import unreachable_services

    hint = "put checkpoint files in a folder and name it: --weights-dir"
    for service, reason in unreachable_services().items():
        if reason:
            yield Check("note", f"network, {service}", reason, hint)
        else:
            yield Check("ok", f"network, {service}", "weights can be downloaded")


def _weights(weights_dir: Path | None) -> Iterator[Check]:
    from bench.planning.presets import DEFAULT_EXTRACTORS
    from extractors import BackboneError, available

    try:
        infos = available(DEFAULT_EXTRACTORS, weights_dir)
    except BackboneError as error:
        yield Check("bad", "weights", str(error), "name another folder with --weights-dir")
        return
    for info in infos:
        if info.problem is not None:
            yield Check("note", info.name, info.problem, info.hint)
        elif info.cached:
            yield Check("ok", info.name, f"weights {info.weights} cached", backbone=True)
        else:
            yield Check("note", info.name, "weights not cached", info.hint, backbone=True)


def _data(requested: Path | None, cache: Path | None) -> Iterator[Check]:
    from bench.data import load_lesions

    root = requested or os.environ.get("BENCH_DATA") or None
    if root is None:
        yield Check(
            "note", "data", "the built-in phantom", "name real data with --data or $BENCH_DATA"
        )
        return
    try:
        dataset = load_lesions(root)
    except UnusableInput as error:
        yield Check("bad", "data", str(error), "see `data info PATH`")
        return
    found = f"{dataset.name}: {len(dataset.table)} crops"
    if dataset.left_out.empty:
        yield Check("ok", "data", found)
    else:
        found += f", {len(dataset.left_out)} rows left out"
        yield Check("note", "data", found, "see `data info PATH`")
    yield _disk_of_runs(dataset, cache)


def _disk_of_runs(dataset: "Dataset", cache: Path | None) -> Check:
    """What a run of each preset on these data needs in the store, with default options."""
    from rich.filesize import decimal

    from bench.estimates.disk import disk_need, disk_notice
    from bench.planning.config import Configuration
    from bench.planning.job import job_on
    from bench.planning.presets import PRESETS

    needs, lacking = [], []
    for preset in PRESETS:
        options = {"preset": preset, "cache": cache}
        try:
            job = job_on(dataset, Configuration.checked(options))
        except UnusableInput as error:
            return Check("note", "disk of a run", f"unknown ({error})", "see `all --dry-run`")
        need = disk_need(job)
        needs.append(f"{preset} {decimal(need.total)}")
        lacking += [preset] * (disk_notice(job, need) is not None)
    found = f"--preset {', '.join(needs)}, all in the store"
    if lacking:
        hint = "name another folder with --cache, or see `cache prune`"
        return Check("note", "disk of a run", f"{found}: too much for {', '.join(lacking)}", hint)
    return Check("ok", "disk of a run", found)


def print_checks(findings: Iterable["Check"]) -> None:
    """Print checks: what is fine in a line each, then what is not, with its remedy.

    Backbones whose weights are cached are named together: there are dozens.
    """
    findings = list(findings)
    fine = [f for f in findings if f.state == "ok"]
    cached = [f.what for f in fine if f.backbone]
    for f in fine:
        if not f.backbone:
            say_wrapped(f"ok    {f.what}: {f.found}", _FURTHER)
    if cached:
        say_wrapped(f"ok    weights cached: {', '.join(cached)}", _FURTHER)
    # One hint may be that of many backbones.
    alike: dict[tuple[str, str, str], list[str]] = {}
    for f in findings:
        if f.state != "ok":
            alike.setdefault((f.state, f.found, f.hint), []).append(f.what)
    for (state, found, hint), names in alike.items():
        say_wrapped(f"{state:<5} {', '.join(names)}: {found}", _FURTHER)
        if hint:
            say_wrapped(f"      -> {hint}", " " * 9)
