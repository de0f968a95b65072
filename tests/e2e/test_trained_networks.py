"""Networks that train, from the command line: rows, curves, resuming, nothing learnt from test."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file

from reports.whole_files import WRITING

PLUGIN = """
import torch
from extractors import Recipe, register

RECIPE = Recipe("own", epochs={epochs}, batch_size=8, learning_rate=0.005, weight_decay=0.0001)


@register("learner", input_size=32, recipe=RECIPE)
def learner():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Dropout(0.1),
    )


@register("broken", input_size=32, recipe=RECIPE)
def broken():
    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 2)

        def forward(self, images):
            means = images.mean((1, 2, 3)).unsqueeze(1)
            return self.layer(means) * (float("nan") if self.training else 1)

    return Broken()
"""


@pytest.fixture
def learner(tmp_path):
    file = tmp_path / "learner.py"
    file.write_text(PLUGIN.format(epochs=3))
    return file


def run_all(bench, data, plugin, out, *more, **environment):
    return bench("all", "--data", data, "--plugin", plugin, "--out", out, *more, **environment)


def test_a_trained_network_has_its_own_head_and_its_features_in_the_report(
    bench, phantom, learner, tmp_path
):
    chosen = ("--extractors", "learner,random:learner,fusion:learner+bundled:efficientnet_lite0")
    ended = run_all(
        bench, phantom, learner, "run", *chosen, "--subset", "mass", "--classifiers",
        "softmax,linear,logistic", "--repeats", "2",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv")
    rows = summary[summary["extractor"] == "learner"].set_index("classifier")
    assert set(rows.index) == {"softmax", "linear", "logistic"}
    assert set(rows["recipe"]) == {"own"}
    assert set(rows["n_runs"]) == {2}  # two seeds
    frozen = summary[summary["extractor"] == "random:learner"]
    assert set(frozen["recipe"]) == {"frozen"}
    assert set(frozen["classifier"]) == {"linear", "logistic"}
    fused = summary[summary["extractor"].str.startswith("fusion")]
    assert set(fused["classifier"]) == {"linear", "logistic"}
    assert (summary["status"] == "ok").all()

    units = pd.read_parquet(tmp_path / "run" / "units.parquet")
    trained = units["extractor"].isin(["learner", *fused["extractor"]])
    assert units["network_time_s"].notna().equals(trained)
    parts = units.loc[trained, ["network_time_s", "extraction_time_s", "fit_time_s"]].sum(axis=1)
    assert np.allclose(parts, units.loc[trained, "training_time_s"])
    own = units["classifier"] == "softmax"
    assert (units.loc[own, "extraction_time_s"] == 0).all()

    trainings = pd.read_parquet(tmp_path / "run" / "trainings.parquet")
    assert len(trainings) == 2  # the fusion uses the same two
    assert len(set(trainings["parameters"])) == 1
    history = pd.read_parquet(tmp_path / "run" / "history.parquet")
    assert len(history) == 2 * 3
    assert history["test_accuracy"].dropna().between(0, 1).all()
    assert set(history.loc[history["test_accuracy"].notna(), "epoch"]) == {1, 3}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["recipes"][0]["extractor"] == "learner"
    assert manifest["recipes"][0]["epochs"] == 3

    softmax = units.loc[own & (units["repeat"] == 0), "unit"].item()
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    probabilities = predictions.loc[predictions["unit"] == softmax, "score"]
    assert probabilities.between(0, 1).all()
    # The curve's last accuracy is that of the head's own predictions.
    labels = predictions.loc[predictions["unit"] == softmax, "label"]
    last = history[(history["repeat"] == 0) & (history["epoch"] == 3)]["test_accuracy"].item()
    assert ((probabilities > 0.5) == labels).mean() == pytest.approx(last, abs=0.06)


def test_a_loss_that_is_not_finite_ends_one_network_only(bench, phantom, learner, tmp_path):
    chosen = ("--extractors", "broken,learner", "--classifiers", "softmax", "--subset", "mass")
    ended = run_all(bench, phantom, learner, "run", *chosen)
    assert ended.status == 1
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv").set_index("extractor")
    assert summary.loc["broken", "status"] == "broken: the loss is not finite in epoch 1"
    assert summary.loc["learner", "status"] == "ok"


def test_learning_curve_has_a_row_for_each_share(bench, phantom, learner, tmp_path):
    chosen = ("--extractors", "learner", "--classifiers", "softmax,linear", "--subset", "mass")
    ended = run_all(bench, phantom, learner, "run", *chosen, "--train-fraction", "0.5,1")
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv")
    rows = summary[summary["classifier"] == "softmax"].set_index("train_fraction")
    assert rows["n_runs"].to_dict() == {0.5: 5, 1.0: 1}
    assert rows.loc[0.5, "n_train"] < rows.loc[1.0, "n_train"]
    assert len(set(rows["n_test"])) == 1
    refused = run_all(bench, phantom, learner, "other", *chosen, "--train-fraction", "0,1")
    assert refused.status == 2
    assert "train-fraction" in refused.err


@pytest.fixture
def make_set(tmp_path):
    """40 training and 16 test images; the test ones can be noise."""

    def make(name, noise):
        folder = tmp_path / name
        folder.mkdir()
        lines = ["path,label,patient_id,split"]
        for i in range(56):
            rng = np.random.default_rng(1000 + i if noise and i >= 40 else i)
            pixels = rng.normal(100 + 20 * (i % 2), 30, (40, 40)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
            lines.append(f"{i}.png,{i % 2},P{i},{'test' if i >= 40 else 'train'}")
        (folder / "lesions.csv").write_text("\n".join(lines))
        return folder / "lesions.csv"

    return make


def weights_in(cache):
    (file,) = (cache / "networks").glob("*/*.safetensors")
    return load_file(file)


def test_noise_in_place_of_the_test_rows_changes_no_weight(bench, make_set, learner, tmp_path):
    found = {}
    for noise in (False, True):
        cache = tmp_path / f"cache-{noise}"
        data = make_set(f"set-{noise}", noise)
        ended = run_all(
            bench, data, learner, f"run-{noise}", "--extractors", "learner", "--classifiers",
            "softmax", BENCH_CACHE=str(cache),
        )  # fmt: skip
        assert ended.status == 0, ended.err
        history = pd.read_parquet(tmp_path / f"run-{noise}" / "history.parquet")
        found[noise] = weights_in(cache), history
    (one, curve), (two, other) = found[False], found[True]
    assert set(one) == set(two)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert curve["train_loss"].equals(other["train_loss"])
    assert not curve["test_loss"].equals(other["test_loss"])


def checkpoints_in(cache):
    """Those that are whole: a kill may leave one half-written, under another name."""
    files = (cache / "checkpoints").glob("*/*.safetensors")
    return [file for file in files if not file.name.startswith(WRITING)]


def test_killed_training_goes_on_and_ends_with_the_same_weights(
    bench, start, phantom, tmp_path, environment
):
    plugin = tmp_path / "long.py"
    # Epochs long enough to be hit, and a checkpoint after each.
    slow = PLUGIN.format(epochs=12).replace(
        "@register(\"learner\"",
        "from extractors.training.state import Checkpoint\n"
        "Checkpoint.__init__.__defaults__ = (-1.0,)\n\n\n@register(\"learner\"",
    )  # fmt: skip
    plugin.write_text(slow)
    chosen = ("--extractors", "learner", "--classifiers", "softmax", "--subset", "mass")
    command = ("all", "--data", phantom, "--plugin", plugin, *chosen)
    caches = {name: tmp_path / f"cache-{name}" for name in ("whole", "killed")}
    assert bench(*command, "--out", "whole", BENCH_CACHE=str(caches["whole"])).status == 0

    process = start(*command, "--out", "killed", BENCH_CACHE=str(caches["killed"]))
    deadline = time.monotonic() + 120
    while not checkpoints_in(caches["killed"]):
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (caches["killed"] / "networks").exists()
    ended = bench(*command, "--out", "killed", BENCH_CACHE=str(caches["killed"]))
    assert ended.status == 0, ended.err
    one, two = (weights_in(cache) for cache in caches.values())
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not checkpoints_in(caches["killed"])
