"""Carries out a run, from the data to the report; what stands in the store is taken from there."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from bench.choosing import Selection
from bench.features import Extraction, Extractor, Features, attempt
from bench.fitting import UnitResult, Workbench, run_cell
from bench.job import Job
from bench.keys import cell_digest
from bench.manifest import make_manifest
from bench.plan import Cell, Place, Plan, System
from bench.progress import Progress
from bench.results import APPROXIMATE, Results, extractor_row
from bench.run_folder import RunFolder
from bench.saliency import Explanations
from bench.selection import check_strict, fetch_weights
from bench.store import Store, remove_stale
from bench.training import Trainings
from bench.turned import turned
from extractors.names import SELECTED

if TYPE_CHECKING:
    from bench.data.crops import CropStack


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its report, its number of units, and what failed, with reasons."""

    report: Path
    n_units: int
    failed: Sequence[tuple[str, str]] = field(default=())


def run(job: Job, progress: Progress, command: Sequence[str]) -> Outcome:
    """Do the work and write the run folder.

    Parameters
    ----------
    job
        From `prepare`.
    command
        The command line, for the manifest.

    Raises
    ------
    UnusableInput
        If the run folder is not this run's, the store cannot be written, or `--strict` is set and
        an extractor cannot run.
    """
    if not job.dataset.synthetic:
        job = replace(job, extractors=fetch_weights(job.extractors, progress.say))
    if job.configuration.strict:
        check_strict(job.extractors)
    from bench.data.crops import build_stack

    settings = job.configuration.crop_settings()
    with progress.step("crops", len(job.dataset.table), "decoded") as step:
        stack = build_stack(job.dataset, settings, job.cache, step)
    plan = job.plan_over(stack.table)
    folder = RunFolder(job.out)
    manifest = folder.claim(make_manifest(job, stack, plan, command))
    progress.log_to(folder.path / "log.txt")
    for notice in manifest["notices"]:
        progress.say(notice)
    used = turned(stack) if plan.turns else stack
    results = Results(job.dataset.name, used, job.configuration.seed)
    described = _carry_out(job, used, plan, results, progress)
    progress.say("writing the report")
    explanations = Explanations(job, used, plan, progress)
    return _write(job, stack, folder, manifest, results, described, explanations)


def _carry_out(
    job: Job, stack: "CropStack", plan: Plan, results: Results, progress: Progress
) -> list[dict[str, Any]]:
    """All units, extractor by extractor; what the manifest says of each extractor."""
    remove_stale(job.cache)
    work = _Work(job, stack, plan, results, progress)
    by_name = {extractor.name: extractor for extractor in job.extractors}
    described = []
    progress.expect(len(plan.extractors()), timed=len(job.extractors))
    for name in plan.extractors():
        if name == SELECTED:
            progress.finished(_choose(plan, work.selection, results))
            continue
        extractor = by_name.get(name, Extractor(name, None, ""))
        started = time.perf_counter()
        features, status = work.do(extractor)
        if extractor.sees_images:
            described.append(extractor_row(extractor, features, status))
        progress.finished(_line(extractor, features, status, time.perf_counter() - started))
    return described


