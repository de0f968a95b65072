"""The manifest of a run: what ran, on what, with which options; all but the results."""

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench import provenance
from bench.job import Job
from bench.plan import Plan
from bench.protocols import PROTOCOLS
from reports.schema import MANIFEST_SCHEMA

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops import CropStack


def make_manifest(
    job: Job, stack: "CropStack", plan: Plan, command: Sequence[str]
) -> dict[str, Any]:
    """The manifest with the configuration that the run folder belongs to; no results yet."""
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
            "plugins": {
                part.name: part.info.source_digest
                for extractor in job.extractors
                for part in (extractor.parts or (extractor,))
                if part.info is not None and part.info.source_digest
            },
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
            **{name: _records(table) for name, table in dataset.source_tables.items()},
            "thumbnails": [],
        },
        "audits": [name for name in options.chosen_protocols() if PROTOCOLS[name].audit],
        "environment": provenance.environment(job.device),
        "extractors": [],
        "left_out": stack.left_out.to_dict("records"),
        "notices": [*dataset.notices, *plan.notices],
        "not_run": _not_run(job),
        "units": [],
    }


def _counts(job: Job, stack: "CropStack") -> list[dict[str, Any]]:
    from bench.data import summarise

    table = summarise(job.dataset, stack)["counts"]
    rows = table[table["subset"].isin(job.subsets)].drop(columns="label")
    return list(rows.rename(columns={"class": "label"}).to_dict("records"))


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a small table with plain Python values."""
    return [
        {str(name): cell if isinstance(cell, str) else int(cell) for name, cell in row.items()}
        for row in table.to_dict("records")
    ]


def _not_run(job: Job) -> list[dict[str, str]]:
    """What a reader may miss in this run, and the command that runs it."""
    options = job.configuration
    chosen = options.chosen_protocols()
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
    if "pooled-official" not in chosen and any("stand in both" in n for n in job.plan.notices):
        left.append(
            {
                "what": "pooled-official, the audit that leaves the patients of both splits in "
                "training, to measure what that alone gives",
                "command": f"python -m bench all{data} --protocols official,pooled-official",
            }
        )
    if options.chosen_repeats() == 1 and any(c.protocol == "patient-cv" for c in job.plan.cells):
        left.append(
            {
                "what": "more than one repeat of patient-cv: a single one has no ±",
                "command": f"python -m bench all{data} --protocols patient-cv --repeats 10",
            }
        )
    return left
