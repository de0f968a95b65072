"""Fits estimators that others have written, and takes their scores: nothing they do goes unseen."""

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.variant_fits import INNER_SEED

FloatArray = NDArray[np.float64]

# Test rows that are also scored alone; by which share of the largest score they may differ then.
_ALONE = 3
_ALLOWED = 1e-3


class HeadProblem(ValueError):
    """An estimator that fails, or breaks its contract; the message is one line."""


@dataclass(frozen=True)
class HeadRecipe:
    """How an estimator is made and fitted.

    Attributes
    ----------
    build : Callable[[], Any]
        Returns a new estimator that is not fitted.
    title : str
        What it is, in a line.
    standardise : bool
        Whether its features are standardised by the training rows.
    groups : bool
        Whether its `fit` is given the patients of the training rows.
    """

    build: Callable[[], Any]
    title: str = ""
    standardise: bool = True
    groups: bool = False


@contextlib.contextmanager
def running_head(name: str) -> Iterator[None]:
    """Run the code of a registered classifier.

    Generators that the process shares begin at the same place each time and are as before
    afterwards, so that an estimator without a `random_state` of its own gives the same scores.

    Raises
    ------
    ValueError
        Whatever the code raises, in one line that names the classifier.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(INNER_SEED)  # noqa: NPY002 - the one that scikit-learn draws from by default
    random.seed(INNER_SEED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except HeadProblem:
        raise
    except SystemExit as error:
        raise HeadProblem(f"{name}: ends the program (sys.exit({error.code!r}))") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise HeadProblem(f"{name}: {type(error).__name__}: {reason}") from error
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def fitted_head(
    name: str,
    recipe: HeadRecipe,
    rows: FloatArray,
    labels: NDArray[np.int64],
    groups: NDArray[Any],
) -> tuple[Any, bool | None]:
    """A new estimator fitted to training rows, and False where a solver came to its limit."""
    from sklearn.exceptions import ConvergenceWarning

    estimator = recipe.build()
    if not callable(getattr(estimator, "fit", None)):
        raise HeadProblem(
            f"{name}: the registered function returns {type(estimator).__name__}, which has no fit"
        )
    more = {"groups": groups} if recipe.groups else {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        returned = estimator.fit(rows.copy(), labels.copy(), **more)
    unfinished = any(issubclass(one.category, ConvergenceWarning) for one in said)
    fitted = returned if callable(getattr(returned, "fit", None)) else estimator
    return fitted, False if unfinished else None


def scores_of(name: str, fitted: Any, rows: FloatArray) -> tuple[FloatArray, float]:
    """Scores of rows, higher for label 1, and the threshold that belongs to their kind."""
    classes = [int(one) for one in getattr(fitted, "classes_", (0, 1))]
    if sorted(classes) != [0, 1]:
        raise HeadProblem(f"{name}: its classes_ are {classes}, not 0 and 1")
    if hasattr(fitted, "decision_function"):
        values = np.array(fitted.decision_function(rows.copy()), dtype=np.float64)
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        score, threshold, called = values if classes[1] == 1 else -values, 0.0, "decision_function"
        wanted: tuple[int, ...] = (len(rows),)
    elif hasattr(fitted, "predict_proba"):
        values = np.array(fitted.predict_proba(rows.copy()), dtype=np.float64)
        wanted, called = (len(rows), 2), "predict_proba"
        score, threshold = values[:, classes.index(1)] if values.shape == wanted else values, 0.5
    else:
        raise HeadProblem(
            f"{name}: {type(fitted).__name__} has neither decision_function nor predict_proba"
        )
    if values.shape != wanted:
        raise HeadProblem(
            f"{name}: {called} gives shape {values.shape} for {len(rows)} rows, not {wanted}"
        )
    bad = int((~np.isfinite(score)).sum())
    if bad:
        raise HeadProblem(f"{name}: {bad} of {len(rows)} scores are not finite")
    return score, threshold


def check_rows_alone(name: str, fitted: Any, rows: FloatArray, score: FloatArray) -> None:
    """Raise HeadProblem where the score of a row depends on the other rows beside it."""
    if len(rows) < 2:
        return
    alone = [scores_of(name, fitted, rows[i : i + 1])[0][0] for i in range(min(_ALONE, len(rows)))]
    allowed = _ALLOWED * max(float(np.abs(score).max()), np.finfo(np.float64).tiny)
    if (np.abs(np.array(alone) - score[: len(alone)]) > allowed).any():
        raise HeadProblem(
            f"{name}: a row's score depends on the other rows that are scored with it, which lets "
            "test rows judge each other"
        )
