"""What identifies a registered classifier besides its code: parameters, libraries, options."""

import functools
import hashlib
import inspect
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

import numpy as np

from bench.plugins.classifiers import found_classifier
from classifiers.heads.estimators import HeadProblem, running_head
from extractors.errors import RegistrationError

# Where a value's text says at what place in memory it lies, and so changes from run to run.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def head_identity(name: str) -> dict[str, Any]:
    """All that the scores of a registered classifier depend on besides rows, labels and patients.

    Parameters
    ----------
    name : str
        Under which it was registered.

    Returns
    -------
    dict[str, Any]
        Plain values: the digest of its source, its parameters, the versions of its libraries and
        how it is fitted.
    """
    try:
        found = found_classifier(name)
    except RegistrationError:  # on a machine without the package
        return {"not registered": name}
    recipe = found.value
    try:
        with running_head(name):
            made = recipe.build()
    except HeadProblem:  # the fit says why; no scores are kept under this
        return {"source": found.digest, "cannot be built": name}
    parameters = parameters_of(made)
    return {
        "source": found.digest,
        "parameters": parameters,
        "libraries": _libraries(made),
        "standardise": recipe.standardise,
        "groups": recipe.groups,
    }


def parameters_of(estimator: object) -> dict[str, Any]:
    """The parameters of an estimator, those of nested ones among them, as plain values."""
    if not callable(getattr(estimator, "get_params", None)):
        return {"estimator": _plain(estimator)}
    found = estimator.get_params(deep=True)  # type: ignore[attr-defined]
    return {"estimator": _kind(estimator)} | {str(key): _plain(found[key]) for key in sorted(found)}


def _plain(value: Any) -> Any:
    """A value as JSON has it; what has no such form is told by its kind and its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        content = np.ascontiguousarray(value)
        return [str(value.dtype), list(value.shape), hashlib.sha256(content.data).hexdigest()]
    if isinstance(value, functools.partial):
        return _members([value.func, value.args, value.keywords])
    if isinstance(value, Mapping | list | tuple | set | frozenset | np.ndarray):
        return _members(value)
    return _described(value)


def _members(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        return [[_plain(key), _plain(one)] for key, one in values.items()]
    if isinstance(values, set | frozenset):
        return sorted(str(_plain(one)) for one in values)
    return [_plain(one) for one in (values.ravel() if hasattr(values, "ravel") else values)]


def _described(value: Any) -> Any:
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    if callable(getattr(value, "get_params", None)):
        return parameters_of(value)
    return [_kind(value), _ADDRESS.sub("", repr(value))]


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _libraries(estimator: object) -> dict[str, str]:
    """The versions of the packages that an estimator and those inside it are from."""
    parts = [estimator]
    if callable(getattr(estimator, "get_params", None)):
        parts += list(estimator.get_params(deep=True).values())  # type: ignore[attr-defined]
    tops = {type(part).__module__.partition(".")[0] for part in parts if hasattr(part, "fit")}
    distributions = _distributions()
    found = {}
    for top in sorted(tops):
        for name in distributions.get(top, [])[:1]:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
    return found


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Which distributions hold a module of the top level; all are looked through once."""
    return packages_distributions()
