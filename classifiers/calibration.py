"""Decision values as probabilities: Platt scaling on scores of rows that the fit has not seen.

Platt's sigmoid with his smoothed targets (Platt 1999; Lin, Lin and Weng, *A note on Platt's
probabilistic outputs for support vector machines*, Machine Learning 2007). It is to be fitted to
out-of-fold scores of patient-grouped inner folds, which `tune` returns for every setting; the
scores of training rows by their own fit would make it far too sure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from classifiers.validation import binary_labels

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sigmoid:
    """Probability of the positive class: 1 / (1 + exp(−(slope × score + offset))).

    A slope below 0 says that the inner scores ranked the classes the wrong way round.
    """

    slope: float
    offset: float

    def __call__(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, shape (m,)."""
        result: FloatArray = expit(self.slope * np.asarray(score, dtype=np.float64) + self.offset)
        return result


def platt(out_of_fold: ArrayLike, labels: ArrayLike) -> Sigmoid:
    """Fit the sigmoid to out-of-fold scores and labels, shape (n,) each.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, a score is not finite or lengths differ.
    """
    score = np.asarray(out_of_fold, dtype=np.float64)
    truth = binary_labels(labels)
    if score.shape != truth.shape:
        raise ValueError(f"scores of shape {score.shape} but {len(truth)} labels")
    if not np.isfinite(score).all():
        raise ValueError(f"{int((~np.isfinite(score)).sum())} of {len(score)} scores not finite")
    positive = int(truth.sum())
    negative = len(truth) - positive
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # In units of their own spread scores of any size make the same well-conditioned problem.
    mean, spread = float(score.mean()), float(score.std()) or 1.0
    unit = (score - mean) / spread

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        linear = parameters[0] * unit + parameters[1]
        error = expit(linear) - target
        value = np.logaddexp(0.0, linear) - target * linear
        return float(value.mean()), np.array([error @ unit, error.sum()]) / len(unit)

    start = np.array([0.0, np.log((positive + 1) / (negative + 1))])
    found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    slope = float(found.x[0]) / spread
    return Sigmoid(slope, float(found.x[1]) - slope * mean)
