"""What a run consists of: systems, folds and units of work. Pure: nothing is read or written here.

A unit of work is one system (an extractor with a classifier) on one fold (of one repeat of
one protocol on one subset).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.planning.presets import EXTERNAL, SELECTED
from bench.planning.protocols import protocol_of

Positions = NDArray[np.int64]

# The head of a network that is trained here, as a classifier.
SOFTMAX = "softmax"


@dataclass(frozen=True)
class System:
    """What is compared: an extractor's features with a classifier on them."""

    extractor: str
    classifier: str
    C: float | None  # None where the classifier has none, or chooses its own in every fold
    scale: str  # "auto", or empty likewise

    @property
    def tuned(self) -> bool:
        """Whether C and scale are chosen inside the training rows."""
        return "tuned" in self.classifier.split("+")[1:]


@dataclass(frozen=True)
class Fold:
    """One fold: positions of its training and test crops in the crop stack.

    Under a protocol that rotates crops they are positions in the stack of
    `bench.data.crops.rotated`. `train_fraction` is the share of the training patients that are in
    it. Networks and frozen features may be repeated differently: `for_networks`, `for_frozen` say
    for whom it is. `network` holds the rows that a network is trained on and those held out from
    it, where they are not the fold's own; `held_out` those that a network's curve is drawn on,
    where they are not the test crops.
    """

    subset: str
    protocol: str
    repeat: int
    number: int
    train: Positions
    test: Positions
    train_fraction: float = 1.0
    for_networks: bool = True
    for_frozen: bool = True
    network: tuple[Positions, Positions] | None = None
    held_out: Positions | None = None

    @property
    def needs_extraction(self) -> bool:
        """Whether it has crops that a file of features has not: rotated ones, or another set's."""
        protocol = protocol_of(self.protocol)
        return protocol.rotated or protocol.name == EXTERNAL

    @property
    def network_rows(self) -> tuple[Positions, Positions]:
        """The rows that a network is trained on, and those held out from it."""
        return self.network or (self.train, self.test if self.held_out is None else self.held_out)

    @property
    def selects(self) -> bool:
        """Whether a system may be chosen for it inside its training rows.

        Audits, their rotated twins and learning curves are about given systems.
        """
        protocol = protocol_of(self.protocol)
        whole = self.train_fraction == 1
        return self.for_frozen and whole and not protocol.audit and not protocol.rotated

    @property
    def title(self) -> str:
        """'films, patient-cv, repeat 0, fold 3', numbered as in units.parquet."""
        share = "" if self.train_fraction == 1 else f", {self.train_fraction:g} of the patients"
        return f"{self.subset}, {self.protocol}, repeat {self.repeat}, fold {self.number}{share}"

    @property
    def place(self) -> "Place":
        """What distinguishes this fold from every other one of a plan."""
        return self.subset, self.protocol, self.repeat, self.number, self.train_fraction


Place = tuple[str, str, int, int, float]


@dataclass(frozen=True)
class NetworkWork:
    """Which extractors are trained, and how often.

    Attributes
    ----------
    names : frozenset[str]
        The extractors that are trained on the training rows of each fold.
    seeds : int
        Trainings on the same rows, where a protocol has one split only.
    repeats : int
        Repeats of a protocol that is drawn anew for each.
    subsets : frozenset[str]
        The subsets that they are trained on.
    """

    names: frozenset[str] = frozenset()
    seeds: int = 1
    repeats: int = 1
    subsets: frozenset[str] = frozenset()


NO_NETWORKS = NetworkWork()


@dataclass(frozen=True)
class Plan:
    """All that is to be done, in the order in which it is done."""

    systems: tuple[System, ...]
    folds: tuple[Fold, ...]
    notices: tuple[str, ...]
    references: Mapping[str, tuple[System, ...]]  # by subset
    trained: frozenset[str] = frozenset()
    # What of the references an external set can have, by subset and protocol.
    transferred: Mapping[tuple[str, str], tuple[System, ...]] = field(default_factory=dict)
    # Extractors that have features of the data set's own upright crops alone.
    imported: frozenset[str] = frozenset()

    def references_on(self, fold: Fold) -> tuple[System, ...]:
        """The reference points of a fold."""
        return self.transferred.get((fold.subset, fold.protocol), self.references[fold.subset])

    @property
    def rotates(self) -> bool:
        """Whether folds point into the stack of `bench.data.crops.rotated`."""
        return any(protocol_of(fold.protocol).rotated for fold in self.folds)

    def extractors(self) -> tuple[str, ...]:
        """The extractors that have work, in order, references last."""
        reference = [system for systems in self.references.values() for system in systems]
        names = dict.fromkeys(s.extractor for s in (*self.systems, *reference))
        return tuple(name for name in names if any(True for _ in self.work(name)))

    def work(self, extractor: str) -> Iterator[tuple[Fold, tuple[System, ...]]]:
        """Each fold with the systems that use this extractor there."""
        trained = extractor in self.trained
        for fold in self.folds:
            if not (fold.for_networks if trained else fold.for_frozen):
                continue
            if extractor == SELECTED and not fold.selects:
                continue
            if extractor in self.imported and fold.needs_extraction:
                continue
            systems = (*self.systems, *self.references_on(fold))
            # A head cannot be fitted to folds of rows that its network has been trained on.
            headless = fold.network is not None
            of_extractor = tuple(
                s
                for s in systems
                if s.extractor == extractor and not (headless and s.classifier == SOFTMAX)
            )
            if of_extractor:
                yield fold, of_extractor

    def positions(self, extractor: str) -> Positions:
        """The crops in the folds of an extractor, each once, in order."""
        folds = [fold for fold, _ in self.work(extractor)]
        return np.unique(np.concatenate([c for fold in folds for c in (fold.train, fold.test)]))

    def n_units(self, extractor: str | None = None) -> int:
        """The number of units of one extractor, or of all."""
        names = self.extractors() if extractor is None else (extractor,)
        return sum(len(systems) for name in names for _, systems in self.work(name))


def may_be_selected(system: System, kernels: Collection[str], trained: Collection[str]) -> bool:
    """Whether a system is among those that the row `selected` is chosen from.

    Parameters
    ----------
    system : System
        The system in question.
    kernels : Collection[str]
        Names of plain SVM kernels.
    trained : Collection[str]
        The extractors that are trained in the run.

    Returns
    -------
    bool
        Frozen features with a plain kernel may be selected.
    """
    return system.classifier in kernels and system.extractor not in trained
