"""The disk that a plan needs in the store, computed from sizes before anything is written."""

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.estimates.networks import able, parts_of, planned_trainings, stored_size
from bench.inventory import nearest
from bench.planning.extractor import Extractor
from bench.planning.job import Job
from bench.planning.plan import Plan
from bench.store import Address, Store
from extractors.create import NetworkSize

FLOAT32, FLOAT64 = 4, 8
# What a checkpoint holds for each parameter: the weight and two moments of the optimiser.
CHECKPOINT = 3 * FLOAT32
# The least that an artifact takes: blocks of a disk.
SMALL = 4096


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a plan needs in the store, by kind of what is kept.

    Attributes
    ----------
    crops, features, networks, checkpoints, units : int
        As `bench cache info` counts them; checkpoints are gone at the end.
    unknown : tuple[str, ...]
        Extractors whose sizes nobody knows: they are not counted.
    """

    crops: int
    features: int
    networks: int
    checkpoints: int
    units: int
    unknown: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All of it."""
        return self.crops + self.features + self.networks + self.checkpoints + self.units


def disk_need(job: Job, workers: int = 1) -> DiskNeed:
    """Compute what the plan of a job needs.

    Parameters
    ----------
    job : Job
        From `prepare_job`.
    workers : int
        How many trainings run at one time.

    Returns
    -------
    DiskNeed
        All of it, whatever the store has already.
    """
    store = Store(job.cache)
    extractors = {extractor.name: extractor for extractor in job.extractors}
    known: dict[str, NetworkSize | None] = {}

    def size(extractor: Extractor) -> NetworkSize | None:
        if extractor.name not in known:
            known[extractor.name] = stored_size(store, extractor)
        return known[extractor.name]

    plan, side = job.plan, job.configuration.size
    parameters, checkpoints = [0], [0]
    for one in planned_trainings(plan, extractors):
        found, recipe = size(one.extractor), one.extractor.recipe
        if found is not None and recipe is not None:
            parameters.append(found.parameters)
            best = FLOAT32 if recipe.inner_validation else 0
            checkpoints.append(found.parameters * (CHECKPOINT + best))
    return DiskNeed(
        crops=len(job.table) * side * side,
        features=sum(_feature_bytes(plan, extractors, size)),
        networks=sum(parameters) * FLOAT32,
        # A new one is written beside the one before.
        checkpoints=2 * sum(sorted(checkpoints)[-workers:]),
        units=sum(_unit_bytes(plan)),
        unknown=tuple(name for name, found in known.items() if found is None),
    )


def _feature_bytes(
    plan: Plan,
    extractors: Mapping[str, Extractor],
    size: Callable[[Extractor], NetworkSize | None],
) -> Iterator[int]:
    """The features of each frozen backbone once, those of a trained network for each fold."""
    frozen = set()
    for name in plan.extractors():
        extractor = able(extractors, name)
        for part in parts_of(extractor) if extractor is not None else ():
            found = size(part)
            if found is None:
                continue
            if part.recipe is not None:
                rows = sum(len(fold.train) + len(fold.test) for fold, _ in plan.work(name))
            elif part.name not in frozen:
                frozen.add(part.name)
                rows = len(plan.positions(name))
            else:
                continue
            yield rows * found.width * FLOAT32


def _unit_bytes(plan: Plan) -> Iterator[int]:
    """Scores of the test crops, each system in a file of its own."""
    for name in plan.extractors():
        for fold, systems in plan.work(name):
            yield len(systems) * (SMALL + int(np.ceil(len(fold.test) * FLOAT64 / SMALL)) * SMALL)


def disk_notice(job: Job, need: DiskNeed, there: Collection[Address] = ()) -> str | None:
    """A line where the disk of the store has less room than the plan needs, else None.

    Parameters
    ----------
    job : Job
        Of the plan.
    need : DiskNeed
        From `disk_need`.
    there : Collection[Address]
        What an earlier run of the same plan has already kept.

    Returns
    -------
    str | None
        With the remedy.
    """
    from rich.filesize import decimal

    free = shutil.disk_usage(nearest(job.cache)).free
    wanted = need.total - _bytes_of(Store(job.cache), there)
    if wanted <= free:
        return None
    return (
        f"the store {job.cache} may need {decimal(wanted)} more, and its disk has {decimal(free)} "
        "free: name another folder with --cache, or see `bench cache prune`"
    )


def _bytes_of(store: Store, addresses: Collection[Address]) -> int:
    """The bytes of those networks and features that are there."""
    size = 0
    for kind, key in addresses:
        if kind in ("networks", "features"):
            with contextlib.suppress(FileNotFoundError):
                size += store.path(kind, key).stat().st_size
    return size


def lines_of(need: DiskNeed) -> Iterator[str]:
    """What a plan needs, for people."""
    from rich.filesize import decimal

    parts = {
        "networks": need.networks,
        "features": need.features,
        "crops": need.crops,
        "scores": need.units,
        "checkpoints while networks are trained": need.checkpoints,
    }
    told = ", ".join(f"{name} {decimal(size)}" for name, size in parts.items() if size)
    yield f"{decimal(need.total)} ({told})"
    if need.unknown:
        yield f"not counted, of unknown size: {', '.join(need.unknown)}"
