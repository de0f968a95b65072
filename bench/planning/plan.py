"""From a configuration and a lesion table to units of work. Pure: nothing is read or written here.

A unit of work is one system (an extractor with a classifier) on one fold (of one repeat of
one protocol on one subset).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import rotated_positions, rotated_rows
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput
from bench.planning.presets import SELECTED
from bench.planning.protocols import PROTOCOLS
from bench.planning.reference_points import reference_points
from bench.planning.splits import Protocol, RowSplit, has_official_split, nested_training
from extractors.names import FUSION

if TYPE_CHECKING:
    import pandas as pd

Positions = NDArray[np.int64]

# The head of a network that is trained here, as a classifier.
SOFTMAX = "softmax"
# Draws of training patients for each share of them, where the protocol has one split only.
LEARNING_DRAWS = 5
# Why a subset has no row for the data set's own split.
NO_SPLIT = "there is no official split"


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
    it, where they are not the fold's own.
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

    @property
    def network_rows(self) -> tuple[Positions, Positions]:
        """The rows that a network is trained on, and those held out from it."""
        return self.network or (self.train, self.test)

    @property
    def selects(self) -> bool:
        """Whether a system may be chosen for it inside its training rows.

        Audits, their rotated twins and learning curves are about given systems.
        """
        protocol = PROTOCOLS[self.protocol]
        whole = self.train_fraction == 1
        return self.for_frozen and whole and not protocol.audit and not protocol.rotated

    @property
    def title(self) -> str:
        """'films, patient-cv, repeat 0, fold 3', numbered as in units.parquet."""
        share = "" if self.train_fraction == 1 else f", {self.train_fraction:g} of the patients"
        return f"{self.subset}, {self.protocol}, repeat {self.repeat}, fold {self.number}{share}"

    @property
    def place(self) -> "Place":
        """What tells this fold from every other one of a plan."""
        return self.subset, self.protocol, self.repeat, self.number, self.train_fraction


Place = tuple[str, str, int, int, float]


@dataclass(frozen=True)
class NetworkWork:
    """Which extractors are trained, and how often.

    Attributes
    ----------
    names : the extractors that are trained on the training rows of each fold.
    seeds : trainings on the same rows, where a protocol has one split only.
    repeats : repeats of a protocol that is drawn anew for each.
    subsets : the subsets that they are trained on.
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

    @property
    def rotates(self) -> bool:
        """Whether folds point into the stack of `bench.data.crops.rotated`."""
        return any(PROTOCOLS[fold.protocol].rotated for fold in self.folds)

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
            systems = (*self.systems, *self.references[fold.subset])
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


def make_plan(
    table: "pd.DataFrame",
    subsets: Mapping[str, Sequence[str]],
    extractors: Sequence[str],
    classifiers: Sequence[str],
    kernels: Sequence[str],
    protocols: Sequence[str],
    repeats: int,
    seed: int,
    networks: NetworkWork = NO_NETWORKS,
    train_fractions: Sequence[float] = (1.0,),
) -> Plan:
    """Lay out the units of a run.

    Parameters
    ----------
    table
        The lesion table in the order of the crop stack.
    subsets
        The subsets asked for, each with the values of the table's `subset` column in it.
    classifiers, kernels
        The classifiers asked for, and those names that are SVM kernels.
    protocols
        The protocols asked for. One that a subset has no rows for is passed over with a notice;
        where that is for want of an official split and no other is left, `patient-cv` takes its
        place.
    repeats
        Of a protocol that is drawn anew for each, for frozen features.
    train_fractions
        Shares of the training patients. Below 1 a single split is run with several draws of them.

    Raises
    ------
    UnusableInput
        If a protocol cannot be carried out on a subset, or nothing is left to do.
    """
    folds: list[Fold] = []
    notices: list[str] = []
    for subset, parts in subsets.items():
        of_subset = np.flatnonzero(table["subset"].isin(list(parts)).to_numpy())
        upright = table.iloc[of_subset].reset_index(drop=True)
        _check_subset(subset, upright)
        if networks.names and subset not in networks.subsets:
            notices.append(
                f"{subset}: no network is trained on it in a quick run on synthetic data; name the "
                "subsets (--subset) to have them trained"
            )
        for name in _possible(protocols, upright, subset, networks, notices):
            positions, rows = of_subset, upright
            if PROTOCOLS[name].rotated:
                positions, rows = rotated_positions(of_subset, len(table)), rotated_rows(upright)
            drawn = max(repeats, networks.repeats) if networks.names else repeats
            # How a system learns from fewer patients is asked where a network sees these alone.
            shares = (1.0,) if PROTOCOLS[name].reuses_network else train_fractions
            try:
                split = PROTOCOLS[name].split(rows, drawn, seed)
                found = [
                    fold
                    for row_split in split.folds
                    for share in shares
                    for fold in _folds(
                        subset, name, row_split, rows, share, repeats, seed, networks
                    )
                ]
            except UnusableInput as error:
                raise UnusableInput(f"subset {subset}, {name}: {error}") from error
            notices += [f"{subset}, {name}: {notice}" for notice in split.notices]
            folds += [_within(fold, positions) for fold in found]
    if not folds:
        asked = ", ".join(protocols)
        raise UnusableInput(f"nothing is left to run under {asked}: {'; '.join(notices)}")
    systems = _systems(extractors, classifiers, kernels, networks, notices)
    references = {
        subset: tuple(
            System(*point, *_presets(point[1], kernels))
            for point in reference_points(table[table["subset"].isin(list(parts))])
        )
        for subset, parts in subsets.items()
    }
    plan = Plan(systems, tuple(folds), tuple(notices), references, networks.names)
    if not plan.n_units():
        raise UnusableInput(
            f"nothing is left to run under {', '.join(protocols)}: {SOFTMAX} has no row there"
        )
    return plan


