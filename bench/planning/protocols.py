"""The table of protocols: what each is, its words, and what it is compared with, stand here alone.

The command line, the plan and the manifest read it; a report finds the protocols of its run in the
manifest. How each divides rows is in `bench.planning.splits`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from bench.planning.external_rows import external
from bench.planning.presets import EXTERNAL
from bench.planning.splits import (
    N_FOLDS,
    Protocol,
    Twin,
    image_cv,
    image_holdout,
    official,
    patient_cv,
    pooled_official,
    reused_network,
    rotated_split,
)
from reports.systems.schema import SHARED, UNSHARED

OFFICIAL = Protocol(
    "official",
    "the data set's own split",
    "the data set's own split into training and test rows",
    official,
    headline=True,
    needs_official_split=True,
)

_CROPS_BESIDES = (
    "training has the crops of the shared patients besides; the test crops are the same"
)

POOLED_OFFICIAL = Protocol(
    "pooled-official",
    "audit: the own split, with the patients that stand on both sides",
    "the pooled official splits with the patients of both left in (audit)",
    pooled_official,
    audit=True,
    in_methods_without_ids=(
        "the pooled official splits with images left in that are kept together with test images "
        "(audit)"
    ),
    twins=(
        Twin("official", _CROPS_BESIDES),
        Twin("official", _CROPS_BESIDES, SHARED, SHARED),
        Twin(
            "pooled-official",
            "the test crops are other crops of other patients, who may be easier or harder; the "
            "classifier is the same",
            SHARED,
            UNSHARED,
        ),
    ),
    needs_official_split=True,
    needs_shared_patients=True,
)

PATIENT_CV = Protocol(
    "patient-cv",
    f"{N_FOLDS} folds by patient, stratified by label, repeated",
    "five-fold cross-validation, stratified by label and grouped by patient",
    patient_cv,
    headline=True,
    in_methods_without_ids=(
        "five-fold cross-validation, stratified by label; without patient ids it splits by image, "
        "and images of one person may be on both sides"
    ),
    repeated=True,
)

# Its folds, keys and rows are those of `external:NAME`, for each external set.
EXTERNAL_TEST = Protocol(
    EXTERNAL,
    "trained on the own training rows, tested on another data set (--external NAME=PATH)",
    "training on the data set's own training rows (all rows where there is no official split), "
    "and a test on all rows of the external set {name}; nothing is fitted there",
    external,
    internal=("official", "patient-cv"),
)

IMAGE_CV = Protocol(
    "image-cv",
    f"audit: {N_FOLDS} folds by crop, stratified by label, repeated",
    "five-fold cross-validation that splits by image (audit)",
    image_cv,
    audit=True,
    twins=(Twin("patient-cv", "nothing by design: the same crops, in other folds"),),
    repeated=True,
)

ROTATED_HOLDOUT = Protocol(
    "rotated-holdout",
    "audit: the training crops rotated by quarters, 70/30 by rotated crop, repeated",
    "a hold-out of crops rotated by quarters, split by rotated image (audit)",
    rotated_split(image_holdout),
    audit=True,
    twins=(
        Twin(
            "rotated-by-patient",
            "one split of 70 to 30 a repeat in place of five folds: fewer training rows, and not "
            "every row is tested",
        ),
    ),
    repeated=True,
    rotated=True,
)

ROTATED_IMAGE_CV = Protocol(
    "rotated-image-cv",
    f"audit: the same rotated crops, {N_FOLDS} folds by rotated crop, repeated",
    "cross-validation of crops rotated by quarters, split by image (audit)",
    rotated_split(image_cv),
    audit=True,
    twins=(
        Twin("rotated-by-patient", "nothing by design: the same rotated crops, in other folds"),
    ),
    repeated=True,
    rotated=True,
)

# Honest, but no headline: it is there to be compared with.
ROTATED_BY_PATIENT = Protocol(
    "rotated-by-patient",
    f"the same rotated crops, {N_FOLDS} folds by patient, repeated",
    "cross-validation of crops rotated by quarters, split by patient",
    rotated_split(patient_cv),
    in_methods_without_ids=(
        "cross-validation of crops rotated by quarters, with all positions of an image on one "
        "side; without patient ids images of one person may be on both"
    ),
    repeated=True,
    rotated=True,
)

REUSED_NETWORK = Protocol(
    "reused-network",
    f"audit: a network trained once on 70 %, its features in {N_FOLDS} folds by crop",
    "a network trained on one split whose features of all rows are then cross-validated (audit)",
    reused_network,
    audit=True,
    twins=(
        Twin(
            "patient-cv",
            "one network serves all folds of a repeat, trained on 70 % of all crops with their "
            "labels; the folds are by crop",
        ),
        Twin(
            "image-cv",
            "the network alone, trained on 70 % of all crops with their labels; folds and crops "
            "are the same, and both sides are audits",
        ),
    ),
    repeated=True,
    reuses_network=True,
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            OFFICIAL,
            POOLED_OFFICIAL,
            PATIENT_CV,
            EXTERNAL_TEST,
            IMAGE_CV,
            ROTATED_HOLDOUT,
            ROTATED_IMAGE_CV,
            ROTATED_BY_PATIENT,
            REUSED_NETWORK,
        )
    }
)


def external_protocol(name: str) -> str:
    """The name of the protocol that tests on the external set of this name."""
    return f"{EXTERNAL_TEST.name}:{name}"


def protocol_of(name: str) -> Protocol:
    """The protocol of a fold: by its own name, or by `external:NAME`."""
    return PROTOCOLS[name.partition(":")[0]]


def manifest_rows(names: Iterable[str], patient_ids: bool = True) -> list[dict[str, Any]]:
    """What a report has to know of these protocols, for manifest["protocols"].

    `patient_ids` says whether the data tell whose an image is.

    They stand in the order in which a report sets protocols side by side: headlines first, then
    each audit behind its honest twin.
    """
    chosen = dict.fromkeys(names)
    honest_first: dict[str, None] = {p.name: None for p in PROTOCOLS.values() if p.headline}
    for protocol in PROTOCOLS.values():
        honest_first |= dict.fromkeys([*(t.protocol for t in protocol.twins[:1]), protocol.name])
    order = list(honest_first)
    shown = sorted(chosen, key=lambda name: order.index(protocol_of(name).name))
    return [_manifest_row(name, patient_ids) for name in shown]


def _manifest_row(name: str, patient_ids: bool) -> dict[str, Any]:
    protocol = protocol_of(name)
    words = (not patient_ids and protocol.in_methods_without_ids) or protocol.in_methods
    row = {
        "name": name,
        "in_methods": words,
        "headline": protocol.headline,
        "twins": [_twin(twin, patient_ids) for twin in protocol.twins],
    }
    if not protocol.internal:
        return row
    tested = name.partition(":")[2]
    words = words.replace("{name}", tested)
    return row | {"in_methods": words, "external": tested, "internal": list(protocol.internal)}


def _twin(twin: Twin, patient_ids: bool) -> dict[str, str]:
    """A twin as a report reads it, in words that hold where every image counts as a patient."""
    besides = twin.besides if patient_ids else twin.besides.replace("patients", "images")
    return {**asdict(twin), "besides": besides.replace("images, who", "images, which")}
