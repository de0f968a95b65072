"""Checks a registered classifier against the contract, and says in plain words what fails.

    from bench.plugins.classifier_checks import check_classifier
    for finding in check_classifier("mine"):
        print(finding)

Everything runs on made-up features; no data are needed.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plugins.classifiers import found_classifier
from bench.plugins.identity import parameters_of
from classifiers.heads.estimators import (
    HeadProblem,
    HeadRecipe,
    check_rows_alone,
    fitted_head,
    running_head,
    scores_of,
)
from extractors.conformance.findings import ContractBroken, Finding

FloatArray = NDArray[np.float64]

# Rows for training and to be scored, and the AUC that any classifier has on such easy ones.
_ROWS, _HELD_OUT, _EASY = 80, 30, 0.7


@dataclass(frozen=True)
class MadeUp:
    """Features of two classes that a straight cut separates nearly, two rows a patient.

    Attributes
    ----------
    train, test : FloatArray, shapes (n, P) and (m, P)
        Standardised.
    labels, truth : NDArray[np.int64], shapes (n,) and (m,)
        Of both.
    groups : NDArray[np.int64], shape (n,)
        Patients of the training rows.
    """

    train: FloatArray
    test: FloatArray
    labels: NDArray[np.int64]
    truth: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, width: int) -> "MadeUp":
        """With so many features."""
        generator = np.random.default_rng(0)
        labels = np.arange(_ROWS + _HELD_OUT) // 2 % 2
        values = generator.normal(size=(len(labels), width))
        values[:, :4] += 1.5 * labels[:, None]
        train, test = values[:_ROWS], values[_ROWS:]
        mean, std = train.mean(axis=0), train.std(axis=0)
        scaled = (train - mean) / std, (test - mean) / std
        return cls(*scaled, labels[:_ROWS], labels[_ROWS:], np.arange(_ROWS) // 2)


@dataclass(frozen=True)
class CheckedHead:
    """The classifier that is checked."""

    name: str
    recipe: HeadRecipe

    def fitted(self, rows: MadeUp, seed: int = 0) -> Any:
        """A new estimator, fitted; generators of the process stand elsewhere for each seed."""
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the one that an estimator might draw from
        return fitted_head(self.name, self.recipe, rows.train, rows.labels, rows.groups)[0]

    def scores(self, rows: MadeUp, seed: int = 0) -> tuple[FloatArray, float]:
        """Scores of the rows held out, and their threshold."""
        return scores_of(self.name, self.fitted(rows, seed), rows.test)


def check_classifier(name: str) -> Iterator[Finding]:
    """Check one registered classifier, one finding after the other.

    Parameters
    ----------
    name : str
        Under which it was registered.

    Yields
    ------
    Finding
        "ok", "note" (worth knowing) or "bad".

    Raises
    ------
    RegistrationError
        If there is none of that name, or its entry point is broken.
    """
    candidate = CheckedHead(name, found_classifier(name).value)
    for what, check in HEAD_CHECKS.items():
        finding = _judged(candidate, what, check)
        yield finding
        if finding.state == "bad" and what in ("builds", "fits"):
            yield Finding(name, "note", "all else", "not checked", "correct the line above first")
            return


def _judged(candidate: CheckedHead, what: str, check: Callable[[CheckedHead], str]) -> Finding:
    name = candidate.name
    try:
        with running_head(name):
            try:
                return Finding(name, "ok", what, check(candidate))
            except ContractBroken as broken:
                return Finding(name, broken.state, what, broken.found, broken.hint)
    except HeadProblem as problem:
        return Finding(name, "bad", what, str(problem).removeprefix(f"{name}: "))


def _builds(candidate: CheckedHead) -> str:
    first, second = candidate.recipe.build(), candidate.recipe.build()
    if not callable(getattr(first, "fit", None)):
        raise ContractBroken(
            f"the registered function returns {type(first).__name__}, which has no fit",
            "return an estimator of scikit-learn's kind",
        )
    if first is second:
        raise ContractBroken(
            "each call returns the same estimator: what one fold learns would stay for the next",
            "make it inside the registered function",
        )
    return type(first).__name__


def _parameters(candidate: CheckedHead) -> str:
    made = candidate.recipe.build()
    if not callable(getattr(made, "get_params", None)):
        raise ContractBroken(
            "it has no get_params: of its parameters the cache knows the source alone",
            "derive it from sklearn.base.BaseEstimator",
            "note",
        )
    found = parameters_of(made)
    if found != parameters_of(candidate.recipe.build()):
        raise ContractBroken(
            "two builds have different parameters, so nothing of it is found in the cache again",
            "give fixed parameters; draw nothing where they are made",
        )
    return f"{len(found) - 1} parameters, the same in two builds"


def _fits(candidate: CheckedHead) -> str:
    rows = MadeUp.of(12)
    kept = rows.train.copy(), rows.labels.copy()
    estimator = candidate.recipe.build()
    more = {"groups": rows.groups} if candidate.recipe.groups else {}
    estimator.fit(rows.train, rows.labels, **more)
    if not (np.array_equal(rows.train, kept[0]) and np.array_equal(rows.labels, kept[1])):
        raise ContractBroken("fit changes the features or labels that it is given", "copy them")
    return f"{_ROWS} rows of 12 features, labels 0 and 1"


def _scores(candidate: CheckedHead) -> str:
    score, threshold = candidate.scores(MadeUp.of(12))
    called = "decision_function" if threshold == 0 else "predict_proba"
    values = "" if len(np.unique(score)) > 2 else " (two values only: the AUC has one point)"
    return f"finite, one a row, by {called}; positive above {threshold:g}{values}"


def _direction(candidate: CheckedHead) -> str:
    from sklearn.metrics import roc_auc_score

    rows = MadeUp.of(12)
    score, threshold = candidate.scores(rows)
    area = float(roc_auc_score(rows.truth, score))
    if area < 1 - _EASY:
        raise ContractBroken(
            f"label 1 has the lower scores (AUC {area:.2f} on easy rows)",
            "decision_function must be higher for classes_[1]",
        )
    right = float(((score > threshold) == (rows.truth == 1)).mean())
    found = f"AUC {area:.2f} on easy rows, {right:.0%} right at the threshold"
    if area < _EASY:
        raise ContractBroken(found, "is anything learnt?", "note")
    return found


def _alone(candidate: CheckedHead) -> str:
    rows = MadeUp.of(12)
    fitted = candidate.fitted(rows)
    score = scores_of(candidate.name, fitted, rows.test)[0]
    check_rows_alone(candidate.name, fitted, rows.test, score)
    return "a row has the same score alone and among others"


def _again(candidate: CheckedHead) -> str:
    rows = MadeUp.of(12)
    first, again = candidate.scores(rows, 0)[0], candidate.scores(rows, 0)[0]
    if not np.allclose(first, again, rtol=1e-6, atol=1e-9):
        raise ContractBroken(
            "a second fit to the same rows gives other scores",
            "give it a random_state, or draw from numpy's global generator, which the suite seeds",
        )
    if not np.allclose(first, candidate.scores(rows, 1)[0], rtol=1e-6, atol=1e-9):
        return "the same scores once numpy's generator is seeded, as the suite does"
    return "the same scores, whatever the state of the generators"


def _wide(candidate: CheckedHead) -> str:
    candidate.scores(MadeUp.of(400))
    return "400 features, more than rows"


def _patients(candidate: CheckedHead) -> str:
    made = candidate.recipe.build()
    names = made.get_params(deep=True) if callable(getattr(made, "get_params", None)) else {}
    folds = [name for name in names if name.rpartition("__")[2] == "cv"]
    if folds and not candidate.recipe.groups:
        raise ContractBroken(
            f"it chooses on inner folds ({', '.join(folds)}) that may split a patient's rows",
            "register it with groups=True and give cv=GroupKFold(5), or set the choice yourself",
            "note",
        )
    stopping = [
        name for name, value in names.items() if name.endswith("early_stopping") and value is True
    ]
    if stopping:
        raise ContractBroken(
            f"it stops by held-out rows of its own ({stopping[0]}), which may split a patient's",
            "set the number of iterations instead",
            "note",
        )
    return "fit is given the patients" if candidate.recipe.groups else "none are asked for"


HEAD_CHECKS: dict[str, Callable[[CheckedHead], str]] = {
    "builds": _builds,
    "fits": _fits,
    "parameters": _parameters,
    "scores": _scores,
    "direction": _direction,
    "single or batch": _alone,
    "second fit": _again,
    "wide": _wide,
    "patients": _patients,
}
