"""The keys of artifacts: SHA-256 over everything that can change what is in them.

Every key of the store is made here. `fold_digest` and `feature_identity` are parts of keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.site import Site
from bench.planning.extractor import Extractor
from bench.planning.known_extractors import extractors_code
from bench.planning.plan import SOFTMAX, Fold, System
from bench.planning.rules import Rules
from bench.provenance import package_version
from bench.store import array_digest, digest
from classifiers.solver import MAX_ITERATIONS, TOLERANCE
from classifiers.tuning import TUNED_C, TUNED_SCALES
from classifiers.variant_fits import INNER_FOLDS, INNER_SEED, PCA_SHARE
from classifiers.variants import VARIANTS
from extractors import read_declaration
from extractors.precision import LOWEST_COSINE

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack
    from extractors.recipes import Recipe

# Raised when the meaning of what is stored changes, so that older artifacts are left alone.
FEATURE_VERSION = 4
PROFILE_VERSION = 6
TRAINING_VERSION = 6
UNIT_VERSION = 4
SALIENCY_VERSION = 1
SIZE_VERSION = 2
RATE_VERSION = 1

# Libraries whose versions can change features, and what a training ends with.
_FEATURE_LIBRARIES = ("torch", "torchvision", "timm")
_TRAINING_LIBRARIES = (*_FEATURE_LIBRARIES, "vit-pytorch", "kornia")


def feature_identity(extractor: Extractor, weights: str, rules: Rules) -> dict[str, Any]:
    """All that features depend on besides the crops and the precision.

    `weights` is the digest of the weights, or the key of the training that made them.
    """
    info = extractor.info
    assert info is not None
    return {
        "name": extractor.name,
        "weights": weights,
        "source": info.source_digest,
        "input": _input(extractor),
        "rules": rules.of_networks(),
        "versions": [package_version(name) for name in _FEATURE_LIBRARIES],
        **_configured(extractor),
    }


def chunk_key(identity: Mapping[str, Any], precision: str, crops: Sequence[str]) -> str:
    """Key of the features of some crops.

    `identity` comes from `feature_identity`, `crops` are the digests of the crops' pixels, in
    order.
    """
    return digest([FEATURE_VERSION, {**identity, "precision": precision}, list(crops)])


def features_digest(identity: Mapping[str, Any], precision: str) -> str:
    """What identifies the features of any crop, the crop being known."""
    return digest({**identity, "precision": precision})


def rows_digest(matrix: NDArray[Any], fold: Fold) -> str:
    """The same of features that are no function of the pixels: the rows of a fold, as they are."""
    return digest([array_digest(matrix[rows]) for rows in (fold.train, fold.test)])


def fusion_digest(parts: Sequence[str]) -> str:
    """The same of several backbones side by side."""
    return digest(["fusion", list(parts)])


def profile_key(identity: Mapping[str, Any]) -> str:
    """Key of a backbone's profile: the precision to use, width, parameters and the like."""
    return digest([dict(identity), PROFILE_VERSION, LOWEST_COSINE])


def start_key(extractor: Extractor) -> str:
    """Key of the digest of the weights that a network of this suite is drawn with for seed 0.

    The code that builds it is part of the key.
    """
    recipe = extractor.recipe
    assert recipe is not None
    versions = [package_version(name) for name in _TRAINING_LIBRARIES]
    return digest([extractor.name, recipe.input_size, versions, extractors_code()])


def training_key(site: Site, extractor: Extractor, weights: str, fold: Fold) -> str:
    """Key of a network trained on a fold's `network_rows`.

    `weights` is the digest of those that it starts from. The crops and labels that are held out
    change no weight, only the curve that is kept beside them.
    """
    recipe, info = extractor.recipe, extractor.info
    assert recipe is not None
    assert info is not None
    fitted, held_out = fold.network_rows
    start = {
        "name": extractor.name,
        "weights": weights,
        "source": info.source_digest,
        "input": _input(extractor),
        "rules": site.rules.of_networks(),
        "versions": [package_version(name) for name in _TRAINING_LIBRARIES],
        "crops": site.stack.settings.as_key(),
        **_configured(extractor),
    }
    rows = [_training_rows(site, recipe, fitted), _labelled(site, held_out)]
    return digest([TRAINING_VERSION, start, asdict(recipe), site.network_seed(fold), *rows])


def fold_digest(fold: Fold, stack: "CropStack") -> str:
    """Digest of one fold: which crops, with which labels, are for training and which for test.

    A test crop's label is no part of it, because no score depends on it. Nor is the seed, which has
    done its work when the rows are chosen.
    """
    labels = stack.table["label"].to_numpy()
    return digest(
        {
            "place": list(fold.place),
            "crops": dict(stack.settings.as_key()),
            "train": [[stack.digests[i], int(labels[i])] for i in fold.train],
            "test": [stack.digests[i] for i in fold.test],
        }
    )


