"""The solver of every SVM here: libsvm on a kernel matrix, by way of scikit-learn.

scikit-learn takes a second to import, and a run whose results all stand in the store needs its
settings but not the solver; so it is imported at the first fit.
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.svm import SVC

# libsvm's and scikit-learn's own default.
TOLERANCE = 1e-3

# One iteration of libsvm costs O(n); fits at the preset scales end after some thousands. A fit that
# comes to this limit is ill-conditioned, and its row says that it did not converge.
MAX_ITERATIONS = 10_000_000


def solve(
    kernel_matrix: NDArray[np.float64], labels: NDArray[Any], C: float, tol: float, max_iter: int
) -> "SVC":
    """Fit to a kernel matrix, shape (n, n), and two-class labels, shape (n,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    solver = SVC(kernel="precomputed", C=C, tol=tol, max_iter=max_iter)
    with warnings.catch_warnings():
        # An unfinished fit is not warned of but recorded: the caller reads `fit_status_`.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return solver.fit(kernel_matrix, labels)
