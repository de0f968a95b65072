"""The SVM kernels, as elementwise functions of the inner products of standardised features.

The names and scales are those of the presets that papers in medical imaging use (MATLAB's
Classification Learner), with two differences. MATLAB picks the scale of the linear and polynomial
kernels by an unseeded heuristic, here it is √P, P being the number of features. And MATLAB divides
by n − 1 in the standard deviation, here by n.

Every kernel depends on its two samples only through x·z, x·x and z·z, so one matrix of inner
products serves all of them.

The kernel scale s itself is called `kernel_scale` in this package. What is called `scale` is a
multiple of the kernel's preset, which makes it the same choice whatever the number of features.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.validation import InvalidParameter

FloatArray = NDArray[np.float64]

# Elements of the piece that is worked on at once: it and its temporaries stay in the processor's
# cache from the first operation to the last, and no second matrix is needed.
_PIECE = 1 << 15


@dataclass(frozen=True)
class Kernel:
    """One kernel of the table.

    Attributes
    ----------
    name : str
        The name used on the command line and in every table.
    formula : str
        K(x, z) as text, for documentation and reports.
    function : Callable[..., Any]
        K(x, z) as a function ``(xp, xz, xx, zz, s)``: `xp` is the module of the arrays, numpy or
        torch; then x·z, shape (n, m); x·x, shape (n, 1); z·z, shape (m,); and the scale. It changes
        no argument and returns an array of shape (n, m).
    scale_factor : float
        The preset scale s is this factor times √P.
    svc : Mapping[str, Any] | None
        Keyword arguments that give scikit-learn's `SVC` and `Nystroem` this kernel, besides
        gamma = 1 / s². None where scikit-learn has no such kernel; then there is no approximate
        form.
    is_linear : bool
        Whether K(x, z) is x·z but for a factor, so that the rank of the kernel matrix is at most P.
    """

    name: str
    formula: str
    function: Callable[..., Any]
    scale_factor: float
    svc: Mapping[str, Any] | None = field(hash=False)  # a dictionary has none
    is_linear: bool = False

    @property
    def scale_formula(self) -> str:
        """The preset scale s as text."""
        return "√P" if self.scale_factor == 1 else f"{self.scale_factor:g} √P"

    def preset_scale(self, variance: float) -> float:
        """The preset kernel scale s: `scale_factor` × √P.

        Parameters
        ----------
        variance : float
            P, the number of standardised features, or the total variance of features that are not
            standardised.

        Returns
        -------
        float
            The scale s.
        """
        return self.scale_factor * float(np.sqrt(variance))

    def svc_arguments(self, kernel_scale: float) -> dict[str, Any]:
        """Keyword arguments of scikit-learn's `SVC` and `Nystroem` for this kernel.

        Parameters
        ----------
        kernel_scale : float
            The kernel scale s itself, positive: no multiple of the preset.

        Returns
        -------
        dict[str, Any]
            `kernel`, `gamma` and, for a polynomial, `degree` and `coef0`.

        Raises
        ------
        ValueError
            If scikit-learn has no such kernel.
        """
        if self.svc is None:
            raise ValueError(f"kernel={self.name!r} is not in scikit-learn: no approximate form")
        return {**self.svc, "gamma": 1 / kernel_scale**2}

    def __call__(
        self,
        inner: FloatArray,
        squared_norm_rows: FloatArray,
        squared_norm_columns: FloatArray,
        kernel_scale: float,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Kernel matrix from inner products.

        Parameters
        ----------
        inner : FloatArray, shape (n, m)
            x·z.
        squared_norm_rows, squared_norm_columns : FloatArray, shapes (n,) and (m,)
            x·x and z·z.
        kernel_scale : float
            The kernel scale s itself, positive: no multiple of the preset.
        out : FloatArray | None, shape (n, m)
            Where to write it; `inner` itself is allowed. Without it the result is a new matrix and
            `inner` is left as it is.

        Returns
        -------
        FloatArray, shape (n, m)
            K(x, z).
        """
        result = np.empty_like(inner) if out is None else out
        rows = max(1, _PIECE // max(1, inner.shape[1]))
        for start in range(0, len(inner), rows):
            piece = slice(start, start + rows)
            norms = squared_norm_rows[piece, None], squared_norm_columns
            result[piece] = self.function(np, inner[piece], *norms, kernel_scale)
        return result


def _linear(xp: Any, xz: Any, xx: Any, zz: Any, s: float) -> Any:
    return xz * (1.0 / s**2)


def _quadratic(xp: Any, xz: Any, xx: Any, zz: Any, s: float) -> Any:
    # A power with a small integer exponent is many times slower than products.
    base = xz * (1.0 / s**2) + 1.0
    return base * base


def _cubic(xp: Any, xz: Any, xx: Any, zz: Any, s: float) -> Any:
    base = xz * (1.0 / s**2) + 1.0
    return base * base * base


def _gaussian(xp: Any, xz: Any, xx: Any, zz: Any, s: float) -> Any:
    # Rounding can leave a squared distance of nearly equal samples a little below zero. It is not
    # written as a distance, whose gradient has no value where it is 0.
    squared = xp.clip(-2.0 * xz + xx + zz, 0.0, None)
    return xp.exp(squared * (-1.0 / s**2))


_POLY = {"kernel": "poly", "coef0": 1.0}
_RBF = {"kernel": "rbf"}
_EXPONENTIAL = "exp(−‖x − z‖² / s²)"

_ROWS = (
    Kernel(
        "linear", "x·z / s²", _linear, 1.0, {**_POLY, "degree": 1, "coef0": 0.0}, is_linear=True
    ),
    Kernel("quadratic", "(1 + x·z / s²)²", _quadratic, 1.0, {**_POLY, "degree": 2}),
    Kernel("cubic", "(1 + x·z / s²)³", _cubic, 1.0, {**_POLY, "degree": 3}),
    Kernel("fine_gaussian", _EXPONENTIAL, _gaussian, 0.25, _RBF),
    Kernel("medium_gaussian", _EXPONENTIAL, _gaussian, 1.0, _RBF),
    Kernel("coarse_gaussian", _EXPONENTIAL, _gaussian, 4.0, _RBF),
)

KERNELS: Mapping[str, Kernel] = MappingProxyType({kernel.name: kernel for kernel in _ROWS})


def kernels_named(names: Sequence[str]) -> tuple[Kernel, ...]:
    """The kernels of these names; raises ValueError for an unknown, a doubled or no name."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidParameter(f"kernels={names!r:.60} must be a list of names")
    names = tuple(names)
    if not names:
        raise ValueError("kernels is an empty list")
    for name in names:
        if not isinstance(name, str) or name not in KERNELS:
            raise InvalidParameter(
                f"kernel={name!r:.60} is unknown; known are {', '.join(KERNELS)}"
            )
        if names.count(name) > 1:
            raise ValueError(f"kernel={name!r} is named twice")
    return tuple(KERNELS[name] for name in names)
