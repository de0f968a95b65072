"""How systems are called in figures and on the page: short, and told apart by what varies.

A setting that is the same for all systems of a group is said once for the group, not in each name.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reports.systems.pooling import PooledSystem
from reports.values import clean, short

# Said with the extractor where they differ within a group; the rest is said with the classifier.
_OF_FEATURES = ("weights", "recipe")

_OF_CLASSIFIER = ("C", "scale", "tuned", "seed")


class Name(NamedTuple):
    """What a system is called: a panel or row heading, and a legend entry."""

    extractor: str
    classifier: str


def names(systems: Sequence[PooledSystem]) -> list[Name]:
    """The names of the systems of one group, no two alike as far as their identities differ."""
    extractors = _qualify(
        systems, [clean(system.identity["extractor"]) for system in systems], _OF_FEATURES
    )
    classifiers = [clean(system.identity["classifier"]).replace("_", " ") for system in systems]
    # A setting tells two rows of the same pair apart, so the pair is what it is sought within.
    pairs = [f"{left}\n{right}" for left, right in zip(extractors, classifiers, strict=True)]
    qualified = [pair.split("\n")[1] for pair in _qualify(systems, pairs, _OF_CLASSIFIER)]
    return [Name(*pair) for pair in zip(extractors, qualified, strict=True)]


def _qualify(
    systems: Sequence[PooledSystem], labels: Sequence[str], columns: Iterable[str]
) -> list[str]:
    """The labels, with the values of those columns that differ among systems of one label."""
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
    """Those of the columns that hold more than one value among the systems."""
    return [
        name for name in columns if len({short(system.identity[name]) for system in systems}) > 1
    ]
