"""What a run folder says of external sets: their part of the manifest, and their lesions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.data.crops.copies_found import copy_notices
from bench.data.crops.joined import PERSON, ExternalRows, JoinedStacks, external_rows
from bench.data.lesions import Dataset, SubsetInfo
from bench.data.patients import GROUP, groups_of
from bench.data.summary import left_out_notice
from bench.planning.external import ExternalSet
from bench.planning.job import Job
from bench.store import digest

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack


def external_parts(manifest: dict[str, Any], job: Job, stacks: JoinedStacks) -> dict[str, Any]:
    """The parts of a manifest that are others where there are external sets; else none.

    Parameters
    ----------
    manifest : dict[str, Any]
        That of the run on its own data set.
    job : Job
        The run.
    stacks : JoinedStacks
        Its crops.

    Returns
    -------
    dict[str, Any]
        Configuration, notices, crops left out, and each external set.
    """
    if not job.externals:
        return {}
    sets = [(one, stacks.others[one.name]) for one in job.externals]
    notices, left_out = [*manifest["notices"]], [*manifest["left_out"]]
    for one, stack in sets:
        of = f"external set {one.name}: "
        lines = [
            *left_out_notice(stack.left_out, len(stack.table)),
            *copy_notices(stack.copies),
            *stack.notices,
        ]
        notices += [*one.notices, *(of + line for line in lines)]
        left_out += [
            {**row, "crop_id": f"{one.name}:{row['crop_id']}", "reason": of + str(row["reason"])}
            for row in stack.left_out.to_dict("records")
        ]
    fingerprints = {one.name: stack.fingerprint for one, stack in sets}
    configuration = manifest["configuration"] | {"external": fingerprints}
    return {
        "configuration": configuration,
        "configuration_digest": digest(configuration),
        "external": [_facts(one, stack, job.dataset) for one, stack in sets],
        "notices": notices,
        "left_out": left_out,
    }


def _words(subsets: Sequence[SubsetInfo]) -> dict[str, str]:
    """What the two classes are called, each word once."""
    return {
        "positive": " or ".join(dict.fromkeys(info.positive for info in subsets)),
        "negative": " or ".join(dict.fromkeys(info.negative for info in subsets)),
    }


def _facts(one: ExternalSet, stack: "CropStack", own: Dataset) -> dict[str, Any]:
    """What a report has to know of an external set."""
    dataset = one.dataset
    return {
        "name": one.name,
        "dataset": dataset.name,
        "title": dataset.title,
        "fingerprint": stack.fingerprint,
        "synthetic": dataset.synthetic,
        "patient_ids": dataset.patient_ids,
        "organ": dataset.organ,
        "derived_from": dataset.description.get("derived_from", ""),
        "changed": dataset.description.get("changed", ""),
        "licence": dataset.licence,
        "citation": dataset.citation,
        # For each subset of the run, base subsets of either side, and what this set calls classes.
        "own": {subset: list(own.subsets[subset].parts) for subset in one.parts},
        "tested": {subset: list(parts) for subset, parts in one.tested.items()},
        "classes": {
            subset: _words([dataset.subsets[part] for part in parts])
            for subset, parts in one.parts.items()
        },
    }


def external_lesions(job: Job, stacks: JoinedStacks) -> "pd.DataFrame":
    """external.parquet: the rows of all external sets, by the names that predictions have."""
    import pandas as pd

    rows = [
        ExternalRows(one.name, one.dataset, stacks.others[one.name].table) for one in job.externals
    ]
    tables = [external_rows(one) for one in rows]
    if any(GROUP in one for one in tables):
        tables = [one.assign(**{GROUP: groups_of(one)}) for one in tables]
    # A column may hold numbers in one set and words in another.
    names = dict.fromkeys(name for one in tables for name in one)
    mixed = [n for n in names if len({str(one[n].dtype) for one in tables if n in one}) > 1]
    whole = [one.astype({n: "string" for n in mixed if n in one}) for one in tables]
    return pd.concat(whole, ignore_index=True).drop(columns=PERSON)
