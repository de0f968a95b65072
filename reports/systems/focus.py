"""Which systems are shown in detail: by fixed rules that do not depend on test rows.

Subgroups, levels, operating points and errors are shown for these only. Dozens of systems in dozens
of groups would be a search for the best result, not a report.
"""

from collections.abc import Iterable
from typing import TypeVar

from reports.systems.groups import GroupKey, by_network, groups
from reports.systems.kinds import KERNEL, MAJORITY, OWN_HEAD
from reports.systems.pooling import GROUP_COLUMNS, PooledSystem
from reports.systems.protocols import headline_protocols
from reports.systems.run_folder import Run

T = TypeVar("T")


def by_rule(classifiers: Iterable[tuple[str, T]]) -> list[T]:
    """Of the (classifier, item) pairs of one extractor: its softmax head and the Gaussian SVM.

    Where it has neither, all items of its first classifier.
    """
    pairs = list(classifiers)
    chosen = [item for name, item in pairs if name in (OWN_HEAD, KERNEL)]
    return chosen or [item for name, item in pairs if name == pairs[0][0]]


def honest(run: Run, systems: Iterable[PooledSystem]) -> list[PooledSystem]:
    """The systems that ran on all training patients under a protocol that is not an audit."""
    return [
        system
        for system in systems
        if system.whole and system.ran and str(system.identity["protocol"]) not in run.audits
    ]


def close_groups(run: Run, systems: Iterable[PooledSystem]) -> dict[GroupKey, list[PooledSystem]]:
    """The systems to show in detail, by group, in the order of the configuration.

    For each subset those of the first protocol that is not an audit; for each extractor those that
    `by_rule` selects, one for each classifier.
    """
    first: dict[GroupKey, tuple[GroupKey, list[PooledSystem]]] = {}
    for key, members in groups(honest(run, systems)).items():
        place = tuple(
            value
            for name, value in zip(GROUP_COLUMNS, key, strict=True)
            if name not in ("protocol", "train_fraction")
        )
        first.setdefault(place, (key, members))
    found = {key: by_network(_of_each_extractor(members)) for key, members in first.values()}
    return {key: members for key, members in found.items() if members}


def _of_each_extractor(systems: list[PooledSystem]) -> list[PooledSystem]:
    extractors: dict[tuple[str, ...], dict[str, PooledSystem]] = {}
    for system in systems:
        classifier = str(system.identity["classifier"])
        key = tuple(str(system.identity[name]) for name in ("extractor", "weights", "recipe"))
        if classifier != MAJORITY:
            extractors.setdefault(key, {}).setdefault(classifier, system)
    return [
        system for classifiers in extractors.values() for system in by_rule(classifiers.items())
    ]


def headline_groups(
    run: Run, systems: Iterable[PooledSystem]
) -> dict[GroupKey, list[PooledSystem]]:
    """The systems that may be headlines, by group: all training patients, never an audit."""
    protocols = headline_protocols(run)
    return groups(
        system
        for system in systems
        if system.whole and str(system.identity["protocol"]) in protocols
    )
