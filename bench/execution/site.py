"""What all work of a run shares: the store, the labels and patients, and the device."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.planning.plan import Fold
from bench.store import Store


@dataclass(frozen=True)
class Site:
    """What every fold is worked on with.

    Attributes
    ----------
    labels, patients : of the whole stack, shape (N,).
    store : where what is computed is kept.
    jobs : threads, which change no result.
    device : where Gram matrices are formed: that of the features, so that a key of theirs holds it.
    """

    labels: NDArray[np.int64]
    patients: NDArray[Any]
    store: Store
    jobs: int = 1
    device: str = "cpu"

    def groups(self, fold: Fold) -> NDArray[np.int64]:
        """The number of each training row's patient."""
        return np.unique(self.patients[fold.train], return_inverse=True)[1]
