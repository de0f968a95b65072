"""Carries out a run, from the data to the report; what stands in the store is taken from there."""

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from bench import provenance
from bench.config import Configuration, check_names
from bench.errors import UnusableInput
from bench.features import Extraction, Extractor, Features
from bench.fitting import run_cell
from bench.keys import cell_digest
from bench.plan import Plan, make_plan
from bench.progress import Progress
from bench.protocols import PROTOCOLS
from bench.results import Results, extractor_row
from bench.run_folder import MANIFEST_SCHEMA, RunFolder
from bench.selection import check_strict, choose_device, choose_extractors, fetch_weights
from bench.store import Store
from classifiers import KERNELS, REFERENCE_CLASSIFIERS
from extractors import BackboneError

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops import CropStack
    from bench.data.lesions import Dataset


@dataclass(frozen=True)
class Job:
    """A run that is all decided and not yet begun.

    `plan` is laid over the lesion table as it was read: crops that prove unreadable are in it.
    """

    configuration: Configuration
    dataset: "Dataset"
    subsets: tuple[str, ...]
    extractors: tuple[Extractor, ...]
    classifiers: tuple[str, ...]
    device: str
    cache: Path
    out: Path
    plan: Plan

    def plan_over(self, table: "pd.DataFrame") -> Plan:
        """The plan over another table of the same data set."""
        return _plan(self, table)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its report, its number of units, and what failed, with reasons."""

    report: Path
    n_units: int
    failed: Sequence[tuple[str, str]] = field(default=())


def cache_folder(asked: Path | None) -> Path:
    """The store's folder: the one asked for, else $BENCH_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_path

    named = asked or os.environ.get("BENCH_CACHE")
    return Path(named).expanduser() if named else user_cache_path("vit-svm-bench")


def load_data(configuration: Configuration, cache: Path) -> "Dataset":
    """The data set asked for; the built-in phantom, written to the cache first, where none is."""
    from bench.data import builtin_phantom, load_lesions

    root = configuration.data or os.environ.get("BENCH_DATA")
    if root is None and configuration.dataset in ("auto", "phantom"):
        return load_lesions(builtin_phantom(cache), "phantom")
    if root is None:
        raise UnusableInput(f"--dataset {configuration.dataset} needs --data PATH (or $BENCH_DATA)")
    return load_lesions(Path(root).expanduser(), configuration.dataset, configuration.tables)


def prepare(configuration: Configuration) -> Job:
    """Decide everything that can be decided before work begins, the cheap checks first.

    Raises
    ------
    UnusableInput
        If anything asked for does not exist or cannot be used.
    """
    known = (*KERNELS, *REFERENCE_CLASSIFIERS)
    classifiers = configuration.classifiers or tuple(KERNELS)
    check_names("classifiers", classifiers, known)
    check_names("protocols", configuration.chosen_protocols(), tuple(PROTOCOLS))
    cache = cache_folder(configuration.cache)
    dataset = load_data(configuration, cache)
    subsets = configuration.subset or tuple(dataset.subsets)
    check_names("subset", subsets, tuple(dataset.subsets))
    device = choose_device(configuration.device)
    extractors = choose_extractors(configuration, dataset.synthetic)
    default_out = Path("runs") / f"{dataset.name}-{configuration.preset}"
    job = Job(
        configuration=configuration,
        dataset=dataset,
        subsets=subsets,
        extractors=extractors,
        classifiers=classifiers,
        device=device,
        cache=cache,
        out=configuration.out or default_out,
        plan=Plan((), (), (), {}),
    )
    return replace(job, plan=_plan(job, dataset.table))


def _plan(job: Job, table: "pd.DataFrame") -> Plan:
    return make_plan(
        table,
        {name: job.dataset.subsets[name].parts for name in job.subsets},
        [extractor.name for extractor in job.extractors],
        job.classifiers,
        tuple(KERNELS),
        job.configuration.chosen_protocols(),
        job.configuration.chosen_repeats(),
        job.configuration.seed,
    )


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
    from bench.data.crops import CropSettings, build_stack

    settings = CropSettings(size=job.configuration.size, fit=job.configuration.fit)
    with progress.step("crops", len(job.dataset.table), "decoded") as step:
        stack = build_stack(job.dataset, settings, job.cache, step)
    plan = job.plan_over(stack.table)
    folder = RunFolder(job.out)
    manifest = folder.claim(_manifest(job, stack, plan, command))
    progress.log_to(folder.path / "log.txt")
    for notice in manifest["notices"]:
        progress.say(notice)
    results = Results(job.dataset.name, stack, job.configuration.seed)
    described = _carry_out(job, stack, plan, results, progress)
    return _write(job, stack, folder, manifest, results, described)


def _carry_out(
    job: Job, stack: "CropStack", plan: Plan, results: Results, progress: Progress
) -> list[dict[str, Any]]:
    """All units, extractor by extractor; what the manifest says of each extractor."""
    store = Store(job.cache)
    extraction = Extraction(stack, store, job.device)
    by_name = {extractor.name: extractor for extractor in job.extractors}
    cells = _cell_digests(plan, stack, job.configuration.seed)
    labels = stack.table["label"].to_numpy()
    jobs = job.configuration.jobs or joblib.cpu_count()
    described = []
    progress.expect(len(plan.extractors()))
    for name in plan.extractors():
        extractor = by_name.get(name, Extractor(name, None, ""))
        started = time.perf_counter()
        features, status = _features(extraction, extractor, plan, progress)
        with progress.step(name, plan.n_units(name), "fits") as step:
            for cell, systems in plan.work(name):
                if features is None:
                    for system in systems:
                        results.add_failed(cell, system, extractor, status)
                    continue
                fitted = run_cell(cell, cells[cell.place], systems, features, labels, store, jobs)
                for system, result in fitted.items():
                    results.add(cell, system, extractor, features, result)
                step(len(systems))
        if extractor.info is not None:
            described.append(extractor_row(extractor, features, status))
        progress.finished(_line(extractor, features, status, time.perf_counter() - started))
    return described


