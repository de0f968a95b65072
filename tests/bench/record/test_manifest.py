"""What the manifest tells besides results: what was not run, and the command that runs it."""

import shlex
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from bench.data.crops.stack import build_stack
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.plan import Fold
from bench.planning.protocols import PROTOCOLS
from bench.planning.splits import official
from bench.record.manifest import (
    _changed,
    _not_run,
    _recipes,
    _taken_out,
)

CHOSEN = {"data": "my set", "extractors": ("a", "b"), "tune": True, "out": "runs/x"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"preset": "quick", "epochs": 3},
        {"protocols": ("official",), "repeats": 2, "dry_run": True},
    ],
)
def test_a_command_keeps_all_but_what_is_changed(more):
    options = Configuration.checked(CHOSEN | more)
    changed = _changed(options, {"preset": "thesis", "out": "runs/x-thesis"})
    assert changed == (
        "python -m bench all --data 'my set' --extractors a,b --tune "
        "--out runs/x-thesis --preset thesis"
    )


def test_a_command_names_files_one_by_one_and_keeps_epochs_under_the_preset():
    options = Configuration.checked(
        {"external": ("far=a,b", "near=c"), "features": ("mine=d.npz",), "epochs": 3}
    )
    assert _changed(options, {"repeats": "10"}) == (
        "python -m bench all --external far=a,b --external near=c --epochs 3 "
        "--features mine=d.npz --repeats 10"
    )
    assert _changed(options, {"external": None, "features": None}) == (
        "python -m bench all --epochs 3"
    )


def test_another_number_of_epochs_is_told(phantom, tmp_path):
    options = {"data": phantom, "cache": tmp_path, "extractors": ("vit_128_p16", "cvt_13")}
    job = prepare_job(Configuration.checked(options | {"epochs": 3}))
    assert {recipe.epochs for recipe in job.recipes.values()} == {3}
    (notice,) = job.notices
    assert notice.startswith("networks are trained for 3 epochs by --epochs, which departs from")
    assert notice.endswith("vit_128_p16 (10), cvt_13 (10)")
    (row, _) = _recipes(job)
    assert (row["recipe"], row["epochs"]) == ("quick (3 epochs)", 3)
    assert any("as many epochs as published" in row["what"] for row in _not_run(job))
    enough = prepare_job(Configuration.checked(options | {"epochs": 300}))
    assert not any("a few epochs, as here" in row["what"] for row in _not_run(enough))
    for same in (10, None):
        # The recipes of the run before are kept under another key.
        job = prepare_job(Configuration.checked(options | {"epochs": same}))
        assert {recipe.epochs for recipe in job.recipes.values()} == {10}
        assert not job.notices
    with pytest.raises(UnusableInput, match="--epochs 0"):
        Configuration.checked({"epochs": 0})


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    from bench.data import write_phantom

    folder = tmp_path_factory.mktemp("manifest") / "phantom"
    write_phantom(folder, patients=24, seed=3)
    return folder


def audit_command(phantom, cache, **options):
    """The words of the command that `not_run` gives for the leakage audit; None without one."""
    chosen = {"data": phantom, "cache": cache, "extractors": ("random:timm:resnet18",)}
    job = prepare_job(Configuration.checked(chosen | options))
    commands = [row["command"] for row in _not_run(job) if "leakage audit" in row["what"]]
    assert len(commands) <= 1
    return shlex.split(commands[0]) if commands else None


def test_one_command_is_the_whole_leakage_audit(phantom, tmp_path):
    words = audit_command(phantom, tmp_path, subset=("all",), preset="thesis")
    value = dict(zip(words[4::2], words[5::2], strict=True))
    assert value["--protocols"].split(",") == [n for n, p in PROTOCOLS.items() if not p.internal]
    assert value["--extractors"] == "torchvision:alexnet,torchvision:alexnet+finetuned"
    assert value["--preset"] == "thesis"
    assert value["--classifiers"].split(",")[:3] == ["softmax", "linear", "quadratic"]
    assert value["--out"].endswith("-audit")
    assert "--train-fraction" not in value
    words = audit_command(phantom, tmp_path, subset=("all",), train_fraction=(0.5, 1))
    assert words[words.index("--train-fraction") + 1] == "1"


def test_the_audit_names_what_the_set_allows_and_not_what_was_run(phantom, tmp_path):
    words = audit_command(phantom, tmp_path, subset=("mass",))
    # A test on an external set is no audit, and takes a set to test on.
    left_out = ("pooled-official", "external")
    apart = [name for name in PROTOCOLS if name not in left_out]
    assert words[words.index("--protocols") + 1].split(",") == apart
    assert audit_command(phantom, tmp_path, subset=("mass",), protocols=tuple(apart[:-1]))


def test_training_crops_of_test_patients_are_told_as_taken_out(phantom, tmp_path):
    job = prepare_job(
        Configuration.checked(
            {
                "data": phantom,
                "cache": tmp_path,
                "extractors": ("random:timm:resnet18",),
                "subset": ("all",),
            }
        )
    )
    stack = build_stack(job.dataset, job.configuration.crop_settings(), tmp_path)
    table = stack.table.assign(split="train")
    own = table["patient_id"] == table["patient_id"].iloc[0]
    table.loc[own, "split"] = ["test", *["train"] * (int(own.sum()) - 1)]
    table.loc[table.index[-1], "split"] = "test"
    stack = replace(stack, table=table)
    fold = official(table, 1, 0).folds[0]
    plan = SimpleNamespace(folds=(Fold("all", "official", 0, 0, fold.train, fold.test),))
    (row,) = _taken_out(stack, plan, True)
    assert row["crops"] == row["marked"] - len(fold.train) > 0
    assert row["because_of"] == "test crops of their patients"


@pytest.mark.parametrize(
    ("patient_ids", "reason"),
    [
        (
            True,
            "test crops of patients who share a picture with theirs or may be the same persons",
        ),
        (False, "test crops that they are kept together with: copies, or of one lesion"),
    ],
)
def test_training_crops_that_belong_with_test_crops_are_told_why(patient_ids, reason):
    table = pd.DataFrame(
        {
            "crop_id": list("abcdef"),
            "patient_id": list("abcdef"),
            # The training crop "a" is a copy of the test crop "f".
            "group_id": list("fbcdef"),
            "label": [0, 1, 0, 1, 0, 1],
            "split": [*["train"] * 4, "test", "test"],
        }
    )
    stack = SimpleNamespace(table=table, positions=lambda subset: table.index.to_numpy())
    fold = official(table, 1, 0).folds[0]
    plan = SimpleNamespace(folds=(Fold("all", "official", 0, 0, fold.train, fold.test),))
    (row,) = _taken_out(stack, plan, patient_ids)
    assert (row["crops"], row["marked"], row["because_of"]) == (1, 4, reason)
