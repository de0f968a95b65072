"""Carries out a run, from the data to the report; what stands in the store is taken from there."""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.crops.joined import JoinedStacks, join_stacks
from bench.data.crops.rotated import rotated
from bench.data.lesions import Dataset, unusable
from bench.data.summary import lost_classes
from bench.estimates.disk import disk_need, disk_notice, lines_of
from bench.estimates.effort import effort_of
from bench.estimates.time_left import TimeLeft
from bench.execution.clusters import LOCAL, planned_workers
from bench.execution.executors import Executor, LocalExecutor
from bench.execution.progress import Progress
from bench.execution.selected import Selection
from bench.execution.site import Site
from bench.execution.tasks import in_order, tasks_of
from bench.planning.external import check_classes
from bench.planning.extractor import check_strict, fetch_weights
from bench.planning.job import Job
from bench.planning.plan import Plan
from bench.planning.presets import SELECTED
from bench.planning.rules import Rules, decide_rules
from bench.record.external import external_lesions, external_parts
from bench.record.extractor_totals import ExtractorTotals
from bench.record.folder import ARTIFACTS, RunFolder, artifacts_of
from bench.record.manifest import make_manifest
from bench.record.pictures import (
    remove_images,
    without_images,
    write_explanation,
    write_mistakes,
    write_patch_example,
    write_thumbnails,
)
from bench.record.repeated_run import RepeatedRun
from bench.record.run_tables import APPROXIMATE, Results
from bench.store import Store, noting_use

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack


# Bytes of disk from which on a run says what it needs.
LARGE = 10**9


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    report : Path
        The page.
    n_units : int
        The number of units of work.
    failed : Sequence[tuple[str, str]]
        What failed, with its reason.
    """

    report: Path
    n_units: int
    failed: Sequence[tuple[str, str]] = field(default=())


def run(
    job: Job, progress: Progress, command: Sequence[str], repeated: RepeatedRun | None = None
) -> RunOutcome:
    """Do the work and write the run folder.

    Parameters
    ----------
    job : Job
        From `prepare_job`.
    progress : Progress
        Where what is going on is shown.
    command : Sequence[str]
        The command line, for the manifest.
    repeated : RepeatedRun | None
        The run whose options these are.

    Returns
    -------
    RunOutcome
        Where the report lies, and what failed.

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
    _say_disk(job, progress)
    with noting_use() as used_by_stack:
        stacks = _decoded(job, progress)
    from reports import build_report
    from reports.unchanged import PAGE

    with executing(job, progress) as (executor, job, rules):
        plan = job.plan_over(stacks.whole.table)
        folder = RunFolder(job.out)
        environment = executor.environment(job.device)
        made = make_manifest(job, stacks.own, plan, rules, environment, command)
        manifest = folder.claim(made | external_parts(made, job, stacks))
        progress.log_to(folder.path / "log.txt")
        if repeated is not None and (change := repeated.change(manifest["configuration"])):
            progress.say(change, style="yellow")
        for notice in manifest["notices"]:
            progress.say(notice)
        used = rotated(stacks.whole) if plan.rotates else stacks.whole
        site = Site(
            stack=used,
            store=Store(job.cache.resolve()),
            device=job.device,
            jobs=executor.jobs(job.configuration.jobs),
            seed=job.configuration.seed,
            rules=rules,
            plan=plan,
            extractors={extractor.name: extractor for extractor in job.extractors},
        )
        results = Results(job.dataset.name, used, job.configuration.seed)
        folder.note_artifacts(used_by_stack)
        expected = effort_of(job, (rules,)).expected
        left = TimeLeft(expected, [one.name for one in job.extractors if one.trained])
        described = _carry_out(site, executor, results, progress, folder, left)
        _write_tables(job, stacks, folder, manifest, results)
        manifest["extractors"] = described
        standing = folder.standing(manifest)
        if standing is None:
            progress.say("writing the report")
            _write_pictures(site, stacks, folder, manifest, executor)
            page = build_report(folder.path)
        else:
            progress.say("nothing that the report is made from has changed: it stands")
            folder.write_manifest(standing)
            page = folder.path / PAGE
        return RunOutcome(page, len(results.units), results.failed())


def _decoded(job: Job, progress: Progress) -> JoinedStacks:
    """The crops of the data set and of the external sets.

    Raises
    ------
    UnusableInput
        If no crop of a class can be read.
    """
    own = _stack_of(job, job.dataset, "", progress)
    for line in lost_classes(job.dataset, own, job.subsets):
        raise unusable(job.dataset.source.root, line)
    others = {}
    for one in job.externals:
        others[one.name] = _stack_of(job, one.dataset, f" of {one.name}", progress)
        for subset, parts in one.parts.items():
            check_classes(f"external set {one.name}", others[one.name].table, subset, parts)
    if not others:
        return JoinedStacks(own, own)
    with progress.step("copies in all sets", 2 * len(job.table), "steps") as compared:
        pairs = {one.name: (one.dataset, others[one.name]) for one in job.externals}
        whole = join_stacks(job.dataset, own, pairs, Store(job.cache), compared)
    return JoinedStacks(own, whole, others)


def _stack_of(job: Job, dataset: Dataset, of: str, progress: Progress) -> "CropStack":
    from bench.data.crops.stack import build_stack

    crops = len(dataset.table)
    with (
        progress.step(f"crops{of}", crops, "decoded") as decoded,
        progress.step(f"copies{of}", 2 * crops, "steps") as compared,
    ):
        settings = job.configuration.crop_settings()
        return build_stack(dataset, settings, job.cache, decoded, compared)


