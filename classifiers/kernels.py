"""The six SVM kernels, as elementwise functions of the inner products of standardised features.

The names and scales are those of the presets that papers in medical imaging use (MATLAB's
Classification Learner), with two differences. MATLAB picks the scale of the linear and polynomial
kernels by an unseeded heuristic, here it is √P, P being the number of features. And MATLAB divides
by n − 1 in the standard deviation, here by n.

Every kernel depends on its two samples only through x·z, x·x and z·z, so one matrix of inner
products serves all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Elements of the piece that is worked on at once: it stays in the processor's cache from the first
# operation to the last, and no second matrix is needed.
_PIECE = 1 << 16


@dataclass(frozen=True)
class Kernel:
    """One kernel of the table.

    Attributes
    ----------
    name
        The name used on the command line and in every table.
    formula
        K(x, z) as text, for documentation and reports.
    degree
        Degree of the polynomial kernel (1 is linear); None for a Gaussian.
    scale_factor
        The preset scale s is this factor times √P.
    """

    name: str
    formula: str
    degree: int | None
    scale_factor: float

    def preset_scale(self, variance: float) -> float:
        """The preset kernel scale s: `scale_factor` × √P.

        `variance` is P, the number of standardised features, or the total variance of features
        that are not standardised.
        """
        return self.scale_factor * float(np.sqrt(variance))

    def __call__(
        self,
        inner: FloatArray,
        squared_norm_rows: FloatArray,
        squared_norm_columns: FloatArray,
        scale: float,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Kernel matrix from inner products.

        Parameters
        ----------
        inner
            x·z, shape (n, m).
        squared_norm_rows, squared_norm_columns
            x·x, shape (n,), and z·z, shape (m,); the polynomial kernels do not use them.
        scale
            The kernel scale s, positive.
        out
            Where to write it, shape (n, m); `inner` itself is allowed. Without it the result is a
            new matrix and `inner` is left as it is.
        """
        result = np.empty_like(inner) if out is None else out
        rows = max(1, _PIECE // max(1, inner.shape[1]))
        for start in range(0, len(inner), rows):
            piece = slice(start, start + rows)
            if self.degree is None:
                norms = squared_norm_rows[piece, None], squared_norm_columns
                _gaussian(inner[piece], *norms, scale, result[piece])
            else:
                _polynomial(inner[piece], self.degree, scale, result[piece])
        return result


def _gaussian(
    inner: FloatArray, row_norm: FloatArray, column_norm: FloatArray, scale: float, out: FloatArray
) -> None:
    np.multiply(inner, -2.0, out=out)
    out += row_norm
    out += column_norm
    # Rounding can leave a squared distance of nearly equal samples a little below zero.
    np.maximum(out, 0.0, out=out)
    out *= -1.0 / scale**2
    np.exp(out, out=out)


def _polynomial(inner: FloatArray, degree: int, scale: float, out: FloatArray) -> None:
    np.multiply(inner, 1.0 / scale**2, out=out)
    if degree > 1:
        out += 1.0
        # np.power with a small integer exponent is many times slower than products.
        base = out.copy()
        for _ in range(degree - 1):
            out *= base


KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        kernel.name: kernel
        for kernel in (
            Kernel("linear", "x·z / s²", 1, 1.0),
            Kernel("quadratic", "(1 + x·z / s²)²", 2, 1.0),
            Kernel("cubic", "(1 + x·z / s²)³", 3, 1.0),
            Kernel("fine_gaussian", "exp(−‖x − z‖² / s²)", None, 0.25),
            Kernel("medium_gaussian", "exp(−‖x − z‖² / s²)", None, 1.0),
            Kernel("coarse_gaussian", "exp(−‖x − z‖² / s²)", None, 4.0),
        )
    }
)


def kernels_named(names: Sequence[str]) -> tuple[Kernel, ...]:
    """The kernels of these names; raises ValueError for an unknown, a doubled or no name."""
    if not names:
        raise ValueError("kernels is an empty list")
    for name in names:
        if name not in KERNELS:
            raise ValueError(f"kernel={name!r} is unknown; known are {', '.join(KERNELS)}")
        if list(names).count(name) > 1:
            raise ValueError(f"kernel={name!r} is named twice")
    return tuple(KERNELS[name] for name in names)
