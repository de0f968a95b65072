"""No test crop, and no test label, changes anything that is fitted."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

FITTED = ["subset", "extractor", "classifier", "n_train", "iterations", "n_support", "converged"]


@pytest.fixture
def make_set(tmp_path):
    """A manifest of 40 training and 20 test images; the test ones can be noise or mislabelled."""

    def make(name, noise=False, flip=False):
        folder = tmp_path / name
        folder.mkdir()
        lines = ["path,label,patient_id,split"]
        for i in range(60):
            rng = np.random.default_rng(i)
            test, label = i >= 40, i % 2
            pixels = rng.normal(100 + 20 * label, 30, (40, 40))
            if test and noise:
                pixels = np.random.default_rng(1000 + i).uniform(0, 255, (40, 40))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
            shown = 1 - label if test and flip else label
            lines.append(f"{i}.png,{shown},P{i},{'test' if test else 'train'}")
        (folder / "lesions.csv").write_text("\n".join(lines))
        return folder / "lesions.csv"

    return make


@pytest.fixture
def run(bench, plugin, tmp_path):
    def go(data, out):
        chosen = ("--extractors", "tiny-a", "--classifiers", "linear,medium_gaussian,logistic")
        cache = str(tmp_path / f"cache-{out}")
        ended = bench(
            *("all", "--data", data, "--plugin", plugin, "--out", out), *chosen, BENCH_CACHE=cache
        )
        assert ended.status == 0, ended.err
        units = pd.read_parquet(tmp_path / out / "units.parquet")
        return units, pd.read_parquet(tmp_path / out / "predictions.parquet")

    return go


def test_test_images_replaced_by_noise_change_no_fitted_quantity(make_set, run):
    one, scores = run(make_set("as-it-is"), "one")
    two, others = run(make_set("noise", noise=True), "two")
    pd.testing.assert_frame_equal(one[[*FITTED, "precision"]], two[[*FITTED, "precision"]])
    assert not np.array_equal(scores["score"], others["score"])


def test_test_labels_change_no_score(make_set, run):
    one, scores = run(make_set("as-it-is"), "one")
    two, others = run(make_set("flipped", flip=True), "two")
    pd.testing.assert_frame_equal(one[FITTED], two[FITTED])
    np.testing.assert_array_equal(scores["score"], others["score"])
    assert (scores["label"] == 1 - others["label"]).all()
