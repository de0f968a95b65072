"""The bootstrap takes patients, the same ones for all, and equals the plain loop it replaces."""

import math

import numpy as np
import pytest
from sklearn import metrics

from reports import measures, patient_bootstrap
from reports.statistics.bootstrap import bootstrap, draw_patients, observed
from reports.statistics.intervals import interval
from reports.statistics.measures import MEASURES
from reports.systems.rows import ScoredRows


def rows_of(seed: int, n: int = 60, patients: int = 20, folds: int = 1) -> ScoredRows:
    """Tied scores of made-up patients, who keep to one fold each."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, patients, n)
    positive = rng.random(n) < 0.4
    score = (rng.normal(0.8 * positive, 1)).round(1)
    return ScoredRows(positive, score, score > 0.3, patient, patient % folds)


def by_loop(rows: ScoredRows, everyone: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Each draw as a table in which a row stands as often as its patient was drawn."""
    multiplicity = draw_patients(len(everyone), draws, seed)
    values = []
    for draw in multiplicity.T:
        times = draw[np.searchsorted(everyone, rows.patient)].astype(int)
        y, score, called = (np.repeat(part, times) for part in rows[:3])
        both = 0 < y.sum() < len(y)
        values.append(
            [
                metrics.accuracy_score(y, called),
                metrics.roc_auc_score(y, score) if both else math.nan,
                metrics.recall_score(y, called, zero_division=math.nan),
                metrics.recall_score(y, called, pos_label=0, zero_division=math.nan),
                metrics.matthews_corrcoef(y, called)
                if both and 0 < called.sum() < len(called)
                else math.nan,
            ]
        )
    return np.array(values).T


NAMES = ("accuracy", "auc", "sensitivity", "specificity", "mcc")


def test_equals_the_loop_over_duplicated_rows() -> None:
    # The second system has one repeat more, which lacks some of the patients.
    part = ScoredRows(*(column[:25] for column in rows_of(3)))
    systems = [[rows_of(1)], [rows_of(2), part]]
    everyone = np.unique(np.concatenate([rows.patient for repeats in systems for rows in repeats]))
    found = bootstrap(systems, NAMES, draws=70, seed=5)
    for values, repeats in zip(found, systems, strict=True):
        wanted = np.mean([by_loop(rows, everyone, 70, 5) for rows in repeats], axis=0)
        np.testing.assert_allclose(values, wanted, atol=1e-12)


def test_the_auc_of_folds_equals_weighted_measures() -> None:
    rows = rows_of(4, folds=3)
    everyone = np.unique(rows.patient)
    found = bootstrap([[rows]], ["auc"], draws=40, seed=0)[0, 0]
    multiplicity = draw_patients(len(everyone), 40, 0)
    for value, draw in zip(found, multiplicity.T, strict=True):
        weight = draw[np.searchsorted(everyone, rows.patient)]
        wanted = measures(rows.positive, rows.score, 0.0, weight, rows.fold)["auc"]
        assert value == pytest.approx(wanted, abs=1e-12)


def test_what_is_observed_are_the_measures_averaged_over_repeats() -> None:
    # Patients that are numbered with gaps count as any others.
    repeats = [rows_of(1, folds=3), rows_of(2)._replace(patient=5 * rows_of(2).patient + 2)]
    wanted = [
        [measures(rows.positive, rows.score, 0.3, fold=rows.fold)[name] for name in MEASURES]
        for rows in repeats
    ]
    np.testing.assert_allclose(observed(repeats, MEASURES), np.mean(wanted, axis=0), atol=1e-12)


def test_one_system_has_the_interval_it_has_among_others() -> None:
    rows = rows_of(1)
    together = interval(
        bootstrap([[rows], [rows_of(2)._replace(patient=rows.patient)]], ["mcc"])[0, 0]
    )
    names = np.array([f"P{number:02d}" for number in rows.patient])
    alone = patient_bootstrap(rows.positive, rows.score, names, "mcc", threshold=0.3)
    assert alone == together


def test_every_draw_has_as_many_patients() -> None:
    counts = draw_patients(17, 50, 3)
    assert counts.shape == (17, 50)
    assert (counts.sum(axis=0) == 17).all()
    assert (counts == draw_patients(17, 50, 3)).all()
    assert (counts != draw_patients(17, 50, 4)).any()


def test_patients_are_drawn_and_not_images() -> None:
    # Ten crops of each patient, all with one score: as images they look ten times as certain.
    rng = np.random.default_rng(0)
    y = np.repeat(rng.random(40) < 0.5, 10)
    score = np.repeat(rng.normal(0.7 * y[::10], 1), 10)
    patients = patient_bootstrap(y, score, np.repeat(np.arange(40), 10))
    images = patient_bootstrap(y, score, np.arange(400))
    assert np.ptp(patients) > 2 * np.ptp(images)


def test_covers_the_true_auc_about_as_often_as_it_says() -> None:
    # Normal scores one standard deviation apart; two crops a patient.
    truth = 0.7602
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        y = np.repeat(np.arange(80) % 2, 2)
        score = rng.normal(y, 1)
        low, high = patient_bootstrap(y, score, np.repeat(np.arange(80), 2), draws=300)
        hits += low <= truth <= high
    assert hits >= 86


def test_few_undefined_draws_are_left_out_and_many_leave_no_interval() -> None:
    values = np.linspace(0, 1, 1000)
    values[:40] = math.nan
    low, high = interval(values)
    assert low > 0.04
    assert high < 1
    values[:60] = math.nan
    assert all(math.isnan(limit) for limit in interval(values))
    # One malignant patient of three is missing from 8 draws in 27.
    assert all(map(math.isnan, patient_bootstrap([1, 0, 0], [1.0, 0.0, 0.5], ["a", "b", "c"])))


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_an_interval_around_it(measure: str) -> None:
    rows = rows_of(1, n=200, patients=60)
    low, high = patient_bootstrap(rows.positive, rows.score, rows.patient, measure, threshold=0.3)
    assert low < measures(rows.positive, rows.score, 0.3)[measure] < high


def test_no_rows_have_no_interval() -> None:
    assert all(map(math.isnan, patient_bootstrap([], [], [])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "kappa"}, "measure must be one of"),
        ({"patient_id": ["a"]}, "patient_id has shape"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"score": [0.0, math.nan]}, "score must be finite"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    arguments = {"y": [0, 1], "score": [0.0, 1.0], "patient_id": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        patient_bootstrap(**(arguments | change))  # type: ignore[arg-type]
