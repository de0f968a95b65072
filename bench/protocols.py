"""From a lesion table to training and test rows.

An honest protocol never has a patient on both sides; an audit does, and says so. Functions here are
pure: a table in, positions of rows out, the same for the same seed.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.lesions import shared_patients
from bench.errors import UnusableInput

if TYPE_CHECKING:
    import pandas as pd

Positions = NDArray[np.int64]
N_FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """One training and test split: positions in the table that was split."""

    repeat: int
    fold: int
    train: Positions
    test: Positions


@dataclass(frozen=True)
class Split:
    """All folds of a protocol over one table, and what a reader must know of them."""

    folds: tuple[Fold, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """A named way to split a lesion table."""

    name: str
    description: str
    split: Callable[["pd.DataFrame", int, int], Split]
    needs_official_split: bool
    # Whether it draws anew for each repeat.
    repeated: bool = False
    # An audit puts patients on both sides on purpose, to measure what that alone gives.
    audit: bool = False


def _official(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """The data set's own split; patients that stand in both are taken out of training."""
    test = (table["split"] == "test").to_numpy()
    test_patients = set(table.loc[test, "patient_id"])
    shared = table["patient_id"].isin(test_patients).to_numpy()
    marked = (table["split"] == "train").to_numpy()
    train = marked & ~shared
    notices: tuple[str, ...] = ()
    if (marked & shared).any():
        patients = table.loc[marked & shared, "patient_id"].nunique()
        notices = (
            f"{patients} patients stand in both splits: their {int((marked & shared).sum())} "
            "training crops are left out of training",
        )
    fold = Fold(0, 0, np.flatnonzero(train), np.flatnonzero(test))
    _check_classes(table, fold, "official")
    return Split((fold,), notices)


def _pooled_official(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """The data set's own split as it is, with the patients that stand on both sides."""
    train, test = ((table["split"] == name).to_numpy() for name in ("train", "test"))
    shared = table["patient_id"].isin(shared_patients(table)).to_numpy()
    fold = Fold(0, 0, np.flatnonzero(train), np.flatnonzero(test))
    _check_classes(table, fold, "pooled-official")
    patients = table.loc[shared, "patient_id"].nunique()
    notice = (
        f"an audit: {patients} patients stand on both sides, with {int((train & shared).sum())} "
        f"training and {int((test & shared).sum())} test crops"
    )
    return Split((fold,), (notice,))


def _patient_cv(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """Five folds, stratified by label and grouped by patient, drawn anew for each repeat."""
    from sklearn.model_selection import StratifiedGroupKFold

    patients = table["patient_id"].to_numpy()
    labels = table["label"].to_numpy()
    n_patients = len(set(patients))
    if n_patients < N_FOLDS:
        raise UnusableInput(
            f"patient-cv needs at least {N_FOLDS} patients, one a fold; there are {n_patients}"
        )
    folds = []
    for repeat in range(repeats):
        state = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=state)
        with warnings.catch_warnings():
            # Too few patients of a class are refused below, fold by fold and by name.
            warnings.simplefilter("ignore", UserWarning)
            pairs = list(splitter.split(patients, labels, patients))
        for number, (train, test) in enumerate(pairs):
            fold = Fold(repeat, number, np.sort(train), np.sort(test))
            _check_classes(table, fold, "patient-cv")
            folds.append(fold)
    return Split(tuple(folds))


def _check_classes(table: "pd.DataFrame", fold: Fold, protocol: str) -> None:
    if not len(fold.test):
        raise UnusableInput(f"{protocol}: fold {fold.fold + 1} has no test crop")
    if not len(fold.train):
        raise UnusableInput(f"{protocol}: every patient of the training rows stands in test, too")
    present = set(table["label"].to_numpy()[fold.train])
    if present != {0, 1}:
        raise UnusableInput(
            f"{protocol}: the training rows of fold {fold.fold + 1} hold one class only: "
            "too few patients of the other"
        )


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol("official", "the data set's own split", _official, True),
            Protocol(
                "pooled-official",
                "audit: the own split, with the patients that stand on both sides",
                _pooled_official,
                True,
                audit=True,
            ),
            Protocol(
                "patient-cv",
                f"{N_FOLDS} folds by patient, stratified by label, repeated",
                _patient_cv,
                False,
                repeated=True,
            ),
        )
    }
)


def nested_training(table: "pd.DataFrame", train: Positions, share: float, seed: int) -> Positions:
    """The training rows of a share of the training patients.

    With the same seed the rows of a smaller share are among those of a larger one. Patients with
    and without a malignant crop keep their proportion, and each kind at least one patient.

    Raises
    ------
    UnusableInput
        If the rows that are left hold one class only.
    """
    rows = table.iloc[train]
    malignant = rows.groupby("patient_id")["label"].max()
    kept: set[str] = set()
    random = np.random.default_rng(seed)
    for label in (0, 1):
        patients = random.permutation(np.sort(malignant.index[malignant == label].to_numpy()))
        kept |= set(patients[: int(np.ceil(share * len(patients)))])
    chosen: Positions = train[rows["patient_id"].isin(kept).to_numpy()]
    if set(table["label"].to_numpy()[chosen]) != {0, 1}:
        raise UnusableInput(f"{share:g} of the training patients hold one class only")
    return chosen


def has_official_split(table: "pd.DataFrame") -> bool:
    """Whether the table has rows for training and for test."""
    return {"train", "test"} <= set(table["split"])
