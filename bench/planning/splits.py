"""From a lesion table to training and test rows.

An honest protocol never has a patient on both sides; an audit does, and says so. Functions here are
pure: a table in, positions of rows out, the same for the same seed. Which protocols there are
stands in `bench.planning.protocols`.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import ROTATIONS, Positions
from bench.data.lesions import shared_patients
from bench.data.patients import groups_of
from bench.errors import UnusableInput
from reports.systems.schema import ALL_ROWS

if TYPE_CHECKING:
    import pandas as pd

N_FOLDS = 5

# What a hold-out keeps for training, and what a reused network is trained on.
TRAINING_SHARE = 0.7

# In the notice of test rows that cannot tell the classes apart.
ONE_CLASS = "one class only"


@dataclass(frozen=True)
class RowSplit:
    """One training and test split.

    Attributes
    ----------
    repeat, number : int
        Repeat, and number of the fold in it; both from 0.
    train, test : Positions, shape (n,)
        Positions in the table that was split, ascending.
    network : tuple[Positions, Positions] | None
        The training rows of a network and the rows held out from it, where these are not the
        fold's own.
    held_out : Positions | None
        The rows that a network's curve is drawn on, where these are not the fold's test rows.
    """

    repeat: int
    number: int
    train: Positions
    test: Positions
    network: tuple[Positions, Positions] | None = None
    held_out: Positions | None = None


@dataclass(frozen=True)
class Split:
    """All folds of a protocol over one table.

    Attributes
    ----------
    folds : tuple[RowSplit, ...]
        Repeat by repeat.
    notices : tuple[str, ...]
        What a reader must know of them.
    """

    folds: tuple[RowSplit, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Twin:
    """What an audit is compared with in a report.

    Attributes
    ----------
    protocol : str
        The name of the other protocol, or the audit's own where two parts of its test rows are
        compared.
    besides : str
        What the two differ in besides patients on both sides. The numbers of training rows stand
        in the table and need no words.
    rows, twin_rows : str
        Which test rows of each side are measured: ALL_ROWS, SHARED or UNSHARED.
    """

    protocol: str
    besides: str
    rows: str = ALL_ROWS
    twin_rows: str = ALL_ROWS


@dataclass(frozen=True)
class Protocol:
    """A named way to split a lesion table, with the words for it.

    Attributes
    ----------
    name : str
        As on the command line.
    description : str
        For those who choose; an audit's begins with "audit".
    in_methods : str
        For a paper's methods section, after "Protocol NAME:".
    in_methods_without_ids : str
        The same where there are no patient ids; empty where it makes no difference.
    split : Callable[[pd.DataFrame, int, int], Split]
        Takes the table (that of `rotated_rows` where `rotated`), the repeats and a seed.
    headline : bool
        Whether declared comparisons and ranks are made of its figures.
    audit : bool
        Whether it puts patients on both sides on purpose, to measure what that alone gives.
    twins : tuple[Twin, ...]
        What an audit is compared with, its honest twin first.
    needs_official_split, needs_shared_patients : bool
        A table without these has no row.
    repeated : bool
        Whether it draws anew for each repeat.
    rotated : bool
        Whether it splits four copies of each crop, each rotated by another quarter.
    reuses_network : bool
        Whether one network serves all folds of a repeat; frozen features have no row.
    internal : tuple[str, ...]
        For a test on external sets, the protocols whose test on the own set it is compared with;
        the first one that was run counts. Empty for all others.
    """

    name: str
    description: str
    in_methods: str
    split: Callable[["pd.DataFrame", int, int], Split]
    headline: bool = False
    audit: bool = False
    in_methods_without_ids: str = ""
    twins: tuple[Twin, ...] = ()
    needs_official_split: bool = False
    needs_shared_patients: bool = False
    repeated: bool = False
    rotated: bool = False
    reuses_network: bool = False
    internal: tuple[str, ...] = ()


def official(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """The data set's own split; patients that stand in both are taken out of training."""
    test = (table["split"] == "test").to_numpy()
    marked = (table["split"] == "train").to_numpy()
    patients, groups = table["patient_id"], groups_of(table)
    in_test = patients.isin(set(patients[test])).to_numpy()
    shared = groups.isin(set(groups[test])).to_numpy()
    notices = []
    if (marked & in_test).any():
        notices.append(
            f"{patients[marked & in_test].nunique()} patients stand in both splits: their "
            f"{int((marked & in_test).sum())} training crops are left out of training"
        )
    joined = marked & shared & ~in_test
    if joined.any():
        notices.append(
            f"{patients[joined].nunique()} patients of the training rows share a picture with "
            f"patients of test or may be the same persons: their {int(joined.sum())} training "
            "crops are left out of training"
        )
    fold = RowSplit(0, 0, np.flatnonzero(marked & ~shared), np.flatnonzero(test))
    _check_classes(table, fold)
    return Split((fold,), (*notices, *_one_class_tests(table, [fold])))


