"""What leaks between a set and an external one is seen, and what only one side has shows as a drop.

Features know each patient; what they know of the label is planted.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.planning import external_rows
from bench.planning.protocols import external_protocol, manifest_rows, protocol_of
from classifiers import sweep
from reports.systems.pooling import pool
from reports.systems.run_folder import Run
from reports.systems.schema import PREDICTION_COLUMNS, SYSTEM_COLUMNS, UNIT_COLUMNS
from reports.tables.external import external
from reports.values import missing

FAR = external_protocol("far")
KERNEL = "medium_gaussian"


def lesions(n=200, shared=0, seed=1):
    """Own rows with an official split, then external ones; two crops each, `shared` in both."""
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(n) % 2)
    patient = np.repeat(np.arange(n), 2)
    outside = patient >= n // 2
    person = np.where(outside & (patient < n // 2 + shared), patient - n // 2, patient)
    return pd.DataFrame(
        {
            "crop_id": [f"c{i}" for i in range(2 * n)],
            "lesion_id": [f"l{i}" for i in range(2 * n)],
            "patient_id": [
                f"{'far:' if o else ''}p{p:03d}" for o, p in zip(outside, patient, strict=True)
            ],
            "person": [f"p{p:03d}" for p in person],
            "external": np.where(outside, "far", ""),
            # Who is shared has the same label on both sides.
            "label": label[person],
            "split": np.where(outside, "none", np.where(patient % 3 == 0, "test", "train")),
            "rotation": 0,
        }
    )


def measured(table, features, protocols=("official", FAR), **told):
    """The row of the table of external tests that a run on these features gives.

    `told` are more columns of its units, a value for each protocol.
    """
    units, scores = [], []
    for number, protocol in enumerate(protocols):
        rows = table if protocol == FAR else table[table["external"] == ""]
        (fold,) = protocol_of(protocol).split(rows, 1, 3).folds
        labels = table["label"].to_numpy()[fold.train]
        score = sweep(features[fold.train], labels, features[fold.test], [KERNEL]).scores
        unit = dict.fromkeys(UNIT_COLUMNS) | dict.fromkeys(SYSTEM_COLUMNS, "made")
        unit |= {"unit": protocol, "protocol": protocol, "status": "ok", "train_fraction": 1.0}
        unit |= {"repeat": 0, "fold": 0, "threshold": 0.0, "n_train": len(fold.train)}
        unit |= {name: values[number] for name, values in told.items()}
        units.append(unit | {"n_test": len(fold.test)})
        rows = table.iloc[fold.test].assign(score=score[KERNEL, 1.0], unit=protocol)
        scores.append(rows.assign(repeat=0, fold=0)[list(PREDICTION_COLUMNS)])
    run = Run(
        folder=Path("run"),
        manifest={"protocols": manifest_rows(protocols)},
        units=pd.DataFrame(units),
        predictions=pd.concat(scores, ignore_index=True),
        lesions=table,
        trainings=pd.DataFrame(),
        history=pd.DataFrame(),
    )
    (row,) = external(run, pool(run)).to_dict("records")
    return row


def of_persons(table, noise=0.3):
    """Features that rows of one person nearly share."""
    random = np.random.default_rng(2)
    number = table["person"].factorize()[0]
    own = random.normal(size=(number.max() + 1, 8))[number]
    return own + noise * random.normal(size=own.shape)


@pytest.fixture(scope="module")
def nulls():
    tables = [lesions(seed=seed) for seed in range(40)]
    return [measured(table, of_persons(table)) for table in tables]


def holds(row, name, value):
    return row[f"{name}_ci_low"] <= value <= row[f"{name}_ci_high"]


@pytest.mark.parametrize(("measure", "value"), [("auc", 0.5), ("auc_drop", 0.0)])
def test_with_exchanged_labels_there_is_nothing_to_find(nulls, measure, value):
    """Of 40 intervals of 95 % that are right, 34 or more hold the value, but for one in 300."""
    assert sum(holds(row, measure, value) for row in nulls) >= 34


def test_what_both_sides_have_is_found_on_both():
    table = lesions()
    features = of_persons(table)
    features[:, 0] += 4 * table["label"]
    row = measured(table, features)
    assert row["auc_ci_low"] > 0.8
    assert holds(row, "auc_drop", 0)


def test_a_shortcut_of_one_side_shows_as_a_drop():
    table = lesions()
    features = of_persons(table)
    features[:, 0] += 6 * table["label"] * (table["external"] == "")
    row = measured(table, features)
    assert row["internal_auc_ci_low"] > 0.8
    assert holds(row, "auc", 0.5)
    assert row["auc_drop_ci_low"] > 0.2
    assert row["sensitivity_drop_ci_low"] > 0.2


def test_persons_of_both_sides_give_nothing_away():
    table = lesions(shared=90)
    row = measured(table, of_persons(table))
    assert row["n_train"] < row["internal_n_train"]
    assert holds(row, "auc", 0.5)


def test_persons_that_are_left_in_training_would_be_seen(monkeypatch):
    table = lesions(shared=90)
    monkeypatch.setattr(external_rows, "PERSON", "no such column")
    row = measured(table, of_persons(table))
    assert row["auc_ci_low"] > 0.5


def test_a_scale_that_is_fitted_there_would_be_seen():
    """Rows that are scaled by themselves would be as good as before; here they are not."""
    table = lesions()
    features = of_persons(table)
    features[:, 0] += 4 * table["label"]
    far = (table["external"] == "far").to_numpy()
    shifted = features.copy()
    shifted[far] = 50 + 9 * shifted[far]
    assert measured(table, shifted)["auc"] < measured(table, features)["auc"] - 0.2


def test_without_an_internal_test_there_is_no_drop():
    table = lesions()
    row = measured(table, of_persons(table), (FAR,))
    assert missing(row["auc_drop"])
    assert not missing(row["auc"])


@pytest.mark.parametrize(("outside", "is_one"), [("one", True), ("other", False)])
def test_selected_has_a_drop_where_one_system_is_chosen_on_both_sides(outside, is_one):
    table = lesions()
    row = measured(
        table,
        of_persons(table),
        extractor=["selected"] * 2,
        classifier=["selected"] * 2,
        chosen_extractor=["one", outside],
        chosen_classifier=["linear"] * 2,
    )
    assert missing(row["auc_drop"]) is not is_one
    assert not missing(row["auc"])


def test_the_draws_of_the_two_sides_are_independent():
    """Of sets with the same scores the drop is 0, and its interval is not a point."""
    table = lesions(shared=0)
    own = table["external"] == ""
    table.loc[own, "split"] = np.where(np.arange(own.sum()) < own.sum() // 2, "train", "test")
    test = table[own & (table["split"] == "test")]
    table = pd.concat([table[own], test.assign(external="far", split="none")], ignore_index=True)
    outside = (table["external"] == "far").to_numpy()
    for name in ("crop_id", "patient_id", "person"):
        table.loc[outside, name] = "far:" + table.loc[outside, name]
    features = of_persons(table)
    features[:, 0] += 1.5 * table["label"]
    features[outside] = features[~outside & (table["split"] == "test").to_numpy()]
    row = measured(table, features)
    assert row["auc_drop"] == 0
    alone = (row[f"auc_ci_{end}"] - row["auc"] for end in ("low", "high"))
    width, widths = row["auc_drop_ci_high"] - row["auc_drop_ci_low"], [abs(a) for a in alone]
    assert width > 1.2 * sum(widths)
