"""An exact finish for SVM fits on which libsvm's pairwise steps take millions of iterations.

The dual problem, with signed coefficients β (positive for positive rows, K the kernel matrix),

    minimise ½ βᵀKβ − yᵀβ   subject to   Σβ = 0,  0 ≤ yᵢβᵢ ≤ Cᵢ,

is solved by a primal-dual interior point method with predictor and corrector [1]_. It takes ten to
thirty steps however ill-conditioned K is, each one Cholesky factorisation: of an n × n matrix, or,
where K has a rank r well below n, of an r × r matrix [2]_.

References
----------
.. [1] S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM Journal on
   Optimization, 1992.
.. [2] S. Fine and K. Scheinberg, "Efficient SVM training using low-rank kernel representations",
   Journal of Machine Learning Research, 2001.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.lapack import dpstrf

FloatArray = NDArray[np.float64]

MAX_STEPS = 100

# What is added to the diagonal of a system, as a share of the largest diagonal element, so that it
# can be factorised where K is singular. The residuals leave it out, so it moves no solution.
_RIDGE = 1e-12

# Largest |Σβ| of a solution as a share of Σ|β|: rounding, with room to spare.
_BALANCE = 1e-10


@dataclass(frozen=True)
class Optimum:
    """A solution of the dual problem.

    Attributes
    ----------
    coefficients : FloatArray, shape (n,)
        Signed coefficients β.
    intercept : float
        The intercept b of the scores Kβ + b.
    steps : int
        Steps taken.
    """

    coefficients: FloatArray
    intercept: float
    steps: int


@dataclass
class _Point:
    """An interior point: distances of β to its two bounds, and their multipliers."""

    below: FloatArray
    above: FloatArray
    below_multiplier: FloatArray
    above_multiplier: FloatArray
    intercept: float = 0.0

    @property
    def complementarity(self) -> float:
        total = self.below @ self.below_multiplier + self.above @ self.above_multiplier
        return float(total) / (2 * len(self.below))


@dataclass(frozen=True)
class _Direction:
    step: FloatArray
    below_multiplier: FloatArray
    above_multiplier: FloatArray
    intercept: float


def interior_point(
    kernel_matrix: FloatArray, sign: FloatArray, C: float | FloatArray, tol: float, rank: int
) -> Optimum | None:
    """Solve to libsvm's stopping rule.

    Parameters
    ----------
    kernel_matrix : FloatArray, shape (n, n)
        K, symmetric and positive semi-definite.
    sign : FloatArray, shape (n,)
        +1 or −1 for each row.
    C : float | FloatArray
        Box constraint, of all rows or of each.
    tol : float
        Largest violation of the optimality conditions that is left.
    rank : int
        A bound on the rank of K; far below n it makes every step cheap.

    Returns
    -------
    Optimum | None
        The solution; None where the stopping rule could not be met.
    """
    n = len(sign)
    low, high = np.where(sign > 0, 0.0, -np.asarray(C)), np.where(sign > 0, C, 0.0)
    point = _Point((high - low) / 2, (high - low) / 2, np.ones(n), np.ones(n))
    factor = _low_rank_factor(kernel_matrix) if rank < n // 2 else None
    ridge = _RIDGE * float(np.diagonal(kernel_matrix).max())
    for steps in range(MAX_STEPS):
        coefficients = _balanced(_moved_to_bounds(point, low, high), low, high)
        gap, intercept = optimality(kernel_matrix @ coefficients, sign, coefficients, low, high)
        if gap <= tol and _sums_to_zero(coefficients):
            return Optimum(coefficients, intercept, steps)
        beta = (low + point.below + high - point.above) / 2
        diagonal = point.below_multiplier / point.below + point.above_multiplier / point.above
        gradient = kernel_matrix @ beta - sign
        try:
            # The factorised system has no name here: it would live on beside the next one.
            length = _advance(
                point, gradient, beta.sum(), _system_solver(kernel_matrix, factor, diagonal + ridge)
            )
        except LinAlgError:
            return None
        if length < 1e-12:
            return None
    return None


def optimality(
    scores: FloatArray,
    sign: FloatArray,
    coefficients: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> tuple[float, float]:
    """Largest violation of the optimality conditions (libsvm's m − M), and the intercept.

    `scores` is Kβ, shape (n,).
    """
    residual = sign - scores
    can_rise, can_fall = coefficients < high, coefficients > low
    if not (can_rise.any() and can_fall.any()):
        return np.inf, 0.0
    top, bottom = residual[can_rise].max(), residual[can_fall].min()
    free = can_rise & can_fall
    intercept = residual[free].mean() if free.any() else (top + bottom) / 2
    return float(top - bottom), float(intercept)


def _moved_to_bounds(point: _Point, low: FloatArray, high: FloatArray) -> FloatArray:
    """β with those elements on their bound whose multiplier outweighs the distance to it."""
    inside = (low + point.below + high - point.above) / 2
    on_low = point.below < point.below_multiplier
    on_high = point.above < point.above_multiplier
    return np.where(
        on_low & (point.below < point.above), low, np.where(on_high & ~on_low, high, inside)
    )


def _balanced(coefficients: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """β with Σβ = 0, moved between its bounds by shares of the room; as it is where they forbid it.

    What is left of Σβ is not small beside the scores where C is large, so it is taken away before
    the conditions of optimality are looked at.
    """
    free = (coefficients > low) & (coefficients < high)
    total = float(coefficients.sum())
    room = np.where(free, coefficients - low if total > 0 else high - coefficients, 0.0)
    if not room.sum() > abs(total):
        return coefficients
    balanced: FloatArray = coefficients - total * (room / room.sum())
    return balanced


def _sums_to_zero(coefficients: FloatArray) -> bool:
    """Whether Σβ is 0 but for the rounding of the sum, whatever C is."""
    return abs(float(coefficients.sum())) <= _BALANCE * float(np.abs(coefficients).sum())


def _low_rank_factor(kernel_matrix: FloatArray) -> FloatArray:
    """L with K = L Lᵀ, shape (n, r), by a Cholesky factorisation with pivots."""
    tolerance = 1e-13 * float(np.diagonal(kernel_matrix).max())
    lower, pivots, rank, _ = dpstrf(kernel_matrix, tol=tolerance, lower=1)
    for column in range(1, rank):  # LAPACK leaves there what it found
        lower[:column, column] = 0.0
    factor: FloatArray = lower[np.argsort(pivots), :rank]
    return factor


def _system_solver(
    kernel_matrix: FloatArray, factor: FloatArray | None, diagonal: FloatArray
) -> Callable[[FloatArray], FloatArray]:
    """Solves (K + diag) x = r, by way of K's factor if there is one."""
    if factor is None:
        system = kernel_matrix.copy()
        np.fill_diagonal(system, np.diagonal(kernel_matrix) + diagonal)
        # The transpose of a symmetric matrix is itself, in the order that LAPACK overwrites.
        cholesky = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)

        def solve_full(right: FloatArray) -> FloatArray:
            solution: FloatArray = cho_solve(cholesky, right, check_finite=False)
            return solution

        return solve_full
    root = np.sqrt(diagonal)
    weighted = factor / root[:, None]
    small = weighted.T @ weighted
    small[np.diag_indices_from(small)] += 1.0
    cholesky = cho_factor(small, overwrite_a=True, check_finite=False)

    def solve(right: FloatArray) -> FloatArray:
        scaled = right / root
        inner: FloatArray = cho_solve(cholesky, weighted.T @ scaled, check_finite=False)
        return (scaled - weighted @ inner) / root

    return solve