def pooled_official(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """The data set's own split as it is, with the patients that stand on both sides."""
    train, test = ((table["split"] == name).to_numpy() for name in ("train", "test"))
    groups = groups_of(table)
    shared = groups.isin(shared_patients(table)).to_numpy()
    fold = RowSplit(0, 0, np.flatnonzero(train), np.flatnonzero(test))
    _check_classes(table, fold)
    patients = groups[shared].nunique()
    notice = (
        f"an audit: {patients} patients stand on both sides, with {int((train & shared).sum())} "
        f"training and {int((test & shared).sum())} test crops"
    )
    return Split((fold,), (notice, *_one_class_tests(table, [fold])))


def patient_cv(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """Five folds, stratified by label and grouped by patient, drawn anew for each repeat."""
    from sklearn.model_selection import StratifiedGroupKFold

    patients = groups_of(table).to_numpy()
    n_patients = len(set(patients))
    if n_patients < N_FOLDS:
        raise UnusableInput(
            f"it needs at least {N_FOLDS} patients, one a fold; there are {n_patients}"
        )
    counts = np.bincount(table["label"].to_numpy(), minlength=2)
    if counts.max() < N_FOLDS:
        raise UnusableInput(
            f"it needs at least {N_FOLDS} crops of a class, one a fold; there are "
            f"{counts[0]} negative and {counts[1]} positive ones"
        )
    folds = _drawn_folds(StratifiedGroupKFold, table, repeats, seed, patients)
    return Split(tuple(folds), _one_class_tests(table, folds))


def image_cv(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """Five folds by row, stratified by label; whose the rows are is not looked at."""
    from sklearn.model_selection import StratifiedKFold

    labels = table["label"].to_numpy()
    fewest = int(np.bincount(labels, minlength=2).min())
    if fewest < N_FOLDS:
        raise UnusableInput(
            f"it needs at least {N_FOLDS} crops of each class, one a fold; one has {fewest}"
        )
    folds = _drawn_folds(StratifiedKFold, table, repeats, seed)
    return Split(tuple(folds), (_audit_notice(table, folds),))


def _drawn_folds(
    splitter: Callable[..., Any],
    table: "pd.DataFrame",
    repeats: int,
    seed: int,
    groups: NDArray[Any] | None = None,
) -> list[RowSplit]:
    """The folds that one of scikit-learn's splitters draws, anew for each repeat."""
    labels = table["label"].to_numpy()
    folds = []
    for repeat in range(repeats):
        drawn = splitter(N_FOLDS, shuffle=True, random_state=_state(seed, repeat))
        with warnings.catch_warnings():
            # Too few patients of a class are refused below, fold by fold.
            warnings.simplefilter("ignore", UserWarning)
            pairs = list(drawn.split(labels, labels, groups))
        for number, (train, test) in enumerate(pairs):
            fold = RowSplit(repeat, number, np.sort(train), np.sort(test))
            _check_classes(table, fold)
            folds.append(fold)
    return folds


def image_holdout(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """70 % of the rows of each class for training; whose they are is not looked at."""
    labels = table["label"].to_numpy()
    folds = []
    for repeat in range(repeats):
        fold = RowSplit(repeat, 0, *_share_of_each_class(labels, _state(seed, repeat)))
        _check_classes(table, fold)
        folds.append(fold)
    return Split(tuple(folds), (_audit_notice(table, folds), *_one_class_tests(table, folds)))


def reused_network(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """The folds of `image-cv`, with one network a repeat, trained on 70 % of all rows."""
    split = image_cv(table, repeats, seed)
    labels = table["label"].to_numpy()
    rows = [_share_of_each_class(labels, _state(seed, repeat)) for repeat in range(repeats)]
    notice = (
        f"one network a repeat, trained on {len(rows[0][0])} of the {len(table)} crops, gives the "
        "features of all folds; frozen features have no row"
    )
    folds = tuple(replace(fold, network=rows[fold.repeat]) for fold in split.folds)
    return Split(folds, (*split.notices, notice))


def rotated_split(
    divide: Callable[["pd.DataFrame", int, int], Split],
) -> Callable[["pd.DataFrame", int, int], Split]:
    """The same way to split, on the official training rows of a table of `rotated_rows`."""

    def split(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
        official = has_official_split(table)
        used = np.flatnonzero(table["split"] == "train") if official else np.arange(len(table))
        found = divide(table.iloc[used], repeats, seed)
        folds = [replace(f, train=used[f.train], test=used[f.test]) for f in found.folds]
        which = "training crops" if official else "crops (there is no official split)"
        notice = (
            f"the {len(used) // len(ROTATIONS)} {which}, each rotated by "
            f"{', '.join(map(str, ROTATIONS))} degrees, make {len(used)} rows"
        )
        return Split(tuple(folds), (*found.notices, notice))

    return split


def _state(seed: int, repeat: int) -> int:
    """What seeds the draws of one repeat."""
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])


def _share_of_each_class(labels: NDArray[np.int64], state: int) -> tuple[Positions, Positions]:
    """70 % of the rows of each class, drawn, and the rest; both ascending.

    The number is rounded class by class. On 2,724 and 2,548 rows (the official mass training crops
    of CBIS-DDSM four times over) that makes 3,691 and 1,581.
    """
    random = np.random.default_rng(state)
    drawn = [random.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    cuts = [round(TRAINING_SHARE * len(rows)) for rows in drawn]
    kept = np.concatenate([rows[:cut] for rows, cut in zip(drawn, cuts, strict=True)])
    rest = np.concatenate([rows[cut:] for rows, cut in zip(drawn, cuts, strict=True)])
    return np.sort(kept), np.sort(rest)


def _audit_notice(table: "pd.DataFrame", folds: Sequence[RowSplit]) -> str:
    """How many patients the first repeat tears apart; groups, where they make any."""
    patients = groups_of(table).to_numpy()
    torn: set[str] = set()
    for fold in folds:
        if fold.repeat == 0:
            torn |= set(patients[fold.train]) & set(patients[fold.test])
    return f"an audit: {len(torn)} of {len(set(patients))} patients stand on both sides of a fold"


def _check_classes(table: "pd.DataFrame", fold: RowSplit) -> None:
    if not len(fold.test):
        raise UnusableInput(f"fold {fold.number + 1} has no test crop")
    if not len(fold.train):
        raise UnusableInput("every patient of the training rows stands in test, too")
    present = set(table["label"].to_numpy()[fold.train])
    if present != {0, 1}:
        raise UnusableInput(
            f"the training rows of fold {fold.number + 1} hold one class only: "
            "too few patients of the other"
        )


def _one_class_tests(table: "pd.DataFrame", folds: Sequence[RowSplit]) -> tuple[str, ...]:
    """A notice where test rows, of all folds of a repeat or of single ones, hold one class only."""
    labels = table["label"].to_numpy()
    single = [fold for fold in folds if len(set(labels[fold.test])) == 1]
    if not single:
        return ()
    found = sorted({int(labels[fold.test][0]) for fold in single})
    which = f"label {' or '.join(map(str, found))}"
    if len(single) == len(folds) and len(found) == 1:
        crops = len(set(np.concatenate([fold.test for fold in single])))
        return (
            f"the {crops} test crops hold {ONE_CLASS} ({which}): AUC, and what takes both classes, "
            "cannot be measured",
        )
    return (
        f"the test crops of {len(single)} of {len(folds)} folds hold {ONE_CLASS} ({which}): these "
        "folds have no AUC of their own",
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
    groups = groups_of(rows)
    malignant = rows["label"].groupby(groups).max()
    kept: set[str] = set()
    random = np.random.default_rng(seed)
    for label in (0, 1):
        patients = random.permutation(np.sort(malignant.index[malignant == label].to_numpy()))
        kept |= set(patients[: int(np.ceil(share * len(patients)))])
    chosen: Positions = train[groups.isin(kept).to_numpy()]
    if set(table["label"].to_numpy()[chosen]) != {0, 1}:
        raise UnusableInput(f"{share:g} of the training patients hold one class only")
    return chosen


def has_official_split(table: "pd.DataFrame") -> bool:
    """Whether the table has rows for training and for test."""
    return {"train", "test"} <= set(table["split"])
