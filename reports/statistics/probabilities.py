"""Probabilities from scores, their calibration and their net benefit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.systems.kinds import OWN_HEAD
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats, ScoredRows

BINS = 10

# The ending of a classifier whose scores went through a fitted sigmoid.
_SIGMOID = "+platt"

# Their scores are log-odds.
_LOGISTIC = ("logistic", "linear_probe")


class Bin(NamedTuple):
    """The rows whose probabilities lie in one tenth of 0..1.

    Attributes
    ----------
    predicted, observed : float
        Their mean probability; the share of them that is positive.
    rows : int
        How many there are.
    """

    predicted: float
    observed: float
    rows: int


def probabilities(system: PooledSystem) -> list[Floats] | None:
    """Probabilities of the positive class, (n,) for each repeat; None where scores are not such.

    None for a system that did not run, too, and where the scores of a head or a sigmoid do not lie
    in 0..1.
    """
    classifier = str(system.identity["classifier"])
    if not system.ran:
        return None
    if classifier in _LOGISTIC:
        # Clipped where the exponential would overflow and the probability no longer changes.
        return [1 / (1 + np.exp(-np.clip(rows.score, -500, 500))) for rows in system.repeats]
    if classifier != OWN_HEAD and not classifier.endswith(_SIGMOID):
        return None
    inside = all(((rows.score >= 0) & (rows.score <= 1)).all() for rows in system.repeats)
    return [rows.score for rows in system.repeats] if inside else None


def bins(positive: NDArray[np.bool_], probability: Floats) -> list[Bin]:
    """The bins with rows among BINS bins of equal width; the last one includes 1."""
    number = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        Bin(
            float(probability[number == place].mean()),
            float(positive[number == place].mean()),
            int((number == place).sum()),
        )
        for place in np.unique(number)
    ]


def calibration_error(positive: NDArray[np.bool_], probability: Floats) -> float:
    """The expected calibration error over BINS bins, 0 at best."""
    found = bins(positive, probability)
    return sum(b.rows * abs(b.predicted - b.observed) for b in found) / len(probability)


def net_benefit(repeats: tuple[ScoredRows, ...], found: list[Floats], limit: float) -> float:
    """The net benefit per crop of acting where the probability is at least `limit`."""
    values = []
    for rows, probability in zip(repeats, found, strict=True):
        acted = probability >= limit
        true, false = (acted & rows.positive).mean(), (acted & ~rows.positive).mean()
        values.append(true - false * limit / (1 - limit))
    return float(np.mean(values))
