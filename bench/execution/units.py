"""The classifiers of one fold: its units from the store, and the fits of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.features import Features
from bench.execution.keys import judgement_key, unit_key
from bench.execution.rates import inner, noting_fits
from bench.execution.site import Site
from bench.planning.plan import SOFTMAX, Fold, System
from bench.plugins.classifiers import recipe_of
from bench.provenance import host
from classifiers.judgements import Judgement
from classifiers.variant_fits import VariantFit
from classifiers.variants import VARIANTS

# Scores and what is kept with them, or why there are none.
Scored = tuple[NDArray[np.float64], dict[str, Any]] | str


@dataclass(frozen=True)
class UnitResult:
    """What one unit gave.

    Attributes
    ----------
    key : str
        SHA-256 in hexadecimal.
    score : NDArray[np.float64] | None, shape (m,)
        Scores of the fold's test crops in its order; None where the unit failed.
    meta : Mapping[str, Any]
        Threshold, times in seconds, iterations, support vectors, convergence.
    status : str
        "ok" or the reason why not.
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
    site: Site,
) -> dict[System, UnitResult]:
    """All systems of one extractor on one fold; what stands in the store is not computed again."""
    groups = site.groups(fold)
    limit = site.short_of_memory(fold, [part.shape[1] for part in features.parts])
    digest = features.digest_of(fold)
    keys = {system: unit_key(fold_key, digest, system, groups, limit) for system in systems}
    results: dict[System, UnitResult] = {}
    for system, key in keys.items():
        found = site.store.get("units", key)
        if found is not None:
            results[system] = UnitResult(key, found.arrays["score"], found.meta)
    missing = [s for s in systems if s not in results]
    for group in _groups(missing):
        try:
            with noting_fits(site, [s.classifier for s in group], len(fold.train)):
                fitted = _fit(group, features, fold, site)
        except ValueError as error:
            fitted = {s: str(error) for s in group}
        for system, outcome in fitted.items():
            if isinstance(outcome, str):
                results[system] = UnitResult(keys[system], None, {}, outcome)
                continue
            score, meta = outcome
            meta = {**meta, "host": host()}
            site.store.put("units", keys[system], {"score": score}, meta)
            results[system] = UnitResult(keys[system], score, meta)
    return {system: results[system] for system in systems}


def judge_fold(
    fold: Fold,
    fold_key: str,
    systems: Sequence[System],
    features: Features,
    site: Site,
) -> dict[System, Judgement]:
    """What SVMs are worth on inner folds of a fold's training rows.

    The systems are of one extractor, their classifiers plain kernels.

    Raises
    ------
    ValueError
        Where no inner folds can be made or used: too few patients, features that are constant, too
        little memory.
    """
    from classifiers import judge_kernels

    groups = site.groups(fold)
    digest = features.digest_of(fold)
    keys = {system: judgement_key(fold_key, digest, system, groups) for system in systems}
    stored = {system: site.store.get("judgements", key) for system, key in keys.items()}
    found = {s: _judgement(artifact.meta) for s, artifact in stored.items() if artifact}
    missing = [system for system in systems if system not in found]
    if not missing:
        return found
    rows = [part[fold.train] for part in features.parts]
    kernels = [system.classifier for system in missing]
    with noting_fits(site, [inner(kernel) for kernel in kernels], len(fold.train)):
        judged = judge_kernels(
            rows,
            site.labels[fold.train],
            groups,
            kernels,
            jobs=site.jobs,
            memory_limit=site.rules.memory,
        )
    for system in missing:
        found[system] = judged[system.classifier]
        meta = asdict(found[system]) | {"host": host()}
        site.store.put("judgements", keys[system], {}, meta)
    return found


def _judgement(meta: Mapping[str, Any]) -> Judgement:
    return Judgement(**{name: value for name, value in meta.items() if name != "host"})


def _groups(systems: Sequence[System]) -> list[list[System]]:
    """The SVMs together, because they share a Gram matrix; every other classifier by itself."""
    svms = [s for s in systems if s.classifier in VARIANTS]
    return ([svms] if svms else []) + [[s] for s in systems if s.classifier not in VARIANTS]


def _fit(
    group: Sequence[System],
    features: Features,
    fold: Fold,
    site: Site,
) -> dict[System, Scored]:
    """What each system of a group gave; the reason where it could not be fitted."""
    from classifiers import fit_head, fit_variants

    labels = site.labels[fold.train]

    if group[0].classifier == SOFTMAX:
        return {group[0]: _softmax_head(features, fold)}
    if group[0].classifier not in VARIANTS:
        train, test = features.matrix[fold.train], features.matrix[fold.test]
        name = group[0].classifier
        fit = fit_head(name, train, labels, test, site.groups(fold), recipe_of(name))
        meta = {
            "threshold": fit.threshold,
            "gram_time_s": 0.0,
            "fit_time_s": fit.seconds,
            "converged": fit.converged,
        }
        # What most of them do not have stays absent.
        more = {"chosen_C": fit.chosen_C, "inner_auc": fit.inner_auc, "note": fit.note or None}
        return {group[0]: (fit.score, meta | {k: v for k, v in more.items() if v is not None})}
    fits = fit_variants(
        [part[fold.train] for part in features.parts],
        labels,
        [part[fold.test] for part in features.parts],
        site.groups(fold),
        [s.classifier for s in group],
        jobs=site.jobs,
        memory_limit=site.rules.memory,
    )
    return {system: _outcome(fits[system.classifier]) for system in group}


def _softmax_head(features: Features, fold: Fold) -> Scored:
    """The probability that a trained network's own head gives its features."""
    from scipy.special import softmax

    (network,) = features.record.trained
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
