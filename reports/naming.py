"""How systems are called in figures and on the page: short, and told apart by what varies.

A setting that is the same for all systems of a group is said once for the group, not in each name.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from reports.formats import short
from reports.pooling import GROUP_COLUMNS, System
from reports.schema import AUDIT_MARK

GroupKey = tuple[str, ...]

# Said with the extractor where they differ within a group; the rest is said with the classifier.
_OF_FEATURES = ("weights", "recipe")
_OF_CLASSIFIER = ("C", "scale", "tuned", "seed")
_LONGEST = 60
# The classifier that is the network itself.
OWN_HEAD = "softmax"
_TRAINED_ENDING = re.compile(r"(\+(drloc|finetuned)[a-z-]*)+$")


class Name(NamedTuple):
    """What a system is called: a panel or row heading, and a legend entry."""

    extractor: str
    classifier: str


def names(systems: Sequence[System]) -> list[Name]:
    """The names of the systems of one group, no two alike as far as their identities differ."""
    extractors = _qualify(
        systems, [clean(system.identity["extractor"]) for system in systems], _OF_FEATURES
    )
    classifiers = [clean(system.identity["classifier"]).replace("_", " ") for system in systems]
    # A setting tells two rows of the same pair apart, so the pair is what it is sought within.
    pairs = [f"{left}\n{right}" for left, right in zip(extractors, classifiers, strict=True)]
    qualified = [pair.split("\n")[1] for pair in _qualify(systems, pairs, _OF_CLASSIFIER)]
    return [Name(*pair) for pair in zip(extractors, qualified, strict=True)]


def _qualify(systems: Sequence[System], labels: Sequence[str], columns: Iterable[str]) -> list[str]:
    """The labels, with the values of those columns that differ among systems of one label."""
    alike: dict[str, list[System]] = {}
    for system, label in zip(systems, labels, strict=True):
        alike.setdefault(label, []).append(system)
    differ = {label: varying(members, columns) for label, members in alike.items()}
    return [
        _with_details(label, system, differ[label])
        for system, label in zip(systems, labels, strict=True)
    ]


def _with_details(label: str, system: System, columns: Iterable[str]) -> str:
    details = [f"{column} {clean(system.identity[column]) or 'none'}" for column in columns]
    return f"{label} ({', '.join(details)})" if details else label


def varying(systems: Sequence[System], columns: Iterable[str]) -> list[str]:
    """Those of the columns that hold more than one value among the systems."""
    return [
        name for name in columns if len({short(system.identity[name]) for system in systems}) > 1
    ]


def clean(value: object) -> str:
    """One line of printable text (a control character would make the SVG unreadable)."""
    text = "".join(letter if letter.isprintable() else " " for letter in short(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def groups(systems: Iterable[System]) -> dict[GroupKey, list[System]]:
    """Systems that may be compared, by the values of GROUP_COLUMNS, in order of appearance."""
    found: dict[GroupKey, list[System]] = {}
    for system in systems:
        found.setdefault(system.group, []).append(system)
    return found


def any_share(key: GroupKey) -> GroupKey:
    """The key of a group without its share of the training patients."""
    return tuple(
        "" if name == "train_fraction" else value
        for name, value in zip(GROUP_COLUMNS, key, strict=True)
    )


def by_network(systems: Iterable[System]) -> list[System]:
    """Frozen and trained forms of one network side by side, each with its own head first.

    Otherwise in order of appearance.
    """
    systems = list(systems)
    forms: dict[str, int] = {}
    networks: dict[str, int] = {}
    for system in systems:
        extractor = str(system.identity["extractor"])
        forms.setdefault(extractor, len(forms))
        networks.setdefault(_network(extractor), len(networks))

    def place(system: System) -> tuple[int, int, bool]:
        extractor = str(system.identity["extractor"])
        headless = system.identity["classifier"] != OWN_HEAD
        return networks[_network(extractor)], forms[extractor], headless

    return sorted(systems, key=place)


def _network(extractor: str) -> str:
    """The name without what was done to it; a fusion's plus joins names and stays."""
    return extractor if extractor.startswith("fusion:") else _TRAINED_ENDING.sub("", extractor)


def slugs(keys: Iterable[GroupKey]) -> dict[GroupKey, str]:
    """File names and anchors of groups: the parts that differ, in plain ASCII, no two alike."""
    keys = list(keys)
    shown = _telling(keys)
    found: dict[GroupKey, str] = {}
    for key in keys:
        text = "-".join(
            value for name, value in zip(GROUP_COLUMNS, key, strict=True) if shown(name)
        )
        slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "group"
        taken, unique, number = set(found.values()), slug, 2
        while unique in taken:
            unique, number = f"{slug}-{number}", number + 1
        found[key] = unique
    return found


def titles(keys: Iterable[GroupKey], audits: Collection[str] = ()) -> dict[GroupKey, str]:
    """'mass, official'; data set, region, size and share of training where they differ.

    A protocol among `audits` is called one: 'all, pooled-official (audit: patients on both sides)'.
    """
    keys = list(keys)
    shown = _telling(keys)
    units = {
        "region": "region {}",
        "size": "{} px",
        "train_fraction": "{} of the training patients",
    }
    order = ("subset", "protocol", "dataset", "region", "size", "train_fraction")

    def part(name: str, value: str) -> str:
        text = units.get(name, "{}").format(clean(value))
        return f"{text} ({AUDIT_MARK})" if name == "protocol" and value in audits else text

    return {
        key: ", ".join(part(name, key[GROUP_COLUMNS.index(name)]) for name in order if shown(name))
        for key in keys
    }


def _telling(keys: Sequence[GroupKey]) -> Callable[[str], bool]:
    """Which columns of a key to show: subset and protocol always, the others if they differ."""
    several = {
        name
        for place, name in enumerate(GROUP_COLUMNS)
        if name in ("subset", "protocol") or len({key[place] for key in keys}) > 1
    }
    return several.__contains__
