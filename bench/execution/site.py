"""What all work of a run shares: the crop stack, the store, and what the machine gives to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.data.patients import groups_of
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Plan
from bench.planning.presets import SELECTED
from bench.planning.rules import Rules, decide_rules, obey, obey_in_fits
from bench.store import Store
from classifiers.memory import gram_bytes

if TYPE_CHECKING:
    from bench.data.crops.stack import CropStack

T = TypeVar("T")

# Feature matrices that stay in memory.
KEPT = 2

NO_PLAN = Plan((), (), (), {})


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
        Where networks run; its kind is among the rules.
    jobs : int
        Threads of the SVMs, which change no result.
    seed : int
        From which the draws of networks are seeded.
    rules : Rules
        What may change a figure and comes from the machine; part of the keys.
    plan : Plan
        Whose folds tasks name by their numbers.
    extractors : Mapping[str, Extractor]
        Those of the plan by name; reference points are not among them.
    starts : dict[str, str]
        Digests of the weights that networks are drawn with, by the names of their extractors.
    """

    stack: "CropStack"
    store: Store
    device: str = "cpu"
    jobs: int = 1
    seed: int = 0
    rules: Rules = field(default_factory=lambda: decide_rules("cpu"))
    plan: Plan = NO_PLAN
    extractors: Mapping[str, Extractor] = field(default_factory=dict)
    starts: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    _kept: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def extractor(self, name: str) -> Extractor:
        """An extractor of the plan; one without images where it is a reference point."""
        return self.extractors.get(name, Extractor(name, None, ""))

    @cached_property
    def selects(self) -> bool:
        """Whether the plan has the row `selected`, for which systems are judged."""
        return SELECTED in self.plan.extractors()

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, kept for the next call with the same name.

        The folds of an extractor follow each other and share its features. Only the last few are
        kept.
        """
        if name not in self._kept:
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = make()
        found: T = self._kept[name]
        return found

    def obey_rules(self) -> None:
        """Set all rules of the run in this process, once, before a network is built.

        Raises
        ------
        UnusableInput
            If this machine cannot obey them.
        """
        _ = self._obeyed

    def obey_rules_of_fits(self) -> None:
        """Set those that fits depend on, once; imports no torch.

        Raises
        ------
        UnusableInput
            If this machine cannot obey them.
        """
        _ = self._obeyed_in_fits

    @cached_property
    def _obeyed_in_fits(self) -> bool:
        obey_in_fits(self.rules)
        return True

    @cached_property
    def _obeyed(self) -> bool:
        obey(self.rules, self.device)
        return True

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
        return self.rules.memory if needed > self.rules.memory else None
