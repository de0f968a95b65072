"""The machines that did the work of a run: times are compared within one, or with a word."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reports.systems.run_folder import Run
from reports.systems.schema import HOST
from reports.values import missing

if TYPE_CHECKING:
    import pandas as pd

_BETWEEN = "; "


def distinct_hosts(values: Iterable[Any]) -> list[str]:
    """Each machine of texts like 'one; two (GPU)', once and in order.

    A name that another one has with its GPU is the same machine: what needs no GPU ran there.
    """
    texts = [str(value) for value in values if not missing(value)]
    names = list(dict.fromkeys(name for text in texts for name in text.split(_BETWEEN) if name))
    return [name for name in names if not any(one.startswith(f"{name} (") for one in names)]


def join_hosts(names: Iterable[str]) -> str:
    """The text of several machines, each once."""
    return _BETWEEN.join(distinct_hosts(names))


def hosts_of(run: Run) -> list[str]:
    """The machines that did the work of a run; none where nobody knows."""
    return distinct_hosts([*run.units[HOST], *run.trainings[HOST]])


def hosts_of_table(run: Run, table: "pd.DataFrame") -> list[str]:
    """The machines that the times of a table are of; none where it has no times.

    A table names them itself where they are several; of others the units of its rows are asked.
    """
    if not any(str(name).endswith(("_time_s", "_per_s")) for name in table):
        return []
    if HOST in table:
        return distinct_hosts(table[HOST])
    sides = [{name: f"{side}{name}" for name in _ROW} for side in ("", "measured_", "reference_")]
    found: list[Any] = []
    for columns in sides:
        asked = {name: column for name, column in columns.items() if column in table}
        if {"extractor", "classifier"} <= set(asked):
            wanted = set(table[list(asked.values())].astype(str).itertuples(index=False, name=None))
            rows = run.units[list(asked)].astype(str).itertuples(index=False, name=None)
            found += run.units.loc[[row in wanted for row in rows], HOST].tolist()
    return distinct_hosts(found)


# What says which units a row of a table is made of, as far as the table has it.
_ROW = ("dataset", "subset", "region", "size", "protocol", "extractor", "classifier")


def hosts_note(names: Iterable[Any]) -> str:
    """What a reader of times must know where they are of several machines; else nothing."""
    found = distinct_hosts(names)
    if len(found) < 2:
        return ""
    return (
        f"Times are of {len(found)} machines ({', '.join(found)}): they compare systems only where "
        "the same machine did the work."
    )
