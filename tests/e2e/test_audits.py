"""The leakage audit from the command line: every protocol side by side, marked, and able to see a
leak where there is nothing to learn."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.planning.protocols import PROTOCOLS

PLUGIN = """
import torch
from extractors import Recipe, register

RECIPE = Recipe("own", epochs=1, batch_size=32, learning_rate=0.005, weight_decay=0.0001)


@register("frozen", input_size=32)
@register("learner", input_size=32, recipe=RECIPE)
def small():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
    )
"""
AUDITS = [name for name, protocol in PROTOCOLS.items() if protocol.audit]
TURNED = [name for name, protocol in PROTOCOLS.items() if protocol.rotated]
EVERY = ",".join(n for n, protocol in PROTOCOLS.items() if not protocol.internal)
CHOSEN = ("--extractors", "frozen,learner", "--classifiers", "softmax,linear")


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.py"
    file.write_text(PLUGIN)
    return file


def test_every_protocol_runs_and_audits_are_marked(bench, phantom, small, tmp_path):
    command = ("all", "--data", phantom, "--plugin", small, "--out", "run", *CHOSEN)
    ended = bench(*command, "--subset", "all", "--protocols", EVERY)
    assert ended.status == 0, ended.err
    run = tmp_path / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["audits"] == AUDITS
    assert not any("leakage audit" in row["what"] for row in manifest["not_run"])
    summary = pd.read_csv(run / "tables" / "summary.csv")
    assert (summary["status"] == "ok").all()
    assert set(summary["protocol"]) == set(EVERY.split(","))
    marked = summary["notes"].fillna("").str.contains("audit")
    assert marked.equals(summary["protocol"].isin(AUDITS))
    assert "reused-network (audit" in (run / "report.html").read_text()

    predictions = pd.read_parquet(run / "predictions.parquet")
    units = pd.read_parquet(run / "units.parquet")
    lesions = pd.read_parquet(run / "lesions.parquet")
    check_rotations(predictions, units, lesions)
    check_reused_network(run, predictions, units, lesions)


def rows_of(protocol, predictions, units, extractor="learner"):
    """The predictions of one linear SVM under a protocol."""
    own = (units["protocol"] == protocol) & (units["extractor"] == extractor)
    keys = units.loc[own & (units["classifier"] == "linear"), "unit"]
    return predictions[predictions["unit"].isin(keys)]


def check_rotations(predictions, units, lesions):
    """Rotated rows stand once each, and nothing outside the official training rows is rotated."""
    training = lesions.loc[lesions["split"] == "train", "crop_id"]
    for protocol in TURNED:
        for extractor in ("frozen", "learner"):
            rows = rows_of(protocol, predictions, units, extractor)
            assert set(rows["rotation"]) == {0, 90, 180, 270}
            assert not rows.duplicated(["crop_id", "rotation"]).any()
            assert set(rows["crop_id"]) <= set(training)
            if protocol != "rotated-holdout":
                assert len(rows) == 4 * len(training)
    for protocol in set(EVERY.split(",")) - set(TURNED):
        of_protocol = units.loc[units["protocol"] == protocol, "unit"]
        upright = predictions[predictions["unit"].isin(of_protocol)]
        assert (upright["rotation"] == 0).all()


def check_reused_network(run, predictions, units, lesions):
    """One network trained on 70 % of the crops; its features of all of them in five folds."""
    reused = units[units["protocol"] == "reused-network"]
    assert set(reused["extractor"]) == {"learner"}
    assert set(reused["classifier"]) == {"linear"}
    rows = rows_of("reused-network", predictions, units)
    assert sorted(rows["crop_id"]) == sorted(lesions["crop_id"])
    assert set(rows["fold"]) == set(range(5))
    trainings = pd.read_parquet(run / "trainings.parquet").set_index("protocol")
    assert len(trainings.loc[["reused-network"]]) == 1
    labels = lesions["label"]
    expected = sum(round(0.7 * int((labels == label).sum())) for label in (0, 1))
    assert trainings.loc["reused-network", "n_train"] == expected
    # Under every other protocol a network belongs to one fold.
    assert len(trainings.loc[["rotated-by-patient"]]) == 5
    assert trainings.loc["rotated-holdout", "n_train"] == units.loc[
        units["protocol"] == "rotated-holdout", "n_train"
    ].max()  # fmt: skip
    history = pd.read_parquet(run / "history.parquet")
    assert len(history[history["protocol"] == "reused-network"]) == 1


def test_dry_run_says_what_each_protocol_splits(bench, phantom, small):
    command = ("all", "--data", phantom, "--plugin", small, *CHOSEN, "--subset", "mass")
    ended = bench(*command, "--protocols", EVERY, "--dry-run")
    assert ended.status == 0, ended.err
    assert "mass: no patient stands in both splits, so no row for pooled-official" in ended.out
    assert "mass, image-cv: an audit: " in ended.out
    assert "each rotated by 0, 90, 180, 270 degrees, make " in ended.out
    assert "mass, reused-network: one network a repeat, trained on " in ended.out
    lines = [line.split() for line in ended.out.splitlines()]
    crops = {w[1]: (int(w[-2]), int(w[-1])) for w in lines if w[:1] == ["mass"] and w[1] in TURNED}
    train, test = crops["rotated-holdout"]
    assert test / (train + test) == pytest.approx(0.3, abs=0.02)
    assert crops["rotated-image-cv"][1] == crops["rotated-by-patient"][1] == train + test
    assert (train + test) % 4 == 0


def test_without_a_network_to_reuse_there_is_nothing_to_run(bench, phantom, small):
    command = ("all", "--data", phantom, "--plugin", small, "--extractors", "frozen")
    ended = bench(*command, "--classifiers", "linear", "--protocols", "reused-network")
    assert ended.status == 2
    assert "no network is trained on it, so no row for reused-network" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_the_page_names_one_command_that_is_the_whole_audit(bench, phantom, small, tmp_path):
    command = ("all", "--data", phantom, "--plugin", small, "--out", "run")
    ended = bench(*command, "--extractors", "frozen", "--classifiers", "linear", "--subset", "all")
    assert ended.status == 0, ended.err
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    (row,) = [row for row in manifest["not_run"] if "leakage audit" in row["what"]]
    words = shlex.split(row["command"])
    assert words[:4] == ["python", "-m", "bench", "all"]
    ended = bench(*words[3:], "--dry-run")
    assert ended.status == 0, ended.err
    for name in (*EVERY.split(","), "torchvision:alexnet", "torchvision:alexnet+finetuned"):
        assert name in ended.out


N_PATIENTS, CROPS_EACH = 80, 4


@pytest.fixture
def nothing_to_learn(tmp_path):
    """Labels drawn for whole patients, whatever they look like; each patient's crops are alike.

    A patient has grey levels of its own in the four quarters, and each crop a texture of its own.
    """
    folder = tmp_path / "null"
    folder.mkdir()
    rng = np.random.default_rng(5)
    labels = rng.permutation(np.arange(N_PATIENTS) % 2)
    lines = ["path,label,patient_id"]
    for patient, label in enumerate(labels):
        levels = np.kron(rng.uniform(40, 215, (2, 2)), np.ones((16, 16)))
        for crop in range(CROPS_EACH):
            pixels = levels + 20 * rng.normal(size=(32, 32))
            name = f"{patient}-{crop}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
            lines.append(f"{name},{label},P{patient}")
    (folder / "lesions.csv").write_text("\n".join(lines))
    return folder / "lesions.csv"


def test_audits_see_a_leak_where_there_is_nothing_to_learn(
    bench, nothing_to_learn, small, tmp_path
):
    """By crop, a patient is recognised and its label with it; by patient, no label can be."""
    names = ("image-cv", "rotated-image-cv", "rotated-holdout", "patient-cv", "rotated-by-patient")
    ended = bench(
        *("all", "--data", nothing_to_learn, "--plugin", small, "--out", "run"),
        *("--extractors", "frozen", "--classifiers", "fine_gaussian,linear"),
        *("--protocols", ",".join(names)),
    )
    assert ended.status == 0, ended.err
    assert "(there is no official split), each rotated by" in ended.err
    summary = pd.read_csv(tmp_path / "run" / "tables" / "summary.csv")
    rows = summary[(summary["extractor"] == "frozen") & (summary["classifier"] == "fine_gaussian")]
    auc = rows.set_index("protocol")["auc"]
    # Standard deviation of the Mann-Whitney statistic without a difference (m + n + 1) / 12mn, for
    # patients as the units that are ranked, 8 and 8 in each of five folds.
    noise = np.sqrt((8 + 8 + 1) / (12 * 8 * 8) / 5)
    for protocol in ("patient-cv", "rotated-by-patient"):
        assert abs(auc[protocol] - 0.5) < 3 * noise, auc
    for protocol in ("image-cv", "rotated-image-cv", "rotated-holdout"):
        assert auc[protocol] > 0.5 + 4 * noise, auc
