"""The solver of every SVM here: libsvm on a kernel matrix, and an exact finish where it is slow.

scikit-learn takes a second to import, and a run whose results are all in the store needs its
settings but not the solver; so it is imported at the first fit.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# The default of libsvm and scikit-learn.
TOLERANCE = 1e-3

# libsvm's iterations for one fit. Each costs O(n); fits at the preset scales end after some
# thousands. A fit that comes to this limit is flagged as not converged.
MAX_ITERATIONS = 1_000_000

# An interior point costs some twenty factorisations of n r² operations. Up to this many it takes
# less than a minute on two cores; larger problems are left to libsvm.
INTERIOR_POINT_WORK = 1e11

# Scores of a standard deviation below this many tolerances are looked at more closely.
_NARROW = 100

Result = TypeVar("Result")


@dataclass(frozen=True)
class Solution:
    """A fitted SVM: scores are K(test, train) β + b.

    Attributes
    ----------
    coefficients : FloatArray, shape (n,)
        Signed dual coefficients β; 0 for rows that are no support vectors.
    intercept : float
        The intercept b.
    iterations : int
        Iterations of libsvm.
    interior_steps : int
        Steps of the interior point that finished the fit; 0 where libsvm did.
    converged : bool
        Whether the optimality conditions hold to the requested tolerance.
    collapsed : bool
        Whether the scores of the training rows vary no more than the solver's error: see
        `is_collapsed`.
    """

    coefficients: FloatArray
    intercept: float
    iterations: int
    interior_steps: int
    converged: bool
    collapsed: bool = False

    @property
    def n_support(self) -> int:
        """Number of support vectors."""
        return int(np.count_nonzero(self.coefficients))

    def score(self, test_kernel: FloatArray) -> FloatArray:
        """Decision values from a kernel matrix of shape (m, n); shape (m,)."""
        return test_kernel @ self.coefficients + self.intercept

    def holds_for_larger(self, C: float) -> bool:
        """Whether this solution for C is one for every larger C too: no row is at the bound."""
        return self.converged and float(np.abs(self.coefficients).max()) < C


def iteration_budget(n: int, rank: int) -> int | None:
    """Iterations of libsvm after which the interior point is faster; None for never.

    An iteration costs O(n), an interior point O(n r²): they meet where the iterations are some
    multiple of r². The figures were measured at n = 2,854 with r = 768 and r = n.
    """
    width = min(n, rank)
    if n * float(width) ** 2 > INTERIOR_POINT_WORK:
        return None
    return 50_000 + width**2 // 100


@contextmanager
def without_convergence_warnings() -> Iterator[None]:
    """Ignore scikit-learn's warnings of unfinished fits, which `Solution.converged` records.

    Warning filters belong to the process, and threads that set and restore them undo each other's
    changes. So this goes once around all threads.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def solve(
    kernel_matrix: FloatArray,
    labels: NDArray[Any],
    C: float,
    tol: float,
    max_iter: int,
    rank: int | None = None,
    weights: FloatArray | None = None,
) -> Solution:
    """Fit to a kernel matrix; at its limit libsvm warns (see `without_convergence_warnings`).

    Parameters
    ----------
    kernel_matrix : FloatArray, shape (n, n)
        Symmetric and positive semi-definite.
    labels : NDArray[Any], shape (n,)
        0 and 1, both present.
    C, tol : float
        Box constraint and stopping tolerance.
    max_iter : int
        Limit of libsvm's iterations; if it is above `iteration_budget`, an interior point takes
        over there.
    rank : int | None
        A bound on the rank of the kernel matrix besides n.
    weights : FloatArray | None, shape (n,)
        Positive factors of C, one for each row; None is 1 for all.

    Returns
    -------
    Solution
        The fitted SVM.
    """
    from sklearn.svm import SVC

    n = len(labels)
    bound = n if rank is None else rank
    budget = iteration_budget(n, bound)
    limit = max_iter if budget is None else min(max_iter, budget)
    solver = SVC(kernel="precomputed", C=C, tol=tol, max_iter=limit)
    solver.fit(kernel_matrix, labels, sample_weight=weights)
    bounds = C if weights is None else C * weights
    coefficients = np.zeros(n)
    coefficients[solver.support_] = solver.dual_coef_[0]
    iterations = int(solver.n_iter_[0])
    finished = solver.fit_status_ == 0
    intercept, steps = float(solver.intercept_[0]), 0
    if not finished and limit < max_iter:
        from classifiers.interior_point import interior_point

        found = interior_point(kernel_matrix, np.where(labels > 0, 1.0, -1.0), bounds, tol, bound)
        if found is not None:
            coefficients, intercept, steps = found.coefficients, found.intercept, found.steps
            finished = True
    scores = kernel_matrix @ coefficients + intercept
    collapsed = finished and is_collapsed(scores, coefficients, intercept, labels, bounds, tol)
    return Solution(coefficients, intercept, iterations, steps, finished, collapsed)


def is_collapsed(
    scores: FloatArray,
    coefficients: FloatArray,
    intercept: float,
    labels: NDArray[Any],
    C: float | FloatArray,
    tol: float,
) -> bool:
    """Whether an SVM's scores vary no more than the error that its stopping rule leaves.

    With few features and unbalanced classes the best weights w can be 0: one score for all rows.
    What the solver returns then is noise, and so is the order of the scores. Of the weights it is
    known that ½‖w − w*‖² is at most the duality gap; where that allows w* = 0 and the scores are
    narrow, or where all of them lie within `tol`, the fit has collapsed.

    Parameters
    ----------
    scores : FloatArray, shape (n,)
        Decision values of the training rows.
    coefficients : FloatArray, shape (n,)
        Signed coefficients β.
    intercept : float
        The intercept of the scores.
    labels : NDArray[Any], shape (n,)
        0 and 1.
    C : float | FloatArray
        Box constraint, of all rows or of each.
    tol : float
        Stopping tolerance.

    Returns
    -------
    bool
        True for a collapsed fit.
    """
    if float(np.ptp(scores)) <= tol:
        return True
    if float(scores.std()) > _NARROW * tol:
        return False
    squared_norm = float(coefficients @ (scores - intercept))
    hinge = np.maximum(0.0, 1.0 - np.where(labels > 0, scores, -scores))
    gap = squared_norm + float(np.sum(C * hinge)) - float(np.abs(coefficients).sum())
    return 2 * gap >= squared_norm


def in_threads(
    jobs: int, fit: Callable[..., Result], tasks: Iterable[tuple[Any, ...]]
) -> list[Result]:
    """`fit` called with the arguments of each task, at most `jobs` at a time; results in order."""
    from joblib import Parallel, delayed

    with without_convergence_warnings():
        results: list[Result] = Parallel(n_jobs=jobs, prefer="threads")(
            delayed(fit)(*task) for task in tasks
        )
    return results
