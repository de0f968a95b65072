"""The work on one extractor after the other: its features, then the units of its folds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np

from bench.errors import is_disk_error
from bench.execution.features import Extraction, Features, T
from bench.execution.keys import fold_digest
from bench.execution.progress import Progress
from bench.execution.selected import Selection
from bench.execution.site import Site
from bench.execution.trainings import Trainings
from bench.execution.units import UnitResult, fit_fold
from bench.planning.extractor import Extractor
from bench.planning.job import Job
from bench.planning.plan import Fold, Place, Plan, System
from bench.record.run_tables import APPROXIMATE, Results
from bench.store import Store
from extractors import BackboneError
from extractors.names import SELECTED

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack


class ExtractorWork:
    """The units of one extractor after the other, and what they share."""

    def __init__(
        self, job: Job, stack: "CropStack", plan: Plan, results: Results, progress: Progress
    ) -> None:
        self.plan, self.results, self.progress = plan, results, progress
        store = Store(job.cache)
        self.extraction = Extraction(stack, store, job.device)
        self.trainings = Trainings(stack, store, job.device, job.configuration.seed)
        self.workbench = Site(
            stack.table["label"].to_numpy(),
            stack.table["patient_id"].to_numpy(),
            store,
            job.configuration.jobs or joblib.cpu_count(),
            job.device,
        )
        self.folds = _fold_digests(plan, stack)
        self.selects = SELECTED in plan.extractors()
        self.selection = Selection(self.workbench)

    def do(self, extractor: Extractor) -> tuple[Features | None, str]:
        """All units of an extractor; its last features, or None with the reason."""
        features: Features | None = None
        status, name = extractor.status, extractor.name
        if not extractor.trained:
            features, status = _frozen_features(
                self.extraction, extractor, self.plan, self.progress
            )
        told = False
        with self.progress.step(name, self.plan.n_units(name), "fits") as step:
            for fold, systems in self.plan.work(name):
                if extractor.trained:
                    features, status = _trained_features(
                        self.extraction, self.trainings, extractor, fold, self.progress
                    )
                if features is None:
                    for system in systems:
                        self.results.add_failed(fold, system, extractor, status)
                    continue
                fitted = self._fitted(fold, systems, extractor, features)
                for system, result in fitted.items():
                    self.results.add(fold, system, extractor, features, result)
                    if result.meta.get("approximate") and not told:
                        told = True
                        self.progress.say(f"{name}: {APPROXIMATE}")
                step(len(systems))
        return features, status

    def _fitted(
        self, fold: Fold, systems: Sequence[System], extractor: Extractor, features: Features
    ) -> dict[System, UnitResult]:
        key = self.folds[fold.place]
        fitted = fit_fold(fold, key, systems, features, self.workbench)
        if self.selects:
            return self.selection.judged(fold, key, extractor, features, fitted)
        return fitted


def _frozen_features(
    extraction: Extraction, extractor: Extractor, plan: Plan, progress: Progress
) -> tuple[Features | None, str]:
    """Features of the crops that the plan needs, or None with the reason."""
    positions = plan.positions(extractor.name)
    pieces = len(positions) * max(len(extractor.parts), 1)

    def extracted() -> Features:
        with progress.step(extractor.name, pieces, "crops") as step:
            return extraction.features(extractor, positions, step)

    return attempt(extractor, extraction.store, extracted)


def _trained_features(
    extraction: Extraction,
    trainings: Trainings,
    extractor: Extractor,
    fold: Fold,
    progress: Progress,
) -> tuple[Features | None, str]:
    """Features of a fold's crops from networks trained for it, or the reason."""
    parts = [part for part in (extractor.parts or (extractor,)) if part.recipe is not None]
    positions = np.sort(np.concatenate([fold.train, fold.test]))

    def extracted() -> Features:
        networks = {}
        for part in parts:
            assert part.recipe is not None
            with progress.step(part.name, part.recipe.epochs, "epochs", fold.title) as step:
                networks[part.name] = trainings.trained(part, fold, step)
        with progress.step(extractor.name, len(positions), "crops") as step:
            return extraction.features(extractor, positions, step, networks)

    return attempt(extractor, extraction.store, extracted)


def summary_line(extractor: Extractor, features: Features | None, status: str, spent: float) -> str:
    if features is None:
        return status if status.startswith(extractor.name) else f"{extractor.name}: {status}"
    if not extractor.sees_images:
        return f"{extractor.name}: reference points"
    rate = features.profile["images_per_s"]
    weights = f"{extractor.weights} weights"
    trained = f"trained in {features.network_seconds:.0f} s, " if features.trained else ""
    return (
        f"{extractor.name}: {weights}, {features.profile['precision']}, {trained}"
        f"{rate:.0f} crops/s, done in {spent:.1f} s"
    )


def _fold_digests(plan: Plan, stack: "CropStack") -> dict[Place, str]:
    settings = stack.settings.as_key()
    labels = stack.table["label"].to_numpy()
    return {fold.place: fold_digest(fold, settings, stack.digests, labels) for fold in plan.folds}


def attempt(extractor: Extractor, store: Store, work: Callable[[], T]) -> tuple[T | None, str]:
    """What a piece of work with an extractor gives, and "ok"; or None and the reason, in a line."""
    if extractor.status != "ok":
        return None, extractor.status
    try:
        return work(), "ok"
    except BackboneError as error:
        return None, str(error)
    except Exception as error:
        # A store that cannot be written is the end of the run. But a plugin's network may raise
        # anything, and one broken system spoils no other.
        if is_disk_error(error) and Path(error.filename or "").is_relative_to(store.root):
            raise
        reason = " ".join(str(error).split())[:200]
        return None, f"{extractor.name}: {type(error).__name__}: {reason}"
