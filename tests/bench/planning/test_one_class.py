"""Test rows of one class give no AUC, and too few rows no split: both are said."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data import CropSettings, build_stack, load_lesions
from bench.data.summary import one_class_notices
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.protocols import PROTOCOLS
from bench.planning.rules import Rules
from bench.record.manifest import make_manifest


def table(labels, splits):
    rows = [f"p{n:02d}" for n in range(len(labels))]
    return pd.DataFrame(
        {"crop_id": rows, "patient_id": rows, "label": labels, "split": splits, "subset": "all"}
    )


TRAIN = ["train"] * 20 + ["test"] * 10


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("protocol", ["official", "pooled-official"])
def test_an_official_test_set_of_one_class(protocol, label):
    rows = table([0, 1] * 10 + [label] * 10, TRAIN)
    notice = PROTOCOLS[protocol].split(rows, 1, 0).notices[-1]
    assert notice.startswith(f"the 10 test crops hold one class only (label {label}): AUC")


def test_single_folds_of_one_class():
    """Three malignant patients cannot stand in five folds."""
    rows = table([0] * 27 + [1] * 3, "none")
    (notice,) = PROTOCOLS["patient-cv"].split(rows, 2, 0).notices
    assert notice.startswith("the test crops of 4 of 10 folds hold one class only (label 0)")


@pytest.mark.parametrize("protocol", ["official", "patient-cv", "pooled-official"])
def test_nothing_is_said_of_both_classes(protocol):
    rows = table([0, 1] * 15, TRAIN)
    assert "one class" not in " ".join(PROTOCOLS[protocol].split(rows, 1, 0).notices)


def test_data_info_and_the_run_say_it_first(tmp_path):
    lines = ["path,label,patient_id,split"]
    for number, split in enumerate(TRAIN):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{number % 2 * (split == 'train')},P{number},{split}")
    (tmp_path / "set.csv").write_text("\n".join([*lines]))
    cache = tmp_path / "cache"
    stack = build_stack(load_lesions(tmp_path / "set.csv"), CropSettings(), cache)
    (notice,) = one_class_notices(stack)
    assert "subset all: the 10 test crops hold one class only (negative)" in notice
    options = {"data": tmp_path / "set.csv", "cache": cache, "out": tmp_path / "run"}
    job = prepare_job(Configuration.checked(options | {"extractors": ("random:timm:resnet18",)}))
    manifest = make_manifest(job, stack, job.plan_over(stack.table), Rules(), {}, ["bench"])
    assert "hold one class only" in manifest["notices"][0]
    assert manifest["data"]["copies"] == []


@pytest.mark.parametrize("positive", range(1, 7))
@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "external"])
def test_any_few_crops_are_split_or_refused_in_a_line(name, positive):
    """A splitter of a library may refuse what this package's own checks have let through."""
    for negative in range(1, 7):
        rows = table([0] * negative + [1] * positive, "none")
        rows.loc[::3, "split"] = "test"
        rows.loc[1::3, "split"] = "train"
        with contextlib.suppress(UnusableInput):
            for fold in PROTOCOLS[name].split(rows, 2, 0).folds:
                assert len(fold.train)
                assert len(fold.test)