class _Work:
    """The units of one extractor after the other, and what they share."""

    def __init__(
        self, job: Job, stack: "CropStack", plan: Plan, results: Results, progress: Progress
    ) -> None:
        self.plan, self.results, self.progress = plan, results, progress
        store = Store(job.cache)
        self.extraction = Extraction(stack, store, job.device)
        self.trainings = Trainings(stack, store, job.device, job.configuration.seed)
        self.workbench = Workbench(
            stack.table["label"].to_numpy(),
            stack.table["patient_id"].to_numpy(),
            store,
            job.configuration.jobs or joblib.cpu_count(),
            job.device,
        )
        self.cells = _cell_digests(plan, stack)
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
            for cell, systems in self.plan.work(name):
                if extractor.trained:
                    features, status = _trained_features(
                        self.extraction, self.trainings, extractor, cell, self.progress
                    )
                if features is None:
                    for system in systems:
                        self.results.add_failed(cell, system, extractor, status)
                    continue
                fitted = self._fitted(cell, systems, extractor, features)
                for system, result in fitted.items():
                    self.results.add(cell, system, extractor, features, result)
                    if result.meta.get("approximate") and not told:
                        told = True
                        self.progress.say(f"{name}: {APPROXIMATE}")
                step(len(systems))
        return features, status

    def _fitted(
        self, cell: Cell, systems: Sequence[System], extractor: Extractor, features: Features
    ) -> dict[System, UnitResult]:
        key = self.cells[cell.place]
        fitted = run_cell(cell, key, systems, features, self.workbench)
        if self.selects:
            return self.selection.judged(cell, key, extractor, features, fitted)
        return fitted


def _choose(plan: Plan, selection: Selection, results: Results) -> str:
    """The row `selected` of every cell; what is said of it."""
    extractor = selection.extractor()
    chosen = []
    for cell, (system,) in plan.work(SELECTED):
        choice = selection.choice(cell)
        if isinstance(choice, str):
            results.add_failed(cell, system, extractor, choice)
            continue
        results.add_choice(cell, system, extractor, choice)
        chosen.append(choice)
    if not chosen:
        return f"{SELECTED}: no system could be judged on inner folds of the training rows"
    most = max(choice.n_candidates for choice in chosen)
    return (
        f"{SELECTED}: chosen among {most} systems inside the training rows of {len(chosen)} folds"
    )


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
    cell: Cell,
    progress: Progress,
) -> tuple[Features | None, str]:
    """Features of a cell's crops from networks trained for it, or the reason."""
    parts = [part for part in (extractor.parts or (extractor,)) if part.recipe is not None]
    positions = np.sort(np.concatenate([cell.train, cell.test]))

    def extracted() -> Features:
        networks = {}
        for part in parts:
            assert part.recipe is not None
            with progress.step(part.name, part.recipe.epochs, "epochs", cell.title) as step:
                networks[part.name] = trainings.trained(part, cell, step)
        with progress.step(extractor.name, len(positions), "crops") as step:
            return extraction.features(extractor, positions, step, networks)

    return attempt(extractor, extraction.store, extracted)


def _line(extractor: Extractor, features: Features | None, status: str, spent: float) -> str:
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


def _cell_digests(plan: Plan, stack: "CropStack") -> dict[Place, str]:
    settings = stack.settings.as_key()
    labels = stack.table["label"].to_numpy()
    return {cell.place: cell_digest(cell, settings, stack.digests, labels) for cell in plan.cells}


def _write(
    job: Job,
    stack: "CropStack",
    folder: RunFolder,
    manifest: dict[str, Any],
    results: Results,
    described: list[dict[str, Any]],
    explanations: Explanations,
) -> Outcome:
    """The run folder's tables, the manifest with the results, and the report made of them."""
    from reports import build_report
    from reports.errors import crops_to_show

    folder.write_table("units", results.unit_table())
    folder.write_table("predictions", results.prediction_table())
    for name, table in results.training_tables().items():
        folder.write_table(name, table)
    folder.write_table("lesions", stack.table)
    manifest["data"]["thumbnails"] = folder.write_thumbnails(stack, job.subsets)
    manifest["data"]["patches"] = folder.write_patch_example(stack, job.subsets[0])
    manifest["data"]["mistakes"] = folder.write_mistakes(stack, crops_to_show(folder.path))
    manifest["saliency"] = explanations.write(folder)
    manifest["extractors"] = described
    manifest["units"] = [{"unit": u["unit"], "state": u["status"]} for u in results.units]
    folder.write_manifest(manifest)
    return Outcome(build_report(folder.path), len(results.units), results.failed())
