"""The transformer: scikit-learn's contract, images of every kind, and the features of a run."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)
from torch.utils.data import DataLoader, Dataset, TensorDataset

from bench import FeatureExtractor
from bench.data import CropSettings, build_stack, load_lesions
from bench.execution.features import Extraction
from bench.execution.site import Site
from bench.feature_extractor import ConvertedImages
from bench.planning.config import Configuration
from bench.planning.extractor import choose_extractors
from bench.planning.rules import Rules
from bench.store import Store
from classifiers import KernelSVC
from extractors import BackboneError, create_backbone, extract

NAME = "random:timm:resnet10t"
RNG = np.random.default_rng(2)
LABELS = np.array([0, 0, 1, 1] * 4)
PATIENTS = np.arange(16) // 2
GREY = (RNG.integers(0, 120, (16, 40, 48)) + 100 * LABELS[:, None, None]).astype(np.uint8)


def transformer(**more):
    return FeatureExtractor(NAME, precision="float32", **more)


@pytest.fixture(scope="module")
def expected():
    return transformer().fit_transform(GREY)


def quiet(images, **more):
    """Features of images that are taken as they are: no warning is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvertedImages)
        return transformer(**more).fit_transform(images)


class Items(Dataset):
    def __init__(self, make, n=16):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


def saved(folder, images=GREY):
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_it_stands_in_a_pipeline_under_cross_validation(tmp_path):
    model = make_pipeline(transformer(), KernelSVC())
    cv = StratifiedGroupKFold(4)
    for images in (GREY, saved(tmp_path), Items(lambda i: (GREY[i], LABELS[i])), list(GREY)):
        scores = cross_val_score(
            model, images, LABELS, groups=PATIENTS, cv=cv, scoring="roc_auc", error_score="raise"
        )
        assert scores.min() > 0.9
    grid = {"featureextractor__size": [32, 64], "kernelsvc__kernel": ["linear"]}
    found = GridSearchCV(model, grid, cv=cv).fit(GREY, LABELS, groups=PATIENTS)
    assert found.best_params_["featureextractor__size"] in (32, 64)


def test_it_keeps_scikit_learns_contract(expected):
    one = transformer()
    assert clone(one).get_params() == one.get_params()
    assert one.set_params(size=64).size == 64
    for check in (
        check_parameters_default_constructible,
        check_no_attributes_set_in_init,
        check_get_params_invariance,
        check_set_params,
        check_estimator_repr,
    ):
        check("FeatureExtractor", transformer())
    fitted = transformer().fit(GREY, LABELS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(GREY), expected)
    assert len(pickle.dumps(fitted)) < 10_000
    before = GREY.copy()
    assert fitted.fit(GREY) is fitted
    np.testing.assert_array_equal(fitted.transform(GREY), fitted.fit_transform(GREY))
    np.testing.assert_array_equal(GREY, before)
    np.testing.assert_array_equal(transformer().transform(GREY), expected)  # nothing is learnt
    assert expected.dtype == np.float32
    names = fitted.get_feature_names_out()
    assert (len(names), names[0]) == (expected.shape[1], "featureextractor0")
    table = transformer().set_output(transform="pandas").fit_transform(GREY[:2])
    assert table.shape == (2, fitted.n_features_)


