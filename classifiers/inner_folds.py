"""Settings of an SVM evaluated inside the training rows, on folds that keep patients together.

The folds are stratified by label. They are sub-blocks of the one Gram matrix of the training rows,
so they keep its standardisation (and its principal components): a fold's fit knows the mean and
spread of all training rows, but no label that is held out and nothing of any test row.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.c_path import Fit, fit_path
from classifiers.gram import Gram
from classifiers.kernels import Kernel, kernels_named
from classifiers.settings import SweepSettings
from classifiers.solver import in_threads
from classifiers.validation import group_codes, whole_number

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class InnerScore:
    """The AUC of one setting on the inner folds.

    Attributes
    ----------
    kernel : str
        The kernel's name.
    C, scale : float
        Box constraint, and the scale as a multiple of the kernel's preset.
    auc : float
        Mean of `fold_auc`; folds whose held-out rows are of one class are left out of it. NaN where
        that leaves none.
    fold_auc : tuple[float, ...]
        AUC on the held-out rows of each fold, NaN where it is undefined.
    out_of_fold : FloatArray, shape (n,)
        Score of every training row by the fit that did not see it.
    converged : bool
        Whether all inner fits converged.
    collapsed : bool
        Whether all inner fits collapsed: the AUC is noise of the solver then.
    """

    kernel: str
    C: float
    scale: float
    auc: float
    fold_auc: tuple[float, ...]
    out_of_fold: FloatArray
    converged: bool
    collapsed: bool = False


def inner_folds(
    labels: IntArray, groups: ArrayLike, folds: int, seed: int
) -> list[tuple[IntArray, IntArray]]:
    """Training and held-out rows of each inner fold; no group is on both sides.

    Raises
    ------
    ValueError
        If there are fewer groups than folds or a fold would train on one class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    whole_number("folds", folds)
    codes = group_codes(groups, len(labels))
    for label, name in ((0, "negative"), (1, "positive")):
        patients = len(np.unique(codes[labels == label]))
        if patients < folds:
            raise ValueError(
                f"{folds} inner folds need {name} rows of as many groups (patients), "
                f"there are {patients}"
            )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = list(splitter.split(np.zeros(len(labels)), labels, codes))
    if any(len(np.unique(labels[train])) < 2 for train, _ in splits):
        raise ValueError(f"one of {folds} inner folds would train on one class only")
    return splits


def inner_scores(
    gram: Gram,
    labels: IntArray,
    splits: Sequence[tuple[IntArray, IntArray]],
    settings: SweepSettings,
) -> tuple[tuple[InnerScore, ...], dict[str, float]]:
    """The AUC of every kernel, scale and C on inner folds, and the seconds of each kernel."""
    grid = [
        (kernel, multiple, split)
        for kernel in kernels_named(settings.kernels)
        for multiple in settings.scale
        for split in splits
    ]
    results = in_threads(
        settings.jobs, _fold_path, [(gram, labels, *place, settings) for place in grid]
    )
    seconds = dict.fromkeys(settings.kernels, 0.0)
    paths: dict[tuple[str, float], list[dict[float, Fit]]] = {}
    for (kernel, multiple, _), (fits, spent) in zip(grid, results, strict=True):
        seconds[kernel.name] += spent
        paths.setdefault((kernel.name, multiple), []).append(fits)
    scores = tuple(
        _inner_score(name, value, multiple, [fits[value] for fits in per_fold], labels, splits)
        for (name, multiple), per_fold in paths.items()
        for value in settings.C
    )
    return scores, seconds


def best(scores: Sequence[InnerScore]) -> InnerScore:
    """The setting of the highest mean AUC.

    A setting whose fits did not all converge is chosen only if there is no other, and so is one
    whose fits all collapsed or whose AUC is undefined. Of equals the one of the smallest C is
    taken, then the one of the scale nearest to the preset.
    """
    return max(
        scores,
        key=lambda s: (*merit(s), -s.C, -abs(np.log(s.scale)), s.scale),
    )


def merit(score: InnerScore) -> tuple[bool, bool, float]:
    """What settings are compared by: the higher, the better."""
    defined = bool(np.isfinite(score.auc))
    auc = round(score.auc, 12) if defined else 0.0
    return score.converged, defined and not score.collapsed, auc


def _fold_path(
    gram: Gram,
    labels: IntArray,
    kernel: Kernel,
    scale: float,
    split: tuple[IntArray, IntArray],
    settings: SweepSettings,
) -> tuple[dict[float, Fit], float]:
    started = time.perf_counter()
    part = gram.inner_fold(*split)
    fits = fit_path(part, labels[split[0]], kernel, scale, settings, overwrite=True)
    return fits, time.perf_counter() - started


def _inner_score(
    kernel: str,
    C: float,
    scale: float,
    fits: Sequence[Fit],
    labels: IntArray,
    splits: Sequence[tuple[IntArray, IntArray]],
) -> InnerScore:
    from sklearn.metrics import roc_auc_score

    out_of_fold = np.empty(len(labels))
    areas = []
    for fit, (_, held_out) in zip(fits, splits, strict=True):
        out_of_fold[held_out] = fit.score
        truth = labels[held_out]
        two = 0 < truth.sum() < len(truth)
        areas.append(float(roc_auc_score(truth, fit.score)) if two else np.nan)
    auc = float(np.nanmean(areas)) if np.isfinite(areas).any() else np.nan
    converged = all(fit.converged for fit in fits)
    collapsed = all(fit.collapsed for fit in fits)
    return InnerScore(kernel, C, scale, auc, tuple(areas), out_of_fold, converged, collapsed)
