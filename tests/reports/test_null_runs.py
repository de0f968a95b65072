"""Where labels mean nothing, intervals, tests and folds say so: an SVM from splits to intervals.

Whole label vectors are exchanged between patients with equal numbers of rows. The features know
each patient, so that anything that let a patient stand on both sides would be seen.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.planning.protocols import PROTOCOLS
from classifiers import KernelSVC
from reports import measures, patient_bootstrap

PATIENTS, ROWS = 120, 2
PATIENT = np.repeat(np.arange(PATIENTS), ROWS)
TRAIN = PATIENT < PATIENTS // 2


def made_features(seed: int) -> np.ndarray:
    """Six features, nearly the same in both rows of a patient."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(PATIENTS, 6))[PATIENT]
    return own + 0.3 * random.normal(size=(len(PATIENT), 6))


def made_labels(seed: int) -> np.ndarray:
    """Two labels a patient, mostly alike."""
    random = np.random.default_rng(seed)
    first = random.random(PATIENTS) < 0.4
    return np.where(random.random(PATIENTS) < 0.9, (first, first), (first, ~first)).T.astype(int)


def exchanged(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The rows' labels after whole vectors were exchanged between patients."""
    return labels[random.permutation(PATIENTS)].ravel()


def scores(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    return KernelSVC(kernel="medium_gaussian").fit(x[train], y[train]).decision_function(x[test])


def test_intervals_on_a_single_split_hold_one_half() -> None:
    x, labels, random = made_features(0), made_labels(1), np.random.default_rng(2)
    held, permutations = 0, 300
    for seed in range(permutations):
        y = exchanged(labels, random)
        score = scores(x, y, TRAIN, ~TRAIN)
        low, high = patient_bootstrap(y[~TRAIN], score, PATIENT[~TRAIN], draws=500, seed=seed)
        held += low <= 0.5 <= high
    assert 0.91 <= held / permutations <= 0.98


@pytest.mark.slow
def test_permutation_p_values_are_uniform() -> None:
    """Each of 200 null data sets against 19 exchanges of its own: p is one of 0.05, 0.10 … 1."""
    shares = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        x, labels = made_features(seed), made_labels(1000 + seed)
        own, *others = (
            measures(y[~TRAIN], scores(x, y, TRAIN, ~TRAIN))["auc"]
            for y in (labels.ravel(), *(exchanged(labels, random) for _ in range(19)))
        )
        shares.append(np.mean(np.array(others) >= own))
    assert _uniform(shares) > 0.01


def _uniform(shares: list[float]) -> float:
    """p of a chi-squared test of the 20 possible values, in five bins, against equal counts."""
    ranks = np.round(np.array(shares) * 19).astype(int)
    return float(stats.chisquare(np.bincount(ranks // 4, minlength=5)).pvalue)


def test_the_mean_auc_of_patient_cv_is_one_half() -> None:
    x, labels, random = made_features(0), made_labels(1), np.random.default_rng(3)
    values = []
    for seed in range(100):
        y = exchanged(labels, random)
        rows = pd.DataFrame({"patient_id": PATIENT.astype(str), "label": y})
        score, fold = np.empty(len(y)), np.empty(len(y), dtype=int)
        for part in PROTOCOLS["patient-cv"].split(rows, 1, seed).folds:
            score[part.test] = scores(x, y, part.train, part.test)
            fold[part.test] = part.number
        values.append(measures(y, score, fold=fold)["auc"])
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - 0.5) < 2 * error
    assert error < 0.01
