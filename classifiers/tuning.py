"""Choosing C and the kernel scale inside the training rows, patients kept together.

Every kernel, C and scale is evaluated by its mean AUC on grouped inner folds (`inner_folds`), and
each kernel is then fitted to all training rows with the setting that did best.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.c_path import Fit, fit_path
from classifiers.convergence import warn_of
from classifiers.gram import Gram
from classifiers.inner_folds import InnerScore, best, inner_folds, inner_scores
from classifiers.kernels import KERNELS, kernels_named
from classifiers.memory import (
    affordable_threads,
    default_memory_limit,
    gram_bytes,
    require_memory,
)
from classifiers.settings import SweepSettings
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, in_threads
from classifiers.validation import check_features, group_codes, ignore_device, two_classes

TUNED_C = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
TUNED_SCALES = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Choice:
    """The setting chosen for one kernel, and the fit to all training rows with it.

    Attributes
    ----------
    inner : InnerScore
        The chosen setting with its AUC on the inner folds.
    fit : Fit
        The fit to all training rows, with the scores of the test rows.
    seconds : float
        Time of every inner fit of this kernel and of the fit, without the shared Gram matrix.
    """

    inner: InnerScore
    fit: Fit
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """The result of tuning several kernels.

    Attributes
    ----------
    choices : Mapping[str, Choice]
        By kernel name.
    table : tuple[InnerScore, ...]
        Every setting that was evaluated.
    gram_seconds : float
        Time for the Gram matrix; 0 where it existed before.
    classes : tuple[Any, Any]
        The two labels in sorted order; a score above 0 means the second, the positive class.
    """

    choices: Mapping[str, Choice]
    table: tuple[InnerScore, ...]
    gram_seconds: float
    classes: tuple[Any, Any] = (0, 1)


def tune(
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    groups: ArrayLike,
    kernels: Sequence[str] = tuple(KERNELS),
    C: Sequence[float] = TUNED_C,
    *,
    scale: Sequence[float] = TUNED_SCALES,
    folds: int = 5,
    seed: int = 0,
    jobs: int = 1,
    tol: float = TOLERANCE,
    max_iter: int = MAX_ITERATIONS,
    device: str = "cpu",
) -> Tuning:
    """Choose C and scale for each kernel by inner folds, then fit to all training rows.

    Parameters
    ----------
    train_features, test_features : ArrayLike, shapes (n, P) and (m, P)
        Not standardised: that is done here, by the training rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row; one patient's rows stay together.
    kernels : Sequence[str]
        Names out of `KERNELS`.
    C : Sequence[float]
        Box constraints to choose from, positive.
    scale : Sequence[float]
        Kernel scales to choose from, as multiples of each kernel's preset.
    folds, seed : int
        Number of inner folds and seed of their shuffling.
    jobs : int
        Threads; they share the Gram matrix. Where memory is short, fewer are used.
    tol : float
        Stopping tolerance of the solver.
    max_iter : int
        Iteration limit of the solver for one fit.
    device : str
        Deprecated and ignored: Gram matrices are formed on the CPU.

    Returns
    -------
    Tuning
        The choice for each kernel.

    Raises
    ------
    ValueError
        As `sweep`; and if the patients are too few for the folds, an inner fold would train on one
        class, or the Gram matrix does not fit into half of the machine's memory (there is no
        approximate tuning).

    Warns
    -----
    ConvergenceWarning
        Once, with their number, if fits did not converge or collapsed.

    See Also
    --------
    KernelSVC : Takes the C and the scale of a choice as they are.
    platt : Probabilities from the out-of-fold scores of a choice.
    """
    ignore_device(device)
    train, test = np.asarray(train_features), np.asarray(test_features)
    check_features(train, test)
    names, labels = two_classes(train_labels, len(train))
    codes = group_codes(groups, len(train))
    settings = SweepSettings(kernels, C, scale, jobs, tol, max_iter)
    needed = gram_bytes(len(train), len(test), train.shape[-1])
    require_memory(needed, f"tuning on {len(train)} training rows")
    threads = affordable_threads(len(train), len(test), jobs, default_memory_limit())
    settings = replace(settings, jobs=threads)
    started = time.perf_counter()
    gram = Gram.of(train, test)
    seconds = time.perf_counter() - started
    found = tuned(gram, labels, codes, settings, folds=folds, seed=seed)
    _warn_of(found)
    return replace(found, gram_seconds=seconds, classes=(names[0], names[1]))


def tune_gram(
    gram: Gram,
    train_labels: ArrayLike,
    groups: ArrayLike,
    settings: SweepSettings,
    *,
    folds: int = 5,
    seed: int = 0,
) -> Tuning:
    """`tune` on an existing Gram matrix, such as a fused one or one of principal components.

    Parameters
    ----------
    gram : Gram
        Inner products of n training and m test rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row; one patient's rows stay together.
    settings : SweepSettings
        Kernels, the C and scales to choose from, and the solver.
    folds, seed : int
        Number of inner folds and seed of their shuffling.

    Returns
    -------
    Tuning
        The choice for each kernel; its `gram_seconds` is 0.

    Raises
    ------
    ValueError
        If labels or groups are unusable, the patients are too few for the folds, or an inner fold
        would train on one class.

    Warns
    -----
    ConvergenceWarning
        As `tune`.
    """
    names, labels = two_classes(train_labels, len(gram.train))
    found = tuned(gram, labels, groups, settings, folds=folds, seed=seed)
    found = replace(found, classes=(names[0], names[1]))
    _warn_of(found)
    return found


def _warn_of(found: Tuning) -> None:
    fits = [choice.fit for choice in found.choices.values()]
    warn_of(fits, sum(not setting.converged for setting in found.table), stacklevel=4)


def tuned(
    gram: Gram,
    labels: NDArray[np.int64],
    groups: ArrayLike,
    settings: SweepSettings,
    *,
    folds: int,
    seed: int,
) -> Tuning:
    """`tune_gram` without a warning, for what passes on what the fits say of themselves."""
    splits = inner_folds(labels, groups, folds, seed)
    table, seconds = inner_scores(gram, labels, splits, settings)
    chosen = [best([s for s in table if s.kernel == name]) for name in settings.kernels]
    fits = fit_chosen(gram, labels, chosen, settings)
    choices = {
        inner.kernel: Choice(inner, fit, seconds[inner.kernel] + fit.seconds)
        for inner, fit in zip(chosen, fits, strict=True)
    }
    return Tuning(choices, table, 0.0)


def fit_chosen(
    gram: Gram,
    labels: NDArray[np.int64],
    chosen: Sequence[InnerScore],
    settings: SweepSettings,
) -> list[Fit]:
    """Fits to all training rows with the settings that inner folds have chosen."""
    tasks = [
        (gram, labels, kernel, inner.scale, replace(settings, C=(inner.C,)))
        for inner in chosen
        for kernel in kernels_named([inner.kernel])
    ]
    paths = in_threads(settings.jobs, fit_path, tasks)
    return [path[inner.C] for path, inner in zip(paths, chosen, strict=True)]
