"""Several backbones in one SVM: their features side by side, each standardised.

The inner products of features side by side are the sum of the inner products, so a fusion costs one
addition of Gram matrices, and all subsets of k backbones need k products in place of 2ᵏ − 1.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.c_path import Fit
from classifiers.convergence import warn_of
from classifiers.gram import Gram
from classifiers.inner_folds import InnerScore, best, inner_folds, inner_scores, merit
from classifiers.memory import FLOAT64, gram_bytes, require_memory
from classifiers.settings import SweepSettings
from classifiers.sweeps import Sweep, swept
from classifiers.tuning import Choice, fit_chosen
from classifiers.validation import binary_labels, ignore_device


def fuse(grams: Sequence[Gram]) -> Gram:
    """The Gram of several feature sets side by side.

    Parameters
    ----------
    grams : Sequence[Gram]
        One for each feature set, of the same rows.

    Returns
    -------
    Gram
        Their sum.

    Raises
    ------
    ValueError
        If there is none or their rows differ.
    """
    if not grams:
        raise ValueError("nothing to fuse")
    return reduce(add, grams)


def grams_of(
    train_features: Mapping[str, ArrayLike],
    test_features: Mapping[str, ArrayLike],
    *,
    device: str = "cpu",
) -> dict[str, Gram]:
    """One Gram for each backbone.

    Parameters
    ----------
    train_features, test_features : Mapping[str, ArrayLike], shapes (n, P) and (m, P)
        Features under the backbones' names, not standardised; P differs between
        backbones.
    device : str
        Deprecated and ignored: Gram matrices are formed on the CPU.

    Returns
    -------
    dict[str, Gram]
        By backbone.

    Raises
    ------
    ValueError
        If the names differ, features are unusable (the message names the backbone), or the Gram
        matrices do not fit into half of the machine's memory.
    """
    ignore_device(device)
    if not train_features or train_features.keys() != test_features.keys():
        raise ValueError(
            f"training features are of {', '.join(train_features) or 'no backbone'}, "
            f"test features of {', '.join(test_features) or 'no backbone'}"
        )
    n, m = (len(np.asarray(next(iter(part.values())))) for part in (train_features, test_features))
    widest = max(np.asarray(features).size for features in train_features.values()) // max(n, 1)
    # All of them stay while a sum is fitted; of a single one there is no sum.
    beside = len(train_features) if len(train_features) > 1 else 0
    needed = gram_bytes(n, m, widest) + beside * FLOAT64 * (n + m) * n
    require_memory(needed, f"fusing {len(train_features)} backbones on {n} training rows")
    grams = {}
    for name, features in train_features.items():
        try:
            grams[name] = Gram.of(features, test_features[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return grams


def fused_gram(train: Sequence[NDArray[np.generic]], test: Sequence[NDArray[np.generic]]) -> Gram:
    """The Gram of all backbones, added up one by one."""

    def gram_of(position: int) -> Gram:
        with naming_backbone(position, len(train)):
            return Gram.of(train[position], test[position])

    gram = gram_of(0)
    for position in range(1, len(train)):
        # The new one has no name: it would live on while the next is formed.
        gram = gram + gram_of(position)
    return gram


@contextmanager
def naming_backbone(position: int, count: int) -> Iterator[None]:
    """Put the number of the backbone, from 1, into a ValueError if there are several."""
    try:
        yield
    except ValueError as error:
        if count == 1:
            raise
        raise ValueError(f"backbone {position + 1} of {count}: {error}") from None


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All 2ᵏ − 1 subsets of k names, small ones first, each in the order of the names."""
    for size in range(1, len(names) + 1):
        yield from combinations(names, size)


