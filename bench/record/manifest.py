"""The manifest of a run: what ran, on what, with which options; all but the results."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import provenance
from bench.data.crops.copies_found import copy_notices
from bench.data.lesions import shared_patients
from bench.data.patients import groups_of
from bench.data.summary import left_out_notice
from bench.execution.clusters import LOCAL
from bench.planning.config import Configuration
from bench.planning.job import Job
from bench.planning.plan import SOFTMAX, Fold, Plan
from bench.planning.protocols import PROTOCOLS, manifest_rows, protocol_of
from bench.planning.rules import Rules
from bench.planning.splits import ONE_CLASS, has_official_split
from bench.plugins.datasets import DATASET_PLUGINS
from bench.plugins.references import REFERENCE_PREFIX, reference_plugins
from bench.store import digest
from classifiers import KERNELS
from extractors.recipes import OPTIMIZER, QUICK, RECIPES, THESIS
from reports.systems.schema import MANIFEST_SCHEMA

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack
    from classifiers.heads.estimators import HeadRecipe
    from extractors.registration.registry import Registered


def make_manifest(
    job: Job,
    stack: "CropStack",
    plan: Plan,
    rules: Rules,
    environment: Mapping[str, Any],
    command: Sequence[str],
) -> dict[str, Any]:
    """The manifest with the configuration that the run folder belongs to; no results yet.

    `environment` holds the versions and hardware of where networks run.
    """
    dataset, configuration = job.dataset, _configuration(job, stack, plan, rules)
    return {
        "schema": MANIFEST_SCHEMA,
        "suite": {"name": provenance.DISTRIBUTION, "version": provenance.suite_version()},
        "source_digest": provenance.suite_source(),
        "run": {
            "name": job.out.name,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": shlex.join(command),
        },
        "options": _options(job, rules),
        "configuration": configuration,
        "configuration_digest": digest(configuration),
        "data": {
            "dataset": dataset.name,
            "fingerprint": stack.fingerprint,
            "synthetic": dataset.synthetic,
            "title": dataset.title,
            "derived_from": dataset.description.get("derived_from", ""),
            "changed": dataset.description.get("changed", ""),
            "published_figures": dataset.published_figures,
            "patient_ids": dataset.patient_ids,
            "organ": dataset.organ,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "notices": [*dataset.notices, *stack.notices],
            "decoding": list(stack.decoding),
            "decoders": dict(stack.decoders),
            "decoder_versions": dict(stack.decoder_versions),
            "subsets": {
                name: {"positive": info.positive, "negative": info.negative}
                for name, info in dataset.subsets.items()
            },
            "counts": _counts(job, stack),
            "copies": _records(_copies(job, stack)),
            **{name: _records(table) for name, table in dataset.source_tables.items()},
            "thumbnails": [],
        },
        "images": job.configuration.images,
        "audits": [name for name in job.configuration.chosen_protocols() if PROTOCOLS[name].audit],
        # What takes the place of the official split was not chosen.
        "protocols": manifest_rows(
            [*job.configuration.chosen_protocols(), *(fold.protocol for fold in plan.folds)],
            dataset.patient_ids,
        ),
        "taken_out": _taken_out(stack, plan, dataset.patient_ids),
        "environment": dict(environment),
        "recipes": _recipes(job),
        "classifiers": [
            {
                "name": one.name,
                "title": one.value.title,
                "standardised": one.value.standardise,
                "by_patient": one.value.groups,
            }
            for one in _own_classifiers(job)
        ],
        "extractors": [],
        "left_out": stack.left_out.to_dict("records"),
        # Sorted so that what leaves a run without its main measure stands first.
        "notices": sorted(
            [
                *dataset.notices,
                *left_out_notice(stack.left_out, len(stack.table)),
                *copy_notices(_copies(job, stack)),
                *stack.notices,
                *job.notices,
                *plan.notices,
            ],
            key=lambda notice: ONE_CLASS not in notice,
        ),
        "not_run": _not_run(job),
        "units": [],
    }


def _configuration(job: Job, stack: "CropStack", plan: Plan, rules: Rules) -> dict[str, Any]:
    """What the run folder belongs to: all that its results depend on."""
    options, dataset = job.configuration, job.dataset
    return {
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
        }
        | {f"classifier:{one.name}": one.digest for one in _own_classifiers(job)}
        | _plugins_of_data(job, plan),
        **({"features": {one.name: one.digest for one in job.imports}} if job.imports else {}),
        **_checkpoints(job),
        "recipes": {name: digest(asdict(recipe)) for name, recipe in job.recipes.items()},
        "classifiers": list(job.classifiers),
        "protocols": list(options.chosen_protocols()),
        "repeats": options.chosen_repeats(),
        "network_runs": list(options.chosen_network_runs()),
        "train_fraction": list(options.train_fraction),
        "seed": options.seed,
        "rules": asdict(rules),
    }


def _options(job: Job, rules: Rules) -> dict[str, Any]:
    """The options as they were given, and what the machine has decided: they repeat the run."""
    options = job.configuration
    found = options.model_dump(mode="json", exclude_defaults=True, exclude={"dry_run"})
    if options.data is None and os.environ.get("BENCH_DATA"):
        found["data"] = os.environ["BENCH_DATA"]
    if options.scheduler == LOCAL and options.device == "auto":
        # Where the work is done elsewhere, this machine may lack the device.
        found["device"] = rules.device
    found["precision"] = "auto" if rules.bfloat16 else "float32"
    return found | {"threads": rules.threads, "memory": rules.memory / 2**30}


def _own_classifiers(job: Job) -> "list[Registered[HeadRecipe]]":
    """The classifiers of the run that users have registered."""
    from bench.plugins.classifiers import CLASSIFIERS

    names = dict.fromkeys(name.partition("+")[0] for name in job.classifiers)
    return [found for name in names if (found := CLASSIFIERS.find(name)) is not None]


def _plugins_of_data(job: Job, plan: Plan) -> dict[str, str]:
    """The digests of a data set and of reference points that users have registered."""
    names = {system.extractor for systems in plan.references.values() for system in systems}
    kinds = dict.fromkeys((job.dataset.name, *(one.dataset.name for one in job.externals)))
    loaded = [found for kind in kinds if (found := DATASET_PLUGINS.find(kind)) is not None]
    return {f"dataset:{one.name}": one.digest for one in loaded} | {
        REFERENCE_PREFIX + one.name: one.digest
        for one in reference_plugins()
        if REFERENCE_PREFIX + one.name in names
    }


# Why a crop is in no training rows though no test crop is of its patient.
_JOINED = "test crops of patients who share a picture with theirs or may be the same persons"
_TOGETHER = "test crops that they are kept together with: copies, or of one lesion"


def _taken_out(stack: "CropStack", plan: Plan, patient_ids: bool) -> list[dict[str, Any]]:
    """Crops to train on that are in no training rows, by subset and protocol."""
    rows = []
    for fold in plan.folds:
        protocol = protocol_of(fold.protocol)
        whole = fold.repeat == fold.number == 0 and fold.train_fraction == 1
        if not (protocol.needs_official_split or protocol.internal) or not whole:
            continue
        marked = stack.table.iloc[stack.positions(fold.subset)]
        official = has_official_split(marked)
        marked = marked[marked["split"] == "train"] if official else marked
        gone = marked[~marked.index.isin(fold.train)]
        rows += [
            {
                "subset": fold.subset,
                "protocol": fold.protocol,
                "crops": len(part),
                "patients": part["patient_id"].nunique(),
                "marked": len(marked),
                "official": official,
                "because_of": reason,
            }
            for reason, part in _by_reason(stack, fold, gone, patient_ids)
            if len(part)
        ]
    return rows


def _by_reason(
    stack: "CropStack", fold: Fold, gone: "pd.DataFrame", patient_ids: bool
) -> "list[tuple[str, pd.DataFrame]]":
    """Crops that were taken out, by what they would have shared with test crops."""
    external = protocol_of(fold.protocol).internal
    own_test = fold.held_out if external else fold.test
    test = stack.table.iloc[[] if own_test is None else own_test]
    tested = gone["patient_id"].isin(test["patient_id"])
    joined = groups_of(stack.table).loc[gone.index].isin(set(groups_of(test))) & ~tested
    parts = [
        ("test crops of their patients", gone[tested]),
        (_JOINED if patient_ids else _TOGETHER, gone[joined]),
    ]
    name = fold.protocol.partition(":")[2]
    return [*parts, (f"patients or pictures that {name} has, too", gone[~(tested | joined)])]


def _recipes(job: Job) -> list[dict[str, Any]]:
    """How each network is trained: every field of its recipe."""
    rows = []
    for name, recipe in job.recipes.items():
        told = asdict(recipe)
        for part in ("augmentation", "localization"):
            told[part] = _settings(told[part] or {})
        rows.append({"extractor": name, "recipe": told.pop("name"), "optimizer": OPTIMIZER, **told})
    return rows


def _checkpoints(job: Job) -> dict[str, dict[str, str | None]]:
    """The digests of the user's own checkpoints by their names; nothing where there are none."""
    found = {
        part.name: part.info.weights_digest
        for part in job.backbones
        if part.declared and part.info is not None
    }
    return {"checkpoints": found} if found else {}


