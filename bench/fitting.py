"""The classifiers of one fold: its units from the store, and the fits of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.features import Features
from bench.keys import unit_key
from bench.plan import Cell, System
from bench.provenance import package_version
from bench.store import Store
from classifiers import KERNELS
from classifiers.solver import MAX_ITERATIONS, TOLERANCE


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
    labels: NDArray[np.int64],
    store: Store,
    jobs: int,
) -> dict[System, UnitResult]:
    """All systems of one extractor on one fold; what stands in the store is not computed again."""
    keys = {s: unit_key(cell_key, features.digest_of(cell), s, _solver(s)) for s in systems}
    results: dict[System, UnitResult] = {}
    for system, key in keys.items():
        found = store.get("units", key)
        if found is not None:
            results[system] = UnitResult(key, found.arrays["score"], found.meta)
    missing = [s for s in systems if s not in results]
    train, test = features.matrix[cell.train], features.matrix[cell.test]
    for group in _groups(missing):
        try:
            fitted = _fit(group, train, labels[cell.train], test, jobs)
        except ValueError as error:
            reason = str(error)
            results |= {s: UnitResult(keys[s], None, {}, reason) for s in group}
            continue
        for system, (score, meta) in fitted.items():
            store.put("units", keys[system], {"score": score}, meta)
            results[system] = UnitResult(keys[system], score, meta)
    return {system: results[system] for system in systems}


def _groups(systems: Sequence[System]) -> list[list[System]]:
    """The SVMs together, because they share a Gram matrix; every other classifier by itself."""
    svms = [s for s in systems if s.classifier in KERNELS]
    return ([svms] if svms else []) + [[s] for s in systems if s.classifier not in KERNELS]


def _fit(
    group: Sequence[System],
    train: NDArray[Any],
    labels: NDArray[np.int64],
    test: NDArray[Any],
    jobs: int,
) -> dict[System, tuple[NDArray[np.float64], dict[str, Any]]]:
    from classifiers import fit_reference, sweep

    if group[0].classifier not in KERNELS:
        fit = fit_reference(group[0].classifier, train, labels, test)
        meta = {
            "threshold": fit.threshold,
            "gram_time_s": 0.0,
            "fit_time_s": fit.seconds,
            "converged": fit.converged,
        }
        return {group[0]: (fit.score, meta)}
    names = [s.classifier for s in group]
    result = sweep(train, labels, test, kernels=names, C=[1.0], jobs=jobs)
    fitted = {}
    for system in group:
        svm = result.fits[system.classifier, 1.0]
        fitted[system] = (
            svm.score,
            {
                "threshold": 0.0,
                "gram_time_s": result.gram_seconds,
                "fit_time_s": result.gram_seconds + svm.seconds,
                "iterations": svm.iterations,
                "n_support": svm.n_support,
                "converged": svm.converged,
            },
        )
    return fitted


def _solver(system: System) -> dict[str, Any]:
    """The settings of a system's solver that its name does not tell, for the unit's key."""
    settings: dict[str, Any] = {"scikit-learn": package_version("scikit-learn")}
    if system.classifier in KERNELS:
        settings |= {"tol": TOLERANCE, "max_iter": MAX_ITERATIONS}
    return settings
