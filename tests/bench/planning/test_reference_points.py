"""What radiologists wrote down, as features of a reference point."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bench.data.cbis_ddsm.case_tables import find_tables, read_tables
from bench.planning.planner import Request, make_plan
from bench.planning.protocols import PROTOCOLS
from bench.planning.reference_points import READERS, table_features
from classifiers import KERNELS, fit_reference

N = 60


def table(**columns):
    told = {
        "patient_id": [f"P{i // 2}" for i in range(N)],
        "label": np.arange(N) // 2 % 2,
        "split": "none",
        "subset": "mass",
    }
    return pd.DataFrame(told | columns)


def test_each_value_has_a_column_and_a_missing_one_is_a_value():
    rows = pd.DataFrame({"assessment": [4.0, np.nan, 5.0, 4.0], "shape": ["OVAL", "", "", "ROUND"]})
    found = table_features(rows, "reader:description")
    assert found.shape == (4, 6)
    assert (found.sum(axis=1) == 2).all()
    assert not np.array_equal(found[0], found[3])
    np.testing.assert_array_equal(found[:, :3].sum(axis=0), [1, 2, 1])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, []),
        ({"assessment": 4}, []),
        ({"assessment": np.arange(N) % 3}, ["reader:assessment"]),
        ({"assessment": np.arange(N) % 3, "shape": ""}, ["reader:assessment"]),
        ({"assessment": np.arange(N) % 3, "shape": ["OVAL", "ROUND"] * (N // 2)}, [*READERS]),
    ],
)
def test_there_is_a_row_where_the_data_set_tells_crops_apart(columns, expected):
    request = Request(
        {"mass": ("mass",)}, ("a",), ("linear",), tuple(KERNELS), ("patient-cv",), 1, 0
    )
    plan = make_plan(table(**columns), request)
    found = [system.extractor for system in plan.references["mass"]]
    assert [name for name in found if name in READERS] == expected


def test_the_real_tables_give_about_what_the_assessment_alone_is_worth(cbis_tables: Path):
    """As a number, by where 0 ("incomplete") is placed, it is worth 0.83 on mass, 0.73 to 0.75 on
    calc and 0.78 to 0.79 on both; with shape and margins 0.886 on mass. Here training rows place
    each value, so that small differences are left."""
    rows = read_tables(find_tables(cbis_tables)).rows
    for subset, name, low, high in (
        (("mass",), "reader:assessment", 0.82, 0.85),
        (("calc",), "reader:assessment", 0.73, 0.77),
        (("mass", "calc"), "reader:assessment", 0.77, 0.81),
        (("mass",), "reader:description", 0.876, 0.896),
    ):
        used = rows[rows["subset"].isin(subset)].reset_index(drop=True)
        (fold,) = PROTOCOLS["official"].split(used, 1, 0).folds
        features, labels = table_features(used, name), used["label"].to_numpy()
        fit = fit_reference(
            "logistic", features[fold.train], labels[fold.train], features[fold.test]
        )
        assert low < roc_auc_score(labels[fold.test], fit.score) < high
