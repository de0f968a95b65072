"""The arrays behind the measures: scores and labels with their folds and patients."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ScoredRows(NamedTuple):
    """The pooled test rows of one repeat.

    Attributes
    ----------
    positive : NDArray[np.bool_], shape (n,)
        The labels.
    score : Floats, shape (n,)
        Higher means more likely positive.
    called : NDArray[np.bool_], shape (n,)
        Whether the score is above the threshold.
    patient : NDArray[np.int64], shape (n,)
        Numbers of the patients, in the order of their identifiers.
    fold : NDArray[np.int64], shape (n,)
        Numbers of the folds; the AUC compares rows of one fold only.
    """

    positive: NDArray[np.bool_]
    score: Floats
    called: NDArray[np.bool_]
    patient: NDArray[np.int64]
    fold: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> "ScoredRows":
        """The rows where the mask, (n,), is true."""
        return ScoredRows(
            self.positive[mask],
            self.score[mask],
            self.called[mask],
            self.patient[mask],
            self.fold[mask],
        )
