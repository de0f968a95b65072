"""The tasks of a plan, and the time that they take as far as it has been measured."""

import pickle
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.estimates.networks import able, parts_of, planned_trainings
from bench.estimates.speed import CROP_S, TRAINING_FACTOR, Speed, product_speed
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
# A guess where nothing was measured: seconds of a fit for each squared training row.
ROW_S = 1e-7


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
    guessed : float
        The sum over what has not, where its floating-point operations or its rows tell something.
    guesses, unknown : dict[str, dict[str, None]]
        Names of what `guessed` is of, and of what nothing tells, by kind of work.
    expected : dict[str, float]
        Seconds of each extractor, guesses among them: they say which take longest.
    """

    tasks: int = 0
    gpu_tasks: int = 0
    stack_bytes: int = 0
    site_bytes: int = 0
    seconds: float = 0.0
    guessed: float = 0.0
    guesses: dict[str, dict[str, None]] = field(default_factory=dict)
    unknown: dict[str, dict[str, None]] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)

    def add(self, work: "Work", extractor: str, seconds: float | None, times: float = 1.0) -> None:
        """Count a piece of work of an extractor; seconds and a guess are of one time."""
        if seconds is not None:
            self.seconds += seconds * times
        elif work.guess is not None:
            self.guessed += work.guess * times
            self.guesses.setdefault(work.kind, {})[work.name] = None
        else:
            self.unknown.setdefault(work.kind, {})[work.name] = None
        each = next(s for s in (seconds, work.guess, CROP_S) if s is not None)
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
    guess : float | None
        Seconds, where nothing was measured; None where nothing tells.
    """

    kind: str
    name: str
    guess: float | None


def effort_of(job: Job, candidates: Sequence[Rules], here: bool = True) -> Effort:
    """Count the tasks of a job and sum up what they take, whatever the store has already.

    Parameters
    ----------
    job : Job
        From `prepare_job`.
    candidates : Sequence[Rules]
        Under which the work may be done, the likeliest first: measurements under them are used.
    here : bool
        Whether the work is done on this machine, whose speed can then be measured.

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
    store = Store(job.cache)
    rates = [Rates(store, rules) for rules in candidates]
    timed = partial(product_speed, job.device, candidates[0]) if here else None
    parts = [one for one in map(partial(able, extractors), job.plan.extractors()) if one]
    speed = Speed(store, rates, parts, timed)
    for training in planned_trainings(job.plan, extractors):
        name, recipe = training.extractor.name, training.extractor.recipe
        assert recipe is not None
        found = _first(rate.training(name, recipe) for rate in rates)
        rows, _ = training.fold.network_rows
        each = speed.of_crop(training.extractor) if found is None else None
        work = Work("training of", name, None if each is None else TRAINING_FACTOR * each)
        effort.add(work, training.of, found, len(rows) * recipe.epochs)
    selects = SELECTED in job.plan.extractors()
    extracted = set[str]()
    for task in tasks:
        extractor = able(extractors, task.extractor)
        if extractor is None and task.extractor in extractors:
            continue  # it ends at once, with its reason
        if extractor is not None:
            _add_extraction(effort, rates, speed, job, task, extractor, extracted)
        if task.fold is not None:
            _add_fits(effort, rates[0], job, task, selects)
    return effort


def _add_extraction(
    effort: Effort,
    rates: Sequence[Rates],
    speed: Speed,
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
        guess = speed.of_crop(part) if found is None else None
        work = Work("features of", part.name, guess)
        effort.add(work, task.extractor, found, rows)


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
        What is known, then what is guessed, then what is not known.
    """
    if effort.seconds:
        line = f"about {duration(effort.seconds)} of work, as measured before"
        yield line + _shared(effort.seconds, workers) + "; what the store has is not taken off"
    if effort.guessed:
        line = f"roughly {_rounded(effort.guessed)} {'more' if effort.seconds else 'of work'}"
        line += _shared(effort.guessed, workers)
        told = _told(effort.guesses)
        yield f"{line}, guessed within a factor of three or so; never measured: {told}"
    if effort.unknown:
        before = "further time " * bool(effort.seconds or effort.guessed)
        yield f"{before}unknown, never measured: {_told(effort.unknown)}"


def _shared(seconds: float, workers: int | None) -> str:
    """What several workers make of it."""
    if workers is None or workers < 2:
        return ""
    return f"; {duration(seconds / workers)} for {workers} workers at best"


def _rounded(seconds: float) -> str:
    """A guess, in whole minutes, hours or days of one or two digits."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            number = seconds / size
            return f"{round(number, -1 if number >= 20 else 0):.0f} {unit}"
    return "2 min or less"


def _told(names: Mapping[str, Collection[str]]) -> str:
    return "; ".join(f"{kind} {_named(found)}" for kind, found in names.items())


def _named(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(list(names)[:NAMED]) + more
