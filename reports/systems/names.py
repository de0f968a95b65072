"""Short names of systems in figures and on the page, with the settings that differ.

A setting that is the same for all systems of a group stands in the group's title, not in the names.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reports.systems.pooling import PooledSystem
from reports.values import clean, short

# Named with the extractor where they differ within a group; the others with the classifier.
_OF_FEATURES = ("weights", "recipe")

_OF_CLASSIFIER = ("C", "scale", "tuned", "seed")


_SVM_KERNELS = (
    *("linear", "quadratic", "cubic"),
    *("fine_gaussian", "medium_gaussian", "coarse_gaussian"),
)


def names_svm(classifier: str) -> bool:
    """Whether this is the name of a support vector machine, tuned or not."""
    return classifier.split("+")[0] in _SVM_KERNELS


class Name(NamedTuple):
    """The name of a system: a heading of a panel or row, and an entry of a legend."""

    extractor: str
    classifier: str


def names(systems: Sequence[PooledSystem]) -> list[Name]:
    """The names of the systems of one group; different as far as their identities differ."""
    extractors = _qualify(
        systems, [clean(system.identity["extractor"]) for system in systems], _OF_FEATURES
    )
    classifiers = [clean(system.identity["classifier"]).replace("_", " ") for system in systems]
    # A setting distinguishes rows of the same pair, so it is compared within the pair.
    pairs = [f"{left}\n{right}" for left, right in zip(extractors, classifiers, strict=True)]
    qualified = [pair.split("\n")[1] for pair in _qualify(systems, pairs, _OF_CLASSIFIER)]
    return [Name(*pair) for pair in zip(extractors, qualified, strict=True)]


def _qualify(
    systems: Sequence[PooledSystem], labels: Sequence[str], columns: Iterable[str]
) -> list[str]:
    """The labels, each with the values of the columns that differ among its systems."""
    alike: dict[str, list[PooledSystem]] = {}
    for system, label in zip(systems, labels, strict=True):
        alike.setdefault(label, []).append(system)
    differ = {label: varying(members, columns) for label, members in alike.items()}
    return [
        _with_details(label, system, differ[label])
        for system, label in zip(systems, labels, strict=True)
    ]


def _with_details(label: str, system: PooledSystem, columns: Iterable[str]) -> str:
    details = [f"{column} {clean(system.identity[column]) or 'none'}" for column in columns]
    return f"{label} ({', '.join(details)})" if details else label


def varying(systems: Sequence[PooledSystem], columns: Iterable[str]) -> list[str]:
    """The columns in which the systems have more than one value."""
    return [
        name for name in columns if len({short(system.identity[name]) for system in systems}) > 1
    ]
