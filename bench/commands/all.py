"""`bench all`: the whole run, or its plan."""

import sys
import time
from typing import TYPE_CHECKING

import typer

from bench.commands.printing import print_table, say, say_wrapped
from bench.commands.results import print_results
from bench.errors import INTERRUPTED
from bench.planning.config import Configuration

if TYPE_CHECKING:
    from bench.planning.extractor import Extractor
    from bench.planning.job import Job
    from bench.planning.plan import Plan
    from bench.record.repeated_run import RepeatedRun

# Where the second line of what a plan needs begins.
_FURTHER = " " * 10


def run_all(configuration: Configuration, repeated: "RepeatedRun | None" = None) -> None:
    """Run everything, to the report."""
    from bench.execution.clusters import check_scheduler
    from bench.execution.progress import Progress, duration
    from bench.planning.extractor import check_strict
    from bench.planning.job import prepare_job
    from bench.run import run

    started = time.monotonic()
    check_scheduler(configuration.scheduler)
    with Progress() as progress, progress.step("image files", None, "headers read") as step:
        job = prepare_job(configuration, step)
    if configuration.dry_run:
        print_plan(job)
        if configuration.strict:
            check_strict(job.extractors)
        return
    with Progress() as progress:
        try:
            outcome = run(job, progress, ["python", "-m", "bench", *sys.argv[1:]], repeated)
        except KeyboardInterrupt:
            progress.say("interrupted; all finished work is kept: the same command goes on from it")
            raise typer.Exit(INTERRUPTED) from None
        for name, reason in outcome.failed:
            progress.say(f"did not run: {name}: {reason}", style="yellow")
    print_results(outcome.report.parent)
    took = duration(time.monotonic() - started)
    typer.echo(f"{outcome.n_units} units in {took}; report: {outcome.report}")
    if outcome.failed:
        raise typer.Exit(1)


def print_plan(job: "Job") -> None:
    """Print the units of a run, extractor by extractor."""
    from bench.data.summary import left_out_notice

    plan = job.plan
    say_wrapped(f"data      {job.dataset.title}: {len(job.dataset.table)} crops", _FURTHER)
    say_wrapped(f"device    {job.device}", _FURTHER)
    say_wrapped(f"store     {job.cache}", _FURTHER)
    say_wrapped(f"run       {job.out}", _FURTHER)
    for one in job.externals:
        say_wrapped(
            f"external  {one.name}: {one.dataset.title}: {len(one.dataset.table)} crops", _FURTHER
        )
    left_out = left_out_notice(job.dataset.left_out, len(job.dataset.table))
    others = [line for one in job.externals for line in one.notices]
    for notice in (*job.dataset.notices, *job.notices, *left_out, *others, *plan.notices):
        say_wrapped(f"note      {notice}", _FURTHER)
    _print_needs(job)
    say("")
    _print_folds(plan)
    say("")
    _print_systems(job)
    say("")
    say_wrapped(
        f"{plan.n_units()} units of work; crops that prove unreadable are left out, with a reason"
    )


def _print_systems(job: "Job") -> None:
    """Each extractor with its units, and which classifiers go with it: most have the same."""
    plan, by_name = job.plan, {extractor.name: extractor for extractor in job.extractors}
    units, alike = [], dict[str, list[str]]()
    for name in plan.extractors():
        pairs = [system.classifier for _, systems in plan.work(name) for system in systems]
        weights, status = _weights_of(by_name.get(name))
        units.append((name, weights, len(pairs), status))
        alike.setdefault(", ".join(dict.fromkeys(pairs)), []).append(name)
    print_table("", ("extractor", "weights", "units", "status"), units)
    say("")
    print_table("", ("classifiers", "of"), [(one, ", ".join(of)) for one, of in alike.items()])


def _print_needs(job: "Job") -> None:
    """Disk, tasks and time; what is shared with workers where there are any."""
    from rich.filesize import decimal

    from bench.estimates.disk import disk_need, disk_notice, lines_of
    from bench.estimates.downloads import download_lines
    from bench.estimates.effort import effort_of, time_lines
    from bench.execution.clusters import LOCAL, is_on_this_machine, planned_workers
    from bench.planning.rules import decide_rules, likely_rules

    options = job.configuration
    rules = decide_rules(job.device, options)
    workers = planned_workers(options.scheduler, rules.threads)
    for line in download_lines(job):
        say_wrapped(f"download  {line}", _FURTHER)
    need = disk_need(job, workers or 1)
    for line in lines_of(need):
        say_wrapped(f"disk      {line}", _FURTHER)
    if notice := disk_notice(job, need):
        say_wrapped(f"note      {notice}", _FURTHER)
    # A cluster may have GPUs that this machine lacks.
    own = is_on_this_machine(options.scheduler) or options.device != "auto"
    effort = effort_of(job, (rules,) if own else likely_rules(rules), own)
    if options.scheduler != LOCAL:
        say_wrapped(
            f"submits   {effort.tasks} tasks, {effort.gpu_tasks} of them with a network", _FURTHER
        )
        say_wrapped(
            f"shares    {decimal(effort.stack_bytes + effort.site_bytes)} by way of the store: "
            f"crops {decimal(effort.stack_bytes)}, plan {decimal(effort.site_bytes)}",
            _FURTHER,
        )
    for line in time_lines(effort, workers):
        say_wrapped(f"time      {line}", _FURTHER)


def _print_folds(plan: "Plan") -> None:
    rows = []
    for place in dict.fromkeys((f.subset, f.protocol, f.train_fraction) for f in plan.folds):
        folds = [f for f in plan.folds if (f.subset, f.protocol, f.train_fraction) == place]
        frozen = len({f.repeat for f in folds if f.for_frozen})
        trained = len({f.repeat for f in folds if f.for_networks})
        train = sum(len(f.train) for f in folds) / len(folds)
        test = sum(len(f.test) for f in folds) / len({f.repeat for f in folds})
        counts = (frozen, trained, len(folds), f"{train:.0f}", f"{test:.0f}")
        rows.append((*place[:2], f"{place[2]:g}", *counts))
    columns = (
        *("subset", "protocol", "share of patients", "repeats", "of networks", "folds in all"),
        *("training crops", "test crops"),
    )
    print_table("", columns, rows)


def _weights_of(extractor: "Extractor | None") -> tuple[str, str]:
    if extractor is None:
        return "", "reference point"
    if extractor.info is not None and not extractor.info.cached and extractor.info.downloadable:
        return extractor.weights, f"downloaded if there is a network, else {extractor.status}"
    return extractor.weights, extractor.status
