"""`--external`: one training for the internal and the external test, whoever does the work."""

import importlib.util
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """Another synthetic data set, of other patients."""
    from bench.data import write_phantom

    folder = tmp_path_factory.mktemp("data") / "other"
    write_phantom(folder, patients=40, seed=8)
    return folder


def units(run):
    return pd.read_parquet(run / "units.parquet")


def outside(run):
    return pd.read_csv(run / "tables" / "external.csv")


def test_the_own_tests_are_the_same_ones_and_networks_are_trained_once(
    bench, work, other, tmp_path, local, artifacts
):
    assert bench(*work, "--out", tmp_path / "alone").status == 0
    before = artifacts()
    ended = bench(*work, "--external", f"far={other}", "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    # What stood there was read, not made again, and no network was trained for the other set.
    after = artifacts()
    assert {file: after[file] for file in before} == before
    new = {file.parent.parent.name for file in after.keys() - before.keys()}
    assert not new & {"networks", "trainings", "profiles", "starts"}, new
    found = units(tmp_path / "run")
    own, far = (found[found["protocol"] == name] for name in ("official", "external:far"))
    assert list(own["unit"]) == list(units(tmp_path / "alone")["unit"])
    assert set(far["status"]) == {"ok"}
    shown = outside(tmp_path / "run")
    assert set(shown["extractor"]) >= {"tiny-a", "learner", "selected", "shortcut:size", "none"}
    assert (shown["n_train"] == shown["internal_n_train"]).all()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Tests on external sets" in page
    assert "external:far" in (tmp_path / "run" / "paper" / "methods.txt").read_text()
    # The same command goes on; another set is another run.
    again = ("--out", tmp_path / "run")
    assert bench(*work, "--external", f"far={other}", *again).status == 0
    assert "holds a run with external" in bench(*work, *again).err


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="distributed is not installed"
)
@pytest.mark.slow
def test_processes_give_what_one_process_gives(bench, work, other, tmp_path, same_run):
    far = ("--external", f"far={other}")
    ended = bench(*work, *far, "--out", tmp_path / "one", BENCH_CACHE=str(tmp_path / "else"))
    assert ended.status == 0, ended.err
    ended = bench(*work, *far, "--out", tmp_path / "two", "--scheduler", "processes:2")
    assert ended.status == 0, ended.err
    same_run(tmp_path / "one", tmp_path / "two")


def planted(folder, copy):
    """A copy of a phantom with a bright corner on each malignant crop."""
    from bench.data import load_lesions

    shutil.copytree(folder, copy)
    for row in load_lesions(copy).table.to_dict("records"):
        if row["label"] == 1:
            with Image.open(copy / row["path"]) as picture:
                pixels = np.array(picture)
            side = min(pixels.shape) // 3
            pixels[:side, :side] = 255
            Image.fromarray(pixels).save(copy / row["path"], quality=95)
    return copy


def test_a_shortcut_of_the_own_set_shows_as_a_drop(bench, plugin, tmp_path):
    from bench.data import write_phantom

    # Sets with patients enough for an interval on both sides.
    own, other = tmp_path / "own", tmp_path / "other"
    write_phantom(own, patients=160, seed=3)
    write_phantom(other, patients=80, seed=8)
    marked = planted(own, tmp_path / "marked")
    ended = bench("all", "--data", marked, "--external", f"far={other}", "--plugin", plugin,
                  "--subset", "mass", "--extractors", "tiny-b", "--classifiers", "linear",
                  "--protocols", "patient-cv,official", "--out", tmp_path / "run")  # fmt: skip
    assert ended.status == 0, ended.err
    shown = outside(tmp_path / "run").set_index("extractor")
    row = shown.loc["tiny-b"]
    # The official split comes first, in whatever order they ran.
    assert row["internal"] == "official"
    assert row["internal_auc"] > 0.9
    assert row["auc_drop_ci_low"] > 0


def manifest(folder, name, rows, header="path,label,patient_id"):
    folder.mkdir(exist_ok=True)
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder / name


def rows_of(labels, patients=None):
    return [
        f"{number}.png,{label},{patients or f'Q{number}'}" for number, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (rows_of(["malignant"] * 12), "one class only"),
        (rows_of(["normal", "cancer"] * 6), "--positive 'cancer' says so"),
        (
            [f"gone{n}.png,{c},Q{n}" for n, c in enumerate(["benign", "malignant"] * 3)],
            "none of its 6",
        ),
    ],
)
def test_a_set_that_cannot_be_tested_on_is_refused_in_one_line(
    bench, phantom, tmp_path, rows, said
):
    file = manifest(tmp_path / "far", "far.csv", rows)
    ended = bench("all", "--data", phantom, "--external", f"far={file}", "--subset", "mass",
                  "--dry-run")  # fmt: skip
    assert ended.status == 2
    assert said in ended.err
    assert "external set far" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--external", "far"], "give it as NAME=PATH"),
        (["--external", "a b=x"], "may hold letters"),
        (["--external", "far=x", "--external", "FAR=y"], "the name FAR is given twice"),
        (["--external", "far=nowhere"], "external set far: nowhere: there is no such file"),
        (["--protocols", "external"], "needs --external NAME=PATH"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_in_one_line(bench, phantom, given, said):
    ended = bench("all", "--data", phantom, *given, "--dry-run")
    assert ended.status == 2
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_the_same_data_are_refused_wherever_they_lie(bench, phantom, tmp_path):
    shutil.copytree(phantom, tmp_path / "copy")
    for path, said in ((phantom, "is the data set that is trained on"),
                       (tmp_path / "copy", "holds the data that are trained on")):  # fmt: skip
        ended = bench("all", "--data", phantom, "--external", f"far={path}", "--dry-run")
        assert ended.status == 2
        assert said in ended.err


def test_two_words_for_one_class_are_matched_by_positive(bench, phantom, tmp_path):
    file = manifest(tmp_path / "far", "far.csv", rows_of(["normal", "cancer"] * 6))
    ended = bench("all", "--data", phantom, "--external", f"far={file}", "--subset", "mass",
                  "--positive", "cancer", "--extractors", "bundled:efficientnet_lite0",
                  "--dry-run")  # fmt: skip
    assert ended.status == 0, ended.err
    assert "external:far" in ended.out
    unknown = bench("all", "--data", phantom, "--external", f"far={file}", "--positive", "odd",
                    "--dry-run")  # fmt: skip
    assert unknown.status == 2
    assert "--positive 'odd'" in unknown.err
    assert "external set" not in unknown.err


def test_too_few_patients_for_an_interval_are_said(bench, phantom, tmp_path):
    file = manifest(tmp_path / "far", "far.csv", rows_of(["benign", "malignant"] * 6, "Q1"))
    ended = bench("all", "--data", phantom, "--external", f"far={file}", "--subset", "mass",
                  "--dry-run")  # fmt: skip
    assert ended.status == 0, ended.err
    assert "external set far: too few patients for an interval" in ended.out
