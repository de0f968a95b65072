"""Features from files run as any extractor, and what `bench features` writes comes in again."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest

from bench.data import CropSettings, build_stack, load_lesions

OPTIONS = ("--protocols", "official", "--repeats", "2")


@pytest.fixture
def features(tmp_path, many_patients):
    """A function: writes random features of the phantom's crops, changed by its argument."""
    dataset = load_lesions(many_patients)
    stack = build_stack(dataset, CropSettings(64), tmp_path / "own")
    ids = list(stack.table["crop_id"])

    def write(change=lambda ids, values: None, name="mine.npz"):
        values = np.random.default_rng(1).normal(size=(len(ids), 6)).astype(np.float32)
        values[:, 0] += 2 * stack.table["label"].to_numpy()
        given = list(ids)
        change(given, values)
        np.savez(tmp_path / name, ids=np.array(given), X=values[: len(given)])
        return tmp_path / name

    return write


def rows(run, name="units"):
    return pd.read_parquet(run / f"{name}.parquet")


def test_features_from_a_file_go_through_everything(
    bench, many_patients, plugin, features, tmp_path
):
    file = features()
    command = (
        *("all", "--data", many_patients, "--subset", "mass", "--plugin", plugin, "--size", "64"),
        *("--features", f"mine={file}", "--features", f"other={file}"),
        *("--extractors", "features:mine,fusion:tiny-a+features:mine,tiny-a,selected"),
        *("--classifiers", "linear,medium_gaussian,logistic", "--tune", "--repeats", "1"),
        *("--protocols", "official,image-cv,rotated-holdout"),
    )
    plan = bench(*command, "--dry-run")
    assert plan.status == 0, plan.err
    assert "features:mine: 6 features of " in plan.out
    assert "matched by crop_id" in plan.out
    ended = bench(*command, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    units = rows(tmp_path / "run")
    own = units[units["extractor"] == "features:mine"]
    assert set(own["status"]) == {"ok"}
    assert all(weights.startswith("file:") for weights in own["weights"])
    assert set(own["protocol"]) == {"official", "image-cv"}
    assert set(own["classifier"]) >= {"linear", "linear+tuned", "medium_gaussian", "logistic"}
    # What took its time elsewhere has no time here.
    assert own["training_time_s"].isna().all()
    assert own["fit_time_s"].notna().all()
    assert all("cost not measured here" in note for note in own["notes"])
    assert set(units[units["extractor"] == "features:other"]["status"]) == {"ok"}
    fused = units[units["extractor"] == "fusion:tiny-a+features:mine"]
    assert set(fused["status"]) == {"ok"}
    assert "rotated-holdout" not in set(fused["protocol"])
    assert "rotated-holdout" in set(units[units["extractor"] == "tiny-a"]["protocol"])
    chosen = units[(units["extractor"] == "selected") & (units["protocol"] == "official")]
    assert set(chosen["status"]) == {"ok"}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    (notice,) = (one for one in manifest["notices"] if "rotated crops" in one)
    assert "features:mine, fusion:tiny-a+features:mine, features:other: no row under" in notice
    (described,) = (one for one in manifest["extractors"] if one["name"] == "features:mine")
    assert described["weights_digest"] == manifest["configuration"]["features"]["features:mine"]
    assert (described["extraction_s"], described["feature_width"]) == (None, 6)
    explained = {one["extractor"]: one["problem"] for one in manifest["saliency"]}
    assert "come from a file" in explained["features:mine"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "not measured here" in page
    assert "made elsewhere" in page
    # Another file under the same name is another run.
    features(lambda ids, values: values.__imul__(2))
    again = bench(*command, "--out", tmp_path / "run")
    assert again.status == 2
    assert "holds a run with features" in again.err


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="no distributed")
@pytest.mark.slow
def test_workers_need_no_file(bench, many_patients, plugin, features, tmp_path, same_run):
    command = (
        *("all", "--data", many_patients, "--subset", "mass", "--plugin", plugin, "--size", "64"),
        *("--features", f"mine={features()}", *OPTIONS, "--classifiers", "linear"),
        *("--extractors", "features:mine,fusion:tiny-a+features:mine"),
    )
    assert bench(*command, "--out", tmp_path / "one").status == 0
    many = (*command, "--out", tmp_path / "two", "--scheduler", "processes:2")
    ended = bench(*many, BENCH_CACHE=str(tmp_path / "fresh"))
    assert ended.status == 0, ended.err
    same_run(tmp_path / "one", tmp_path / "two")


def refused(bench, many_patients, file, *more):
    ended = bench(
        *("all", "--data", many_patients, "--subset", "mass", "--size", "64", "--dry-run"),
        *("--features", f"mine={file}", "--extractors", "features:mine", *more),
    )
    assert ended.status == 2, ended.out
    assert len(ended.err.strip().splitlines()) == 1
    return ended.err


def test_a_crop_without_features_is_named_before_any_work(bench, many_patients, features):
    file = features(lambda ids, values: ids.__delitem__(slice(None, None, 5)))
    err = refused(bench, many_patients, file)
    assert "crops have no features there: " in err


def test_a_crop_that_cannot_be_decoded_needs_no_features(bench, tmp_path, features):
    from bench.data import write_phantom

    folder = tmp_path / "data"
    write_phantom(folder, patients=60, seed=3)
    lost = load_lesions(folder).rows("mass").iloc[0]
    (folder / lost["path"]).write_bytes(b"\xff\xd8\xff nothing")
    file = features(lambda ids, values: ids.remove(lost["crop_id"]))
    ended = bench(
        *("all", "--data", folder, "--subset", "mass", "--size", "64", *OPTIONS),
        *("--features", f"mine={file}", "--extractors", "features:mine"),
        *("--classifiers", "linear", "--out", tmp_path / "run"),
    )
    assert ended.status == 0, ended.err


def test_features_that_are_the_label_are_refused(bench, many_patients, features):
    labels = load_lesions(many_patients).table.set_index("crop_id")["label"]

    def leak(ids, values):
        values[:, 3] = 7 - labels[ids].to_numpy()

    assert "feature 3 (counted from 0)" in refused(bench, many_patients, features(leak))


def test_what_a_file_cannot_do_is_said(bench, many_patients, features):
    file = features()
    err = refused(bench, many_patients, file, "--protocols", "rotated-holdout")
    assert "needs the features of rotated crops or of another set" in err
    for name, reason in (
        ("features:mine+finetuned", "cannot be trained"),
        ("features:your", "no such features; given are features:mine"),
    ):
        assert reason in refused(bench, many_patients, file, "--extractors", name)


@pytest.mark.parametrize("kind", ["parquet", "npz", "csv"])
def test_what_comes_out_goes_in_again_bit_for_bit(
    bench, many_patients, plugin, tmp_path, kind, tables
):
    data = ("--data", many_patients, "--plugin", plugin, "--size", "64")
    written = bench(
        *("features", *data, "--extractors", "tiny-a,fusion:tiny-a+tiny-b", "--format", kind),
        *("--out", tmp_path / "out"),
    )
    assert written.status == 0, written.err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        f"{name}.{end}"
        for name in ("tiny-a", "fusion_tiny-a_tiny-b")
        for end in (kind, f"{kind}.json")
    }
    facts = json.loads((tmp_path / "out" / f"tiny-a.{kind}.json").read_text())
    assert facts["extractor"]["name"] == "tiny-a"
    assert facts["features"]["columns"] == 16
    assert len(facts["data"]["left_out"]) == 1
    ended = bench(
        *("all", *data, *OPTIONS, "--subset", "mass", "--out", tmp_path / "run"),
        *("--features", f"again={tmp_path / 'out' / f'tiny-a.{kind}'}"),
        *("--extractors", "tiny-a,features:again", "--classifiers", "linear,medium_gaussian"),
    )
    assert ended.status == 0, ended.err
    units, scores = rows(tmp_path / "run"), rows(tmp_path / "run", "predictions")
    of_system = {
        name: [
            scores[scores["unit"] == unit]["score"].to_numpy()
            for unit in units[units["extractor"] == name]["unit"]
        ]
        for name in ("tiny-a", "features:again")
    }
    assert len(of_system["tiny-a"]) == 2
    np.testing.assert_array_equal(of_system["tiny-a"], of_system["features:again"])


