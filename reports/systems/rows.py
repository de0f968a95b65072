"""The arrays behind the measures: scores and labels with their folds and patients."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ScoredRows(NamedTuple):
    """The pooled test rows of one repeat.

    positive : (n,) bool, the labels. score : (n,) float64. called : (n,) bool, score above
    threshold. patient : (n,) integers, any numbering of the patients that keeps their order.
    fold : (n,) integers; the AUC compares rows of one fold only.
    """

    positive: NDArray[np.bool_]
    score: Floats
    called: NDArray[np.bool_]
    patient: NDArray[np.int64]
    fold: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> "ScoredRows":
        """Some of the rows; mask : (n,)."""
        return ScoredRows(
            self.positive[mask],
            self.score[mask],
            self.called[mask],
            self.patient[mask],
            self.fold[mask],
        )
