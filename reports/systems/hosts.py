"""The machines that did the work of a run: times are compared within one, or with a word."""

from collections.abc import Iterable
from typing import Any

from reports.systems.run_folder import Run
from reports.systems.schema import HOST
from reports.values import missing

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


def hosts_note(names: Iterable[Any]) -> str:
    """What a reader of times must know where they are of several machines; else nothing."""
    found = distinct_hosts(names)
    if len(found) < 2:
        return ""
    return (
        f"Times are of {len(found)} machines ({', '.join(found)}): they compare systems only where "
        "the same machine did the work."
    )
