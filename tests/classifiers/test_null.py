"""Labels that mean nothing are worth nothing: mean AUC 0.5 for every way of choosing and fitting.

Whole label vectors are exchanged between patients with equal numbers of rows, in training and test
rows alike, so that everything stays as it was but the tie of labels to features.
"""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from classifiers import (
    Gram,
    SweepSettings,
    grams_of,
    platt,
    principal_components,
    search_backbones,
    sweep_subsets,
    tune,
    tune_gram,
)
from classifiers.tuning import TUNED_SCALES

PERMUTATIONS = 100
N_TRAIN = 60


def exchanged(labels, groups, rng):
    """Labels with whole patients' vectors exchanged among patients of as many rows."""
    result = labels.copy()
    names, counts = np.unique(groups, return_counts=True)
    for count in np.unique(counts):
        rows = [np.flatnonzero(groups == name) for name in names[counts == count]]
        for to, source in zip(rows, rng.permutation(len(rows)), strict=True):
            result[to] = labels[rows[source]]
    return result


def tuned(x, z, labels, groups):
    found = tune(x, labels, z, groups, ["medium_gaussian"], [0.1, 10], scale=[0.5, 1], folds=3)
    return found.choices["medium_gaussian"].fit.score


def components(x, z, labels, groups):
    gram = principal_components(Gram.of(x, z), 0.9)
    settings = SweepSettings(["linear"], [0.1, 1], TUNED_SCALES)
    return tune_gram(gram, labels, groups, settings, folds=3).choices["linear"].fit.score


def calibrated(x, z, labels, groups):
    found = tune(x, labels, z, groups, ["linear"], [1.0], scale=[1.0], folds=3).choices["linear"]
    return platt(found.inner.out_of_fold, labels)(found.fit.score)


def fused(x, z, labels, groups):
    parts = {"a": slice(0, 4), "b": slice(4, 20), "c": slice(20, 30)}
    grams = grams_of(*({name: m[:, part] for name, part in parts.items()} for m in (x, z)))
    *_, (names, result) = sweep_subsets(grams, labels, SweepSettings(["linear"]))
    assert len(names) == 3
    return result.scores["linear", 1.0]


def searched(x, z, labels, groups):
    parts = {"a": slice(0, 4), "b": slice(4, 20), "c": slice(20, 30)}
    grams = grams_of(*({name: m[:, part] for name, part in parts.items()} for m in (x, z)))
    settings = SweepSettings(["linear"])
    return search_backbones(grams, labels, groups, settings, folds=3).choice.fit.score


@pytest.mark.parametrize("system", [tuned, components, calibrated, fused, searched])
def test_permuted_labels_give_one_half(system):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), np.arange(60) % 2 + 1)
    positive = np.arange(60) % 3 == 0
    labels = positive[groups].astype(int)
    features = rng.normal(size=(60, 30))[groups] + rng.normal(size=(90, 30))
    train, test = np.arange(N_TRAIN), np.arange(N_TRAIN, 90)
    areas = []
    while len(areas) < PERMUTATIONS:
        y = exchanged(labels, groups, rng)
        score = system(features[train], features[test], y[train], groups[train])
        areas.append(roc_auc_score(y[test], score))
    error = np.std(areas, ddof=1) / np.sqrt(len(areas))
    assert abs(np.mean(areas) - 0.5) < 2 * error
    assert error > 0.005  # rows were exchanged, and scores with them
