"""Decision values as probabilities: Platt scaling on scores of rows that the fit has not seen.

The sigmoid is to be fitted to out-of-fold scores of patient-grouped inner folds, which `tune`
returns for every setting. Scores of the rows that an SVM was fitted to would make it overconfident.
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

    Attributes
    ----------
    slope : float
        Below 0 if the out-of-fold scores ranked the classes the wrong way round.
    offset : float
        The log-odds at a score of 0.
    """

    slope: float
    offset: float

    def __call__(self, score: ArrayLike) -> FloatArray:
        """Probabilities of the positive class, shape (m,), of scores of this shape."""
        result: FloatArray = expit(self.slope * np.asarray(score, dtype=np.float64) + self.offset)
        return result


def platt(out_of_fold: ArrayLike, labels: ArrayLike) -> Sigmoid:
    """Fit a sigmoid to out-of-fold scores: Platt's loss with his smoothed targets.

    Parameters
    ----------
    out_of_fold : ArrayLike, shape (n,)
        Scores by fits that have not seen the row.
    labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.

    Returns
    -------
    Sigmoid
        The function from scores to probabilities.

    Raises
    ------
    ValueError
        If labels are not of two classes, a score is not finite or lengths differ.

    References
    ----------
    .. [1] J. Platt, "Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods", Advances in Large Margin Classifiers, 1999.
    .. [2] H.-T. Lin, C.-J. Lin and R. C. Weng, "A note on Platt's probabilistic outputs for support
       vector machines", Machine Learning, 2007.
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
    # Standardised scores make the same well-conditioned problem, whatever their size.
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


def rising_sigmoid(out_of_fold: ArrayLike, labels: ArrayLike) -> tuple[Sigmoid, str]:
    """`platt`, or a constant with a note where the fitted sigmoid would fall.

    The intercept differs between inner folds: it follows the class balance of the training rows and
    so runs against that of the rows held out. Where scores vary less within folds than
    between them (as a fine Gaussian's do), a sigmoid sees that alone and falls, although each fold
    may rank its rows rightly. Such scores cannot be turned into probabilities.
    """
    sigmoid = platt(out_of_fold, labels)
    if sigmoid.slope > 0:
        return sigmoid, ""
    share = float(binary_labels(labels).mean())
    note = "no rising sigmoid fits the scores of inner folds: one probability for all rows"
    return Sigmoid(0.0, float(np.log(share / (1 - share)))), note