def _say_disk(job: Job, progress: Progress) -> None:
    """Say what a large run needs of the disk, and that it has less where it has."""
    scheduler = job.configuration.scheduler
    workers = planned_workers(scheduler, decide_rules(job.device, job.configuration).threads)
    need = disk_need(job, workers or 1)
    if need.total >= LARGE:
        progress.say(f"disk that the run needs in the store: {'; '.join(lines_of(need))}")
    notice = disk_notice(job, need)
    if notice and (job.out / ARTIFACTS).is_file():
        notice = disk_notice(job, need, artifacts_of(job.out))
    if notice:
        progress.say(notice, style="yellow")


@contextlib.contextmanager
def executing(job: Job, progress: Progress) -> Iterator[tuple[Executor, Job, Rules]]:
    """What carries out the work, with the job and the rules as they are where it is done."""
    options = job.configuration
    rules = decide_rules(job.device, options)
    if options.scheduler == LOCAL:
        yield LocalExecutor(progress), job, rules
        return
    from bench.execution.dask_executor import DaskExecutor

    with DaskExecutor(options.scheduler, progress, rules.threads) as executor:
        store = job.cache.resolve()
        found = executor.survey(options, job.dataset.synthetic, store, job.imports)
        executor.exclude_unable(found.rules, options)
        yield executor, replace(job, device=found.device, extractors=found.extractors), found.rules


def _carry_out(
    site: Site,
    executor: Executor,
    results: Results,
    progress: Progress,
    folder: RunFolder,
    left: TimeLeft,
) -> list[dict[str, Any]]:
    """All units, extractor by extractor; what the manifest says of each extractor."""
    plan, selection, described = site.plan, Selection(), []
    tasks = list(tasks_of(plan, site.extractors))
    progress.expect(len(plan.extractors()))
    began, started = time.time(), time.perf_counter()
    answers = in_order(tasks, executor.run(tasks, site))
    for name, own in itertools.groupby(tasks, lambda task: task.extractor):
        extractor = site.extractor(name)
        totals, computed = ExtractorTotals(extractor), False
        for task in own:
            # One by one: the next extractor's work begins when this one's line has been said.
            answer = next(answers)
            totals.add(answer)
            folder.note_artifacts(answer.artifacts)
            computed = computed or site.store.holds_newer(answer.artifacts, began)
            if task.fold is not None:
                fold = plan.folds[task.fold]
                fitted = selection.add(answer, fold, extractor)
                results.add_answer(answer, fold, extractor, fitted)
        _say_approximate(name, results, progress)
        described.append(totals.row())
        seconds = time.perf_counter() - started
        progress.finished(totals.line(seconds), left.after(name, seconds, computed))
        started = time.perf_counter()
    if SELECTED in plan.extractors():
        progress.finished(_choose(plan, selection, results))
        described.append(selection.facts())
    return described


def _say_approximate(name: str, results: Results, progress: Progress) -> None:
    """Say once of an extractor that its SVMs are approximate."""
    rows = (row for row in results.units if row["extractor"] == name)
    if any(APPROXIMATE in row["notes"] for row in rows):
        progress.say(f"{name}: {APPROXIMATE}")


def _choose(plan: Plan, selection: Selection, results: Results) -> str:
    """The row `selected` of every fold; the line that reports it."""
    extractor = selection.extractor()
    chosen = []
    for fold, (system,) in plan.work(SELECTED):
        choice = selection.choice(fold)
        if isinstance(choice, str):
            results.add_failed(fold, system, extractor, choice)
            continue
        results.add_choice(fold, system, extractor, choice)
        chosen.append(choice)
    if not chosen:
        return f"{SELECTED}: no system could be judged on inner folds of the training rows"
    most = max(choice.n_candidates for choice in chosen)
    return (
        f"{SELECTED}: chosen among {most} systems inside the training rows of {len(chosen)} folds"
    )


def _write_tables(
    job: Job, stacks: JoinedStacks, folder: RunFolder, manifest: dict[str, Any], results: Results
) -> None:
    """The run folder's tables, and the pictures that depend on no result."""
    folder.write_table("units", results.unit_table())
    folder.write_table("predictions", results.prediction_table())
    for name, table in results.training_tables().items():
        folder.write_table(name, table)
    folder.write_table("lesions", stacks.own.table)
    if stacks.others:
        folder.write_table("external", external_lesions(job, stacks))
    path, stack = folder.path, stacks.own
    if job.configuration.images:
        manifest["data"]["thumbnails"] = write_thumbnails(path, stack, job.subsets)
        manifest["data"]["patches"] = write_patch_example(path, stack, job.subsets[0])
    manifest["units"] = [{"unit": u["unit"], "state": u["status"]} for u in results.units]


def _write_pictures(
    site: Site,
    stacks: JoinedStacks,
    folder: RunFolder,
    manifest: dict[str, Any],
    executor: Executor,
) -> None:
    """The pictures of mistakes and saliency, and the manifest with all results."""
    from reports.wanted import read_wanted

    path = folder.path
    if not manifest["images"]:
        manifest |= without_images(manifest)
        folder.write_manifest(manifest)
        remove_images(path)
        return
    # What a report asks for is read from the folder, where an earlier run's manifest may stand.
    folder.write_manifest(manifest)
    wanted = read_wanted(path)
    manifest["data"]["mistakes"] = write_mistakes(path, stacks.whole, wanted.crops)
    explained = [executor.explain(site, system) for system in wanted.systems]
    for explanation in explained:
        folder.note_artifacts(explanation.artifacts)
    manifest["saliency"] = [write_explanation(path, site.stack, one) for one in explained]
    folder.write_manifest(manifest)
