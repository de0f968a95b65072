"""Measures work on several processes: what an empty task costs, and what a second worker gains.

    python tests/performance/cluster.py [--only engine|folds|trainings]

Prints, for tasks that do nothing: milliseconds of each, and the seconds and the memory that a plan
of 20,000 takes. Then, for 40 folds of SVMs and for 6 trainings of a small network: seconds with
one worker, with two, and in this process with two threads, and their ratios. What a process sets
up once is not timed: some folds are done before.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data import CropSettings, build_stack, write_phantom
from bench.data.crops.stack import CropStack
from bench.execution import dask_executor
from bench.execution.dask_executor import DaskExecutor
from bench.execution.progress import Progress
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task, tasks_of
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.plan import Fold, Plan, System
from bench.planning.rules import Rules
from bench.run import executing
from bench.store import Store

TASKS, FOLDS = 20_000, 500
PATIENTS = 300
NONE = np.empty(0, np.uint8)
EMPTY_STACK = CropStack(NONE, pd.DataFrame(), pd.DataFrame(), (), "", {}, CropSettings())
GIB = 2**30
NETWORK = """
import torch
from extractors import Recipe, register

RECIPE = Recipe(
    name="short", epochs=12, batch_size=16, learning_rate=1e-3, weight_decay=0.05
)


def network(width):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 7, stride=4), torch.nn.ReLU(),
        torch.nn.Conv2d(16, width, 3, stride=2), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
    )


@register("frozen", input_size=64)
def frozen():
    torch.manual_seed(1)
    return network(128)


@register("trained", input_size=64, recipe=RECIPE)
def trained():
    return network(32)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=("engine", "folds", "trainings"))
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        if only in (None, "engine"):
            engine(Path(folder))
        for what in ("folds", "trainings"):
            if only in (None, what):
                workers(what, Path(folder))


def nothing(task: Task, address: object, reporter: object) -> Answer:
    """Stands for `perform_on_worker`."""
    return Answer(task, None, status="nothing")


def engine(folder: Path) -> None:
    """Tasks that do nothing, on two processes."""
    dask_executor.perform_on_worker = nothing
    site, tasks = made_up(folder)
    with Progress() as progress, DaskExecutor("processes:2", progress, threads=1) as executor:
        list(executor.run(tasks[:100], site))
        started = time.perf_counter()
        list(executor.run(tasks[:500], site))
        each = (time.perf_counter() - started) / 500
        print(f"an empty task of 500: {1e3 * each:.1f} ms")
        before = peak()
        started = time.perf_counter()
        answers = executor.run(tasks, site)
        next(answers)
        handed_over = time.perf_counter() - started
        count = 1 + sum(1 for _ in answers)
        seconds = time.perf_counter() - started
        print(
            f"{count} empty tasks: handed over in {handed_over:.1f} s, done in {seconds:.1f} s, "
            f"{1e3 * seconds / count:.2f} ms each; peak of the driver {peak() / GIB:.2f} GiB, "
            f"{(peak() - before) / GIB:.2f} more"
        )


def made_up(folder: Path) -> tuple[Site, list[Task]]:
    """A site with 500 folds of 1,318 crops, and tasks of 40 extractors on them."""
    rows = np.arange(1318)
    images = np.memmap(folder / "images", np.uint8, "w+", shape=(len(rows), 8, 8))
    table = pd.DataFrame({"label": rows % 2, "patient_id": rows.astype(str)})
    folds = tuple(
        Fold("mass", "patient-cv", i // 5, i % 5, rows[rows % 5 != i % 5], rows[rows % 5 == i % 5])
        for i in range(FOLDS)
    )
    systems = tuple(
        System(f"extractor-{i}", kernel, 1.0, "auto")
        for i in range(TASKS // FOLDS)
        for kernel in ("linear", "rbf")
    )
    plan = Plan(systems, folds, (), {"mass": ()})
    stack = replace(EMPTY_STACK, images=images, table=table)
    site = Site(stack, Store(folder / "empty"), rules=Rules(), plan=plan)
    return site, list(tasks_of(plan, {}))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def workers(what: str, folder: Path) -> None:
    """Seconds of the same work with one worker, with two, and in this process."""
    work: Callable[..., float] = {"folds": folds, "trainings": trainings}[what]
    (folder / "networks.py").write_text(NETWORK)
    write_phantom(folder / "phantom", patients=PATIENTS, seed=1)
    one, two, here = (
        work(folder, f"{what}-{number}", scheduler, threads)
        for number, (scheduler, threads) in enumerate(
            (("processes:1", 1), ("processes:2", 1), ("local", 2))
        )
    )
    print(
        f"{what}: one worker {one:.1f} s, two {two:.1f} s ({one / two:.2f} times as fast), "
        f"in one process with two threads {here:.1f} s ({here / two:.2f})",
        flush=True,
    )


def folds(folder: Path, cache: str, scheduler: str, threads: int) -> float:
    """40 folds of SVMs on frozen features."""
    options = {"protocols": "patient-cv", "repeats": 9, "extractors": "frozen", "jobs": threads}
    return timed(folder, cache, scheduler, threads, options, warm=5)


def trainings(folder: Path, cache: str, scheduler: str, threads: int) -> float:
    """6 trainings of a small network."""
    options = {"protocols": "official", "repeats": 8, "extractors": "trained", "jobs": threads}
    return timed(folder, cache, scheduler, threads, options, warm=2)


def timed(
    folder: Path,
    cache: str,
    scheduler: str,
    threads: int,
    options: dict[str, object],
    warm: int,
) -> float:
    """Seconds of the folds after the first ones, with a store of their own."""
    given = {"data": folder / "phantom", "subset": ["mass"], "cache": folder / cache}
    given |= {"plugin": (folder / "networks.py",), "scheduler": scheduler, "threads": threads}
    lists = {name: [value] if isinstance(value, str) else value for name, value in options.items()}
    configuration = Configuration.checked({**given, **lists})
    job = prepare_job(configuration)
    stack = build_stack(job.dataset, CropSettings(), job.cache)
    with Progress() as progress, executing(job, progress) as (executor, job, rules):
        plan = job.plan_over(stack.table)
        jobs = executor.jobs(configuration.jobs)
        extractors = {extractor.name: extractor for extractor in job.extractors}
        site = Site(stack, Store(job.cache), job.device, jobs, 0, rules, plan, extractors)
        tasks = [task for task in tasks_of(plan, site.extractors) if task.extractor in extractors]
        shared = [task for task in tasks if task.fold is None]
        rest = [replace(task, needs=None) for task in tasks if task.fold is not None]
        for _ in executor.run([*shared, *rest[:warm]], site):
            pass
        started = time.perf_counter()
        answers = list(executor.run(rest[warm:], site))
        seconds = time.perf_counter() - started
    assert all(answer.status == "ok" for answer in answers), answers[0].status
    print(f"  {len(answers)} folds, {scheduler}: {seconds:.1f} s", flush=True)
    return seconds


if __name__ == "__main__":
    main()
