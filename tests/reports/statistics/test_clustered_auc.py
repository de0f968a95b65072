"""DeLong's worked example, Obuchowski's form by its formulas, and the bootstrap beside both.

The data are those of DeLong et al. (1988): albumin, total protein and K-G score of 43 patients with
ovarian cancer, as SAS/STAT prints them (PROC LOGISTIC, "Comparing Receiver Operating Characteristic
Curves"), with its areas and standard errors.
"""

import numpy as np
import pytest
from scipy import stats

from reports.statistics.bootstrap import bootstrap
from reports.statistics.clustered_auc import analytic_auc
from reports.systems.rows import ScoredRows

# Albumin, total protein, K-G score (lower is better), and whether surgery helped.
PATIENTS = """
3.0 5.8 10 0   3.2 6.3  5 1   3.9 6.8  3 1   2.8 4.8  6 0   3.2 5.8  3 1   0.9 4.0  5 0
2.5 5.7  8 0   1.6 5.6  5 1   3.8 5.7  5 1   3.7 6.7  6 1   3.2 5.4  4 1   3.8 6.6  6 1
4.1 6.6  5 1   3.6 5.7  5 1   4.3 7.0  4 1   3.6 6.7  4 0   2.3 4.4  6 1   4.2 7.6  4 0
4.0 6.6  6 0   3.5 5.8  6 1   3.8 6.8  7 1   3.0 4.7  8 0   4.5 7.4  5 1   3.7 7.4  5 1
3.1 6.6  6 1   4.1 8.2  6 1   4.3 7.0  5 1   4.3 6.5  4 1   3.2 5.1  5 1   2.6 4.7  6 1
3.3 6.8  6 0   1.7 4.0  7 0   3.7 6.1  5 1   3.3 6.3  7 1   4.2 7.7  6 1   3.5 6.2  5 1
2.9 5.7  9 0   2.1 4.8  7 1   2.8 6.2  8 0   4.0 7.0  7 1   3.3 5.7  6 1   3.7 6.9  5 1
3.6 6.6  5 1
"""
TABLE = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4)
# Total protein and K-G score: area and standard error.
PUBLISHED = {1: (0.6478, 0.1000), 2: (0.7258, 0.1028)}


def made(
    positive: np.ndarray, score: np.ndarray, patient: np.ndarray, fold: np.ndarray | None = None
) -> ScoredRows:
    where = np.zeros(len(score), dtype=np.int64) if fold is None else fold
    return ScoredRows(positive, score, score > 0, patient, where)


@pytest.mark.parametrize("marker", PUBLISHED)
def test_the_published_example(marker: int) -> None:
    score = -TABLE[:, 2] if marker == 2 else TABLE[:, marker]
    found = analytic_auc(made(TABLE[:, 3] > 0, score, np.arange(len(TABLE))))
    assert (found.value, found.by_crop) == pytest.approx(PUBLISHED[marker], abs=5e-5)
    # With one crop a patient both forms are the same.
    assert found.by_patient == pytest.approx(found.by_crop, rel=1e-9)


def clustered(seed: int = 0, patients: int = 80) -> ScoredRows:
    """Patients with one to four crops, some with crops of both classes, and ties."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), random.integers(1, 5, patients))
    inclined = random.random(patients)[patient]
    positive = random.random(len(patient)) < inclined
    own = random.normal(size=patients)[patient]
    score = (positive + own + random.normal(size=len(patient))).round(1)
    return made(positive, score, patient)


def by_formula(rows: ScoredRows) -> float:
    """Obuchowski (1997), written out pair by pair."""
    x, y = rows.score[rows.positive], rows.score[~rows.positive]
    won = (x[:, None] > y) + (x[:, None] == y) / 2
    area, (big_m, big_n) = won.mean(), won.shape
    of_x, of_y = rows.patient[rows.positive], rows.patient[~rows.positive]
    clusters = np.unique(rows.patient)
    first = np.array([(won.mean(axis=1)[of_x == c] - area).sum() for c in clusters])
    second = np.array([(won.mean(axis=0)[of_y == c] - area).sum() for c in clusters])
    i, i10, i01 = len(clusters), len(np.unique(of_x)), len(np.unique(of_y))
    s10 = i10 / ((i10 - 1) * big_m) * (first**2).sum()
    s01 = i01 / ((i01 - 1) * big_n) * (second**2).sum()
    s11 = i / (i - 1) * (first * second).sum()
    return float(np.sqrt(s10 / big_m + s01 / big_n + 2 * s11 / (big_m * big_n)))


@pytest.mark.parametrize("seed", range(5))
def test_several_crops_a_patient_against_the_formulas(seed: int) -> None:
    rows = clustered(seed)
    assert analytic_auc(rows).by_patient == pytest.approx(by_formula(rows), rel=1e-9)


def test_the_bootstrap_over_patients_has_that_standard_error() -> None:
    rows = clustered(patients=150)
    found = analytic_auc(rows)
    drawn = bootstrap([[rows]], ["auc"], draws=4000)[0, 0].std(ddof=1)
    assert drawn == pytest.approx(found.by_patient, rel=0.06)
    # And not that of independent crops, which is too small here.
    assert found.by_crop < 0.9 * drawn


def test_folds_are_independent() -> None:
    one, other = clustered(1), clustered(2)
    both = made(
        *(np.concatenate([one[column], other[column]]) for column in (0, 1)),
        np.concatenate([one.patient, other.patient + 1000]),
        np.repeat([0, 1], [len(one.score), len(other.score)]),
    )
    drawn = bootstrap([[both]], ["auc"], draws=4000)[0, 0].std(ddof=1)
    assert analytic_auc(both).by_patient == pytest.approx(drawn, rel=0.06)


def test_what_is_undefined_is_nan() -> None:
    rows = clustered()
    shared = rows._replace(fold=np.arange(len(rows.score)) % 2)
    assert np.isnan(analytic_auc(shared).by_patient)
    assert np.isfinite(analytic_auc(shared).by_crop)
    assert np.isnan(analytic_auc(rows.where(rows.positive))).all()


def test_intervals_of_the_analytic_form_hold_the_truth() -> None:
    """Wald intervals by patient in 400 samples of 100 patients; truth from the normal model."""
    held = 0
    truth = stats.norm.cdf(1 / np.sqrt(2 * (1 + 0.5)))
    for seed in range(400):
        random = np.random.default_rng(seed)
        patient = np.repeat(np.arange(100), 2)
        positive = (random.random(100) < 0.4)[patient]
        own = np.sqrt(0.5) * random.normal(size=100)[patient]
        score = positive + own + random.normal(size=200)
        found = analytic_auc(made(positive, score, patient))
        held += abs(found.value - truth) <= 1.96 * found.by_patient
    # 0.918: with some 40 positive patients a Wald interval is a little too short.
    assert 0.90 <= held / 400 <= 0.975
