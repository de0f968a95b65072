"""Which systems are explained, on which crops, and what the page shows of it and escapes."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import build_report
from reports.page.saliency import FAINT, coloured, numbered, overlay, shown
from reports.systems.pooling import pool
from reports.systems.run_folder import read_run
from reports.wanted import candidates_to_explain, choose, read_wanted

NAMES = ("random:vit_tiny", "torchvision:alexnet", "timm:vit_small", "timm:resnet18")


@pytest.fixture(scope="module")
def folder(make_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("saliency") / "run"
    protocols = (("official", 1, 1),)
    return make_run(path, NAMES, subsets=("mass",), protocols=protocols, failed=None)


@pytest.fixture(scope="module")
def kinds(folder):
    run = read_run(folder)
    own = [s for s in pool(run) if s.ran and s.identity["protocol"] == "official"]
    return candidates_to_explain(own)


def extractors(chosen):
    return {kind: system.identity["extractor"] for kind, system in chosen.items()}


def test_without_figures_the_first_with_real_weights_is_chosen(kinds):
    first = {"CNN": "torchvision:alexnet", "ViT": "timm:vit_small"}
    assert extractors(choose(kinds, {})) == first
    alone = {"ViT": kinds["ViT"][:1], "CNN": []}
    assert extractors(choose(alone, {})) == {"ViT": "random:vit_tiny"}


def test_with_figures_the_highest_is_chosen(kinds):
    inner = {"timm:resnet18": 0.7, "torchvision:alexnet": 0.6, "random:vit_tiny": 0.5}
    found = extractors(choose(kinds, inner))
    assert found == {"CNN": "timm:resnet18", "ViT": "random:vit_tiny"}


def test_a_network_is_explained_by_its_own_head_and_fusions_by_none(make_trained_run, tmp_path):
    frozen = ("fusion:timm:resnet18+timm:vit_small", "timm:resnet18")
    run = make_trained_run(tmp_path / "run", frozen=frozen, trained=("cnn_baseline",))
    own = [s for s in pool(read_run(run)) if s.identity["protocol"] == "official"]
    found = candidates_to_explain(own)
    assert not found["ViT"]
    told = [(s.identity["extractor"], s.identity["classifier"]) for s in found["CNN"]]
    assert sorted(told) == [("cnn_baseline", "softmax"), ("timm:resnet18", "medium_gaussian")]


def test_the_crops_are_the_furthest_of_each_verdict_in_the_first_fold(make_run, tmp_path):
    cut = make_run(tmp_path / "run", NAMES, subsets=("mass",), protocols=(("patient-cv", 2, 2),))
    units = pd.read_parquet(cut / "units.parquet")
    cnn = (units["extractor"] == "timm:resnet18") & (units["classifier"] == "medium_gaussian")
    judged = {"inner_auc": np.where(cnn, 0.9, np.nan), "chosen_C": np.nan}
    units.assign(**judged).to_parquet(cut / "units.parquet")
    found = read_wanted(cut).systems
    assert {wanted.kind for wanted in found} == {"CNN", "ViT"}
    for wanted in found:
        assert (wanted.unit["repeat"], wanted.unit["fold"]) == (0, 0)
        assert wanted.inner_auc == (pytest.approx(0.9) if wanted.kind == "CNN" else None)
        rows = pd.read_parquet(cut / "predictions.parquet")
        rows = rows[rows["unit"] == wanted.unit["unit"]].set_index("crop_id")
        away = rows["score"] - wanted.unit["threshold"]
        for verdict, label, sign, most in (
            ("false negative", 1, -1, 4),
            ("false positive", 0, 1, 4),
            ("true positive", 1, 1, 2),
            ("true negative", 0, -1, 2),
        ):
            of_verdict = (sign * away)[(rows["label"] == label) & ((away > 0) == (sign > 0))]
            own = [crop for crop in wanted.crops if crop.verdict == verdict]
            furthest = of_verdict.sort_values(ascending=False)[:most].tolist()
            found = [sign * (crop.score - crop.threshold) for crop in own]
            assert found == pytest.approx(furthest)
            assert {crop.crop_id for crop in own} <= set(of_verdict.index)


def test_an_overlay_leaves_the_picture_where_there_is_no_saliency():
    grey = np.full((2, 2), 90, np.uint8)
    found = overlay(grey, np.array([[0, 255], [0, 128]], np.uint8))
    assert (found[:, 0] == 90).all()
    assert np.ptp(found[0, 1].astype(int)) > np.ptp(found[1, 1].astype(int)) > 0
    # Even where it is highest the picture can be seen.
    highest = np.full((1, 1), 255, np.uint8)
    dark, bright = (overlay(np.full((1, 1), v, np.uint8), highest).astype(int) for v in (0, 200))
    assert (bright - dark).min() > 50
    assert bright.max() < 255


def entry(**more):
    crop = {"crop_id": "<i>c</i>", "verdict": "false positive", "label": "<b>benign</b>"}
    crop |= {"score": 0.75, "threshold": 0.5, "plain": "images/one.png"}
    overlays = {"a": "images/one.png", "b": "images/one.png", "c": "../../outside.png"}
    peaks = {"a": 2.0, "b": FAINT, "c": 1.0}
    crops = [crop | {"overlay": file, "peak": peaks[n]} for n, file in overlays.items()]
    told = {"subset": "mass", "protocol": "official", "kind": "CNN", "weights": "imagenet"}
    told |= {"extractor": "<script>x</script>", "classifier": "softmax", "layer": "bn2, 7 × 7"}
    return told | {"problem": None, "inner_auc": None, "crops": crops} | more


def page_with(folder, path, saliency):
    copy = Path(shutil.copytree(folder, path))
    Image.new("L", (4, 4)).save(path.parent / "outside.png")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["saliency"] = saliency
    (copy / "manifest.json").write_text(json.dumps(manifest))
    text = build_report(copy).read_text()
    return text, (copy / "paper" / "references.bib").read_text()


@pytest.fixture(scope="module")
def made_page(folder, tmp_path_factory):
    return page_with(folder, tmp_path_factory.mktemp("without") / "run", None)


def test_the_page_shows_pictures_and_escapes_words(folder, tmp_path):
    failed = entry(kind="ViT", problem="<em>no layer</em>", crops=[], inner_auc=0.71)
    page, bib = page_with(folder, tmp_path / "run", [entry(), failed, "nonsense"])
    section = page[page.index('<h3 id="saliency">') :]
    section = section[: section.index('<section id="trust">')]
    for tag in ("<script>", "<b>", "<i>", "<em>"):
        assert tag not in section
    assert "&lt;b&gt;benign" in section
    # The third picture lies outside the folder; the legend is one more.
    assert section.count('<figure class="cam">') == 2
    # Both crops have two pictures of the same bytes, which are in the page once.
    assert re.findall(r'data-picture="(\d+)"', section) == ["0"] * 4
    assert section.count("data:image/jpeg;base64,") == 1
    assert "Peak 100%." in section
    assert "Peak below 1%, not coloured." in section
    assert "No map: &lt;em&gt;no layer" in section
    assert "the highest mean AUC on inner folds of training rows (0.710)" in section
    found = re.search(r'"pictures":\["data:image/jpeg;base64,([^"]*)"\]', page)
    assert found
    picture = found[1]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (1, 1)
    assert "selvaraju2017grad" in bib
    assert "adebayo2018sanity" in bib


def test_without_maps_there_is_no_section(made_page):
    page, bib = made_page
    assert 'id="saliency"' not in page
    assert "#saliency" not in page
    assert "selvaraju" not in bib


@pytest.mark.parametrize("nothing", [None, [], {}, "text", [1]])
def test_a_manifest_without_maps_shows_none(folder, nothing):
    run = read_run(folder)
    assert shown(replace(run, manifest=run.manifest | {"saliency": nothing})) == []


def test_figures_that_are_none_show_nothing(folder):
    odd = entry()
    odd["crops"][0] |= {"score": "<s>", "threshold": None, "peak": float("nan")}
    odd["crops"][1] |= {"score": 10**400, "peak": -1.0}
    run = read_run(folder)
    (system,) = shown(replace(run, manifest=run.manifest | {"saliency": [odd]}))
    unknown = "Its peak is not known, not coloured"
    assert [crop["strength"] for crop in system["crops"]] == [unknown] * 2
    assert [crop["score"] for crop in system["crops"]] == ["", ""]


def two_pictures(folder, path):
    """A copy of a run with a grey picture and, as a map over it, a red one."""
    copy = Path(shutil.copytree(folder, path))
    Image.new("RGB", (16, 16), (90, 90, 90)).save(copy / "images" / "plain.png")
    Image.new("RGB", (16, 16), (250, 10, 10)).save(copy / "images" / "red.png")
    return copy


@pytest.mark.parametrize(
    ("peaks", "words"),
    [
        ((2.0, 0.01), ("Peak 100%", "Peak below 1%, not coloured")),
        ((2.0, 2.7e-16), ("Peak 100%", "No place raises the score")),
        # Of maps that are rounding alone none is bright.
        ((2.7e-16, 2.0e-16), ("No place raises the score",) * 2),
        ((1e-42, 0.0), ("No place raises the score",) * 2),
        ((2.0, 0.02), ("Peak 100%", "Peak 1%")),
        ((8e-4, 4e-4), ("Peak 100%", "Peak 50%")),
    ],
)
def test_a_map_is_coloured_exactly_where_its_words_say_so(folder, tmp_path, peaks, words):
    copy = two_pictures(folder, tmp_path / "run")
    crop = {"crop_id": "c", "verdict": "true positive", "label": "malignant"}
    files = {"plain": "images/plain.png", "overlay": "images/red.png"}
    made = entry(crops=[{**crop, **files, "peak": peak} for peak in peaks])
    run = read_run(copy)
    (system,) = shown(replace(run, manifest=run.manifest | {"saliency": [made]}))
    assert tuple(crop["strength"] for crop in system["crops"]) == words
    for crop, text in zip(system["crops"], words, strict=True):
        says_so = text.startswith("Peak") and "not coloured" not in text
        assert (crop["overlay"] != crop["plain"]) is crop["coloured"] is says_so
    assert coloured(peaks) == [text.startswith("Peak") and "not" not in text for text in words]


def test_a_crop_that_several_systems_show_is_in_the_page_once():
    of_one = {"crops": [{"plain": "a", "overlay": "b"}, {"plain": "c", "overlay": "c"}]}
    of_two = {"crops": [{"plain": "a", "overlay": "d"}]}
    assert numbered([of_one, of_two]) == {"a": 0, "b": 1, "c": 2, "d": 3}
