"""Fused Grams against features side by side, and the search over backbones."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from classifiers import (
    Gram,
    SweepSettings,
    fuse,
    grams_of,
    memory,
    search_backbones,
    sweep,
    sweep_subsets,
    tune,
    tune_gram,
)
from classifiers.memory import gram_bytes

NEAR = 1e-9


def backbones(seed=0, n=70, m=12):
    """Features of three backbones of other widths and magnitudes; only "good" knows the label."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    widths = {"noise": (5, 1.0), "good": (40, 100.0), "more": (90, 1e-3)}
    train = {name: size * rng.normal(size=(n, width)) for name, (width, size) in widths.items()}
    test = {name: size * rng.normal(size=(m, width)) for name, (width, size) in widths.items()}
    train["good"][:, :3] += 150 * labels[:, None]
    return train, test, labels


def test_every_subset_equals_concatenation():
    train, test, labels = backbones()
    train["noise"][:, 2] = 4.0  # constant in training: still one of the P
    settings = SweepSettings(C=[1.0, 10.0], tol=NEAR, jobs=2)
    found = dict(sweep_subsets(grams_of(train, test), labels, settings))
    assert len(found) == 7
    for names, result in found.items():
        side_by_side = (np.hstack([part[name] for name in names]) for part in (train, test))
        x, z = side_by_side
        expected = sweep(x, labels, z, C=[1.0, 10.0], tol=NEAR)
        assert result.fits.keys() == expected.fits.keys()
        for key, fit in result.fits.items():
            assert fit.scale == expected.fits[key].scale
            np.testing.assert_allclose(fit.score, expected.scores[key], atol=1e-6, rtol=0)


def test_each_backbone_is_standardised_for_itself():
    train, test, _ = backbones()
    fused = fuse(list(grams_of(train, test).values()))
    standard = np.hstack([StandardScaler().fit_transform(x) for x in train.values()])
    np.testing.assert_allclose(fused.train, standard @ standard.T, atol=1e-9)
    assert fused.variance == 135


def test_the_search_takes_what_helps_and_nothing_from_the_test_rows():
    train, test, labels = backbones()
    groups = np.arange(70)
    settings = SweepSettings(["linear"])
    found = search_backbones(grams_of(train, test), labels, groups, settings)
    assert found.names[0] == "good"
    singles = {names: score.auc for names, score in found.tried if len(names) == 1}
    assert singles["good",] == max(singles.values())
    aucs = [score.auc for names, score in found.tried if names == found.names[: len(names)]]
    assert aucs == sorted(aucs)  # each one taken raised it
    assert found.choice.inner.auc == aucs[-1]
    fused = fuse([grams_of(train, test)[name] for name in found.names])
    alone = tune_gram(fused, labels, groups, settings).choices["linear"]
    np.testing.assert_array_equal(found.choice.fit.score, alone.fit.score)
    np.testing.assert_array_equal(found.choice.inner.out_of_fold, alone.inner.out_of_fold)
    assert found.choice.fit.scale == alone.fit.scale
    changed = {name: 1e6 * rows[::-1] for name, rows in test.items()}
    again = search_backbones(grams_of(train, changed), labels, groups, settings)
    assert again.names == found.names
    assert again.choice.fit.iterations == found.choice.fit.iterations
    x, z = (np.hstack([part[name] for name in found.names]) for part in (train, test))
    expected = sweep(x, labels, z, ["linear"]).scores["linear", 1.0]
    np.testing.assert_allclose(found.choice.fit.score, expected, atol=1e-2)


def test_the_search_goes_over_every_setting():
    train, test, labels = backbones()
    grams, groups = grams_of(train, test), np.arange(70)
    kernels = ["fine_gaussian", "linear"]
    both = search_backbones(grams, labels, groups, SweepSettings(kernels, [0.1, 1.0]))
    singles = [search_backbones(grams, labels, groups, SweepSettings([k])) for k in kernels]
    assert both.choice.inner.auc >= max(one.choice.inner.auc for one in singles)
    assert both.choice.inner.kernel == "linear"
    assert both.choice.seconds > both.choice.fit.seconds


def test_what_does_not_fit_is_refused_before_it_is_allocated(monkeypatch):
    train, test, labels = backbones()
    monkeypatch.setattr(memory, "default_memory_limit", lambda: gram_bytes(70, 12, 90) + 1.0)
    with pytest.raises(ValueError, match="fusing 3 backbones on 70 training rows needs"):
        grams_of(train, test)
    grams_of({"good": train["good"]}, {"good": test["good"]})
    monkeypatch.setattr(memory, "default_memory_limit", lambda: gram_bytes(70, 12, 90) - 1.0)
    with pytest.raises(ValueError, match="tuning on 70 training rows needs"):
        tune(train["more"], labels, test["more"], np.arange(70))


def test_unusable_input_is_named():
    train, test, labels = backbones()
    with pytest.raises(ValueError, match="nothing to fuse"):
        fuse([])
    with pytest.raises(ValueError, match=r"test features of noise, good$"):
        grams_of(train, {name: test[name] for name in ("noise", "good")})
    with pytest.raises(ValueError, match="good: features are not finite in 12 of 12 test rows"):
        grams_of(train, test | {"good": np.full((12, 40), np.inf)})
    with pytest.raises(ValueError, match="of different rows"):
        fuse([Gram.of(train["good"], test["good"]), Gram.of(train["good"][:9], test["good"])])
    with pytest.raises(ValueError, match="all of one group"):
        search_backbones(grams_of(train, test), labels, np.zeros(70), SweepSettings())
