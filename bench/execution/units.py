"""The classifiers of one fold: its units from the store, and the fits of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.features import Features
from bench.execution.keys import judging_settings, solver_settings, unit_key
from bench.execution.site import Site
from bench.planning.plan import SOFTMAX, Fold, System
from classifiers.memory import default_memory_limit, gram_bytes
from classifiers.variant_fits import Judgement, VariantFit
from classifiers.variants import VARIANTS

# Scores and what is kept with them, or why there are none.
Scored = tuple[NDArray[np.float64], dict[str, Any]] | str


@dataclass(frozen=True)
class UnitResult:
    """What one unit gave.

    Attributes
    ----------
    key : SHA-256 in hexadecimal.
    score : (m,) scores of the fold's test crops in its order; None where the unit failed.
    meta : threshold, times in seconds, iterations, support vectors, convergence.
    status : "ok" or the reason why not.
    """

    key: str
    score: NDArray[np.float64] | None
    meta: Mapping[str, Any]
    status: str = "ok"


def fit_fold(
    fold: Fold,
    fold_key: str,
    systems: Sequence[System],
    features: Features,
    workbench: Site,
) -> dict[System, UnitResult]:
    """All systems of one extractor on one fold; what stands in the store is not computed again."""
    groups = workbench.groups(fold)
    limit = _short_of_memory(fold, features)
    keys = {
        s: unit_key(fold_key, features.digest_of(fold), s, solver_settings(s, groups, limit))
        for s in systems
    }
    results: dict[System, UnitResult] = {}
    for system, key in keys.items():
        found = workbench.store.get("units", key)
        if found is not None:
            results[system] = UnitResult(key, found.arrays["score"], found.meta)
    missing = [s for s in systems if s not in results]
    for group in _groups(missing):
        try:
            fitted = _fit(group, features, fold, workbench)
        except ValueError as error:
            fitted = {s: str(error) for s in group}
        for system, outcome in fitted.items():
            if isinstance(outcome, str):
                results[system] = UnitResult(keys[system], None, {}, outcome)
                continue
            score, meta = outcome
            workbench.store.put("units", keys[system], {"score": score}, meta)
            results[system] = UnitResult(keys[system], score, meta)
    return {system: results[system] for system in systems}


def judge_fold(
    fold: Fold,
    fold_key: str,
    systems: Sequence[System],
    features: Features,
    workbench: Site,
) -> dict[System, Judgement]:
    """What SVMs are worth on inner folds of a fold's training rows.

    systems : of one extractor, their classifiers plain kernels. The rest is as in `fit_fold`.

    Raises ValueError where no inner folds can be made or used: too few patients, features that are
    constant, too little memory.
    """
    from classifiers import judge_kernels

    groups = workbench.groups(fold)
    digest = features.digest_of(fold)
    keys = {s: unit_key(fold_key, digest, s, judging_settings(s, groups)) for s in systems}
    stored = {system: workbench.store.get("judgements", key) for system, key in keys.items()}
    found = {s: Judgement(**artifact.meta) for s, artifact in stored.items() if artifact}
    missing = [system for system in systems if system not in found]
    if not missing:
        return found
    rows = [part[fold.train] for part in features.parts]
    kernels = [system.classifier for system in missing]
    judged = judge_kernels(
        rows,
        workbench.labels[fold.train],
        groups,
        kernels,
        jobs=workbench.jobs,
        device=workbench.device,
    )
    for system in missing:
        found[system] = judged[system.classifier]
        workbench.store.put("judgements", keys[system], {}, asdict(found[system]))
    return found


def _short_of_memory(fold: Fold, features: Features) -> float | None:
    """The bytes that a fold may take, if its Gram matrix needs more: then SVMs are approximate."""
    widths = [part.shape[1] for part in features.parts]
    needed = gram_bytes(len(fold.train), len(fold.test), max(widths), len(widths))
    limit = default_memory_limit()
    return limit if needed > limit else None


def _groups(systems: Sequence[System]) -> list[list[System]]:
    """The SVMs together, because they share a Gram matrix; every other classifier by itself."""
    svms = [s for s in systems if s.classifier in VARIANTS]
    return ([svms] if svms else []) + [[s] for s in systems if s.classifier not in VARIANTS]


def _fit(
    group: Sequence[System],
    features: Features,
    fold: Fold,
    workbench: Site,
) -> dict[System, Scored]:
    """What each system of a group gave; the reason where it could not be fitted."""
    from classifiers import fit_reference, fit_variants

    labels = workbench.labels[fold.train]

    if group[0].classifier == SOFTMAX:
        return {group[0]: _own_head(features, fold)}
    if group[0].classifier not in VARIANTS:
        train, test = features.matrix[fold.train], features.matrix[fold.test]
        fit = fit_reference(group[0].classifier, train, labels, test)
        meta = {
            "threshold": fit.threshold,
            "gram_time_s": 0.0,
            "fit_time_s": fit.seconds,
            "converged": fit.converged,
        }
        return {group[0]: (fit.score, meta)}
    fits = fit_variants(
        [part[fold.train] for part in features.parts],
        labels,
        [part[fold.test] for part in features.parts],
        workbench.groups(fold),
        [s.classifier for s in group],
        jobs=workbench.jobs,
        device=workbench.device,
    )
    return {system: _outcome(fits[system.classifier]) for system in group}


def _own_head(features: Features, fold: Fold) -> Scored:
    """The probability that a trained network's own head gives its features."""
    from scipy.special import softmax

    (network,) = features.trained
    weight, bias = network.head
    logits = features.matrix[fold.test].astype(np.float64) @ weight.T + bias
    score = softmax(logits, axis=1)[:, 1]
    return score, {"threshold": 0.5, "gram_time_s": 0.0, "fit_time_s": 0.0}


def _outcome(fit: VariantFit | str) -> Scored:
    if isinstance(fit, str):
        return fit
    meta = {
        "threshold": fit.threshold,
        "gram_time_s": fit.gram_seconds,
        "fit_time_s": fit.gram_seconds + fit.fit_seconds,
        "iterations": fit.iterations,
        "n_support": fit.n_support,
        "converged": fit.converged,
        "approximate": fit.approximate,
        "chosen_C": fit.chosen_C,
        "chosen_scale": fit.chosen_scale,
        "inner_auc": fit.inner_auc,
        "components": fit.components,
        "note": fit.note,
    }
    return fit.score, meta