def sweep_subsets(
    grams: Mapping[str, Gram], train_labels: ArrayLike, settings: SweepSettings
) -> Iterator[tuple[tuple[str, ...], Sweep]]:
    """A sweep for each subset of backbones, one after the other.

    Parameters
    ----------
    grams : Mapping[str, Gram]
        By backbone, as from `grams_of`.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    settings : SweepSettings
        Kernels, C, scales and solver of every sweep.

    Yields
    ------
    tuple[tuple[str, ...], Sweep]
        The names of the subset, and its sweep; the sweep's `gram_seconds` is the time of the
        addition.

    Raises
    ------
    ValueError
        If the labels are not of two classes, or not one for each training row.

    Warns
    -----
    ConvergenceWarning
        Once, after the last subset, if fits did not converge or collapsed.
    """
    fits: list[Fit] = []
    try:
        for names in subsets(list(grams)):
            started = time.perf_counter()
            gram = fuse([grams[name] for name in names])
            seconds = time.perf_counter() - started
            found = swept(gram, binary_labels(train_labels, len(gram.train)), settings)
            fits += found.table.values()
            yield names, replace(found, gram_seconds=seconds)
    finally:
        warn_of(fits)


@dataclass(frozen=True)
class BackboneSearch:
    """The result of a greedy search over backbones.

    Attributes
    ----------
    names : tuple[str, ...]
        The chosen backbones, in the order in which they were taken.
    choice : Choice
        The setting chosen on their fusion, with the fit to all training rows; its seconds hold the
        inner fits of every set that was tried.
    tried : tuple[tuple[tuple[str, ...], InnerScore], ...]
        Every set that was evaluated, with the best setting on it, in the order of the search.
    """

    names: tuple[str, ...]
    choice: Choice
    tried: tuple[tuple[tuple[str, ...], InnerScore], ...]


def search_backbones(
    grams: Mapping[str, Gram],
    train_labels: ArrayLike,
    groups: ArrayLike,
    settings: SweepSettings,
    *,
    folds: int = 5,
    seed: int = 0,
) -> BackboneSearch:
    """Take backbones one by one, each time the one that raises the inner AUC most.

    It ends when none raises it. Everything is evaluated on grouped inner folds of the training rows
    (see `classifiers.inner_folds`); test rows are scored once, by the fit that is returned.

    Parameters
    ----------
    grams : Mapping[str, Gram]
        By backbone, as from `grams_of`.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row; one patient's rows stay together.
    settings : SweepSettings
        Kernels, C and scales that are tried on each set of backbones, and the solver.
    folds, seed : int
        Number of inner folds and seed of their shuffling.

    Returns
    -------
    BackboneSearch
        The chosen backbones and setting.

    Raises
    ------
    ValueError
        If labels or groups are unusable, the patients are too few for the folds, or an inner fold
        would train on one class.

    Warns
    -----
    ConvergenceWarning
        Once, with their number, if fits did not converge or the one returned collapsed.
    """
    if not grams:
        raise ValueError("no backbone to choose from")
    labels = binary_labels(train_labels, len(next(iter(grams.values())).train))
    splits = inner_folds(labels, groups, folds, seed)
    taken: tuple[str, ...] = ()
    tried: list[tuple[tuple[str, ...], InnerScore]] = []
    chosen: InnerScore | None = None
    seconds, unfinished = 0.0, 0
    while len(taken) < len(grams):
        candidates = [(*taken, name) for name in grams if name not in taken]
        evaluated = []
        for names in candidates:
            fused = fuse([grams[name] for name in names])
            table, spent = inner_scores(fused, labels, splits, settings)
            del fused  # it would live on while the next is formed
            evaluated.append((names, best(table)))
            unfinished += sum(not setting.converged for setting in table)
            seconds += sum(spent.values())
        tried += evaluated
        names, score = max(evaluated, key=lambda candidate: merit(candidate[1]))
        if chosen is not None and merit(score) <= merit(chosen):
            break
        taken, chosen = names, score
    assert chosen is not None
    fused = fuse([grams[name] for name in taken])
    (fit,) = fit_chosen(fused, labels, [chosen], settings)
    warn_of([fit], unfinished)
    return BackboneSearch(taken, Choice(chosen, fit, seconds + fit.seconds), tuple(tried))
