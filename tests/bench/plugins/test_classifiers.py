"""Classifiers by name: references chosen on inner folds, and those that users register."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from bench import register_classifier
from bench.plugins.classifiers import CLASSIFIERS, head_names, recipe_of
from classifiers import fit_head, fit_reference
from classifiers.calibration import platt
from classifiers.inner_folds import inner_folds
from classifiers.linear_probe import PROBE_C
from extractors.errors import RegistrationError

N, TEST, WIDTH = 120, 40, 9
RNG = np.random.default_rng(4)
LABELS = (np.arange(N + TEST) // 2 % 3 == 0).astype(int)
X = RNG.normal(size=(N + TEST, WIDTH)) * np.arange(1, WIDTH + 1) + 5
X[:, :3] += 1.5 * LABELS[:, None] * np.arange(1, 4)
GROUPS = np.arange(N) // 2
TRAIN, Y, HELD, TRUTH = X[:N], LABELS[:N], X[N:], LABELS[N:]


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(CLASSIFIERS, "_entries", {})
    monkeypatch.setattr(CLASSIFIERS, "_broken", {})
    monkeypatch.setattr(CLASSIFIERS, "_entry_points_read", True)


def head(name, **changes):
    given = {"train": TRAIN, "y": Y, "test": HELD, "groups": GROUPS} | changes
    rows = (given[key] for key in ("train", "y", "test", "groups"))
    return fit_head(name, *rows, recipe_of(name))


def scaled():
    scaler = StandardScaler().fit(TRAIN)
    return scaler.transform(TRAIN), scaler.transform(HELD)


def test_the_nearest_mean_is_that_of_scikit_learn():
    found = fit_reference("nearest_mean", TRAIN, Y, HELD)
    rows, others = scaled()
    expected = NearestCentroid().fit(rows, Y).predict(others)
    np.testing.assert_array_equal(found.score > found.threshold, expected == 1)
    negative, positive = (rows[label == Y].mean(0) for label in (0, 1))
    distances = ((others - negative) ** 2).sum(1) - ((others - positive) ** 2).sum(1)
    np.testing.assert_allclose(found.score, distances / WIDTH, atol=1e-10)


def test_the_linear_probe_is_logistic_regression_with_the_best_inner_c():
    found = fit_reference("linear_probe", TRAIN, Y, HELD, GROUPS)
    rows, others = scaled()
    means = {}
    for value in PROBE_C:
        areas = []
        for fitted, out in inner_folds(Y, GROUPS, 5, 0):
            model = LogisticRegression(C=value, max_iter=2000).fit(rows[fitted], Y[fitted])
            areas.append(roc_auc_score(Y[out], model.decision_function(rows[out])))
        means[value] = np.mean(areas)
    assert found.inner_auc == pytest.approx(means[found.chosen_C], abs=1e-9)
    assert means[found.chosen_C] == pytest.approx(max(means.values()), abs=1e-9)
    expected = LogisticRegression(C=found.chosen_C, max_iter=2000).fit(rows, Y)
    np.testing.assert_allclose(found.score, expected.decision_function(others), atol=2e-3)
    assert found.converged


def test_a_probe_without_patients_or_with_too_few_says_so():
    with pytest.raises(ValueError, match="needs groups"):
        fit_reference("linear_probe", TRAIN, Y, HELD)
    with pytest.raises(ValueError, match="5 inner folds need"):
        fit_reference("linear_probe", TRAIN, Y, HELD, np.arange(N) % 3)


@pytest.mark.parametrize(
    ("estimator", "threshold"),
    [
        (RandomForestClassifier(n_estimators=30, random_state=0), 0.5),
        (GradientBoostingClassifier(n_estimators=20, random_state=0), 0.0),
        (LinearDiscriminantAnalysis(), 0.0),
        (GaussianNB(), 0.5),
        (RidgeClassifier(), 0.0),
        (LinearSVC(), 0.0),
        (SVC(), 0.0),
        (MLPClassifier(hidden_layer_sizes=(8,), max_iter=200, random_state=0), 0.5),
        (CalibratedClassifierCV(LinearSVC(), cv=3), 0.5),
        (make_pipeline(StandardScaler(), LogisticRegression()), 0.0),
        (GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3), 0.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_classifier_of_scikit_learn_is_a_head(estimator, threshold):
    register_classifier("mine")(estimator)
    found = head("mine")
    rows, others = scaled()
    np.random.seed(0)  # noqa: NPY002 - what estimators without random_state draw from
    fitted = estimator.fit(rows, Y)
    if threshold == 0.0:
        expected = fitted.decision_function(others)
    else:
        expected = fitted.predict_proba(others)[:, 1]
    np.testing.assert_allclose(found.score, expected, rtol=1e-6, atol=1e-9)
    assert found.threshold == threshold
    assert roc_auc_score(TRUTH, found.score) > 0.6


def test_a_function_or_a_class_is_called_for_each_fit():
    made = []

    @register_classifier("made", title="made anew")
    def build():
        made.append(SVC())
        return made[-1]

    head("made")
    head("made")
    assert len(made) == 2
    register_classifier("class")(GaussianNB)
    assert head("class").threshold == 0.5
    assert CLASSIFIERS.find("made").value.title == "made anew"
    assert CLASSIFIERS.find("class").value.title.startswith("Gaussian Naive Bayes")


def test_features_may_stay_as_they_are():
    register_classifier("scaled")(LinearDiscriminantAnalysis())
    register_classifier("raw", standardise=False)(GaussianNB())
    expected = GaussianNB().fit(TRAIN, Y).predict_proba(HELD)[:, 1]
    np.testing.assert_allclose(head("raw").score, expected, rtol=1e-9)


def test_a_choice_inside_the_training_rows_keeps_patients_together():
    grid = GridSearchCV(LogisticRegression(), {"C": [1e-3, 1.0]}, cv=GroupKFold(4))
    register_classifier("grid", groups=True)(grid)
    rows, others = scaled()
    expected = grid.fit(rows, Y, groups=GROUPS).decision_function(others)
    np.testing.assert_allclose(head("grid").score, expected, rtol=1e-6)
    register_classifier("without")(grid)
    with pytest.raises(ValueError, match="without: ValueError: The 'groups' parameter should not"):
        head("without")


def test_the_sigmoid_is_fitted_on_inner_folds_by_patient():
    register_classifier("lda")(LinearDiscriminantAnalysis())
    plain, found = head("lda"), head("lda+platt")
    out_of_fold = np.empty(N)
    for fitted, out in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        X[:N], Y, GROUPS
    ):
        scaler = StandardScaler().fit(TRAIN[fitted])
        model = LinearDiscriminantAnalysis().fit(scaler.transform(TRAIN[fitted]), Y[fitted])
        out_of_fold[out] = model.decision_function(scaler.transform(TRAIN[out]))
    np.testing.assert_allclose(found.score, platt(out_of_fold, Y)(plain.score), rtol=1e-6)
    assert found.threshold == 0.5
    for name in ("knn+platt", "nearest_mean+platt", "linear_probe+platt", "logistic+platt"):
        assert ((head(name).score >= 0) & (head(name).score <= 1)).all()


def test_nothing_is_fitted_on_a_test_row():
    register_classifier("lda")(LinearDiscriminantAnalysis())
    noise = np.random.default_rng(8).normal(size=HELD.shape) * 100
    for name in ("lda", "lda+platt", "nearest_mean", "linear_probe", "linear_probe+platt"):
        mixed = np.vstack([HELD[:5], noise])
        np.testing.assert_allclose(
            head(name, test=mixed).score[:5], head(name).score[:5], rtol=1e-9, err_msg=name
        )


def test_a_constant_feature_that_is_the_label_of_test_rows_changes_nothing():
    register_classifier("lda")(LinearDiscriminantAnalysis())
    for name in ("lda", "nearest_mean", "linear_probe"):
        leaking = {
            "train": np.column_stack([TRAIN, np.ones(N)]),
            "test": np.column_stack([HELD, TRUTH]),
        }
        first, second = head(name), head(name, **leaking)
        order = np.argsort(first.score, kind="stable")
        assert (np.diff(second.score[order]) >= -1e-9).all()


def test_an_estimator_without_a_seed_gives_the_same_scores_and_leaves_the_generators():
    register_classifier("forest")(RandomForestClassifier(n_estimators=10))
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.get_state()[1].copy()  # noqa: NPY002
    first = head("forest").score
    assert (np.random.get_state()[1] == expected).all()  # noqa: NPY002
    np.random.seed(6)  # noqa: NPY002
    np.testing.assert_array_equal(head("forest").score, first)


def test_labels_may_be_words_and_the_second_is_positive():
    register_classifier("nb")(GaussianNB())
    words = np.where(Y == 1, "malignant", "benign")
    np.testing.assert_array_equal(head("nb", y=words).score, head("nb").score)


def test_a_solver_at_its_limit_says_so():
    register_classifier("short")(SGDClassifier(max_iter=1, tol=1e-12, random_state=0))
    assert head("short").converged is False
    assert "did not all converge" in head("short+platt").note


class _Broken(ClassifierMixin, BaseEstimator):
    """Fits nothing; its scores are what a test says."""

    def __init__(self, scores=None):
        self.scores = scores

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return self.scores(X)


def _raises(_):
    raise RuntimeError("two\nlines")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (_Broken(lambda X: np.full(len(X), np.nan)), "40 of 40 scores are not finite"),
        (_Broken(lambda X: np.zeros((len(X), 2))), r"shape \(40, 2\) for 40 rows"),
        (_Broken(lambda X: X[:, 0] - X[:, 0].mean()), "depends on the other rows"),
        (_Broken(lambda X: np.argsort(X[:, 0])), "depends on the other rows"),
        (_Broken(_raises), "RuntimeError: two lines"),
        (_Broken(lambda _: exit(3)), "ends the program"),
        (lambda: object(), "object, which has no fit"),
        (lambda: None, "NoneType, which has no fit"),
        (lambda: StandardScaler(), "neither decision_function nor predict_proba"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_breaks_the_contract_is_one_line(made, said):
    register_classifier("bad")(made)
    with pytest.raises(ValueError, match=said) as caught:
        head("bad")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("bad: ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("linear", "reserved"),
        ("Softmax", "reserved"),
        ("knn", "reserved"),
        ("selected", "reserved"),
        ("a+b", "letters, digits"),
        ("", "letters, digits"),
        (3, "name first"),
        (GaussianNB, "name first"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, said):
    with pytest.raises(RegistrationError, match=said):
        register_classifier(name)


def test_what_makes_no_estimator_is_refused():
    for value in (3, "svm", None):
        with pytest.raises(RegistrationError, match="wants an estimator"):
            register_classifier("odd")(value)


def test_names_are_known_with_their_sigmoid():
    register_classifier("lda")(LinearDiscriminantAnalysis())
    names = head_names()
    assert {"lda", "lda+platt", "nearest_mean", "linear_probe+platt", "majority"} <= set(names)
    assert "majority+platt" not in names
    with pytest.raises(ValueError, match=r"lda may be followed by \+platt only"):
        head("lda+tuned")
    with pytest.raises(RegistrationError, match="'nda' is not registered; registered are lda"):
        head("nda")


def test_a_broken_entry_point_is_said_where_it_is_named(monkeypatch):
    from importlib.metadata import EntryPoint

    broken = EntryPoint("gone", "no_such_module_here:build", "bench.classifiers")
    fine = EntryPoint("nb", "sklearn.naive_bayes:GaussianNB", "bench.classifiers")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken, fine])
    monkeypatch.setattr(CLASSIFIERS, "_entry_points_read", False)
    assert [entry.name for entry in CLASSIFIERS.all()] == ["nb"]
    assert head("nb").threshold == 0.5
    with pytest.raises(RegistrationError, match="gone: entry point no_such_module_here:build"):
        head("gone")
    assert [one.name for one in CLASSIFIERS.broken()] == ["gone"]
