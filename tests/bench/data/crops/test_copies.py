"""Copies of one picture are found whatever became of their files; other pictures are never."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from bench.commands.data import print_dataset
from bench.data import CropSettings, CropStack, build_stack, load_lesions
from bench.data.crops.copies import copy_groups
from bench.data.crops.copies_found import copy_notices
from bench.execution.features import FeatureRecord
from bench.execution.units import UnitResult
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor
from bench.planning.job import prepare_job
from bench.planning.plan import Fold, System
from bench.planning.protocols import PROTOCOLS
from bench.planning.rules import Rules
from bench.planning.splits import nested_training
from bench.record.manifest import make_manifest
from bench.record.run_tables import Results
from classifiers import sweep
from reports import measures

SETTINGS = CropSettings(96)


def texture(seed: int, shape: tuple[int, int] = (160, 120)) -> NDArray[np.uint8]:
    """Detail at several scales, as tissue has it."""
    random = np.random.default_rng(seed)
    layers = [gaussian_filter(random.normal(size=shape), s) * s for s in (1, 2, 4, 8)]
    values = np.sum(layers, axis=0)
    low, high = values.min(), values.max()
    return ((values - low) / (high - low) * 255).astype(np.uint8)


def stack_of(
    pictures: list[Any],
    folder: Path,
    patients: list[str] | None = None,
    labels: list[int] | None = None,
    splits: list[str] | None = None,
) -> CropStack:
    """A stack of pictures; an entry may be a function that writes the file of a path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number:03d}.png"
        if callable(picture):
            path = picture(path)
        else:
            Image.fromarray(picture).save(path)
        rows.append(
            {
                "path": path.name,
                "label": labels[number] if labels else number % 2,
                "patient_id": patients[number] if patients else f"P{number:03d}",
                "split": splits[number] if splits else "none",
            }
        )
    pd.DataFrame(rows).to_csv(folder / "set.csv", index=False)
    dataset = load_lesions(folder / "set.csv")
    return build_stack(dataset, SETTINGS, folder / "cache")


def jpeg(quality: int) -> Callable[[NDArray[np.uint8]], Any]:
    def save(pixels: NDArray[np.uint8]) -> Any:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality)

        def write(path: Path) -> Path:
            path = path.with_suffix(".jpg")
            path.write_bytes(stream.getvalue())
            return path

        return write

    return save


