"""The keys of artifacts: SHA-256 over everything that can change what is in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.planning.plan import Fold, System
from bench.provenance import package_version
from bench.store import array_digest, digest
from classifiers.solver import MAX_ITERATIONS, TOLERANCE
from classifiers.tuning import TUNED_C, TUNED_SCALES
from classifiers.variant_fits import INNER_FOLDS, INNER_SEED, PCA_SHARE
from classifiers.variants import VARIANTS

# Raised when the meaning of what is stored changes, so that older artifacts are left alone.
FEATURE_VERSION = 2

TRAINING_VERSION = 2

UNIT_VERSION = 3

SALIENCY_VERSION = 1


def chunk_key(extractor_identity: Mapping[str, Any], crops: Sequence[str]) -> str:
    """Key of the features of some crops.

    `extractor_identity` holds the weights' digest, layer, input size, plugin source, device kind,
    precision and library versions; `crops` are the digests of the crops' pixels, in order.
    """
    return digest([FEATURE_VERSION, dict(extractor_identity), list(crops)])


def training_key(
    start: Mapping[str, Any],
    recipe: Mapping[str, Any],
    seed: int,
    train: Sequence[Sequence[Any]],
    held_out: Sequence[Sequence[Any]],
) -> str:
    """Key of a trained network.

    `start` holds name, starting weights, plugin source, input, device, precision, threads and
    library versions; `train` a list for each training crop: its digest, its label and, where the
    recipe holds out patients, the number of its patient. `held_out`, crops and labels, changes no
    weight, only the curve that is kept beside them.
    """
    return digest([TRAINING_VERSION, dict(start), dict(recipe), seed, list(train), list(held_out)])


def fold_digest(
    fold: Fold,
    settings: Mapping[str, Any],
    crops: Sequence[str],
    labels: Sequence[int],
) -> str:
    """Digest of one fold: which crops, with which labels, are for training and which for test.

    `crops` and `labels` belong to the whole stack; a test crop's label is no part of it, because no
    score depends on it. Nor is the seed, which has done its work when the rows are chosen.
    """
    return digest(
        {
            "place": list(fold.place),
            "crops": dict(settings),
            "train": [[crops[i], int(labels[i])] for i in fold.train],
            "test": [crops[i] for i in fold.test],
        }
    )


def unit_key(fold: str, features: str, system: System, solver: Mapping[str, Any]) -> str:
    """Key of one unit: the digests of fold and features, the classifier and its solver."""
    return digest(
        [
            UNIT_VERSION,
            fold,
            features,
            [system.extractor, system.classifier, system.C, system.scale],
            dict(solver),
        ]
    )


def saliency_key(unit: str, side: int, captum: str, crops: Sequence[str]) -> str:
    """Key of saliency maps: the unit that they explain, and the digests of the crops, in order.

    A unit's key holds weights, features, kernel and training rows.
    """
    return digest([SALIENCY_VERSION, unit, side, captum, list(crops)])


def judging_settings(system: System, groups: NDArray[np.int64]) -> dict[str, Any]:
    return solver_settings(system, groups, None) | _inner_settings(groups)


def _inner_settings(groups: NDArray[np.int64]) -> dict[str, Any]:
    """What inner folds depend on: among other things, which training rows are of one patient."""
    return {
        "inner_folds": [INNER_FOLDS, INNER_SEED],
        "groups": array_digest(groups.astype(np.int64)),
    }


def solver_settings(
    system: System, groups: NDArray[np.int64], memory_limit: float | None
) -> dict[str, Any]:
    """The settings of a system's solver that its name does not tell, for the unit's key."""
    settings: dict[str, Any] = {"scikit-learn": package_version("scikit-learn")}
    variant = VARIANTS.get(system.classifier)
    if variant is None:
        return settings
    settings |= {"tol": TOLERANCE, "max_iter": MAX_ITERATIONS}
    if memory_limit is not None:
        # How many rows are sampled depends on it; an exact fit never stands under such a key.
        settings |= {"approximate_within": memory_limit}
    if variant.pca:
        settings |= {"pca_share": PCA_SHARE}
    if variant.tuned or variant.platt:
        settings |= _inner_settings(groups)
    if variant.tuned:
        settings |= {"C": list(TUNED_C), "scales": list(TUNED_SCALES)}
    return settings
