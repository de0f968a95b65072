"""A leak that is planted is seen: by the audit where it is one of protocol, by a fit where not.

Features know each patient and nothing of the label, so that whatever is learnt came over the split.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.crops.rotated import rotated_rows
from bench.planning.protocols import PROTOCOLS, manifest_rows
from classifiers import Gram, sweep
from reports.systems.pairs import pairs
from reports.systems.pooling import pool
from reports.systems.run_folder import Run
from reports.systems.schema import PREDICTION_COLUMNS, SYSTEM_COLUMNS, UNIT_COLUMNS
from reports.tables.leakage_audit import leakage_audit

PATIENTS = 100
KERNEL = "fine_gaussian"


def lesions(crops_each: int) -> pd.DataFrame:
    """Whole patients with one label, drawn without regard to anything."""
    label = np.random.default_rng(1).permutation(np.arange(PATIENTS) % 2)
    patient = np.repeat(np.arange(PATIENTS), crops_each)
    return pd.DataFrame(
        {
            "crop_id": [f"c{place}" for place in range(len(patient))],
            "lesion_id": [f"l{place}" for place in range(len(patient))],
            "patient_id": [f"p{number:03d}" for number in patient],
            "label": label[patient],
            "split": "none",
            "rotation": 0,
        }
    )


def measured(table: pd.DataFrame, features: np.ndarray, names: tuple[str, str]) -> pd.Series:
    """The row of the audit that a run of the two protocols on these features gives."""
    units, scores = [], []
    for protocol in names:
        for fold in PROTOCOLS[protocol].split(table, 1, 3).folds:
            labels = table["label"].to_numpy()[fold.train]
            score = sweep(features[fold.train], labels, features[fold.test], [KERNEL]).scores
            unit = dict.fromkeys(UNIT_COLUMNS) | dict.fromkeys(SYSTEM_COLUMNS, "made")
            unit |= {"unit": f"{protocol}{fold.number}", "protocol": protocol, "status": "ok"}
            unit |= {"repeat": 0, "fold": fold.number, "threshold": 0.0, "train_fraction": 1.0}
            units.append(unit | {"n_train": len(fold.train), "n_test": len(fold.test)})
            rows = table.iloc[fold.test].assign(score=score[KERNEL, 1.0], unit=unit["unit"])
            scores.append(rows.assign(repeat=0, fold=fold.number)[list(PREDICTION_COLUMNS)])
    run = Run(
        folder=Path("run"),
        manifest={
            "audits": [name for name in names if PROTOCOLS[name].audit],
            "protocols": manifest_rows(names),
        },
        units=pd.DataFrame(units),
        predictions=pd.concat(scores, ignore_index=True),
        lesions=table,
        trainings=pd.DataFrame(),
        history=pd.DataFrame(),
    )
    (row,) = leakage_audit(pairs(run, pool(run)), run.patients).to_dict("records")
    return row


def alike(table: pd.DataFrame, by: str, noise: float) -> np.ndarray:
    """Features that rows of one patient, or of one crop, nearly share."""
    random = np.random.default_rng(2)
    number = table[by].factorize()[0]
    own = random.normal(size=(number.max() + 1, 8))[number]
    return own + noise * random.normal(size=own.shape)


def test_a_patient_on_both_sides_is_seen() -> None:
    table = lesions(crops_each=3)
    row = measured(table, alike(table, "patient_id", 0.3), ("image-cv", "patient-cv"))
    assert row["auc_difference_ci_low"] > 0
    assert row["accuracy_difference_ci_low"] > 0
    assert row["twin_auc"] < 0.6


def test_augmentation_before_the_split_is_seen() -> None:
    """One crop a patient: only its own turned copies can stand on the other side."""
    table = rotated_rows(lesions(crops_each=1).drop(columns="rotation"))
    features = alike(table, "crop_id", 0.3)
    row = measured(table, features, ("rotated-image-cv", "rotated-by-patient"))
    assert row["auc_difference_ci_low"] > 0
    assert row["accuracy_difference_ci_low"] > 0
    assert row["twin_auc"] < 0.6


def test_where_nothing_leaks_no_difference_is_seen() -> None:
    """Features of each row's own: a patient on both sides tells nothing."""
    table = lesions(crops_each=3)
    features = np.random.default_rng(4).normal(size=(len(table), 8))
    row = measured(table, features, ("image-cv", "patient-cv"))
    assert row["auc_difference_ci_low"] < 0 < row["auc_difference_ci_high"]


def test_a_scaler_of_all_rows_would_be_seen() -> None:
    """Shifted and stretched test rows change no training quantity, with any kernel."""
    random = np.random.default_rng(5)
    train, test = random.normal(size=(40, 6)), random.normal(size=(20, 6))
    labels = np.arange(40) % 2
    other = 100 + 7 * test
    np.testing.assert_array_equal(Gram.of(train, test).train, Gram.of(train, other).train)
    one, two = (sweep(train, labels, rows).fits for rows in (test, other))
    for key in one:
        assert one[key].iterations == two[key].iterations
        assert one[key].n_support == two[key].n_support
    # The training rows scored as test rows have the scores they have beside any others.
    beside = [np.vstack([train, rows]) for rows in (test, other)]
    scores = [sweep(train, labels, rows).scores for rows in beside]
    for key in scores[0]:
        np.testing.assert_allclose(scores[0][key][:40], scores[1][key][:40], rtol=0, atol=1e-12)
