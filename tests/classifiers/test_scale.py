"""One meaning of `scale`: what sweeps and tuning return can be passed on as it is."""

import warnings

import numpy as np
import pytest

from classifiers import (
    KERNELS,
    KernelSVC,
    SweepSettings,
    grams_of,
    search_backbones,
    sweep,
    sweep_subsets,
    tune,
)
from classifiers.memory import gram_bytes


def rows(width=40, n=90, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    features = rng.normal(size=(n, width))
    features[:, :4] += labels[:, None]
    return features[:70], labels[:70], features[70:], np.arange(70)


def refit(kernel, C, data, **scale):
    train, labels, test, _ = data
    return KernelSVC(kernel, C=C, **scale).fit(train, labels).decision_function(test)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scales", [(0.5, 2.0), (3.0,)])
def test_what_tune_chooses_is_what_the_estimator_takes(kernel, scales):
    train, labels, test, groups = data = rows()
    choice = tune(train, labels, test, groups, [kernel], [0.3, 3.0], scale=scales).choices[kernel]
    assert choice.inner.scale == choice.fit.scale
    expected = choice.fit.score
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        score = refit(kernel, choice.inner.C, data, scale=choice.inner.scale)
    np.testing.assert_allclose(score, expected, atol=1e-9)
    score = refit(kernel, choice.inner.C, data, kernel_scale=choice.fit.kernel_scale)
    np.testing.assert_allclose(score, expected, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_way_to_a_sweep_says_the_scale_alike(kernel):
    train, labels, test, groups = data = rows()
    grams = grams_of({"one": train}, {"one": test})
    settings = SweepSettings([kernel], [1.0], [2.0])
    (_, subset), *_ = sweep_subsets(grams, labels, settings)
    fits = [
        sweep(train, labels, test, [kernel], scale=[2.0]).fits[kernel, 1.0],
        subset.fits[kernel, 1.0],
        search_backbones(grams, labels, groups, settings).choice.fit,
    ]
    for fit in fits:
        assert (fit.scale, fit.kernel_scale) == (2.0, 2 * KERNELS[kernel].preset_scale(40))
        np.testing.assert_allclose(refit(kernel, 1.0, data, scale=fit.scale), fit.score, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_approximate_fit_says_it_alike():
    train, labels, test, _ = rows()
    limit = gram_bytes(70, 20, 40) - 1
    fit = sweep(train, labels, test, ["cubic"], scale=[2.0], memory_limit=limit).fits["cubic", 1.0]
    assert fit.approximate
    assert (fit.scale, fit.kernel_scale) == (2.0, 2 * 40**0.5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_former_meaning_is_told_and_not_taken(kernel):
    train, labels, _, _ = rows(width=1000)
    s = KERNELS[kernel].preset_scale(1000)
    with pytest.warns(FutureWarning, match="multiple of the preset.*kernel_scale="):
        KernelSVC(kernel, scale=s).fit(train, labels)
    for scale in (0.25, 0.5, 1.0, 2.0, 4.0, "auto"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            KernelSVC(kernel, scale=scale).fit(train, labels)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scale": 0.0}, "scale=0.0"),
        ({"scale": "preset"}, "scale='preset' must be 'auto' or a positive number"),
        ({"kernel_scale": -1.0}, "kernel_scale=-1.0"),
        ({"kernel_scale": 3.0, "scale": 1.0}, "scale and kernel_scale are both given"),
    ],
)
def test_an_unusable_scale_is_named(given, message):
    train, labels, _, _ = rows()
    with pytest.raises(ValueError, match=message):
        KernelSVC(**given).fit(train, labels)