def _features(
    extraction: Extraction, extractor: Extractor, plan: Plan, progress: Progress
) -> tuple[Features | None, str]:
    """Features of the crops that the plan needs, or None with the reason."""
    if extractor.status != "ok":
        return None, extractor.status
    positions = np.unique(
        np.concatenate([c for cell in plan.cells for c in (cell.train, cell.test)])
    )
    with progress.step(extractor.name, len(positions), "crops") as step:
        try:
            return extraction.features(extractor, positions, step), "ok"
        except BackboneError as error:
            return None, str(error)
        except OSError:
            # The store is full or gone: that is the end of the run, not of one system.
            raise
        except Exception as error:
            # A plugin's network may raise anything, and one broken system spoils no other.
            reason = " ".join(str(error).split())[:200]
            return None, f"{extractor.name}: {type(error).__name__}: {reason}"


def _line(extractor: Extractor, features: Features | None, status: str, spent: float) -> str:
    if features is None:
        return f"{extractor.name}: {status}"
    if extractor.info is None:
        return f"{extractor.name}: reference points"
    rate = features.profile["images_per_s"]
    weights = f"{extractor.weights} weights"
    return (
        f"{extractor.name}: {weights}, {features.profile['precision']}, "
        f"{rate:.0f} crops/s, done in {spent:.1f} s"
    )


def _cell_digests(
    plan: Plan, stack: "CropStack", seed: int
) -> dict[tuple[str, str, int, int], str]:
    settings = stack.settings.as_key()
    labels = stack.table["label"].to_numpy()
    return {
        cell.place: cell_digest(cell, settings, stack.digests, labels, seed) for cell in plan.cells
    }


def _manifest(job: Job, stack: "CropStack", plan: Plan, command: Sequence[str]) -> dict[str, Any]:
    """The manifest but for the results, with the configuration that the run folder belongs to."""
    options, dataset = job.configuration, job.dataset
    return {
        "schema": MANIFEST_SCHEMA,
        "suite": {"name": provenance.DISTRIBUTION, "version": provenance.suite_version()},
        "run": {
            "name": job.out.name,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": shlex.join(command),
        },
        "configuration": {
            "dataset": dataset.name,
            "fingerprint": stack.fingerprint,
            "subset": list(job.subsets),
            **stack.settings.as_key(),
            "preset": options.preset,
            "extractors": [extractor.name for extractor in job.extractors],
            "classifiers": list(job.classifiers),
            "protocols": list(options.chosen_protocols()),
            "repeats": options.chosen_repeats(),
            "seed": options.seed,
            "device": job.device.partition(":")[0],
        },
        "data": {
            "dataset": dataset.name,
            "fingerprint": stack.fingerprint,
            "synthetic": dataset.synthetic,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "notices": list(dataset.notices),
            "subsets": {
                name: {"positive": info.positive, "negative": info.negative}
                for name, info in dataset.subsets.items()
                if name in job.subsets
            },
            "counts": _counts(job, stack),
            "thumbnails": [],
        },
        "environment": provenance.environment(job.device),
        "extractors": [],
        "left_out": stack.left_out.to_dict("records"),
        "notices": list(plan.notices),
        "not_run": _not_run(job),
        "units": [],
    }


def _counts(job: Job, stack: "CropStack") -> list[dict[str, Any]]:
    from bench.data import summarise

    table = summarise(job.dataset, stack)["counts"]
    rows = table[table["subset"].isin(job.subsets)].drop(columns="label")
    return list(rows.rename(columns={"class": "label"}).to_dict("records"))


def _not_run(job: Job) -> list[dict[str, str]]:
    """What a reader may miss in this run, and the command that runs it."""
    chosen = job.configuration.chosen_protocols()
    data = "" if job.dataset.synthetic else " --data PATH"
    left = []
    if "patient-cv" not in chosen and any(c.protocol != "patient-cv" for c in job.plan.cells):
        left.append(
            {
                "what": "repeated cross-validation by patient, which shows how much the figures "
                "depend on the split",
                "command": f"python -m bench all{data} --preset thesis",
            }
        )
    return left


def _write(
    job: Job,
    stack: "CropStack",
    folder: RunFolder,
    manifest: dict[str, Any],
    results: Results,
    described: list[dict[str, Any]],
) -> Outcome:
    """The run folder's tables, the manifest with the results, and the report made of them."""
    from reports import build_report

    folder.write_table("units", results.unit_table())
    folder.write_table("predictions", results.prediction_table())
    folder.write_table("lesions", results.lesion_table())
    manifest["data"]["thumbnails"] = folder.write_thumbnails(stack, job.subsets)
    manifest["extractors"] = described
    manifest["units"] = [{"unit": u["unit"], "state": u["status"]} for u in results.units]
    folder.write_manifest(manifest)
    return Outcome(build_report(folder.path), len(results.units), results.failed())