def _systems(
    extractors: Sequence[str],
    classifiers: Sequence[str],
    kernels: Sequence[str],
    networks: NetworkWork,
    notices: list[str],
) -> tuple[System, ...]:
    """Each extractor asked for with each classifier that fits it, and the row `selected`."""
    systems = tuple(
        System(extractor, name, *_presets(name, kernels))
        for extractor in extractors
        if extractor != SELECTED
        for name in classifiers
        # Only a network that is trained here has a head of its own, and a fusion has none.
        if name != SOFTMAX or (extractor in networks.names and not extractor.startswith(FUSION))
    )
    if not systems:
        raise UnusableInput(
            f"--classifiers {SOFTMAX}: no extractor asked for has a head of its own: only networks "
            "that are trained have one, and fusions have none"
        )
    if SELECTED in extractors:
        systems += _selection(systems, kernels, networks, notices)
    return systems


def _selection(
    systems: Sequence[System], kernels: Sequence[str], networks: NetworkWork, notices: list[str]
) -> tuple[System, ...]:
    """The system that is another one in every fold: whichever does best inside the training rows.

    A network's features cannot be judged there, because it has been trained on all of those rows.
    """
    if any(may_be_selected(s, kernels, networks.names) for s in systems):
        return (System(SELECTED, SELECTED, None, ""),)
    notices.append(
        f"{SELECTED} has no row: it is chosen among frozen features with SVM kernels, and none is "
        "asked for"
    )
    return ()


def may_be_selected(system: System, kernels: Collection[str], trained: Collection[str]) -> bool:
    """Whether a system is among those that the row `selected` is chosen from.

    kernels : names of plain SVM kernels. trained : the extractors that are trained in the run.
    """
    return system.classifier in kernels and system.extractor not in trained


def _folds(
    subset: str,
    protocol: str,
    row_split: RowSplit,
    rows: "pd.DataFrame",
    share: float,
    repeats: int,
    seed: int,
    networks: NetworkWork,
) -> Iterator[Fold]:
    """One fold as often as it is run with this share of its training patients."""
    here = _trains_on(subset, networks)
    if PROTOCOLS[protocol].repeated:
        numbers, frozen, trained = [row_split.repeat], repeats, networks.repeats
    elif share < 1:
        numbers, frozen, trained = [*range(LEARNING_DRAWS)], LEARNING_DRAWS, LEARNING_DRAWS
    else:
        numbers, frozen, trained = [*range(networks.seeds if here else 1)], 1, networks.seeds
    for number in numbers:
        for_frozen = number < frozen and row_split.network is None
        for_networks = here and number < trained
        if not (for_frozen or for_networks):
            continue
        train = row_split.train
        if share < 1:
            draw = np.random.SeedSequence([seed, number, row_split.number]).generate_state(1)[0]
            train = nested_training(rows, row_split.train, share, int(draw))
        yield Fold(
            *(subset, protocol, number, row_split.number, train, row_split.test, share),
            for_networks=for_networks,
            for_frozen=for_frozen,
            network=row_split.network,
        )


def _within(fold: Fold, positions: Positions) -> Fold:
    """A fold on some rows of a table as a fold on the table; `positions` are those of the rows."""
    network = fold.network and (positions[fold.network[0]], positions[fold.network[1]])
    return replace(fold, train=positions[fold.train], test=positions[fold.test], network=network)


def _trains_on(subset: str, networks: NetworkWork) -> bool:
    """Whether any network is trained on this subset."""
    return bool(networks.names) and subset in networks.subsets


def _possible(
    protocols: Sequence[str],
    rows: "pd.DataFrame",
    subset: str,
    networks: NetworkWork,
    notices: list[str],
) -> list[str]:
    """The protocols that a subset has rows for; why not the others is told among the notices."""
    trained = _trains_on(subset, networks)
    missing = {name: _missing(PROTOCOLS[name], rows, trained) for name in protocols}
    possible = [name for name in protocols if not missing[name]]
    instead = not possible and NO_SPLIT in missing.values()
    for reason in dict.fromkeys(filter(None, missing.values())):
        names = ", ".join(name for name in protocols if missing[name] == reason)
        more = "; patient-cv takes its place" if instead and reason == NO_SPLIT else ""
        notices.append(f"{subset}: {reason}, so no row for {names}{more}")
    return ["patient-cv"] if instead else possible


def _missing(protocol: Protocol, rows: "pd.DataFrame", trained: bool) -> str:
    """What a protocol needs and a subset lacks; empty where it lacks nothing."""
    if protocol.needs_official_split and not has_official_split(rows):
        return NO_SPLIT
    if protocol.needs_shared_patients and not shared_patients(rows):
        return "no patient stands in both splits"
    if protocol.reuses_network and not trained:
        return "no network is trained on it"
    return ""


def _check_subset(subset: str, rows: "pd.DataFrame") -> None:
    """Raise UnusableInput for a subset that cannot be classified at all."""
    if rows.empty:
        raise UnusableInput(f"subset {subset}: none of its crops can be read")
    if rows["label"].nunique() < 2:
        raise UnusableInput(
            f"subset {subset} holds one class only (label {rows['label'].iloc[0]}): choose others "
            "with --subset"
        )


def _presets(classifier: str, kernels: Sequence[str]) -> tuple[float | None, str]:
    kernel, *steps = classifier.split("+")
    if kernel in kernels:
        return (None, "") if "tuned" in steps else (1.0, "auto")
    return (1.0 if classifier == "logistic" else None), ""
