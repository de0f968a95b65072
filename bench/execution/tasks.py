"""The work on one extractor after the other: its features, then the units of its folds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench.execution.features import Extraction, Features
from bench.execution.keys import fold_digest
from bench.execution.progress import Progress
from bench.execution.selected import Selection
from bench.execution.site import Site
from bench.execution.trainings import Trainings
from bench.execution.units import UnitResult, fit_fold
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Plan, System
from bench.planning.presets import SELECTED
from bench.store import Store
from extractors import BackboneError

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the work on one fold of one extractor gave.

    Attributes
    ----------
    fold : Fold
        Where the systems were fitted and tested.
    systems : Sequence[System]
        The systems of the extractor on that fold.
    features : Features | None
        The features of the fold's crops; None where there are none.
    results : Mapping[System, UnitResult]
        What each system gave; empty where there are no features.
    status : str
        "ok", or why there are no features.
    """

    fold: Fold
    systems: Sequence[System]
    features: Features | None
    results: Mapping[System, UnitResult]
    status: str


class ExtractorWork:
    """The work of a plan, extractor by extractor.

    Attributes
    ----------
    selection : Selection
        What was found inside the training rows, for the row `selected`.
    """

    def __init__(self, site: Site, plan: Plan, progress: Progress) -> None:
        self.site, self.plan, self.progress = site, plan, progress
        self.extraction = Extraction(site)
        self.trainings = Trainings(site)
        self.selection = Selection(site)
        self._fold_keys = {fold.place: fold_digest(fold, site.stack) for fold in plan.folds}
        self._selects = SELECTED in plan.extractors()

    def answers(self, extractor: Extractor) -> Iterator[Answer]:
        """What each fold of an extractor gives, in the order of the plan."""
        features: Features | None = None
        status, name = extractor.status, extractor.name
        if not extractor.trained:
            features, status = self._frozen_features(extractor)
        with self.progress.step(name, self.plan.n_units(name), "fits") as step:
            for fold, systems in self.plan.work(name):
                if extractor.trained:
                    features, status = self._trained_features(extractor, fold)
                results: Mapping[System, UnitResult] = {}
                if features is not None:
                    results = self._fitted(fold, systems, extractor, features)
                yield Answer(fold, systems, features, results, status)
                step(len(systems))

    def _fitted(
        self, fold: Fold, systems: Sequence[System], extractor: Extractor, features: Features
    ) -> dict[System, UnitResult]:
        key = self._fold_keys[fold.place]
        fitted = fit_fold(fold, key, systems, features, self.site)
        if self._selects:
            return self.selection.judged(fold, key, extractor, features, fitted)
        return fitted

    def _frozen_features(self, extractor: Extractor) -> tuple[Features | None, str]:
        """Features of the crops that the plan needs, or None with the reason."""
        positions = self.plan.positions(extractor.name)
        pieces = len(positions) * max(len(extractor.parts), 1)

        def extracted() -> Features:
            with self.progress.step(extractor.name, pieces, "crops") as step:
                return self.extraction.features(extractor, positions, step)

        return attempt(extractor, self.site.store, extracted)

    def _trained_features(self, extractor: Extractor, fold: Fold) -> tuple[Features | None, str]:
        """Features of a fold's crops from networks trained for it, or None with the reason."""
        parts = [part for part in (extractor.parts or (extractor,)) if part.recipe is not None]
        positions = np.sort(np.concatenate([fold.train, fold.test]))

        def extracted() -> Features:
            networks = {}
            for part in parts:
                assert part.recipe is not None
                epochs = part.recipe.epochs
                with self.progress.step(part.name, epochs, "epochs", fold.title) as step:
                    networks[part.name] = self.trainings.trained(part, fold, step)
            with self.progress.step(extractor.name, len(positions), "crops") as step:
                return self.extraction.features(extractor, positions, step, networks)

        return attempt(extractor, self.site.store, extracted)


def attempt(extractor: Extractor, store: Store, work: Callable[[], T]) -> tuple[T | None, str]:
    """What a piece of work with an extractor gives, and "ok"; or None and the reason, in a line."""
    if extractor.status != "ok":
        return None, extractor.status
    try:
        return work(), "ok"
    except BackboneError as error:
        return None, str(error)
    except Exception as error:
        # A store that cannot be read or written is the end of the run. But a plugin's network may
        # raise anything, and one broken system spoils no other.
        if isinstance(error, OSError) and Path(error.filename or "").is_relative_to(store.root):
            raise
        reason = " ".join(str(error).split())[:200]
        return None, f"{extractor.name}: {type(error).__name__}: {reason}"
