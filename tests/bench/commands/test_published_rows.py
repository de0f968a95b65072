"""Bundles of a published set are compared with the set's own tables."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.commands.sharing.published_rows import rows_that_differ
from bench.planning.protocols import PROTOCOLS

SUBSET, SEED = "mass", 3


@dataclass
class Tables:
    """As much of a data set as is compared."""

    table: pd.DataFrame

    def rows(self, subset: str) -> pd.DataFrame:
        return self.table[self.table["subset"] == subset].reset_index(drop=True)


@pytest.fixture
def dataset() -> Any:
    patients = np.arange(60) // 2
    table = pd.DataFrame(
        {
            "crop_id": [f"c{number:03d}" for number in range(60)],
            "lesion_id": [f"l{number:03d}" for number in patients],
            "patient_id": [f"P_{number:05d}" for number in patients],
            "subset": SUBSET,
            "label": patients % 2,
            "split": np.where(patients % 3 == 0, "test", "train"),
        }
    )
    return Tables(table)


def bundle_of(dataset: Any, *protocols: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units and predictions as a run on this set has them."""
    units, scores = [], []
    rows = dataset.rows(SUBSET)
    for protocol in protocols:
        split: Any = PROTOCOLS[protocol].split(rows, 2, SEED)
        for fold in split.folds:
            unit = f"{protocol}/{fold.repeat}/{fold.number}"
            units.append(
                {
                    **{"unit": unit, "subset": SUBSET, "protocol": protocol, "seed": SEED},
                    **{"repeat": fold.repeat, "fold": fold.number, "status": "ok"},
                    **{"train_fraction": 1.0, "n_train": len(fold.train)},
                }
            )
            tested = rows.iloc[fold.test][["crop_id", "lesion_id", "patient_id", "label"]]
            scores.append(tested.assign(unit=unit))
    return pd.DataFrame(units), pd.concat(scores, ignore_index=True)


def test_what_the_tables_give_has_no_fault(dataset: Any) -> None:
    faults, checked, unchecked = rows_that_differ(
        dataset, *bundle_of(dataset, "official", "patient-cv", "image-cv")
    )
    assert faults == unchecked == []
    assert len(checked) == 4


def test_rotated_folds_cannot_be_drawn_from_tables(dataset: Any) -> None:
    units, scores = bundle_of(dataset, "official")
    _, _, unchecked = rows_that_differ(dataset, units.assign(protocol="rotated-by-patient"), scores)
    assert "cannot be drawn again" in unchecked[0]


def test_joined_patients_are_told_and_their_folds_checked(dataset: Any) -> None:
    # Two patients that share a picture count as one, which the tables alone do not show.
    joint = Tables(dataset.table.assign(group_id=dataset.table["patient_id"]))
    joint.table.loc[joint.table["patient_id"] == "P_00009", "group_id"] = "P_00003"
    units, scores = bundle_of(joint, "patient-cv")
    scores["patient_id"] = scores["patient_id"].replace("P_00009", "P_00003")
    faults, checked, unchecked = rows_that_differ(dataset, units, scores)
    assert faults == []
    assert len(checked) == 2
    assert "P_00009" in unchecked[0]


def other(scores: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    first = scores["crop_id"] == scores["crop_id"].iloc[0]
    scores.loc[first, column] = value
    return scores


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda u, s: (u, other(s, "label", 1 - s["label"].iloc[0])), "label of c"),
        (lambda u, s: (u, other(s, "lesion_id", "l999")), "lesion_id of c"),
        (lambda u, s: (u, other(s, "crop_id", "c999")), "not in the data, as 'c999'"),
        (lambda u, s: (u, other(s, "patient_id", "P_00099")), "is two here"),
        (lambda u, s: (u, s.replace({"patient_id": {"P_00003": "P_00099"}})), "not the patient"),
        (
            lambda u, s: (
                u,
                s.replace({"patient_id": {"P_00003": "P_00005", "P_00005": "P_00003"}}),
            ),
            "not the patient",
        ),
        (lambda u, s: (u.assign(seed=4), s), "not those of the protocol"),
        (lambda u, s: (u.assign(n_train=u["n_train"] + 1), s), "more training crops"),
    ],
)
def test_what_differs_from_the_tables_is_found(dataset: Any, change: Any, wanted: str) -> None:
    units, scores = change(*bundle_of(dataset, "patient-cv"))
    faults, _, _ = rows_that_differ(dataset, units, scores)
    assert len(faults) == 1
    assert wanted in faults[0]
    assert "\n" not in faults[0]