def _advance(
    point: _Point, gradient: FloatArray, total: float, solve: Callable[[FloatArray], FloatArray]
) -> float:
    """One predictor and corrector step; moves the point and returns the step's length."""
    residual = gradient + point.intercept - point.below_multiplier + point.above_multiplier
    of_ones = solve(np.ones_like(gradient))

    def direction(target_below: FloatArray, target_above: FloatArray) -> _Direction:
        below = target_below / point.below - point.below_multiplier
        above = target_above / point.above - point.above_multiplier
        moved = solve(below - above - residual)
        intercept = (moved.sum() + total) / of_ones.sum()
        step = moved - intercept * of_ones
        return _Direction(
            step,
            below - point.below_multiplier / point.below * step,
            above + point.above_multiplier / point.above * step,
            intercept,
        )

    none = np.zeros_like(gradient)
    guess = direction(none, none)
    length = _longest_step(point, guess)
    reached = _Point(*_advanced(point, guess, length)).complementarity
    target = point.complementarity * (reached / point.complementarity) ** 3
    chosen = direction(
        target - guess.step * guess.below_multiplier,
        target + guess.step * guess.above_multiplier,
    )
    length = min(1.0, 0.995 * _longest_step(point, chosen))
    point.below, point.above, point.below_multiplier, point.above_multiplier = _advanced(
        point, chosen, length
    )
    point.intercept += length * chosen.intercept
    return length


def _advanced(
    point: _Point, direction: _Direction, length: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    return (
        point.below + length * direction.step,
        point.above - length * direction.step,
        point.below_multiplier + length * direction.below_multiplier,
        point.above_multiplier + length * direction.above_multiplier,
    )


def _longest_step(point: _Point, direction: _Direction) -> float:
    """The longest step of at most 1 that keeps every distance and multiplier non-negative."""
    pairs = (
        (point.below, direction.step),
        (point.above, -direction.step),
        (point.below_multiplier, direction.below_multiplier),
        (point.above_multiplier, direction.above_multiplier),
    )
    shortest = max(float((-change / value).max()) for value, change in pairs)
    return 1.0 if shortest <= 1.0 else 1.0 / shortest
