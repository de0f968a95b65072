"""Classifiers of users: the `register_classifier` decorator and what it keeps.

from bench import register_classifier
from sklearn.ensemble import RandomForestClassifier

register_classifier("forest")(RandomForestClassifier(n_estimators=500))
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bench.errors import UnusableInput
from classifiers.heads.estimators import HeadRecipe
from classifiers.heads.fits import PLATT
from classifiers.kernels import KERNELS
from classifiers.reference import REFERENCE_CLASSIFIERS
from extractors.errors import RegistrationError
from extractors.registration.registry import Registered, Registry

Made = TypeVar("Made")

CLASSIFIER_GROUP = "bench.classifiers"
# What tables and the command line mean by other words.
_WORDS = ("softmax", "selected", "none")
# A constant cannot be made a probability of each row.
_NO_SIGMOID = ("majority",)


CLASSIFIERS: Registry[HeadRecipe] = Registry(
    "classifier",
    "bench.register_classifier",
    CLASSIFIER_GROUP,
    {*KERNELS, *REFERENCE_CLASSIFIERS, *_WORDS},
)


def register_classifier(
    name: str, *, title: str = "", standardise: bool = True, groups: bool = False
) -> Callable[[Made], Made]:
    """Decorator: add a scikit-learn classifier under a name.

    It decorates a function without arguments, or a class, that returns an estimator with `fit` and
    `decision_function` or `predict_proba`; or is called with an estimator, which is cloned for each
    fit. Labels are 0 and 1. Of an estimator that has both, `decision_function` is used.

    Parameters
    ----------
    name : str
        Letters, digits, `_` and `-`.
    title : str
        What it is, in a line; by default the first line of the docstring.
    standardise : bool
        Whether features are standardised by the training rows first, as for the SVMs.
    groups : bool
        Whether `fit` takes `groups`, the patient of each training row, as `GridSearchCV` with a
        `GroupKFold` does. What it chooses inside the training rows then keeps patients together.

    Returns
    -------
    Callable[[Made], Made]
        A decorator that leaves what it is given as it is.

    Raises
    ------
    RegistrationError
        If the name is taken by another source (both are named), reserved, or not a valid name, or
        if what is decorated makes no estimator.
    """
    CLASSIFIERS.check_name(name)

    def add(made: Made) -> Made:
        recipe = HeadRecipe(
            _builder(name, made), title or _first_line(made), bool(standardise), bool(groups)
        )
        CLASSIFIERS.add(name, recipe, made)
        return made

    return add


CLASSIFIERS.by_default(register_classifier)


def found_classifier(name: str) -> Registered[HeadRecipe]:
    """The registered classifier of that name.

    Raises
    ------
    RegistrationError
        If there is none, or its entry point is broken: one line.
    """
    found = CLASSIFIERS.find(name)
    if found is None:
        known = ", ".join(entry.name for entry in CLASSIFIERS.all()) or "none"
        raise RegistrationError(f"classifier {name!r} is not registered; registered are {known}")
    return found


def recipe_of(classifier: str) -> HeadRecipe | None:
    """How a classifier is made, given its name with any endings; None for a reference.

    Raises
    ------
    RegistrationError
        If it is neither.
    """
    name = classifier.partition("+")[0]
    return None if name in REFERENCE_CLASSIFIERS else found_classifier(name).value


def head_names() -> tuple[str, ...]:
    """References and registered classifiers, then all of them with a sigmoid that can have one."""
    plain = (*REFERENCE_CLASSIFIERS, *(entry.name for entry in CLASSIFIERS.all()))
    return (*plain, *(f"{name}{PLATT}" for name in plain if name not in _NO_SIGMOID))


def known_classifiers(requested: Sequence[str]) -> tuple[str, ...]:
    """The classifiers that can be named besides SVMs and the head of a network.

    Raises
    ------
    UnusableInput
        If one that is requested is of a broken entry point, or has an ending that it does not take.
    """
    known = head_names()
    for name in requested:
        base = name.partition("+")[0]
        try:
            CLASSIFIERS.find(base)
        except RegistrationError as error:
            raise UnusableInput(f"--classifiers {name}: {error}") from error
        if base in known and name not in known:
            takes = f"{PLATT} alone" if base + PLATT in known else "nothing"
            raise UnusableInput(f"--classifiers {name}: {base} takes {takes} behind it")
    return known


def _builder(name: str, made: object) -> Callable[[], Any]:
    """What makes a new estimator."""
    if not inspect.isclass(made) and callable(getattr(made, "fit", None)):
        if not callable(getattr(made, "get_params", None)):
            raise RegistrationError(
                f"{name}: {type(made).__name__} has no get_params, so it cannot be cloned for each "
                "fit; register a function that makes it"
            )

        def cloned() -> Any:
            from sklearn.base import clone

            return clone(made)

        return cloned
    if not callable(made):
        raise RegistrationError(
            f"{name}: register_classifier wants an estimator, or a function or class that makes "
            f"one, not {type(made).__name__}"
        )
    return made


def _first_line(made: object) -> str:
    """The first line of the docstring of a function or class, or of an estimator's class."""
    described = made if inspect.isfunction(made) or inspect.isclass(made) else type(made)
    lines = (inspect.getdoc(described) or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else getattr(described, "__name__", "")
