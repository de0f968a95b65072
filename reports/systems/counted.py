"""How many extractors and classifiers a run has, counted once for every place that says it."""

from collections.abc import Sequence

from reports.systems.kinds import is_reference, is_selected, sees_images
from reports.systems.pooling import FROZEN, PooledSystem, words


def extractors_counted(systems: Sequence[PooledSystem]) -> str:
    """'25 networks (13 frozen, 12 from scratch), 4 reference points, selected'.

    Parameters
    ----------
    systems : Sequence[PooledSystem]
        Those to be counted.

    Returns
    -------
    str
        Empty without a system.
    """
    seen = {_name(s): s for s in systems if sees_images(s)}
    how: dict[str, int] = {}
    for system in seen.values():
        trained = " and ".join(words(system.extractor.get("training"))) or FROZEN
        how[trained] = how.get(trained, 0) + 1
    points = {_name(s) for s in systems if is_reference(s)}
    parts = []
    if seen:
        of_each = f" ({', '.join(f'{n} {name}' for name, n in how.items())})" if how else ""
        parts.append(f"{_plural(len(seen), 'network')}{of_each}")
    if points:
        parts.append(_plural(len(points), "reference point"))
    if any(map(is_selected, systems)):
        parts.append("selected")
    others = {_name(s) for s in systems} - set(seen) - points
    others -= {_name(s) for s in systems if is_selected(s)}
    return ", ".join([*parts, *([_plural(len(others), "other")] if others else [])])


def classifiers_counted(systems: Sequence[PooledSystem]) -> str:
    """'7 on networks, 2 of reference points': those that systems have, not those that were asked.

    Parameters
    ----------
    systems : Sequence[PooledSystem]
        Those to be counted; `selected` stands for others and adds none.

    Returns
    -------
    str
        Empty without a system.
    """
    chosen = [s for s in systems if not is_selected(s)]
    of_points = {_classifier(s) for s in chosen if is_reference(s)}
    on_networks = {_classifier(s) for s in chosen if not is_reference(s)}
    named = ((on_networks, "on networks"), (of_points, "of reference points"))
    return ", ".join(f"{len(found)} {where}" for found, where in named if found)


def _name(system: PooledSystem) -> str:
    return str(system.identity["extractor"])


def _classifier(system: PooledSystem) -> str:
    return str(system.identity["classifier"])


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
