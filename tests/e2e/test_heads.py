"""Classifiers of users from the command line: files, packages, workers, and what cannot be."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

HEADS = """
from bench import register_classifier
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

register_classifier("lda", title="shrunken discriminant")(
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage={shrinkage})
)


@register_classifier("bayes")
def bayes():
    return GaussianNB()
"""


@pytest.fixture
def heads(tmp_path):
    file = tmp_path / "heads.py"
    file.write_text(HEADS.format(shrinkage=0.5))
    return file


@pytest.fixture
def run(bench, many_patients, plugin, heads, tmp_path):
    """Run these classifiers on the phantom with a tiny network."""

    def start(out, *more, classifiers="lda,bayes+platt,nearest_mean,linear_probe,linear"):
        ended = bench(
            *("all", "--data", many_patients, "--subset", "mass", "--extractors", "tiny-a"),
            *("--classifiers", classifiers, "--plugin", plugin, "--plugin", heads, "--out", out),
            *more,
        )
        assert ended.status == 0, ended.err + ended.out
        return tmp_path / out

    return start


def units(folder):
    table = pd.read_parquet(folder / "units.parquet")
    return table[table["extractor"] == "tiny-a"].set_index("classifier")


@pytest.mark.slow
def test_heads_run_by_name_here_and_in_processes(run, heads, artifacts):
    first = run("one")
    rows = units(first)
    assert set(rows["status"]) == {"ok"}
    assert rows["threshold"].to_dict() == {
        "lda": 0.0,
        "bayes+platt": 0.5,
        "nearest_mean": 0.0,
        "linear_probe": 0.0,
        "linear": 0.0,
    }
    assert rows.loc["linear_probe", "chosen_C"] > 0
    manifest = json.loads((first / "manifest.json").read_text())
    assert set(manifest["configuration"]["plugins"]) == {
        *("tiny-a", "classifier:lda", "classifier:bayes")
    }
    assert manifest["classifiers"][0]["title"] == "shrunken discriminant"
    methods = (first / "paper" / "methods.txt").read_text()
    assert "lda is a classifier of the authors' own (shrunken discriminant)" in methods
    assert "The linear probe is logistic regression" in methods
    before = artifacts()
    second = run("two", "--scheduler", "processes:2")
    # The workers have the file by its content: they find what this process has kept.
    assert units(second)["unit"].to_dict() == rows["unit"].to_dict()
    assert [k for k in artifacts() if k not in before and "units" in str(k)] == []
    heads.write_text(HEADS.format(shrinkage=0.25))
    third = units(run("three", "--scheduler", "processes:2"))
    changed = {name for name in rows.index if third.loc[name, "unit"] != rows.loc[name, "unit"]}
    assert changed == {"lda", "bayes+platt"}


def test_a_file_without_backbones_joins_the_default_classifiers(bench, phantom, heads, plugin):
    planned = bench(
        *("all", "--data", phantom, "--subset", "mass", "--extractors", "random:timm:resnet18"),
        *("--plugin", heads, "--dry-run"),
    )
    assert planned.status == 0, planned.err
    assert "lda, bayes" in " ".join(planned.out.split())
    listed = bench("list", "classifiers", "--plugin", heads)
    assert "shrunken discriminant" in listed.out
    assert "linear_probe" in listed.out
    checked = bench("plugin", "check", heads)
    assert checked.status == 0, checked.out
    assert {"lda", "bayes"} < set(checked.out.splitlines())


def test_what_cannot_be_named_is_one_line(bench, phantom, heads):
    for name, said in (
        ("ldaa", "did you mean lda"),
        ("lda+tuned", "lda takes +platt alone behind it"),
        ("majority+platt", "majority takes nothing behind it"),
    ):
        ended = bench("all", "--data", phantom, "--plugin", heads, "--classifiers", name)
        assert ended.status == 2
        assert len(ended.err.strip().splitlines()) == 1, ended.err
        assert said in ended.err


def test_a_head_that_fails_spoils_no_other(bench, phantom, plugin, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from bench import register_classifier\n\n\n"
        "@register_classifier('odd')\ndef odd():\n    raise OSError('no weights')\n"
    )
    ended = bench(
        *("all", "--data", phantom, "--subset", "mass", "--extractors", "tiny-a", "--out", "odd"),
        *("--classifiers", "odd,linear", "--plugin", plugin, "--plugin", broken),
    )
    assert ended.status == 1
    rows = units(tmp_path / "odd")
    assert rows["status"].to_dict() == {"odd": "odd: OSError: no weights", "linear": "ok"}


DATA = """
import pandas
from bench import make_dataset, register_dataset, register_reference_point


@register_dataset("ours", title="films with ours.csv", find=lambda p: (p / "ours.csv").is_file())
def load(root):
    return make_dataset(root, pandas.read_csv(root / "ours.csv"), positive="ill", negative="well")


@register_reference_point("age", columns=["age"])
def age(table):
    return table[["age"]]
"""


def test_a_data_set_and_its_reference_point_come_from_a_file(bench, plugin, tmp_path):
    root, generator = tmp_path / "ours", np.random.default_rng(0)
    root.mkdir()
    rows = []
    for number in range(40):
        label = number // 2 % 2
        pixels = generator.integers(0, 200, (32, 40)) + 40 * label
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{number}.png")
        rows.append((f"{number}.png", label, number // 2, 50 + number % 7 + 9 * label))
    columns = ["path", "label", "patient_id", "age"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "ours.csv", index=False)
    (tmp_path / "ours.py").write_text(DATA)
    plugins = ("--plugin", "ours.py", "--plugin", plugin)
    found = {}
    for out, more in (("one", ()), ("two", ("--scheduler", "processes:2"))):
        ended = bench(
            *("all", "--data", root, *plugins, "--extractors", "tiny-a", "--out", out, *more),
            *("--classifiers", "nearest_mean", "--protocols", "patient-cv", "--repeats", 1),
        )
        assert ended.status == 0, ended.err
        found[out] = pd.read_parquet(tmp_path / out / "units.parquet")
    table = found["one"]
    assert set(table["dataset"]) == {"ours"}
    assert set(table["status"]) == {"ok"}
    assert "reference:age" in set(table["extractor"])
    assert table["unit"].tolist() == found["two"]["unit"].tolist()
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert {"dataset:ours", "reference:age"} <= set(manifest["configuration"]["plugins"])
    assert "films with ours.csv" in bench("list", "datasets", "--plugin", "ours.py").out
    info = bench("data", "info", root, "--plugin", "ours.py")
    assert (info.status, "40 crops" in info.out) == (0, True)
    checked = bench("plugin", "check", "ours.py")
    assert checked.status == 0
    assert "read it with" in checked.out
