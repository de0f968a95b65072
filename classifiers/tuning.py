"""Choosing C and the kernel scale inside the training rows, patients kept together.

Every kernel, C and scale is judged by its mean AUC on grouped inner folds (`inner_folds`), and each
kernel is then fitted to all training rows with the setting that did best.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classifiers.c_path import Fit, fit_path
from classifiers.gram import Gram
from classifiers.inner_folds import InnerScore, best, inner_folds, inner_scores
from classifiers.kernels import KERNELS
from classifiers.memory import (
    affordable_threads,
    default_memory_limit,
    gram_bytes,
    require_memory,
)
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, in_threads
from classifiers.validation import binary_labels, group_codes

TUNED_C = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
TUNED_SCALES = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Choice:
    """The setting chosen for one kernel, and the fit to all training rows with it.

    Attributes
    ----------
    inner
        The chosen setting with its worth on the inner folds.
    fit
        The fit to all training rows, with the scores of the test rows.
    seconds
        Time of every inner fit of this kernel and of the fit, without the shared Gram matrix.
    """

    inner: InnerScore
    fit: Fit
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """Choices by kernel name, the table they were made from, time for the Gram matrix."""

    choices: Mapping[str, Choice]
    table: tuple[InnerScore, ...]
    gram_seconds: float


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

    Parameters are those of `sweep`, and:

    Parameters
    ----------
    groups
        The patient of each training row, shape (n,); one patient's rows stay together.
    folds, seed
        Number of inner folds and seed of their shuffling.

    Raises
    ------
    ValueError
        As `sweep`; and if the patients are too few for the folds, an inner fold would train on one
        class, or the Gram matrix does not fit into half of the machine's memory (there is no
        approximate tuning).
    """
    train, test = np.asarray(train_features), np.asarray(test_features)
    labels, codes = binary_labels(train_labels), group_codes(groups, len(train))
    needed = gram_bytes(len(train), len(test), train.shape[-1])
    require_memory(needed, f"tuning on {len(train)} training rows")
    started = time.perf_counter()
    gram = Gram.of(train, test, device=device)
    seconds = time.perf_counter() - started
    jobs = affordable_threads(len(train), len(test), jobs, default_memory_limit())
    found = tune_gram(
        gram, labels, codes, kernels, C,
        scale=scale, folds=folds, seed=seed, jobs=jobs, tol=tol, max_iter=max_iter,
    )  # fmt: skip
    return Tuning(found.choices, found.table, seconds)


def tune_gram(
    gram: Gram,
    train_labels: ArrayLike,
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
) -> Tuning:
    """`tune` on a Gram matrix that exists: a fused one, one of principal components."""
    labels = binary_labels(train_labels, len(gram.train))
    splits = inner_folds(labels, groups, folds, seed)
    table, seconds = inner_scores(
        gram, labels, splits, kernels, C, scale=scale, jobs=jobs, tol=tol, max_iter=max_iter
    )
    chosen = {name: best([s for s in table if s.kernel == name]) for name in kernels}
    fits = in_threads(
        jobs,
        fit_path,
        [(gram, labels, KERNELS[s.kernel], s.scale, [s.C], tol, max_iter) for s in chosen.values()],
    )
    choices = {
        name: Choice(inner, fit[inner.C], seconds[name] + fit[inner.C].seconds)
        for (name, inner), fit in zip(chosen.items(), fits, strict=True)
    }
    return Tuning(choices, table, 0.0)
