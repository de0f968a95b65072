"""What all work of a run shares: the crop stack, the store, and what the machine gives to it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.patients import groups_of
from bench.planning.plan import Fold
from bench.store import Store
from classifiers.memory import default_memory_limit, gram_bytes

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack


@dataclass(frozen=True)
class Site:
    """What every fold is worked on with.

    Attributes
    ----------
    stack : CropStack
        The crops that the plan's folds point into.
    store : Store
        Where what is computed is kept.
    device : str
        Where networks run and Gram matrices are formed; its kind is in the keys of features.
    jobs : int
        Threads of the SVMs, which change no result.
    seed : int
        From which the draws of networks are seeded.
    """

    stack: "CropStack"
    store: Store
    device: str = "cpu"
    jobs: int = 1
    seed: int = 0

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The label of each crop, shape (n,)."""
        labels: NDArray[np.int64] = self.stack.table["label"].to_numpy()
        return labels

    @cached_property
    def patients(self) -> NDArray[Any]:
        """The patient of each crop, or the group of those kept together, shape (n,)."""
        patients: NDArray[Any] = groups_of(self.stack.table).to_numpy()
        return patients

    def groups(self, fold: Fold) -> NDArray[np.int64]:
        """The number of each training row's patient, shape (n_train,)."""
        return np.unique(self.patients[fold.train], return_inverse=True)[1]

    def network_seed(self, fold: Fold) -> int:
        """What seeds a network: each repeat draws its own weights, its folds share the draw."""
        return int(np.random.SeedSequence([self.seed, fold.repeat]).generate_state(1)[0])

    def short_of_memory(self, fold: Fold, widths: list[int]) -> float | None:
        """The bytes that a fold may take, if its Gram matrix needs more: SVMs are approximate then.

        Parameters
        ----------
        fold : Fold
            Its training and test rows make the matrix.
        widths : list[int]
            The number of features of each backbone.

        Returns
        -------
        float | None
            None where there is room for an exact fit.
        """
        needed = gram_bytes(len(fold.train), len(fold.test), max(widths), len(widths))
        limit = default_memory_limit()
        return limit if needed > limit else None
