"""From a configuration and a lesion table to units of work. Pure: nothing is read or written here.

A unit of work is one system (an extractor with a classifier) on one cell (one fold of one repeat of
one protocol on one subset).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.lesions import shared_patients
from bench.errors import UnusableInput
from bench.protocols import PROTOCOLS, Fold, has_official_split, nested_training
from extractors.names import FUSION

if TYPE_CHECKING:
    import pandas as pd

Positions = NDArray[np.int64]

# The extractor of a system that looks at nothing: the majority class.
NO_FEATURES = "none"
# The head of a network that is trained here, as a classifier.
SOFTMAX = "softmax"
# Draws of training patients for each share of them, where the protocol has one split only.
LEARNING_DRAWS = 5
# What decoding adds to the lesion table.
DECODED_COLUMNS = ("crop_height", "crop_width", "mean_intensity")
# Features that need no image: columns of the lesion table. A network below these has learnt little.
SHORTCUTS: Mapping[str, tuple[str, ...]] = {
    "shortcut:size": DECODED_COLUMNS,
    "shortcut:radius": ("radius",),
}


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
class Cell:
    """One fold: positions of its training and test crops in the crop stack.

    `train_fraction` is the share of the training patients that are in it. Networks and frozen
    features may be repeated differently: `for_networks`, `for_frozen` say for whom it is.
    """

    subset: str
    protocol: str
    repeat: int
    fold: int
    train: Positions
    test: Positions
    train_fraction: float = 1.0
    for_networks: bool = True
    for_frozen: bool = True

    @property
    def place(self) -> "Place":
        """What tells this cell from every other one of a plan."""
        return self.subset, self.protocol, self.repeat, self.fold, self.train_fraction


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
    cells: tuple[Cell, ...]
    notices: tuple[str, ...]
    references: Mapping[str, tuple[System, ...]]  # by subset
    trained: frozenset[str] = frozenset()

    def extractors(self) -> tuple[str, ...]:
        """The extractors in order, references last."""
        reference = [system for systems in self.references.values() for system in systems]
        return tuple(dict.fromkeys(s.extractor for s in (*self.systems, *reference)))

    def work(self, extractor: str) -> Iterator[tuple[Cell, tuple[System, ...]]]:
        """Each cell with the systems that use this extractor there."""
        trained = extractor in self.trained
        for cell in self.cells:
            if not (cell.for_networks if trained else cell.for_frozen):
                continue
            systems = (*self.systems, *self.references[cell.subset])
            of_extractor = tuple(s for s in systems if s.extractor == extractor)
            if of_extractor:
                yield cell, of_extractor

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
        The protocols asked for. One that needs the data set's own split is passed over with a
        notice where a subset has none; if it was the only one, `patient-cv` takes its place.
    repeats
        Of a protocol that is drawn anew for each, for frozen features.
    train_fractions
        Shares of the training patients. Below 1 a single split is run with several draws of them.

    Raises
    ------
    UnusableInput
        If a protocol cannot be carried out on a subset.
    """
    cells: list[Cell] = []
    notices: list[str] = []
    for subset, parts in subsets.items():
        positions = np.flatnonzero(table["subset"].isin(list(parts)).to_numpy())
        rows = table.iloc[positions].reset_index(drop=True)
        _check_subset(subset, rows)
        for name in _possible(protocols, rows, subset, notices):
            drawn = max(repeats, networks.repeats) if networks.names else repeats
            try:
                split = PROTOCOLS[name].split(rows, drawn, seed)
                found = [
                    cell
                    for fold in split.folds
                    for share in train_fractions
                    for cell in _cells(subset, name, fold, rows, share, repeats, seed, networks)
                ]
            except UnusableInput as error:
                raise UnusableInput(f"subset {subset}: {error}") from error
            notices += [f"{subset}, {name}: {notice}" for notice in split.notices]
            cells += [replace(c, train=positions[c.train], test=positions[c.test]) for c in found]
    if not cells:
        asked = ", ".join(protocols)
        raise UnusableInput(f"nothing is left to run under {asked}: {'; '.join(notices)}")
    systems = tuple(
        System(extractor, name, *_presets(name, kernels))
        for extractor in extractors
        for name in classifiers
        # Only a network that is trained here has a head of its own, and a fusion has none.
        if name != SOFTMAX or (extractor in networks.names and not extractor.startswith(FUSION))
    )
    if not systems:
        raise UnusableInput(f"--classifiers {SOFTMAX}: no extractor asked for is trained here")
    references = {
        subset: _references(table[table["subset"].isin(list(parts))], kernels)
        for subset, parts in subsets.items()
    }
    return Plan(systems, tuple(cells), tuple(notices), references, networks.names)


def _cells(
    subset: str,
    protocol: str,
    fold: Fold,
    rows: "pd.DataFrame",
    share: float,
    repeats: int,
    seed: int,
    networks: NetworkWork,
) -> Iterator[Cell]:
    """One fold as often as it is run with this share of its training patients."""
    here = bool(networks.names) and subset in networks.subsets
    if PROTOCOLS[protocol].repeated:
        numbers, frozen, trained = [fold.repeat], repeats, networks.repeats
    elif share < 1:
        numbers, frozen, trained = [*range(LEARNING_DRAWS)], LEARNING_DRAWS, LEARNING_DRAWS
    else:
        numbers, frozen, trained = [*range(networks.seeds if here else 1)], 1, networks.seeds
    for number in numbers:
        for_frozen, for_networks = number < frozen, here and number < trained
        if not (for_frozen or for_networks):
            continue
        train = fold.train
        if share < 1:
            draw = np.random.SeedSequence([seed, number, fold.fold]).generate_state(1)[0]
            train = nested_training(rows, fold.train, share, int(draw))
        yield Cell(
            subset, protocol, number, fold.fold, train, fold.test, share, for_networks, for_frozen
        )


def _possible(
    protocols: Sequence[str], rows: "pd.DataFrame", subset: str, notices: list[str]
) -> list[str]:
    if not has_official_split(rows):
        possible = [name for name in protocols if not PROTOCOLS[name].needs_official_split]
        if len(possible) < len(protocols):
            instead = "" if possible else "; patient-cv takes its place"
            notices.append(f"{subset}: there is no official split, so no row for it{instead}")
        return possible or ["patient-cv"]
    if shared_patients(rows):
        return list(protocols)
    audits = [name for name in protocols if PROTOCOLS[name].audit]
    notices += [f"{subset}: no patient stands in both splits, so no row for {a}" for a in audits]
    return [name for name in protocols if name not in audits]


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


def _references(rows: "pd.DataFrame", kernels: Sequence[str]) -> tuple[System, ...]:
    """The reference points of a subset: the majority class, and what its table alone can tell."""
    systems = [System(NO_FEATURES, "majority", *_presets("majority", kernels))]
    for name, columns in SHORTCUTS.items():
        # Only a decoded crop has a size, but every crop that stays in a run has been decoded.
        from_table = [column for column in columns if column not in DECODED_COLUMNS]
        if all(column in rows and rows[column].notna().all() for column in from_table):
            systems.append(System(name, "logistic", *_presets("logistic", kernels)))
    return tuple(systems)
