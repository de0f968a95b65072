"""Systems with their names and estimates, as figures show them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reports.systems.groups import GroupKey, any_share, by_network, groups, slugs, titles
from reports.systems.kinds import is_reference
from reports.systems.names import Name, names
from reports.systems.pairs import Pair
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import Comparison
from reports.systems.run_folder import Run, section
from reports.systems.schema import AUDIT_MARK
from reports.values import clean


class Entry(NamedTuple):
    """One system of a group with its name and its row of the summary."""

    system: PooledSystem
    name: Name
    row: Mapping[str, Any]


class FigureGroup(NamedTuple):
    """Systems that may be compared: one subset under one protocol.

    `compared` says what is less what where the entries' rows are differences; `patients` is what
    is drawn, `audit_mark` what is put to the figures of an audit (see `Run`).
    """

    slug: str
    title: str
    entries: list[Entry]
    positive: str
    negative: str
    synthetic: bool
    audit: bool
    compared: str = ""
    patients: str = "patients"
    audit_mark: str = AUDIT_MARK

    @property
    def ran(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.system.ran]

    def by_extractor(self) -> dict[str, list[Entry]]:
        """The systems that ran, by the names of their extractors, in order of appearance."""
        found: dict[str, list[Entry]] = {}
        for entry in self.ran:
            found.setdefault(entry.name.extractor, []).append(entry)
        return found


Rows = Mapping[int, Mapping[str, Any]]


def grouped(run: Run, systems: list[PooledSystem], rows: Rows) -> list[FigureGroup]:
    """The groups of a run in order of appearance; `rows` are the summary's, by `id` of the system.

    Without the systems that were trained on a part of the training patients: those are points of
    learning curves. All rows of one network stand together, its own head first.
    """
    return _groups(run, groups(system for system in systems if system.whole), rows)


def curve_groups(run: Run, systems: list[PooledSystem], rows: Rows) -> list[FigureGroup]:
    """A group for each comparison that holds parts of the training patients, all shares in it."""
    members: dict[GroupKey, list[PooledSystem]] = {}
    for system in systems:
        members.setdefault(any_share(system.group), []).append(system)
    in_part = {key: some for key, some in members.items() if not all(s.whole for s in some)}
    return _groups(run, in_part, rows)


def _groups(run: Run, found: dict[GroupKey, list[PooledSystem]], rows: Rows) -> list[FigureGroup]:
    by_key = {key: by_network(members) for key, members in found.items()}
    slug_of, title_of = slugs(by_key), titles(by_key, run)
    return [
        FigureGroup(
            slug=slug_of[key],
            title=title_of[key],
            entries=[
                Entry(system, name, rows[id(system)])
                for system, name in zip(members, names(members), strict=True)
            ],
            **class_names(run, key[1]),
            synthetic=run.synthetic,
            audit=str(members[0].identity["protocol"]) in run.audits,
            patients=run.patients,
            audit_mark=run.audit_mark,
        )
        for key, members in by_key.items()
    ]


def audit_groups(
    run: Run, pairs: Sequence[Pair], rows: Sequence[Mapping[Any, Any]]
) -> list[FigureGroup]:
    """A group a subset and comparison of an audit with its twin, without reference points.

    There is a row, of the table of the leakage audit, for each of the pairs.
    """
    members: dict[tuple[Comparison, GroupKey], list[tuple[PooledSystem, Mapping[Any, Any]]]] = {}
    for pair, row in zip(pairs, rows, strict=True):
        if not is_reference(pair.system):
            of_group = members.setdefault((pair.comparison, pair.system.group), [])
            of_group.append((pair.system, row))
    keys = list(dict.fromkeys(group for _, group in members))
    slug_of, title_of = slugs(keys), titles(keys, run)
    found, taken = [], dict.fromkeys(keys, 0)
    for (comparison, key), audited in members.items():
        taken[key] += 1
        compared = comparison.title(run)
        named = names([system for system, _ in audited])
        group = FigureGroup(
            slug=slug_of[key] if taken[key] == 1 else f"{slug_of[key]}-against-{taken[key]}",
            title=f"{title_of[key]}; {compared}",
            entries=[
                Entry(system, name, row) for (system, row), name in zip(audited, named, strict=True)
            ],
            **class_names(run, clean(key[1])),
            synthetic=run.synthetic,
            audit=True,
            compared=compared,
            patients=run.patients,
            audit_mark=run.audit_mark,
        )
        found.append(group)
    return found


def class_names(run: Run, subset: str) -> dict[str, str]:
    """What the two labels are called in this subset."""
    declared = section(section(section(run.manifest, "data"), "subsets"), subset)
    return {
        "positive": str(declared.get("positive", "positive")),
        "negative": str(declared.get("negative", "negative")),
    }
