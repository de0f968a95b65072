"""Groups of systems that may be compared: of one data set, subset, protocol and region."""

import re
from collections.abc import Callable, Iterable, Sequence

from reports.systems.kinds import OWN_HEAD, network_name
from reports.systems.pooling import GROUP_COLUMNS, PooledSystem
from reports.systems.run_folder import Run
from reports.values import clean

GroupKey = tuple[str, ...]

# Letters of a group's part of a file's name, which may have 255 bytes; Windows takes paths of 259.
_LONGEST_SLUG = 80


def groups(systems: Iterable[PooledSystem]) -> dict[GroupKey, list[PooledSystem]]:
    """Systems that may be compared, by the values of GROUP_COLUMNS, in order of appearance."""
    found: dict[GroupKey, list[PooledSystem]] = {}
    for system in systems:
        found.setdefault(system.group, []).append(system)
    return found


def any_share(key: GroupKey) -> GroupKey:
    """The key of a group without its share of the training patients."""
    return _without("train_fraction", key)


def any_protocol(key: GroupKey) -> GroupKey:
    """The key of a group without its protocol, to compare several protocols."""
    return _without("protocol", key)


def _without(column: str, key: GroupKey) -> GroupKey:
    return tuple(
        "" if name == column else value for name, value in zip(GROUP_COLUMNS, key, strict=True)
    )


def by_network(systems: Iterable[PooledSystem]) -> list[PooledSystem]:
    """Frozen and trained forms of one network next to each other, each with its softmax head first.

    Otherwise in order of appearance.
    """
    systems = list(systems)
    forms: dict[str, int] = {}
    networks: dict[str, int] = {}
    for system in systems:
        extractor = str(system.identity["extractor"])
        forms.setdefault(extractor, len(forms))
        networks.setdefault(network_name(system), len(networks))

    def place(system: PooledSystem) -> tuple[int, int, bool]:
        extractor = str(system.identity["extractor"])
        headless = system.identity["classifier"] != OWN_HEAD
        return networks[network_name(system)], forms[extractor], headless

    return sorted(systems, key=place)


def slugs(keys: Iterable[GroupKey]) -> dict[GroupKey, str]:
    """File names and anchors of groups: the parts that differ, in plain ASCII, no two alike."""
    keys = list(keys)
    shown = _shown_columns(keys)
    found: dict[GroupKey, str] = {}
    for key in keys:
        text = "-".join(
            value for name, value in zip(GROUP_COLUMNS, key, strict=True) if shown(name)
        )
        # As a name of a file it has others before and behind it.
        slug = re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST_SLUG].strip("-") or "group"
        taken, unique, number = set(found.values()), slug, 2
        while unique in taken:
            unique, number = f"{slug}-{number}", number + 1
        found[key] = unique
    return found


def titles(keys: Iterable[GroupKey], run: Run) -> dict[GroupKey, str]:
    """'mass, official'; data set, region, size and share of training where they differ.

    An audit of the run is marked: 'all, pooled-official (audit: patients on both sides)'.
    """
    keys = list(keys)
    shown = _shown_columns(keys)
    units = {
        "region": "region {}",
        "size": "{} px",
        "train_fraction": f"{{}} of the training {run.patients}",
    }
    order = ("subset", "protocol", "dataset", "region", "size", "train_fraction")

    def part(name: str, value: str) -> str:
        text = units.get(name, "{}").format(clean(value))
        if name == "protocol" and value in run.audits:
            return f"{text} ({run.audit_mark})"
        return text

    return {
        key: ", ".join(part(name, key[GROUP_COLUMNS.index(name)]) for name in order if shown(name))
        for key in keys
    }


def _shown_columns(keys: Sequence[GroupKey]) -> Callable[[str], bool]:
    """Whether to show a column of the keys: subset and protocol always, others if they differ."""
    several = {
        name
        for place, name in enumerate(GROUP_COLUMNS)
        if name in ("subset", "protocol") or len({key[place] for key in keys}) > 1
    }
    return several.__contains__
