"""SVMs on one shared Gram matrix: a whole set of kernels, scales and box constraints for one fold.

`sweep` is the engine that the benchmark runs; `KernelSVC` is the same fit as a scikit-learn
estimator. Both solve with libsvm (scikit-learn's `SVC` with a precomputed kernel) and so agree with
`sklearn.svm.SVC` on standardised features to within the solver's tolerance `tol`: both stop as near
to the same optimum, though rounding can send them there by different steps (libsvm keeps the kernel
matrix in 32-bit floats, which shows at a large C). The equivalent `SVC` of a fit is
``SVC(**kernel.svc_arguments(fit.kernel_scale), C=C)``.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.c_path import Fit, fit_path
from classifiers.convergence import warn_of
from classifiers.gram import Gram
from classifiers.kernels import KERNELS, kernels_named
from classifiers.memory import affordable_threads, checked_limit, default_memory_limit, gram_bytes
from classifiers.settings import SweepSettings
from classifiers.solver import MAX_ITERATIONS, TOLERANCE, in_threads
from classifiers.validation import check_features, ignore_device, two_classes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """All fits of one fold.

    Attributes
    ----------
    table : Mapping[tuple[str, float, float], Fit]
        By kernel name, box constraint C and scale (a multiple of the kernel's preset).
    gram_seconds : float
        Time for the Gram matrix (for the standardised features in an approximate sweep).
    classes : tuple[Any, Any]
        The two labels in sorted order; a score above 0 means the second, the positive class.
    fits : Mapping[tuple[str, float], Fit]
        By kernel name and C: the fits with the first of the scales.
    scores : Mapping[tuple[str, float], FloatArray], shape (m,) each
        By kernel name and C: the test scores of `fits`.
    """

    table: Mapping[tuple[str, float, float], Fit]
    gram_seconds: float
    classes: tuple[Any, Any] = (0, 1)
    fits: Mapping[tuple[str, float], Fit] = field(init=False)
    scores: Mapping[tuple[str, float], FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        first = next(iter(self.table))[2]
        fits = {(name, C): fit for (name, C, scale), fit in self.table.items() if scale == first}
        object.__setattr__(self, "fits", fits)
        object.__setattr__(self, "scores", {key: fit.score for key, fit in fits.items()})

    @property
    def approximate(self) -> bool:
        """Whether the Gram matrix was too large, so that every fit is an approximate one."""
        return any(fit.approximate for fit in self.table.values())


def sweep(
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    kernels: Sequence[str] = tuple(KERNELS),
    C: Sequence[float] = (1.0,),
    *,
    scale: Sequence[float] = (1.0,),
    jobs: int = 1,
    tol: float = TOLERANCE,
    max_iter: int = MAX_ITERATIONS,
    device: str = "cpu",
    memory_limit: float | None = None,
) -> Sweep:
    """Fit every kernel with every scale and every C on one Gram matrix.

    Parameters
    ----------
    train_features, test_features : ArrayLike, shapes (n, P) and (m, P)
        Not standardised: that is done here, by the training rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    kernels : Sequence[str]
        Names out of `KERNELS`.
    C : Sequence[float]
        Box constraints, positive.
    scale : Sequence[float]
        Kernel scales, as multiples of each kernel's preset, as `KernelSVC` takes them.
    jobs : int
        Threads; they share the Gram matrix. Where memory is short, fewer are used.
    tol : float
        Stopping tolerance of the solver.
    max_iter : int
        Iteration limit of the solver for one fit.
    device : str
        Deprecated and ignored: Gram matrices are formed on the CPU.
    memory_limit : float | None
        Bytes that the sweep may take; None is half of the machine's memory. Where one thread needs
        more, the fits are approximate, as their field `approximate` says.

    Returns
    -------
    Sweep
        All fits with their test scores.

    Raises
    ------
    ValueError
        If a kernel is unknown, a C or a scale is not positive, labels are not of two classes, a
        feature is not finite, all are constant, shapes do not fit together, or memory is
        too small even for approximate fits.

    Warns
    -----
    ConvergenceWarning
        Once, with their number, if fits did not converge, are approximate or collapsed.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 4.0], [4.0, 3.0]])
    >>> found = sweep(X, [0, 0, 1, 1], [[0.0, 0.0], [4.0, 4.0]], ["linear"], C=[0.1, 10])
    >>> found.scores["linear", 10] > 0
    array([False,  True])
    """
    ignore_device(device)
    train, test = np.asarray(train_features), np.asarray(test_features)
    check_features(train, test)
    names, labels = two_classes(train_labels, len(train))
    classes = names[0], names[1]
    settings = SweepSettings(kernels, C, scale, jobs, tol, max_iter)
    limit = default_memory_limit() if memory_limit is None else checked_limit(memory_limit)
    if gram_bytes(len(train), len(test), train.shape[1]) > limit:
        from classifiers.nystroem import approximate_fits

        found = Sweep(*approximate_fits(train, labels, test, settings, limit), classes)
        warn_of(found.table.values())
        return found
    started = time.perf_counter()
    gram = Gram.of(train, test)
    seconds = time.perf_counter() - started
    threads = affordable_threads(len(train), len(test), jobs, limit)
    found = swept(gram, labels, replace(settings, jobs=threads))
    warn_of(found.table.values())
    return replace(found, gram_seconds=seconds, classes=classes)


def sweep_gram(gram: Gram, train_labels: ArrayLike, settings: SweepSettings) -> Sweep:
    """`sweep` on an existing Gram matrix, such as a fused one or one of principal components.

    Parameters
    ----------
    gram : Gram
        Inner products of n training and m test rows.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    settings : SweepSettings
        Kernels, C, scales and solver.

    Returns
    -------
    Sweep
        All fits with their test scores.

    Raises
    ------
    ValueError
        If the labels are not of two classes, or not one for each training row.

    Warns
    -----
    ConvergenceWarning
        As `sweep`.
    """
    names, labels = two_classes(train_labels, len(gram.train))
    found = replace(swept(gram, labels, settings), classes=(names[0], names[1]))
    warn_of(found.table.values())
    return found


def swept(gram: Gram, labels: NDArray[np.int64], settings: SweepSettings) -> Sweep:
    """`sweep_gram` without a warning, for what passes on what the fits say of themselves."""
    table = kernels_named(settings.kernels)
    grid = [(kernel, multiple) for kernel in table for multiple in settings.scale]
    # A thread has one kernel matrix at a time and fits every C on it.
    paths = in_threads(
        settings.jobs, fit_path, [(gram, labels, *place, settings) for place in grid]
    )
    fits = {(k.name, multiple): path for (k, multiple), path in zip(grid, paths, strict=True)}
    return Sweep(
        {
            (name, value, multiple): fits[name, multiple][value]
            for multiple in settings.scale
            for name in settings.kernels
            for value in settings.C
        },
        gram_seconds=0.0,
    )
