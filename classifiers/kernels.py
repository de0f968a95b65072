"""The six SVM kernels, as elementwise functions of the inner products of standardised features.

The names and scales are those of the presets that papers in medical imaging use (MATLAB's
Classification Learner), with two differences. MATLAB picks the scale of the linear and polynomial
kernels by an unseeded heuristic, here it is √P, P being the number of features. And MATLAB divides
by n − 1 in the standard deviation, here by n.

Every kernel depends on its two samples only through x·z, x·x and z·z, so one matrix of inner
products serves all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


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

    def preset_scale(self, n_features: int) -> float:
        """The preset kernel scale s for P features: `scale_factor` × √P."""
        return self.scale_factor * float(np.sqrt(n_features))

    def __call__(
        self,
        inner: FloatArray,
        squared_norm_rows: FloatArray,
        squared_norm_columns: FloatArray,
        scale: float,
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

        Returns
        -------
        A new matrix of shape (n, m); `inner` is left as it is.
        """
        if self.degree is None:
            distance = squared_norm_rows[:, None] + squared_norm_columns[None, :]
            distance -= 2.0 * inner
            # Rounding can leave a squared distance of nearly equal samples a little below zero.
            np.maximum(distance, 0.0, out=distance)
            distance /= -(scale**2)
            return np.exp(distance, out=distance)
        result = inner / scale**2
        if self.degree > 1:
            result += 1.0
            # np.power with a small integer exponent is many times slower than products.
            base = result.copy()
            for _ in range(self.degree - 1):
                result *= base
        return result


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
