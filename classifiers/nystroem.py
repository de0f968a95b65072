"""SVMs for more rows than a Gram matrix has room for: approximate, and labelled so.

Kernels are replaced by features on a random sample of the training rows (the Nyström method [1]_,
scikit-learn's `Nystroem`), the linear one only where the features are too many; a linear SVM is
then fitted to them by liblinear. liblinear penalises the intercept, which the exact SVM does not:
one more reason why the scores differ.

References
----------
.. [1] C. K. I. Williams and M. Seeger, "Using the Nyström method to speed up kernel machines",
   Advances in Neural Information Processing Systems 13 (NIPS 2000), 2001.
"""

import time
import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classifiers.c_path import Fit
from classifiers.gram import Standardisation
from classifiers.kernels import Kernel, kernels_named
from classifiers.settings import SweepSettings

FloatArray = NDArray[np.float64]

# Rows that are sampled at most, and liblinear's passes over the data at most.
COMPONENTS = 2000
MAX_PASSES = 1000

_SEED = 0


def room_for_columns(n: int, m: int, n_features: int, memory_limit: float) -> int:
    """Columns that n training and m test rows may have in a fit, within `memory_limit` bytes.

    Raises
    ------
    ValueError
        If beside the standardised features there is no room for 32.
    """
    # liblinear copies the training rows, and keeps an index as long as a float64 beside each value.
    room = (memory_limit / 8 - (n + m) * n_features) / (3 * n + m)
    if room < 32:
        raise ValueError(
            f"{n} training and {m} test rows of {n_features} features do not fit into "
            f"{memory_limit / 2**30:.1f} GiB"
        )
    return int(min(room, n + n_features))


def approximate_fits(
    train_features: NDArray[np.generic],
    labels: NDArray[np.int64],
    test_features: NDArray[np.generic],
    settings: SweepSettings,
    memory_limit: float,
    standardisation: Standardisation | None = None,
) -> tuple[dict[tuple[str, float, float], Fit], float]:
    """Approximate fits of every kernel, C and scale.

    Parameters
    ----------
    train_features, test_features : NDArray[np.generic], shapes (n, P) and (m, P)
        Not standardised: that is done here, by the training rows.
    labels : NDArray[np.int64], shape (n,)
        1 for the positive class and 0 for the other.
    settings : SweepSettings
        Kernels, C, scales and tolerance; it is done in one thread, and liblinear has a limit of
        iterations of its own, `MAX_PASSES`.
    memory_limit : float
        Bytes that it may take.
    standardisation : Standardisation | None
        By the training rows, where it is known already: of several backbones each has its own.

    Returns
    -------
    tuple[dict[tuple[str, float, float], Fit], float]
        Fits by kernel name, C and scale, and the seconds that standardising took. A fit's seconds
        hold its sampled features, as if no other C shared them.

    Raises
    ------
    ValueError
        If memory is too small for 32 columns, every feature is constant, or scikit-learn does not
        have a kernel.
    """
    n, n_features = train_features.shape
    room = room_for_columns(n, len(test_features), n_features, memory_limit)
    started = time.perf_counter()
    standardisation = standardisation or Standardisation.fit_varying(train_features)
    train, test = standardisation.apply(train_features), standardisation.apply(test_features)
    standardising = time.perf_counter() - started
    fits = {}
    for multiple in settings.scale:
        for kernel in kernels_named(settings.kernels):
            started = time.perf_counter()
            s = multiple * kernel.preset_scale(n_features)
            mapped = _kernel_features(train, test, kernel, s, room)
            seconds = time.perf_counter() - started
            for value in settings.C:
                fit = _linear_fit(*mapped, labels, value, s, settings.tol, seconds)
                fits[kernel.name, value, multiple] = replace(fit, scale=multiple)
    return fits, standardising


def _kernel_features(
    train: FloatArray, test: FloatArray, kernel: Kernel, kernel_scale: float, room: int
) -> tuple[FloatArray, FloatArray]:
    """Features whose inner products approximate the kernel: shapes (n, r) and (m, r)."""
    if kernel.is_linear and train.shape[1] <= room:
        return train / kernel_scale, test / kernel_scale
    from sklearn.kernel_approximation import Nystroem

    components = min(len(train), COMPONENTS, room)
    form = kernel.svc_arguments(kernel_scale)
    sampled = Nystroem(**form, n_components=components, random_state=_SEED)
    return sampled.fit_transform(train), sampled.transform(test)


def _linear_fit(
    train: FloatArray,
    test: FloatArray,
    labels: NDArray[np.int64],
    C: float,
    kernel_scale: float,
    tol: float,
    mapping_seconds: float,
) -> Fit:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    started = time.perf_counter()
    model = LinearSVC(loss="hinge", C=C, tol=tol, max_iter=MAX_PASSES, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, labels)
    score = model.decision_function(test) if len(test) else np.zeros(0)
    # liblinear keeps no dual coefficients; rows inside the margin or on it are support vectors.
    fitted = model.decision_function(train)
    margin = np.where(labels > 0, 1.0, -1.0) * fitted
    converged = bool(model.n_iter_ < MAX_PASSES)
    return Fit(
        score=score,
        kernel_scale=kernel_scale,
        seconds=mapping_seconds + time.perf_counter() - started,
        iterations=int(model.n_iter_),
        n_support=int((margin <= 1.0 + tol).sum()),
        converged=converged,
        approximate=True,
        collapsed=converged and float(fitted.std()) <= tol,
    )
