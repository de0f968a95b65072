"""Which features are constant: by the rounding of the type that they come in."""

import numpy as np
import pytest

from classifiers import KERNELS, Gram, KernelSVC, fit_reference, fit_variants, sweep, tune
from classifiers.gram import Standardisation
from classifiers.memory import gram_bytes
from classifiers.torch_decision import decision_in_torch

LABELS = np.arange(120) % 2
NOISE = np.random.default_rng(0).normal(size=120)

# Columns that separate the classes and whose spread is small beside their magnitude, or is itself
# too small or too large for its square.
COLUMNS = {
    "unix time": 1.7e9 + 1000.0 * LABELS + 50 * NOISE,
    "milliseconds": 1.7e12 + 1000.0 * LABELS + 50 * NOISE,
    "integers": 10**14 + LABELS,
    "an accession number": 123_456_789 + LABELS,
    "nearly one": 1 + 1e-12 * LABELS,
    "tiny": 1e-170 * LABELS,
    "huge": 1e200 * LABELS,
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_float64_feature_of_small_spread_is_used(column):
    features = np.asarray(COLUMNS[column])[:, None]
    train, labels, test, truth = features[:80], LABELS[:80], features[80:], LABELS[80:]
    svm = KernelSVC("linear", C=10).fit(train, labels)
    np.testing.assert_array_equal(svm.predict(test), truth)
    fit = sweep(train, labels, test, ["linear"], C=[10]).fits["linear", 10]
    np.testing.assert_allclose(fit.score, svm.decision_function(test), atol=1e-9)
    chosen = tune(train, labels, test, np.arange(80), ["linear"], [10.0]).choices["linear"].fit
    np.testing.assert_array_equal(chosen.score > 0, truth)
    for name in ("knn", "logistic"):
        found = fit_reference(name, train, labels, test)
        np.testing.assert_array_equal(found.score > found.threshold, truth)


@pytest.mark.parametrize("kernel", KERNELS)
def test_such_a_feature_is_standardised_like_any_other(kernel):
    time = COLUMNS["unix time"]
    noise = np.random.default_rng(1).normal(size=(120, 3))
    far, near = np.column_stack([noise, time]), np.column_stack([noise, time - 1.7e9])
    scores = [KernelSVC(kernel).fit(x, LABELS).decision_function(x) for x in (far, near)]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_the_gradient_reaches_it():
    import torch

    features = COLUMNS["unix time"][:, None]
    svm = KernelSVC("linear").fit(features, LABELS)
    score = decision_in_torch(svm)(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(score, svm.decision_function(features), atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_approximate_form_has_the_same_rule_for_each_backbone():
    time = COLUMNS["unix time"][:, None]
    short = np.column_stack([np.full(120, 1e3) + 1e-4 * LABELS, NOISE]).astype(np.float32)
    limit = gram_bytes(80, 40, 3) - 1
    (fit,) = fit_variants(
        [time[:80], short[:80]], LABELS[:80], [time[80:], short[80:]], np.arange(80), ["linear"],
        memory_limit=limit,
    ).values()  # fmt: skip
    assert fit.approximate
    np.testing.assert_array_equal(fit.score > 0, LABELS[80:])
    found = sweep(time[:80], LABELS[:80], time[80:], ["linear"], memory_limit=limit / 2)
    assert found.approximate
    np.testing.assert_array_equal(found.scores["linear", 1.0] > 0, LABELS[80:])


def test_float32_features_keep_their_tolerance():
    """The rounding of a network's 32-bit output is no feature."""
    rng = np.random.default_rng(2)
    rounding = 5 * (1 + 1e-7 * rng.normal(size=120))
    features = np.column_stack([NOISE, rounding]).astype(np.float32)
    assert np.ptp(features[:, 1]) > 0
    for found in (
        Standardisation.fit(features),
        Standardisation.fit(features.astype(np.float16)),
        KernelSVC().fit(features, LABELS)._standardisation,
    ):
        assert found.reciprocal_std[0] > 0
        assert found.reciprocal_std[1] == 0


def test_standardising_float32_is_what_it_was_to_the_bit():
    features = (5 + np.random.default_rng(3).normal(size=(50, 600))).astype(np.float32)
    values = features.astype(np.float64)
    mean = np.concatenate([values[:, :512].mean(axis=0), values[:, 512:].mean(axis=0)])
    centred = values - mean
    std = np.sqrt(np.einsum("ij,ij->j", centred, centred) / 50)
    found = Standardisation.fit(features)
    np.testing.assert_array_equal(found.mean, mean)
    np.testing.assert_array_equal(found.reciprocal_std, 1 / std)
    gram = Gram.of(features, features[:2])
    standard = centred * (1 / std)
    np.testing.assert_array_equal(gram.train, standard @ standard.T)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1.7e9, 1e-300, 1e300])
def test_a_constant_stays_constant_however_many_rows_are_summed(value):
    features = np.full((5000, 2), value)
    assert not Standardisation.fit(features).reciprocal_std.any()
    with pytest.raises(ValueError, match=r"^every feature is constant in the training rows$"):
        Standardisation.fit_varying(features)


def test_what_only_rounding_tells_apart_is_not_called_constant_without_a_word():
    features = (1e6 + LABELS[:, None]).astype(np.float32)
    message = r"constant to within the rounding of float32 .* 1\.2e-06"
    with pytest.raises(ValueError, match=message):
        KernelSVC().fit(features, LABELS)
    with pytest.raises(ValueError, match=message):
        sweep(features, LABELS, features)
    assert KernelSVC("linear").fit(features.astype(np.float64), LABELS).predict(features)[1] == 1


@pytest.mark.parametrize("name", ["knn", "logistic"])
def test_no_reference_gives_one_score_to_all_rows_as_if_it_were_a_result(name):
    with pytest.raises(ValueError, match="every feature is constant"):
        fit_reference(name, np.ones((10, 2)), np.arange(10) % 2, np.ones((3, 2)))