def _settings(settings: dict[str, Any]) -> str:
    """'flip_horizontal, brightness 0.1': what is set, in a few words."""
    return ", ".join(
        name if value is True else f"{name} {value}" for name, value in settings.items() if value
    )


def _copies(job: Job, stack: "CropStack") -> "pd.DataFrame":
    """What is known of copies in the subsets of the run."""
    return stack.copies[stack.copies["subset"].isin(job.subsets)]


def _counts(job: Job, stack: "CropStack") -> list[dict[str, Any]]:
    from bench.data import summarise

    table = summarise(job.dataset, stack)["counts"]
    rows = table[table["subset"].isin(job.subsets)].drop(columns="label")
    return list(rows.rename(columns={"class": "label"}).to_dict("records"))


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a small table with plain Python values; what is not known is None."""
    import pandas as pd

    return [
        {
            str(name): cell if isinstance(cell, str) else None if pd.isna(cell) else int(cell)
            for name, cell in row.items()
        }
        for row in table.to_dict("records")
    ]


def _not_run(job: Job) -> list[dict[str, str]]:
    """What a reader may miss in this run, and the command that runs it."""
    options = job.configuration
    chosen = options.chosen_protocols()
    left = []
    networks = [e.name for e in job.extractors if e.trained]
    if job.within_budget and networks and len(job.subsets) > 1:
        what = f"networks that are trained on {' and '.join(job.subsets[1:])}"
        subsets = {"subset": ",".join(job.subsets)}
        left.append((what, "all-subsets", subsets))
    thesis = []
    published = min(recipe.epochs for (name, _), recipe in RECIPES.items() if name == THESIS)
    if options.preset == QUICK and any(r.epochs < published for r in job.recipes.values()):
        thesis.append(
            "networks trained for as many epochs as published where that is known (a few epochs, "
            "as here, show that they run, not what they can do)"
        )
    if "patient-cv" not in chosen and any(c.protocol != "patient-cv" for c in job.plan.folds):
        thesis.append(
            "repeated cross-validation by patient, which shows how much the figures depend on the "
            "split"
        )
    if thesis:
        left.append(("; ".join(thesis), "thesis", {"preset": "thesis"}))
    audit = _audit_protocols(job)
    if not set(audit) <= set(chosen):
        what = (
            "the leakage audit: AlexNet, frozen and fine-tuned, under every protocol that this set "
            "allows, honest ones and audits side by side, to measure what the protocol alone gives"
        )
        left.append((what, "audit", _audit_options(job, audit)))
    if options.chosen_repeats() == 1 and any(c.protocol == "patient-cv" for c in job.plan.folds):
        what = "more than one repeat of patient-cv: a single one has no ±"
        left.append((what, "repeated", {"protocols": "patient-cv", "repeats": "10"}))
    return [
        {
            "what": what,
            "topic": topic,
            "command": _changed(options, {**changes, "out": f"{job.out}-{topic}"}),
        }
        for what, topic, changes in left
    ]


def _audit_protocols(job: Job) -> list[str]:
    """The protocols of the leakage audit: all that any subset of the run has rows for."""
    rows = [job.dataset.rows(subset) for subset in job.subsets]
    split = any(has_official_split(table) for table in rows)
    shared = any(shared_patients(table) for table in rows)
    return [
        name
        for name, protocol in PROTOCOLS.items()
        if (split or not protocol.needs_official_split)
        and (shared or not protocol.needs_shared_patients)
        and not protocol.internal
    ]


def _audit_options(job: Job, protocols: Sequence[str]) -> dict[str, Any]:
    """The options of one run that is the whole leakage audit; None for one that it is without."""
    shares = {} if job.configuration.train_fraction == (1.0,) else {"train_fraction": "1"}
    return {
        "preset": job.configuration.preset,
        "extractors": "torchvision:alexnet,torchvision:alexnet+finetuned",
        "classifiers": ",".join((SOFTMAX, *KERNELS)),
        "protocols": ",".join(protocols),
        # They would be run besides.
        "external": None,
        "features": None,
        "checkpoint": None,
        **shares,
    }


def _changed(options: Configuration, changes: Mapping[str, Any]) -> str:
    """The command that runs what was run with some options changed.

    Options are named though they came from a file. Those of how much work is done are left out,
    and with another preset the number of epochs, of which it has its own.
    """
    gone = {"protocols", "repeats", "dry_run", *(("epochs",) if "preset" in changes else ())}
    given = options.model_dump(mode="json", exclude_defaults=True, exclude=gone) | dict(changes)
    words = ["python", "-m", "bench", "all"]
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, list) and name in _ONE_BY_ONE:
            words += [word for one in value for word in (option, one)]
        elif value not in (None, []):
            words += [option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return shlex.join(words)


# Their values may hold commas.
_ONE_BY_ONE = ("plugin", "external", "features", "checkpoint")