@pytest.mark.parametrize("made", ["flat", "patients", "one_class", "csv"])
def test_images_without_labels_have_features(bench, many_patients, plugin, tmp_path, made):
    images = [many_patients / path for path in load_lesions(many_patients).table["path"][:6]]
    folder = tmp_path / "images"
    for number, image in enumerate(images):
        below = {"patients": f"P{number % 3}", "one_class": "benign"}.get(made, "")
        (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / below / f"{number}.jpg").write_bytes(image.read_bytes())
    if made == "csv":
        lines = [f"{number}.jpg,P{number // 2}" for number in range(6)]
        (folder / "images.csv").write_text("\n".join(["path,patient_id", *lines]))
    ended = bench(
        *("features", "--data", folder, "--plugin", plugin, "--extractors", "tiny-a"),
        *("--out", tmp_path / "out", "--size", "64"),
    )
    assert ended.status == 0, ended.err
    assert "nothing says which class an image belongs to" in ended.err
    table = pd.read_parquet(tmp_path / "out" / "tiny-a.parquet")
    assert list(table.columns[:4]) == ["crop_id", "patient_id", "label", "split"]
    assert len(table) == 6
    assert table["label"].isna().all()
    assert table["patient_id"].nunique() == (3 if made == "csv" else 6)


def test_what_has_no_features_to_write_is_said(bench, many_patients, plugin, work, tmp_path):
    def command(extractors, *more):
        data = ("--data", many_patients, "--plugin", plugin, "--size", "64")
        return bench(
            "features", *data, "--out", tmp_path / "out", "--extractors", extractors, *more
        )

    for name, reason in (
        ("selected", "no network makes its features"),
        ("learner", "is trained on the training rows of each fold"),
        ("tiny-c", "tiny-c"),
    ):
        ended = command(name)
        assert ended.status == 2
        assert reason in ended.err
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tiny-a.npz").write_text("mine")
    ended = command("tiny-a", "--format", "npz")
    assert ended.status == 2
    assert "is there already, and is not replaced" in ended.err
    assert (tmp_path / "out" / "tiny-a.npz").read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    ended = bench("features", "--data", empty, "--out", tmp_path / "x", "--extractors", "tiny-a")
    assert ended.status == 2
    assert "the folder is empty" in ended.err
