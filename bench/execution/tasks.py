"""Work as values: what is computed for one fold of one extractor, and what that gives.

A task says what is to be done and can be sent to another process; `perform` does it there. What is
computed is kept in the store, so that a task that is done again takes it from there.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench.errors import UnusableInput
from bench.execution.features import Extraction, FeatureRecord, Features, TrainedNetwork
from bench.execution.keys import fold_digest
from bench.execution.progress import Reporter
from bench.execution.site import Site
from bench.execution.trainings import Trainings
from bench.execution.units import UnitResult, fit_fold, judge_fold
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Plan, System, may_be_selected
from bench.planning.presets import SELECTED
from bench.store import Address, Store, noting_use
from classifiers import KERNELS
from classifiers.judgements import Judgement
from extractors import BackboneError
from extractors.errors import RegistrationError

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """One piece of the work of a plan.

    Attributes
    ----------
    extractor : str
        Its name.
    fold : int | None
        The number of the fold in the plan; None stands for the features of a frozen extractor.
    systems : tuple[System, ...]
        What is fitted on the fold.
    needs : Task | None
        What has to be done before.
    wants_gpu : bool
        Whether a network runs in it.
    """

    extractor: str
    fold: int | None = None
    systems: tuple[System, ...] = ()
    needs: "Task | None" = None
    wants_gpu: bool = False


@dataclass(frozen=True)
class Answer:
    """What a task gave.

    Attributes
    ----------
    task : Task
        The task.
    features : FeatureRecord | None
        What is known of the features of the crops; None where there are none.
    results : Mapping[System, UnitResult]
        What each system gave; empty where there are no features.
    judged : Mapping[System, Judgement] | str
        What the SVMs are worth inside the training rows, for the row `selected`, or why nobody
        knows; empty where the fold has no such row.
    status : str
        "ok", or why there are no features.
    host : str
        The machine that gave the answer.
    artifacts : frozenset[Address]
        What was read from the store and kept there.
    """

    task: Task
    features: FeatureRecord | None
    results: Mapping[System, UnitResult] = field(default_factory=dict)
    judged: Mapping[System, Judgement] | str = field(default_factory=dict)
    status: str = "ok"
    host: str = field(default_factory=socket.gethostname)
    artifacts: frozenset[Address] = frozenset()


def tasks_of(plan: Plan, extractors: Mapping[str, Extractor]) -> Iterator[Task]:
    """The tasks of a plan in its order; the row `selected` is none, it is chosen among answers.

    Parameters
    ----------
    plan : Plan
        What is to be done.
    extractors : Mapping[str, Extractor]
        By name; reference points are not among them.

    Yields
    ------
    Task
        Of each extractor first the features, where all folds share them.
    """
    numbers = {fold.place: number for number, fold in enumerate(plan.folds)}
    for name in plan.extractors():
        if name == SELECTED:
            continue
        extractor = extractors.get(name, Extractor(name, None, ""))
        frozen = None
        if extractor.runs_network and not extractor.trained:
            frozen = Task(name, wants_gpu=True)
            yield frozen
        # A network that serves two folds is trained for the first of them.
        trained: dict[tuple[int, bytes, bytes], Task] = {}
        for fold, systems in plan.work(name):
            fitted, held_out = fold.network_rows
            rows = (fold.repeat, fitted.tobytes(), held_out.tobytes())
            needs = trained.get(rows) if extractor.trained and fold.network is None else frozen
            task = Task(name, numbers[fold.place], systems, needs, extractor.trained)
            trained.setdefault(rows, task)
            yield task


def perform(task: Task, site: Site, reporter: Reporter) -> Answer:
    """Do a task, or take what it gives from the store.

    Parameters
    ----------
    task : Task
        What to do.
    site : Site
        Where, and by which rules.
    reporter : Reporter
        Told how far the work is.

    Returns
    -------
    Answer
        What cannot be computed has the reason for its status.

    Raises
    ------
    UnusableInput, OSError
        If the machine cannot obey the rules, or the store cannot be read or written.
    """
    site.obey_rules_of_fits()
    with noting_use() as used:
        answer = _performed(task, site, reporter)
    return replace(answer, artifacts=frozenset(used))


def _performed(task: Task, site: Site, reporter: Reporter) -> Answer:
    extractor = site.extractor(task.extractor)
    if task.fold is None:
        features, status = _frozen_features(extractor, site, reporter)
        return Answer(task, features.record if features else None, status=status)
    fold = site.plan.folds[task.fold]
    if extractor.trained:
        features, status = _trained_features(extractor, fold, site, reporter)
    else:
        features, status = _frozen_features(extractor, site, reporter)
    if features is None:
        return Answer(task, None, status=status)
    key = fold_digest(fold, site.stack)
    results = fit_fold(fold, key, task.systems, features, site)
    judged: Mapping[System, Judgement] | str = {}
    if site.selects and fold.selects and not extractor.trained:
        judged = judged_of(fold, key, features, results, site)
    return Answer(task, features.record, results, judged)


def judged_of(
    fold: Fold, key: str, features: Features, results: Mapping[System, UnitResult], site: Site
) -> Mapping[System, Judgement] | str:
    """What the SVMs that could be fitted are worth inside the training rows, or why nobody knows.

    What has no score for a test row is no candidate.
    """
    able = [
        system
        for system, result in results.items()
        if result.status == "ok" and may_be_selected(system, KERNELS, ())
    ]
    try:
        return judge_fold(fold, key, able, features, site)
    except ValueError as error:
        return f"no system could be judged: {error}"


def _frozen_features(
    extractor: Extractor, site: Site, reporter: Reporter
) -> tuple[Features | None, str]:
    """Features of the crops that the plan needs, or None with the reason."""
    return site.kept(extractor.name, partial(_extract_frozen, extractor, site, reporter))


def _extract_frozen(
    extractor: Extractor, site: Site, reporter: Reporter
) -> tuple[Features | None, str]:
    positions = site.plan.positions(extractor.name)
    extraction = Extraction(site)
    pieces = sum(len(chunk) for chunk in extraction.chunks(positions, whole=True))

    def extracted() -> Features:
        with reporter.step(extractor.name, pieces * max(len(extractor.parts), 1), "crops") as step:
            return extraction.features(extractor, positions, step)

    return attempt(extractor, site.store, extracted)


def _trained_features(
    extractor: Extractor, fold: Fold, site: Site, reporter: Reporter
) -> tuple[Features | None, str]:
    """Features of a fold's crops from networks trained for it, or None with the reason."""
    parts = [part for part in (extractor.parts or (extractor,)) if part.recipe is not None]
    positions = np.sort(np.concatenate([fold.train, fold.test]))
    trainings = Trainings(site)

    def extracted() -> Features:
        networks = {}
        for part in parts:
            assert part.recipe is not None
            with reporter.step(part.name, part.recipe.epochs, "epochs", fold.title) as step:
                record = trainings.trained(part, fold, step)
            build = partial(trainings.backbone, record.key, part, fold, step)
            networks[part.name] = TrainedNetwork(record, build)
        with reporter.step(extractor.name, len(positions), "crops") as step:
            return Extraction(site).features(extractor, positions, step, networks)

    return attempt(extractor, site.store, extracted)


def attempt(extractor: Extractor, store: Store, work: Callable[[], T]) -> tuple[T | None, str]:
    """What a piece of work with an extractor gives, and "ok"; or None and the reason, in a line."""
    if extractor.status != "ok":
        return None, extractor.status
    try:
        return work(), "ok"
    except (BackboneError, RegistrationError) as error:
        return None, str(error)
    except UnusableInput:
        raise
    except Exception as error:
        # A store that cannot be read or written is the end of the run. But a plugin's network may
        # raise anything, and one broken system spoils no other.
        if isinstance(error, OSError) and Path(error.filename or "").is_relative_to(store.root):
            raise
        reason = " ".join(str(error).split())[:200]
        return None, f"{extractor.name}: {type(error).__name__}: {reason}"


def in_order(tasks: Sequence[Task], answers: Iterator[Answer]) -> Iterator[Answer]:
    """Answers in the order of their tasks, each as soon as those before it are there."""
    waiting: dict[Task, Answer] = {}
    position = 0
    for answer in answers:
        waiting[answer.task] = answer
        while position < len(tasks) and tasks[position] in waiting:
            yield waiting.pop(tasks[position])
            position += 1
    assert position == len(tasks), f"{len(tasks) - position} tasks have no answer"