def unit_key(
    fold: str,
    features: str,
    system: System,
    groups: NDArray[np.int64],
    memory_limit: float | None = None,
) -> str:
    """Key of one unit: the digests of fold and features, the classifier and its solver.

    `groups` are the numbers of the training rows' patients; `memory_limit` is given where the fit
    is approximate.
    """
    return _unit_key(fold, features, system, _solver_settings(system, groups, memory_limit))


def judgement_key(fold: str, features: str, system: System, groups: NDArray[np.int64]) -> str:
    """Key of what an SVM is worth on inner folds of a fold's training rows."""
    settings = _solver_settings(system, groups, None) | _inner_settings(groups)
    return _unit_key(fold, features, system, settings)


def selected_key(chosen: str, candidates: Sequence[str]) -> str:
    """Key of the row `selected` of one fold: the chosen unit, and all that it is chosen from."""
    return digest(["selected", chosen, sorted(candidates)])


def saliency_key(unit: str, side: int, crops: Sequence[str]) -> str:
    """Key of saliency maps: the unit that they explain, and the digests of the crops, in order.

    A unit's key holds weights, features, kernel and training rows.
    """
    return digest([SALIENCY_VERSION, unit, side, package_version("captum"), list(crops)])


def size_key(extractor: Extractor, input_size: int | None) -> str:
    """Key of a network's numbers of parameters and features."""
    libraries = [package_version(library) for library in _TRAINING_LIBRARIES]
    built_of = _configured(extractor).values()
    return digest([SIZE_VERSION, extractor.name, input_size, libraries, *built_of])


def rate_key(what: Mapping[str, Any]) -> str:
    """Key of a measured speed: of what, and under which rules. Another measurement replaces it."""
    return digest([RATE_VERSION, dict(what)])


def _unit_key(fold: str, features: str, system: System, solver: Mapping[str, Any]) -> str:
    named = [system.extractor, system.classifier, system.C, system.scale]
    return digest([UNIT_VERSION, fold, features, named, dict(solver)])


def _solver_settings(
    system: System, groups: NDArray[np.int64], memory_limit: float | None
) -> dict[str, Any]:
    """The settings of a system's solver that its name does not hold."""
    settings: dict[str, Any] = {"scikit-learn": package_version("scikit-learn")}
    variant = VARIANTS.get(system.classifier)
    if variant is None:
        return settings | _head_settings(system.classifier, groups)
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


def _head_settings(classifier: str, groups: NDArray[np.int64]) -> dict[str, Any]:
    """The same of what is no SVM; the plain references have none."""
    from bench.plugins.identity import head_identity
    from classifiers.linear_probe import PROBE_C, PROBE_FOLDS, PROBE_SEED
    from classifiers.reference import REFERENCE_CLASSIFIERS

    name, *endings = classifier.split("+")
    settings: dict[str, Any] = _inner_settings(groups) if endings else {}
    if name == "linear_probe":
        settings |= _inner_settings(groups) | {"C": [*PROBE_C], "probe": [PROBE_FOLDS, PROBE_SEED]}
    elif name != SOFTMAX and name not in REFERENCE_CLASSIFIERS:
        own = head_identity(name)
        settings |= {"classifier": own} | (_inner_settings(groups) if own.get("groups") else {})
    return settings


def _inner_settings(groups: NDArray[np.int64]) -> dict[str, Any]:
    """What inner folds depend on: among other things, which training rows are of one patient."""
    return {
        "inner_folds": [INNER_FOLDS, INNER_SEED],
        "groups": array_digest(groups.astype(np.int64)),
    }


def _labelled(site: Site, positions: NDArray[np.int64]) -> list[list[Any]]:
    return [[site.stack.digests[i], int(site.labels[i])] for i in positions]


def _training_rows(site: Site, recipe: "Recipe", fitted: NDArray[np.int64]) -> list[list[Any]]:
    """Digest and label of each training crop, and its patient's number where it plays a part."""
    rows = _labelled(site, fitted)
    if not recipe.inner_validation:
        return rows
    numbers = np.unique(site.patients[fitted], return_inverse=True)[1]
    return [[*row, int(number)] for row, number in zip(rows, numbers, strict=True)]


def _configured(extractor: Extractor) -> dict[str, str]:
    """What builds a network where its name does not say it: a checkpoint's own, a model's files."""
    found = {}
    if extractor.info is not None and extractor.info.config_digest is not None:
        found["config"] = extractor.info.config_digest
    if extractor.declared:
        found["architecture"] = read_declaration(extractor.declared).architecture
    return found


def _input(extractor: Extractor) -> list[float | str] | None:
    spec = extractor.info.input if extractor.info else None
    if spec is None:
        return None
    # The usual interpolation is left out, as in keys that were made before there was another one.
    how = [spec.interpolation] if spec.interpolation != "bicubic" else []
    return [spec.height, spec.width, *spec.mean, *spec.std, *how]
