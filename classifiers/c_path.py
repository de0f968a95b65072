"""One kernel on one Gram matrix, fitted for every box constraint C in turn."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.gram import Gram
from classifiers.kernels import Kernel
from classifiers.settings import SweepSettings
from classifiers.solver import Solution, solve

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The result of one fit.

    Attributes
    ----------
    score : FloatArray, shape (m,)
        Decision values of the test rows; above 0 is the positive class.
    kernel_scale : float
        The kernel scale s that was used: `scale` times the kernel's preset.
    seconds : float
        Time that kernel matrix, fit and test decision values take for this fit alone, without the
        shared Gram matrix. A fit that is known from a smaller C carries the time of that one.
    iterations, n_support : int
        Iterations of libsvm (of liblinear in an approximate fit) and number of support vectors.
    converged : bool
        False where the solver came to its iteration limit.
    interior_steps : int
        Steps of the interior point that finished the fit; 0 where libsvm did.
    scale : float
        The scale as a multiple of the kernel's preset, as `KernelSVC`, `sweep` and `tune` take it.
    collapsed : bool
        True where the scores of the training rows vary no more than the solver's error: the order
        of all scores, and with it the AUC, is noise then.
    approximate : bool
        True where the kernel was replaced by sampled features (see `classifiers.nystroem`).
    """

    score: FloatArray
    kernel_scale: float
    seconds: float
    iterations: int
    n_support: int
    converged: bool
    interior_steps: int = 0
    scale: float = 1.0
    collapsed: bool = False
    approximate: bool = False


def fit_path(
    gram: Gram,
    labels: NDArray[np.int64],
    kernel: Kernel,
    scale: float,
    settings: SweepSettings,
    *,
    overwrite: bool = False,
) -> dict[float, Fit]:
    """Fits of one kernel and one scale (a multiple of the preset) for every C of the settings.

    They are made from the smallest C to the largest. Once no row is at its bound the solution is
    one for every larger C as well, so nothing more is solved. With `overwrite` the kernel matrices
    take the place of the inner products.
    """
    started = time.perf_counter()
    s = scale * kernel.preset_scale(gram.variance)
    norm, test_norm = gram.train_squared_norm, gram.test_squared_norm
    matrix = kernel(gram.train, norm, norm, s, out=gram.train if overwrite else None)
    test_kernel = kernel(gram.test, test_norm, norm, s, out=gram.test if overwrite else None)
    kernel_seconds = time.perf_counter() - started
    rank = gram.rank if kernel.is_linear else None
    fits: dict[float, Fit] = {}
    last: tuple[Solution, float, Fit] | None = None
    for value in sorted(settings.C):
        if last is not None and last[0].holds_for_larger(last[1]):
            fits[value] = last[2]
            continue
        started = time.perf_counter()
        solution = solve(matrix, labels, value, settings.tol, settings.max_iter, rank)
        score = solution.score(test_kernel)
        fits[value] = Fit(
            score=score,
            kernel_scale=s,
            seconds=kernel_seconds + time.perf_counter() - started,
            iterations=solution.iterations,
            n_support=solution.n_support,
            converged=solution.converged,
            interior_steps=solution.interior_steps,
            scale=scale,
            collapsed=solution.collapsed,
        )
        last = solution, value, fits[value]
    return fits
