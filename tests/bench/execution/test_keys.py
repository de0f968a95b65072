"""Keys hold everything that can change a result, and nothing that cannot."""

from dataclasses import replace

import numpy as np
import pytest

from bench.execution.keys import chunk_key, fold_digest, unit_key
from bench.planning.plan import Fold, System

CROPS = [f"{i:064x}" for i in range(6)]
LABELS = [0, 1, 0, 1, 0, 1]
SETTINGS = {"size": 256, "fit": "pad", "region": "crop"}
FOLD = Fold("mass", "official", 0, 0, np.array([0, 1, 2, 3]), np.array([4, 5]))
SYSTEM = System("timm:resnet18", "linear", 1.0, "auto")
BASE = fold_digest(FOLD, SETTINGS, CROPS, LABELS)


@pytest.mark.parametrize(
    "change",
    [
        {"subset": "all"},
        {"protocol": "patient-cv"},
        {"repeat": 1},
        {"number": 1},
        {"train": np.array([0, 1, 2])},
        {"train": np.array([1, 0, 2, 3])},
        {"test": np.array([5, 4])},
    ],
)
def test_another_fold_has_another_digest(change):
    assert fold_digest(replace(FOLD, **change), SETTINGS, CROPS, LABELS) != BASE


def test_a_pixel_a_training_label_or_a_setting_changes_the_digest():
    other_crop = ["f" * 64, *CROPS[1:]]
    assert fold_digest(FOLD, SETTINGS, other_crop, LABELS) != BASE
    assert fold_digest(FOLD, SETTINGS, CROPS, [1, *LABELS[1:]]) != BASE
    assert fold_digest(FOLD, SETTINGS | {"fit": "stretch"}, CROPS, LABELS) != BASE


def test_a_test_label_changes_nothing():
    assert fold_digest(FOLD, SETTINGS, CROPS, [*LABELS[:4], 1, 0]) == BASE


@pytest.mark.parametrize(
    "change", [{"extractor": "x"}, {"classifier": "cubic"}, {"C": 2.0}, {"scale": "4"}]
)
def test_another_system_has_another_key(change):
    base = unit_key(BASE, "features", SYSTEM, {"tol": 1e-3})
    assert unit_key(BASE, "features", replace(SYSTEM, **change), {"tol": 1e-3}) != base
    assert unit_key(BASE, "others", SYSTEM, {"tol": 1e-3}) != base
    assert unit_key(BASE, "features", SYSTEM, {"tol": 1e-4}) != base


def test_features_depend_on_the_extractor_and_on_the_crops_in_order():
    base = chunk_key({"weights": "a", "precision": "float32"}, CROPS)
    assert chunk_key({"precision": "float32", "weights": "a"}, CROPS) == base
    assert chunk_key({"weights": "b", "precision": "float32"}, CROPS) != base
    assert chunk_key({"weights": "a", "precision": "bfloat16"}, CROPS) != base
    assert chunk_key({"weights": "a", "precision": "float32"}, CROPS[::-1]) != base
