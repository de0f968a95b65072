"""Keys hold everything that can change a result, and nothing that cannot."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.data import CropSettings
from bench.execution.keys import (
    chunk_key,
    feature_identity,
    fold_digest,
    judgement_key,
    unit_key,
)
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, System
from extractors import BackboneInfo

CROPS = [f"{i:064x}" for i in range(6)]
LABELS = [0, 1, 0, 1, 0, 1]
SETTINGS = CropSettings()
FOLD = Fold("mass", "official", 0, 0, np.array([0, 1, 2, 3]), np.array([4, 5]))
SYSTEM = System("timm:resnet18", "linear", 1.0, "auto")
GROUPS = np.array([0, 0, 1, 1])


def stack(crops=CROPS, labels=LABELS, settings=SETTINGS):
    """What a fold's digest reads of a crop stack."""
    return SimpleNamespace(digests=crops, table=pd.DataFrame({"label": labels}), settings=settings)


BASE = fold_digest(FOLD, stack())


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
    assert fold_digest(replace(FOLD, **change), stack()) != BASE


def test_a_pixel_a_training_label_or_a_setting_changes_the_digest():
    other_crop = ["f" * 64, *CROPS[1:]]
    assert fold_digest(FOLD, stack(other_crop)) != BASE
    assert fold_digest(FOLD, stack(labels=[1, *LABELS[1:]])) != BASE
    assert fold_digest(FOLD, stack(settings=CropSettings(fit="stretch"))) != BASE


def test_a_test_label_changes_nothing():
    assert fold_digest(FOLD, stack(labels=[*LABELS[:4], 1, 0])) == BASE


@pytest.mark.parametrize(
    "change", [{"extractor": "x"}, {"classifier": "cubic"}, {"C": 2.0}, {"scale": "4"}]
)
def test_another_system_has_another_key(change):
    base = unit_key(BASE, "features", SYSTEM, GROUPS)
    assert unit_key(BASE, "features", replace(SYSTEM, **change), GROUPS) != base


def test_a_unit_depends_on_its_fold_its_features_its_solver_and_the_memory(monkeypatch):
    base = unit_key(BASE, "features", SYSTEM, GROUPS)
    assert unit_key("another", "features", SYSTEM, GROUPS) != base
    assert unit_key(BASE, "others", SYSTEM, GROUPS) != base
    assert unit_key(BASE, "features", SYSTEM, GROUPS, 2.0**30) != base
    # Patients play a part where inner folds do, and nowhere else.
    others = np.array([0, 1, 1, 2])
    assert unit_key(BASE, "features", SYSTEM, others) == base
    assert judgement_key(BASE, "features", SYSTEM, others) != judgement_key(
        BASE, "features", SYSTEM, GROUPS
    )
    monkeypatch.setattr("bench.execution.keys.TOLERANCE", 1e-4)
    assert unit_key(BASE, "features", SYSTEM, GROUPS) != base


def test_features_depend_on_the_extractor_and_on_the_crops_in_order():
    base = chunk_key({"weights": "a", "device": "cpu"}, "float32", CROPS)
    assert chunk_key({"device": "cpu", "weights": "a"}, "float32", CROPS) == base
    assert chunk_key({"weights": "b", "device": "cpu"}, "float32", CROPS) != base
    assert chunk_key({"weights": "a", "device": "cpu"}, "bfloat16", CROPS) != base
    assert chunk_key({"weights": "a", "device": "cpu"}, "float32", CROPS[::-1]) != base


def test_one_checkpoint_as_two_architectures_has_two_identities():
    """Name, weights and input are the same; what the weights are loaded into is not."""
    info = BackboneInfo("mine", "timm", "resnet18", "file:0", "file", weights_digest="0")
    declared = [f"mine=/a/best.pth:{one}" for one in ("timm:resnet18", "torchvision:resnet18")]
    declared += ["mine=/a/best.pth:timm:resnet18@layer1", "mine=/b/best.pth:timm:resnet18"]
    rules = SimpleNamespace(of_networks=lambda: {})
    first, library, layer, moved = (
        feature_identity(Extractor("mine", info, "file:0", declared=text), "0", rules)
        for text in declared
    )
    assert moved == first
    assert first not in (library, layer)
    assert library != layer