CHANGES = {
    "the same": lambda pixels: pixels,
    "jpeg": jpeg(50),
    "half": lambda p: np.asarray(Image.fromarray(p).resize((60, 80), Image.Resampling.BILINEAR)),
    "larger": lambda p: np.asarray(Image.fromarray(p).resize((300, 400), Image.Resampling.BICUBIC)),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "a quarter": lambda pixels: np.rot90(pixels),
    "three quarters, mirrored": lambda pixels: np.rot90(pixels, 3)[:, ::-1],
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 257,
    "less contrast": lambda pixels: (pixels // 2 + 60).astype(np.uint8),
    "negative": lambda pixels: 255 - pixels,
    "negative, rotated": lambda pixels: 255 - np.rot90(pixels),
    "colour": lambda pixels: np.dstack([pixels] * 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found(tmp_path: Path, change: str) -> None:
    pictures = [texture(seed) for seed in range(6)]
    stack = stack_of([*pictures, CHANGES[change](pictures[4])], tmp_path)
    assert list(copy_groups(stack)) == [0, 1, 2, 3, 4, 5, 4]
    assert stack.table["group_id"].tolist() == [f"P00{n}" for n in (0, 1, 2, 3, 4, 5, 4)]
    assert stack.copies.to_numpy().tolist() == [["all", "of several patients", 1, 2, 2]]


def test_every_pair_of_copies_is_found_whatever_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs are searched by a part of each picture: none may be lost by that."""
    pictures = [texture(seed) for seed in range(30)]
    copies = list(CHANGES.values())
    stack = stack_of(
        [*pictures, *(copies[n % len(copies)](pictures[n]) for n in range(30))], tmp_path
    )
    expected = [*range(30), *range(30)]
    for share in (0, 1):
        monkeypatch.setattr("bench.data.crops.copies._SPARSE", share)
        for block in (1, 7, 512):
            monkeypatch.setattr("bench.data.crops.copies._BLOCK", block)
            steps: list[int] = []
            assert list(copy_groups(stack, steps.append)) == expected
            assert sum(steps) == 120


def test_other_pictures_and_constant_ones_are_no_copies(tmp_path: Path) -> None:
    flat = [np.full((80, 80), value, np.uint8) for value in (0, 0, 90, 90)]
    flat.append(np.full((80, 40), 90, np.uint8))
    flat.append(np.full((80, 40), 90, np.uint8))
    stack = stack_of([texture(seed) for seed in range(40)] + flat, tmp_path)
    assert list(copy_groups(stack)) == list(range(46))
    assert "group_id" not in stack.table
    assert stack.copies.empty


def test_pictures_without_detail_are_copies_only_pixel_by_pixel(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(100, 140, 96, dtype=np.uint8), (96, 1))
    other = ramp.copy()
    other[0, 0] += 1
    assert list(copy_groups(stack_of([ramp, other, ramp], tmp_path))) == [0, 1, 0]


def test_what_is_found_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [texture(seed) for seed in (0, 1, 0)]
    first = stack_of(pictures, tmp_path)
    monkeypatch.setattr(
        "bench.data.crops.copies_found.copy_groups", lambda *_: pytest.fail("compared again")
    )
    second = build_stack(load_lesions(tmp_path / "set.csv"), SETTINGS, tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    pd.testing.assert_frame_equal(second.table, first.table)


def test_groups_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    pictures = [texture(seed) for seed in (0, 1, 0, 2)]
    copied = stack_of(pictures, tmp_path / "a")
    apart = stack_of([*pictures[:2], texture(3), pictures[3]], tmp_path / "b")
    assert copied.fingerprint != apart.fingerprint


def test_other_groups_of_the_same_pixels_have_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped = stack_of([texture(0), texture(1), texture(0)], tmp_path)
    monkeypatch.setattr("bench.data.crops.stack.stored_copies", lambda *_: np.arange(3))
    alone = build_stack(load_lesions(tmp_path / "set.csv"), SETTINGS, tmp_path / "cache")
    assert alone.digests == grouped.digests
    assert alone.fingerprint != grouped.fingerprint


def test_data_info_and_the_manifest_tell_of_copies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = coin_toss(tmp_path, split=True)
    print_dataset(load_lesions(tmp_path / "set.csv"), stack)
    shown = capsys.readouterr().out
    assert "note: subset all: 80 crops show 40 pictures that stand under several" in shown
    assert "Copies of one picture" in shown
    options = {"data": tmp_path / "set.csv", "cache": tmp_path / "cache", "out": tmp_path / "run"}
    job = prepare_job(Configuration.checked(options | {"extractors": ("random:timm:resnet18",)}))
    manifest = make_manifest(job, stack, job.plan_over(stack.table), Rules(), {}, ["bench"])
    assert any("40 pictures that stand under several" in n for n in manifest["notices"])
    assert manifest["data"]["copies"][0]["pictures"] == 40
    assert manifest["data"]["decoders"] == {"pillow": 80}
    assert "pillow" in manifest["data"]["decoder_versions"]


def test_predictions_and_lesions_name_the_group(tmp_path: Path) -> None:
    """By it the bootstrap draws: two patients with one picture are no two witnesses."""
    stack = coin_toss(tmp_path, split=False)
    folds = PROTOCOLS["patient-cv"].split(stack.table, 1, 0).folds
    results = Results("folder", stack, 0)
    for n, one in enumerate(folds):
        fold = Fold("all", "patient-cv", 0, n, one.train, one.test)
        system = System("none", "majority", 1.0, "auto")
        meta = {"threshold": 0.0, "fit_time_s": 0.0, "gram_time_s": 0.0}
        unit = UnitResult("key", np.zeros(len(one.test)), meta)
        features = FeatureRecord(None, 0.0, {})
        results.add(fold, system, Extractor("none", None, ""), features, unit)
    assert results.prediction_table()["patient_id"].nunique() == 40
    assert results.unit_table()["n_test_patients"].sum() == 40


def test_within_a_patient_only_contradicting_labels_are_said(tmp_path: Path) -> None:
    pictures = [texture(0), CHANGES["jpeg"](texture(0)), texture(1), texture(1)]
    patients = ["A", "A", "B", "B"]
    stack = stack_of([*pictures, texture(2)], tmp_path / "a", [*patients, "C"], [0, 0, 1, 1, 1])
    assert "group_id" not in stack.table
    assert copy_notices(stack.copies) == ()
    stack = stack_of([*pictures, texture(2)], tmp_path / "b", [*patients, "C"], [0, 1, 1, 1, 1])
    assert "group_id" not in stack.table
    (notice,) = copy_notices(stack.copies)
    assert notice.startswith("subset all: 2 crops share 1 pictures with crops of the other class")


def test_a_mirror_image_of_the_same_patient_is_another_film(tmp_path: Path) -> None:
    pictures = [texture(0), texture(0)[:, ::-1], texture(1)]
    assert stack_of(pictures, tmp_path, ["A", "A", "B"], [0, 1, 1]).copies.empty


def coin_toss(folder: Path, split: bool) -> CropStack:
    """Forty pictures with labels by coin, each under two patients, the second time recompressed."""
    pictures = [texture(seed, (96, 96)) for seed in range(40)]
    coins = np.random.default_rng(7).integers(0, 2, 40).tolist()
    copies = [CHANGES[("jpeg", "half", "mirrored")[n % 3]](p) for n, p in enumerate(pictures)]
    splits = ["train"] * 40 + ["test" if n % 2 else "train" for n in range(40)]
    return stack_of(pictures + copies, folder, labels=coins * 2, splits=splits if split else None)


def test_copies_with_labels_by_coin_are_never_on_both_sides(tmp_path: Path) -> None:
    stack = coin_toss(tmp_path, split=False)
    table = stack.table
    pictures = np.tile(np.arange(40), 2)
    for name in ("patient-cv", "rotated-by-patient"):
        rows = table
        if PROTOCOLS[name].rotated:
            rows = pd.concat([table.assign(rotation=r) for r in (0, 90)], ignore_index=True)
        for fold in PROTOCOLS[name].split(rows, 3, 0).folds:
            assert not set(pictures[fold.train % 80]) & set(pictures[fold.test % 80])
    some = nested_training(table, np.arange(80), 0.5, 1)
    assert (np.bincount(pictures[some], minlength=40) % 2 == 0).all()
    audit = PROTOCOLS["image-cv"].split(table, 1, 0).notices[0]
    assert "of 40 patients stand on both sides" in audit
    assert "0 of" not in audit


def test_labels_by_coin_are_not_learnt_through_copies(tmp_path: Path) -> None:
    table = coin_toss(tmp_path, split=False).table
    known = np.random.default_rng(3).normal(size=(40, 16))
    features = np.tile(known, (2, 1)) + 0.01 * np.random.default_rng(4).normal(size=(80, 16))
    labels = table["label"].to_numpy()
    found = {}
    for name, rows in (("grouped", table), ("as named", table.drop(columns="group_id"))):
        scores = np.zeros(80)
        for fold in PROTOCOLS["patient-cv"].split(rows, 1, 0).folds:
            fitted = sweep(features[fold.train], labels[fold.train], features[fold.test], ["cubic"])
            scores[fold.test] = fitted.scores["cubic", 1.0]
        found[name] = measures(labels, scores)["auc"]
    assert found["as named"] > 0.75
    # Which folds are drawn depends on scikit-learn's version: two standard errors of 40 pictures.
    assert found["grouped"] < 0.69


def test_the_training_copy_of_a_test_picture_is_taken_out(tmp_path: Path) -> None:
    stack = coin_toss(tmp_path, split=True)
    split = PROTOCOLS["official"].split(stack.table, 1, 0)
    (fold,) = split.folds
    pictures = np.tile(np.arange(40), 2)
    assert not set(pictures[fold.train]) & set(pictures[fold.test])
    assert len(fold.test) == 20
    assert len(fold.train) == 40
    assert split.notices == (
        "20 patients of the training rows share a picture with patients of test or may be the same "
        "persons: their 20 training crops are left out of training",
    )
    notices = copy_notices(stack.copies)
    assert "80 crops show 40 pictures that stand under several of 80 patients" in notices[0]
    assert "40 crops show 20 pictures that stand in both train and test" in notices[1]
    audit = PROTOCOLS["pooled-official"].split(stack.table, 1, 0)
    assert audit.notices[0].startswith("an audit: 20 patients stand on both sides, with 20")


def test_contradicting_labels_across_patients_are_counted(tmp_path: Path) -> None:
    stack = stack_of([texture(0), texture(1), texture(2), texture(0)], tmp_path)
    assert stack.copies["copies"].tolist() == ["of several patients", "with both labels"]
