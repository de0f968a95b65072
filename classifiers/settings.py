"""What a sweep goes over and how each of its fits is solved, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.kernels import KERNELS, kernels_named
from classifiers.solver import MAX_ITERATIONS, TOLERANCE
from classifiers.validation import positive_number, positive_values, whole_number


@dataclass(frozen=True)
class SweepSettings:
    """Kernels, box constraints and scales of a sweep, and the settings of its solver.

    Attributes
    ----------
    kernels : Sequence[str]
        Names out of `KERNELS`.
    C : Sequence[float]
        Box constraints, positive.
    scale : Sequence[float]
        Kernel scales, as multiples of each kernel's preset.
    jobs : int
        Threads; they share the Gram matrix.
    tol : float
        Stopping tolerance of the solver.
    max_iter : int
        Iteration limit of the solver for one fit.

    Raises
    ------
    ValueError
        If a kernel is unknown, a C, a scale or a setting of the solver is not positive, one of
        them is named twice, or there is none.

    Examples
    --------
    >>> SweepSettings(kernels=["linear", "cubic"], C=[0.1, 1, 10]).C
    (0.1, 1.0, 10.0)
    """

    kernels: Sequence[str] = tuple(KERNELS)
    C: Sequence[float] = (1.0,)
    scale: Sequence[float] = (1.0,)
    jobs: int = 1
    tol: float = TOLERANCE
    max_iter: int = MAX_ITERATIONS

    def __post_init__(self) -> None:
        names = tuple(kernel.name for kernel in kernels_named(self.kernels))
        object.__setattr__(self, "kernels", names)
        object.__setattr__(self, "scale", positive_values("scale", self.scale))
        object.__setattr__(self, "C", positive_values("C", self.C))
        whole_number("jobs", self.jobs)
        whole_number("max_iter", self.max_iter)
        positive_number("tol", self.tol)
