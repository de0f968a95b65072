"""The classifiers of one fold: its units from the store, and the fits of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.features import Features
from bench.execution.keys import _judging, _solver, unit_key
from bench.execution.site import Workbench
from bench.planning.plan import SOFTMAX, Cell, System
from classifiers.memory import default_memory_limit, gram_bytes
from classifiers.variant_fits import Judgement, VariantFit
from classifiers.variants import VARIANTS

# Scores and what is kept with them, or why there are none.
Outcome = tuple[NDArray[np.float64], dict[str, Any]] | str


@dataclass(frozen=True)
class UnitResult:
    """What one unit gave.

    Attributes
    ----------
    key : SHA-256 in hexadecimal.
    score : (m,) scores of the cell's test crops in its order; None where the unit failed.
    meta : threshold, times in seconds, iterations, support vectors, convergence.
    status : "ok" or the reason why not.
    """

    key: str
    score: NDArray[np.float64] | None
    meta: Mapping[str, Any]
    status: str = "ok"


def run_cell(
    cell: Cell,
    cell_key: str,
    systems: Sequence[System],
    features: Features,
    workbench: Workbench,
) -> dict[System, UnitResult]:
    """All systems of one extractor on one fold; what stands in the store is not computed again."""
    groups = workbench.groups(cell)
    limit = _short_of_memory(cell, features)
    keys = {
        s: unit_key(cell_key, features.digest_of(cell), s, _solver(s, groups, limit))
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
            fitted = _fit(group, features, cell, workbench)
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


def judge_cell(
    cell: Cell,
    cell_key: str,
    systems: Sequence[System],
    features: Features,
    workbench: Workbench,
) -> dict[System, Judgement]:
    """What SVMs are worth on inner folds of a cell's training rows.

    systems : of one extractor, their classifiers plain kernels. The rest is as in `run_cell`.

    Raises ValueError where no inner folds can be made or used: too few patients, features that are
    constant, too little memory.
    """
    from classifiers import judge_kernels

    groups = workbench.groups(cell)
    digest = features.digest_of(cell)
    keys = {s: unit_key(cell_key, digest, s, _judging(s, groups)) for s in systems}
    stored = {system: workbench.store.get("judgements", key) for system, key in keys.items()}
    found = {s: Judgement(**artifact.meta) for s, artifact in stored.items() if artifact}
    missing = [system for system in systems if system not in found]
    if not missing:
        return found
    rows = [part[cell.train] for part in features.parts]
    kernels = [system.classifier for system in missing]
    judged = judge_kernels(
        rows,
        workbench.labels[cell.train],
        groups,
        kernels,
        jobs=workbench.jobs,
        device=workbench.device,
    )
    for system in missing:
        found[system] = judged[system.classifier]
        workbench.store.put("judgements", keys[system], {}, asdict(found[system]))
    return found


def _short_of_memory(cell: Cell, features: Features) -> float | None:
    """The bytes that a fold may take, if its Gram matrix needs more: then SVMs are approximate."""
    widths = [part.shape[1] for part in features.parts]
    needed = gram_bytes(len(cell.train), len(cell.test), max(widths), len(widths))
    limit = default_memory_limit()
    return limit if needed > limit else None


def _groups(systems: Sequence[System]) -> list[list[System]]:
    """The SVMs together, because they share a Gram matrix; every other classifier by itself."""
    svms = [s for s in systems if s.classifier in VARIANTS]
    return ([svms] if svms else []) + [[s] for s in systems if s.classifier not in VARIANTS]


def _fit(
    group: Sequence[System],
    features: Features,
    cell: Cell,
    workbench: Workbench,
) -> dict[System, Outcome]:
    """What each system of a group gave; the reason where it could not be fitted."""
    from classifiers import fit_reference, fit_variants

    labels = workbench.labels[cell.train]

    if group[0].classifier == SOFTMAX:
        return {group[0]: _own_head(features, cell)}
    if group[0].classifier not in VARIANTS:
        train, test = features.matrix[cell.train], features.matrix[cell.test]
        fit = fit_reference(group[0].classifier, train, labels, test)
        meta = {
            "threshold": fit.threshold,
            "gram_time_s": 0.0,
            "fit_time_s": fit.seconds,
            "converged": fit.converged,
        }
        return {group[0]: (fit.score, meta)}
    fits = fit_variants(
        [part[cell.train] for part in features.parts],
        labels,
        [part[cell.test] for part in features.parts],
        workbench.groups(cell),
        [s.classifier for s in group],
        jobs=workbench.jobs,
        device=workbench.device,
    )
    return {system: _outcome(fits[system.classifier]) for system in group}


def _own_head(features: Features, cell: Cell) -> Outcome:
    """The probability that a trained network's own head gives its features."""
    from scipy.special import softmax

    (network,) = features.trained
    weight, bias = network.head
    logits = features.matrix[cell.test].astype(np.float64) @ weight.T + bias
    score = softmax(logits, axis=1)[:, 1]
    return score, {"threshold": 0.5, "gram_time_s": 0.0, "fit_time_s": 0.0}


def _outcome(fit: VariantFit | str) -> Outcome:
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
