"""Intervals over patients hold the truth as often as they say; over images they do not.

Made-up patients with three images each: the score of an image is its class, its patient and chance,
with a variance of 1 in each class, so that the true AUC is known in closed form.
"""

import numpy as np
import pandas as pd
from scipy import stats

from reports import patient_bootstrap
from reports.statistics.difference import contrast
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows

PATIENTS, IMAGES = 200, 3
APART = 1.2  # distance of the classes' means
ALIKE = 0.7  # correlation of two images of a patient
# Two independent scores of unit variance differ with a variance of 2.
TRUE_AUC = stats.norm.cdf(APART / np.sqrt(2))
PATIENT = np.repeat(np.arange(PATIENTS), IMAGES)


def made_patients(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of patients drawn from the population, and the scores of their images."""
    label = (random.random(PATIENTS) < 0.4)[PATIENT]
    own = random.normal(size=PATIENTS)[PATIENT]
    chance = random.normal(size=PATIENTS * IMAGES)
    return label, APART * label + np.sqrt(ALIKE) * own + np.sqrt(1 - ALIKE) * chance


def test_patients_hold_the_true_auc_and_images_do_not() -> None:
    repetitions, by_image = 1000, 300
    patients = [_held(seed, PATIENT) for seed in range(repetitions)]
    images = [_held(seed, np.arange(len(PATIENT))) for seed in range(by_image)]
    assert 0.93 <= np.mean(patients) <= 0.97
    assert np.mean(images) < 0.88


def _held(seed: int, drawn: np.ndarray) -> bool:
    """Whether the interval on one data set, drawn in these units, holds the true AUC."""
    label, score = made_patients(np.random.default_rng(seed))
    low, high = patient_bootstrap(label, score, drawn, draws=500, seed=seed)
    return bool(low <= TRUE_AUC <= high)


def test_equal_systems_are_told_apart_as_often_as_the_test_allows() -> None:
    alarms, held, repetitions = 0, 0, 400
    for seed in range(repetitions):
        random = np.random.default_rng(seed)
        label, score = made_patients(random)
        # Two systems that share what makes a patient hard, equally good.
        one, other = (score + 0.7 * random.normal(size=len(score)) for _ in range(2))
        found = contrast(_system(label, one), _system(label, other), draws=300, seed=seed)
        alarms += found.p < 0.05
        held += found.low <= 0 <= found.high
    assert 0.025 <= alarms / repetitions <= 0.08
    assert 0.92 <= held / repetitions <= 0.975


def _system(label: np.ndarray, score: np.ndarray) -> PooledSystem:
    rows = ScoredRows(label, score, score > 0, PATIENT, np.zeros(len(PATIENT), dtype=np.int64))
    units = pd.DataFrame({"repeat": [0], "fold": [0]})
    return PooledSystem({"extractor": "made up"}, units, (rows,), "ok")
