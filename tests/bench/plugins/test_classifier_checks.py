"""The checks of a registered classifier pass for what is sound and name what is not."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.svm import SVC, LinearSVC

from bench import register_classifier
from bench.plugins.classifier_checks import HEAD_CHECKS, check_classifier
from bench.plugins.classifiers import CLASSIFIERS
from bench.plugins.identity import head_identity, parameters_of
from extractors.errors import RegistrationError


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(CLASSIFIERS, "_entries", {})
    monkeypatch.setattr(CLASSIFIERS, "_entry_points_read", True)


class Mean(ClassifierMixin, BaseEstimator):
    """Projects on the difference of the means; breaks one rule for each of its settings."""

    def __init__(self, rule=""):
        self.rule = rule

    def fit(self, X, y):
        if self.rule == "changes":
            X -= 1
        self.classes_ = np.unique(y)
        self.axis_ = X[y == 1].mean(0) - X[y == 0].mean(0)
        if self.rule == "fresh":
            self.axis_ = np.random.default_rng().normal(size=X.shape[1])
        if self.rule == "wide" and X.shape[1] > len(X):
            raise ValueError("more features than rows")
        return self

    def decision_function(self, X):
        sign = -1 if self.rule == "turned" else 1
        beside = X.mean(0) if self.rule == "batch" else 0
        return sign * (X - beside) @ self.axis_


def states(name="mine"):
    return {finding.what: finding for finding in check_classifier(name)}


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (SVC(), {}),
        (RandomForestClassifier(n_estimators=20), {}),
        (Mean(), {"standardise": False}),
        (GridSearchCV(LinearSVC(), {"C": [0.1, 1]}, cv=GroupKFold(3)), {"groups": True}),
        (lambda: Mean(), {}),
    ],
)
def test_what_is_sound_passes(made, options):
    register_classifier("mine", **options)(made)
    assert {what: one.state for what, one in states().items()} == dict.fromkeys(HEAD_CHECKS, "ok")


@pytest.mark.parametrize(
    ("rule", "what", "said"),
    [
        ("turned", "direction", "lower scores"),
        ("batch", "single or batch", "depends on the other rows"),
        ("fresh", "second fit", "other scores"),
        ("wide", "wide", "more features than rows"),
        ("changes", "fits", "changes the features"),
    ],
)
def test_what_breaks_a_rule_is_named(rule, what, said):
    register_classifier("mine")(Mean(rule))
    finding = states()[what]
    assert finding.state == "bad"
    assert said in finding.found


def test_one_estimator_for_all_folds_is_bad_and_inner_folds_of_its_own_are_a_note():
    one = SVC()
    register_classifier("mine")(lambda: one)
    found = states()
    assert (found["builds"].state, "same estimator" in found["builds"].found) == ("bad", True)
    assert found["all else"].found == "not checked"
    register_classifier("chooses")(LogisticRegressionCV(cv=3, Cs=2))
    assert states("chooses")["patients"].state == "note"
    with pytest.raises(RegistrationError, match="not registered"):
        states("nothing")


def test_the_identity_holds_parameters_source_and_libraries_and_is_the_same_each_time():
    def scorer(estimator, X, y):
        return 0.0

    grid = GridSearchCV(SVC(C=2), {"C": np.array([0.1, 1])}, scoring=scorer, cv=GroupKFold(3))
    register_classifier("mine", groups=True)(grid)
    first = head_identity("mine")
    assert first == head_identity("mine")
    assert first["parameters"]["estimator__C"] == 2
    assert set(first["libraries"]) == {"scikit-learn"}
    assert " at 0x" not in str(first)
    register_classifier("mine", groups=True)(grid.set_params(estimator__C=3))
    assert head_identity("mine") != first
    before = head_identity("mine")
    register_classifier("mine")(grid)
    assert head_identity("mine") != before
    assert head_identity("nothing") == {"not registered": "nothing"}
    assert parameters_of(SVC(kernel=np.dot))["kernel"] == "numpy.dot"


def test_rows_that_a_classifier_holds_out_itself_are_a_note():
    from sklearn.linear_model import SGDClassifier

    register_classifier("early")(SGDClassifier(early_stopping=True, random_state=0))
    found = {finding.what: finding for finding in check_classifier("early")}["patients"]
    assert (found.state, "early_stopping" in found.found) == ("note", True)


def test_a_builder_that_ends_the_program_ends_no_run():
    @register_classifier("ends")
    def ends():
        raise SystemExit(3)

    assert head_identity("ends")["cannot be built"] == "ends"