def test_features_are_those_of_extract_on_the_squares_of_a_run(phantom, tmp_path):
    data = load_lesions(phantom)
    stack = build_stack(data, CropSettings(), tmp_path)
    paths = [phantom / path for path in stack.table["path"]]
    direct = extract(create_backbone(NAME), stack.images, precision="float32")
    options = Configuration(extractors=(NAME,), precision="float32")
    (extractor,) = choose_extractors(options, synthetic=True)
    site = Site(stack, Store(tmp_path / "store"), rules=Rules(bfloat16=False))
    positions = np.arange(len(stack.table))
    run = Extraction(site).features(extractor, positions, lambda _: None).matrix
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvertedImages)
        by_path = transformer().fit_transform(paths)
    for found in (by_path, transformer().fit_transform(stack.images), direct):
        np.testing.assert_allclose(found, run, atol=1e-5)
    smaller = build_stack(data, CropSettings(size=96, fit="stretch"), tmp_path)
    found = transformer(size=96, square="stretch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvertedImages)
        by_path = found.fit_transform(paths)
    np.testing.assert_allclose(by_path, found.fit_transform(smaller.images), atol=1e-5)


@pytest.mark.parametrize(
    "images",
    [
        lambda: GREY[..., None],
        lambda: GREY[:, None],
        lambda: np.repeat(GREY[..., None], 3, axis=-1),
        lambda: np.repeat(GREY[:, None], 3, axis=1),
        lambda: list(GREY),
        lambda: [Image.fromarray(image) for image in GREY],
        lambda: [Image.fromarray(image).convert("RGB") for image in GREY],
        lambda: torch.from_numpy(GREY),
        lambda: torch.from_numpy(GREY)[:, None],
        lambda: [(image, 1) for image in GREY],
        lambda: Items(lambda i: GREY[i]),
        lambda: Items(lambda i: (torch.from_numpy(GREY[i])[None], int(LABELS[i]))),
        lambda: Items(lambda i: {"image": GREY[i], "label": 0}),
        lambda: DataLoader(Items(lambda i: (torch.from_numpy(GREY[i])[None], 0)), batch_size=5),
        lambda: DataLoader(Items(lambda i: {"image": GREY[i]}), batch_size=5),
        lambda: DataLoader(TensorDataset(torch.from_numpy(GREY)), batch_size=3),
        lambda: DataLoader(Items(lambda i: GREY[i]), batch_size=None),
        lambda: (image for image in GREY),
    ],
)
def test_the_same_grey_images_of_any_kind_have_the_same_features(images, expected):
    np.testing.assert_allclose(quiet(images()), expected, atol=1e-5)


def test_paths_of_any_kind_are_read_as_a_run_reads_them(tmp_path, expected):
    import pandas as pd

    paths = saved(tmp_path)
    texts = [str(path) for path in paths]
    loader = DataLoader(Items(lambda i: (texts[i], 0)), batch_size=3)
    alone = DataLoader(Items(lambda i: texts[i]), batch_size=3)
    for given in (
        paths,
        texts,
        np.array(texts),
        pd.Series(texts, index=range(5, 21)),
        loader,
        alone,
    ):
        np.testing.assert_allclose(quiet(given), expected, atol=1e-5)


def test_images_of_several_sizes_stand_in_a_list():
    images = [GREY[0], GREY[1][:20], np.repeat(GREY[2][..., None], 3, -1)]
    assert quiet(images).shape[0] == 3


@pytest.mark.parametrize(
    ("images", "values", "said"),
    [
        (GREY.astype(np.uint16) * 257, (0, 65535), "16 images of uint16 are scaled to 8 bits from"),
        (GREY / 255, (0, 1), "16 images of float64 are scaled to 8 bits from 0 to 1"),
        (np.float32(GREY / 255), (0, 1), "16 images of float32"),
        (torch.from_numpy(GREY).float() / 255, (0, 1), "16 images of float32"),
        (GREY.astype(np.int64), (0, 255), "16 images of int64"),
        (GREY.astype(">i4"), (0, 255), "16 images of int32"),
        (np.ma.masked_array(GREY.astype(np.uint16), False), (0, 255), "16 images of uint16"),
    ],
)
def test_what_has_a_range_is_converted_exactly_and_said(images, values, said, expected):
    with pytest.warns(ConvertedImages, match=said):
        found = transformer(values=values).fit_transform(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_masks_are_said_by_their_own_type(expected):
    with pytest.warns(ConvertedImages, match="16 images of bool are scaled"):
        transformer().fit_transform(GREY > 128)


def test_wide_values_are_scaled_as_a_run_scales_the_same_file(tmp_path):
    wide = (RNG.integers(900, 3000, (3, 32, 32))).astype(np.uint16)
    paths = saved(tmp_path, wide)
    said = "3 images of uint16 are scaled .* own minimum"
    with pytest.warns(ConvertedImages, match=said):
        by_path = transformer().fit_transform(paths)
    with pytest.warns(ConvertedImages, match=said):
        np.testing.assert_allclose(transformer().fit_transform(wide), by_path, atol=1e-5)
    with pytest.warns(ConvertedImages, match="of float64"):
        floats = transformer().fit_transform(wide / 7.0)
    np.testing.assert_allclose(floats, by_path, atol=1e-5)


def test_colours_are_made_grey_as_those_of_the_same_file(tmp_path):
    colours = RNG.integers(0, 256, (3, 32, 40, 3)).astype(np.uint8)
    with pytest.warns(ConvertedImages, match="3 images in colours are made grey"):
        by_path = transformer().fit_transform(saved(tmp_path, colours))
    grey = np.stack([np.asarray(Image.fromarray(one).convert("L")) for one in colours])
    np.testing.assert_allclose(quiet(grey), by_path, atol=1e-5)
    for given in (colours, colours.transpose(0, 3, 1, 2), [Image.fromarray(i) for i in colours]):
        with pytest.warns(ConvertedImages, match="3 images in colours"):
            np.testing.assert_allclose(transformer().fit_transform(given), by_path, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (GREY[0], r"one image is images\[None\]"),
        (GREY.reshape(16, -1), r"\(n, h, w\)"),
        (GREY[:0], "there are no images"),
        ([], "there are no images"),
        (np.zeros((40, 40, 3), np.uint8), r"give images\[None\]"),
        (np.zeros((2, 8, 8, 2), np.uint8), "neither 1 nor 3 channels"),
        (np.zeros((2, 8, 8, 4), np.uint8), "neither 1 nor 3 channels"),
        (np.zeros((2, 3, 8, 3), np.uint8), "says not which axis"),
        (np.zeros((2, 0, 8), np.uint8), "no image"),
        (np.full((2, 8, 8), np.nan), "64 pixels are not finite"),
        (np.array([[[0.0, 1e308], [-1e308, 0]]]), "too far apart"),
        (np.zeros((2, 8, 8), complex), "is no image: complex128"),
        (np.ma.masked_array(GREY, GREY > 200), "masked pixels"),
        ({"a": GREY[0]}, "a mapping, not images"),
        (["a", 3, None], "image 1"),
        ("one.png", "give a list of paths"),
        (3, "not int"),
        (None, "not NoneType"),
        ([{"label": 1}], "a mapping without image"),
        (Items(lambda i: Image.fromarray(np.zeros((4, 4, 4), np.uint8))), "picture of mode RGBA"),
        (DataLoader(Items(lambda i: GREY[i]), shuffle=True), "shuffles"),
        (DataLoader(Items(lambda i: GREY[i]), batch_size=3, drop_last=True), "drops its last"),
    ],
)
def test_what_has_no_one_meaning_is_refused_in_a_line(images, said):
    with pytest.raises(ValueError, match=said) as caught:
        transformer().fit_transform(images)
    assert "\n" not in str(caught.value)


def test_values_outside_of_the_range_are_refused_and_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"image 0: values of .* lie outside of 0 to 1"):
        transformer(values=(0, 1)).fit_transform(GREY.astype(float))
    paths = saved(tmp_path)
    for number in range(5):
        paths[number].write_bytes(b"no image")
    paths[7].unlink()
    with pytest.raises(ValueError, match=r"0\.png: .*1\.png: .*2\.png: .*and 3 more") as caught:
        transformer().fit_transform(paths)
    assert "4.png" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"name": "timm:no_such_network"}, "no_such_network"),
        ({"name": "cct_7"}, "train"),
        ({"name": "selected"}, "selected"),
        ({"name": None}, "name is a text"),
        ({"size": 4}, "8 to 4096"),
        ({"size": 2.5}, "FeatureExtractor"),
        ({"square": "cut"}, "'cut' is not one of pad, stretch"),
        ({"window": "all"}, "'all' is not one of"),
        ({"precision": "float16"}, "float16"),
        ({"values": (1, 0)}, "neither 'own' nor"),
        ({"values": "all"}, "neither 'own' nor"),
        ({"values": (0, np.inf)}, "neither 'own' nor"),
        ({"device": "tpu"}, "tpu"),
        ({"device": None}, "device is a text"),
        ({"batch_size": 0}, "batch_size is a whole number from 1 on"),
        ({"batch_size": "8"}, "batch_size is a whole number from 1 on"),
        ({"seed": "x"}, "seed is a whole number from 0 on"),
        ({"size": "256"}, "size '256' is no number"),
        ({"weights": None}, "weights is a text or path"),
        ({"weights": "mine.pth"}, "its weights are drawn; it takes no checkpoint"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_in_a_line(parameters, said):
    with pytest.raises(ValueError, match=said) as caught:
        transformer().set_params(**parameters).fit_transform(GREY)
    assert "\n" not in str(caught.value)


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BackboneError, match="weights"):
        FeatureExtractor("timm:resnet18").fit(GREY)


def test_a_fusion_is_its_parts_side_by_side_and_seeds_differ(expected):
    other = "random:timm:test_resnet"
    fused = FeatureExtractor(f"fusion:{NAME}+{other}", precision="float32").fit_transform(GREY)
    second = FeatureExtractor(other, precision="float32").fit_transform(GREY)
    np.testing.assert_array_equal(fused, np.hstack([expected, second]))
    assert not np.allclose(transformer(seed=1).fit_transform(GREY), expected)


def test_a_logistic_regression_on_it_knows_the_bright_ones():
    model = make_pipeline(transformer(), LogisticRegression(max_iter=500))
    assert model.fit(GREY[:8], LABELS[:8]).score(GREY[8:], LABELS[8:]) == 1.0


def test_batches_may_be_lists_of_pictures(expected):
    pictures = Items(lambda i: Image.fromarray(GREY[i]))
    loader = DataLoader(pictures, batch_size=5, collate_fn=list)
    np.testing.assert_allclose(quiet(loader), expected, atol=1e-5)
