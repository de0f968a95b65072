"""Which networks a plan trains, how often, and how large they are."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from bench.execution.keys import size_key
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Plan
from bench.store import Store
from extractors.create import NetworkSize, size_of


@dataclass(frozen=True)
class PlannedTraining:
    """One training of a plan.

    Attributes
    ----------
    extractor : Extractor
        What is trained; a part of a fusion stands for itself.
    fold : Fold
        The first of the folds that it serves.
    of : str
        The extractor in the plan for which it is trained first.
    """

    extractor: Extractor
    fold: Fold
    of: str


def able(extractors: Mapping[str, Extractor], name: str) -> Extractor | None:
    """An extractor of a plan that sees images, and can run now or after a download."""
    extractor = extractors.get(name)
    if extractor is None or not extractor.sees_images:
        return None
    return extractor if all(map(_may_run, parts_of(extractor))) else None


def _may_run(extractor: Extractor) -> bool:
    info = extractor.info
    missing = info is not None and not info.cached and info.downloadable
    return extractor.status == "ok" or missing


def parts_of(extractor: Extractor) -> tuple[Extractor, ...]:
    """The backbones of a fusion; any other extractor itself. Features from a file have none."""
    return tuple(part for part in extractor.parts or (extractor,) if part.imported is None)


def planned_trainings(plan: Plan, extractors: Mapping[str, Extractor]) -> Iterator[PlannedTraining]:
    """Each training of a plan once: folds with the same rows and seed share theirs."""
    seen = set()
    for name in plan.extractors():
        extractor = able(extractors, name)
        if extractor is None or not extractor.trained:
            continue
        for part in parts_of(extractor):
            if part.recipe is None:
                continue
            for fold, _ in plan.work(name):
                rows = tuple(positions.tobytes() for positions in fold.network_rows)
                training = (part.name, fold.repeat, rows)
                if training not in seen:
                    seen.add(training)
                    yield PlannedTraining(part, fold, name)


def stored_size(store: Store, extractor: Extractor) -> NetworkSize | None:
    """The size of a network; what building it has shown is kept. None where nobody knows it."""
    input_size = extractor.recipe.input_size if extractor.recipe is not None else None
    key = size_key(extractor, input_size)
    found = store.get("sizes", key)
    if found is not None:
        return NetworkSize(**found.meta)
    size = size_of(extractor.name, input_size, extractor.weights_dir)
    if size is not None:
        with contextlib.suppress(OSError):  # it costs time only
            store.put("sizes", key, {}, asdict(size))
    return size
