"""The tasks of a plan, and the time that they take as far as it has been measured."""

import pickle
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from bench.estimates.networks import able, parts_of, planned_trainings
from bench.execution.progress import duration
from bench.execution.rates import Rates, inner
from bench.execution.tasks import Task, tasks_of
from bench.planning.extractor import Extractor
from bench.planning.job import Job
from bench.planning.plan import SOFTMAX, may_be_selected
from bench.planning.presets import SELECTED
from bench.planning.rules import Rules
from bench.store import Store
from classifiers import KERNELS

# Bytes of one crop's digest as it is sent.
DIGEST = 70
# Names of one kind that a line holds.
NAMED = 3
# Guesses where nothing was measured: seconds for the features of one crop, how much more a crop
# takes in training (forward and backward), and seconds of a fit for each squared training row.
CROP_S, TRAINING_FACTOR, ROW_S = 0.02, 3, 1e-7


@dataclass
class Effort:
    """What is submitted, and the time that it takes one worker.

    Attributes
    ----------
    tasks, gpu_tasks : int
        All tasks, and those of them in which a network runs.
    stack_bytes, site_bytes : int
        What workers read before they begin: decoded crops; the plan and the lesion table.
    seconds : float
        The sum over what has been measured before.
    unknown : dict[str, dict[str, None]]
        Names of what has not, by kind of work.
    expected : dict[str, float]
        Seconds of each extractor, with a rough guess where nothing was measured: they say which
        take longest.
    """

    tasks: int = 0
    gpu_tasks: int = 0
    stack_bytes: int = 0
    site_bytes: int = 0
    seconds: float = 0.0
    unknown: dict[str, dict[str, None]] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)

    def add(self, work: "Work", extractor: str, seconds: float | None, times: float = 1.0) -> None:
        """Count a piece of work of an extractor; seconds and a guess are of one time."""
        if seconds is None:
            self.unknown.setdefault(work.kind, {})[work.name] = None
        else:
            self.seconds += seconds * times
        each = work.guess if seconds is None else seconds
        self.expected[extractor] = self.expected.get(extractor, 0.0) + each * times


@dataclass(frozen=True)
class Work:
    """What a measured speed is of.

    Attributes
    ----------
    kind : str
        In words, followed by a name.
    name : str
        Of an extractor or a classifier.
    guess : float
        Seconds, where nothing was measured: the order of what processors take.
    """

    kind: str
    name: str
    guess: float


def effort_of(job: Job, candidates: Sequence[Rules]) -> Effort:
    """Count the tasks of a job and sum up what they take, whatever the store has already.

    Parameters
    ----------
    job : Job
        From `prepare_job`.
    candidates : Sequence[Rules]
        Under which the work may be done, the likeliest first: measurements under them are used.

    Returns
    -------
    Effort
        The sums.
    """
    extractors = {extractor.name: extractor for extractor in job.extractors}
    tasks = list(tasks_of(job.plan, extractors))
    shared = pickle.dumps((job.plan, job.table, job.extractors))
    crops, side = len(job.table), job.configuration.size
    effort = Effort(
        len(tasks),
        sum(task.wants_gpu for task in tasks),
        crops * side * side,
        len(shared) + DIGEST * crops,
    )
    rates = [Rates(Store(job.cache), rules) for rules in candidates]
    for one in planned_trainings(job.plan, extractors):
        name, recipe = one.extractor.name, one.extractor.recipe
        assert recipe is not None
        found = _first(rate.training(name, recipe) for rate in rates)
        rows, _ = one.fold.network_rows
        work = Work("training of", name, CROP_S * TRAINING_FACTOR)
        effort.add(work, one.of, found, len(rows) * recipe.epochs)
    selects = SELECTED in job.plan.extractors()
    extracted = set[str]()
    for task in tasks:
        extractor = able(extractors, task.extractor)
        if extractor is None and task.extractor in extractors:
            continue  # it ends at once, with its reason
        if extractor is not None:
            _add_extraction(effort, rates, job, task, extractor, extracted)
        if task.fold is not None:
            _add_fits(effort, rates[0], job, task, selects)
    return effort


def _add_extraction(
    effort: Effort,
    rates: Sequence[Rates],
    job: Job,
    task: Task,
    extractor: Extractor,
    extracted: set[str],
) -> None:
    """Features of a frozen backbone once for all crops, of a trained network for each fold."""
    for part in parts_of(extractor):
        if part.recipe is None:
            if part.name in extracted:
                continue
            extracted.add(part.name)
            rows = len(job.plan.positions(task.extractor))
        else:
            assert task.fold is not None
            fold = job.plan.folds[task.fold]
            rows = len(fold.train) + len(fold.test)
        found = _first(rate.extraction(part.name) for rate in rates)
        effort.add(Work("features of", part.name, CROP_S), task.extractor, found, rows)


def _add_fits(effort: Effort, rates: Rates, job: Job, task: Task, selects: bool) -> None:
    assert task.fold is not None
    fold = job.plan.folds[task.fold]
    rows = len(fold.train)
    known = {extractor.name: extractor for extractor in job.extractors}.get(task.extractor)
    judged = selects and fold.selects and not (known is not None and known.trained)
    for system in task.systems:
        if system.classifier == SOFTMAX:
            continue
        name = system.classifier
        guess, extractor = ROW_S * rows**2, task.extractor
        effort.add(Work("fits of", name, guess), extractor, rates.fit(name, rows))
        if judged and may_be_selected(system, KERNELS, ()):
            work = Work("fits of", inner(name), guess)
            effort.add(work, extractor, rates.fit(inner(name), rows))


def _first(found: Iterator[float | None]) -> float | None:
    """Of several measurements the first that there is."""
    return next((value for value in found if value is not None), None)


def time_lines(effort: Effort, workers: int | None) -> Iterator[str]:
    """The time, for people.

    Parameters
    ----------
    effort : Effort
        From `effort_of`.
    workers : int | None
        Who share the work; None where nobody knows yet.

    Yields
    ------
    str
        What is known, then what is not.
    """
    if effort.seconds:
        line = f"about {duration(effort.seconds)} of work, as measured before"
        if workers is not None and workers > 1:
            line += f"; {duration(effort.seconds / workers)} for {workers} workers at best"
        yield line + "; what the store has is not taken off"
    if effort.unknown:
        told = "; ".join(f"{kind} {_named(names)}" for kind, names in effort.unknown.items())
        yield f"{'further time ' * bool(effort.seconds)}unknown, never measured: {told}"


def _named(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(list(names)[:NAMED]) + more
