"""Fits in threads, which share one Gram matrix: libsvm releases the interpreter's lock."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from classifiers.solver import unwarned

Result = TypeVar("Result")


def in_threads(
    jobs: int, fit: Callable[..., Result], tasks: Iterable[tuple[Any, ...]]
) -> list[Result]:
    """`fit` called with the arguments of each task, at most `jobs` at a time; results in order."""
    from joblib import Parallel, delayed

    with unwarned():
        results: list[Result] = Parallel(n_jobs=jobs, prefer="threads")(
            delayed(fit)(*task) for task in tasks
        )
    return results
