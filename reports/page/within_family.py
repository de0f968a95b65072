"""What choosing inside the training rows gives within one family of backbones.

The row `selected` chooses among all candidates; here the same rule is kept to a family. Nothing is
fitted: in each fold the candidate with the highest AUC on the inner folds gives its test rows.
"""

from collections.abc import Sequence

import numpy as np

from reports.page.families import family_key
from reports.statistics.difference import repeat_numbers
from reports.systems.kinds import drawn, is_selected, judged
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows


def selected_rows(systems: Sequence[PooledSystem]) -> dict[str, tuple[ScoredRows, ...]]:
    """By family, the test rows of what is chosen there; none where the run has no row `selected`.

    systems: those of one comparison. Only families with two candidates or more: of one there is
    nothing to choose.
    """
    if not any(is_selected(system) and system.ran for system in systems):
        return {}
    members: dict[str, list[PooledSystem]] = {}
    for system in systems:
        if system.ran and judged(system) and not drawn(system):
            members.setdefault(family_key(system), []).append(system)
    found = {key: _chosen(some) for key, some in members.items() if len(some) > 1}
    return {key: rows for key, rows in found.items() if rows}


def _chosen(candidates: Sequence[PooledSystem]) -> tuple[ScoredRows, ...]:
    """The rows of each repeat, fold by fold those of the best candidate; empty where one lacks."""
    numbers = repeat_numbers(candidates[0])
    if any(repeat_numbers(one) != numbers for one in candidates):
        return ()
    inner = [_inner(one) for one in candidates]
    repeats = []
    for place, number in enumerate(numbers):
        folds = np.unique(candidates[0].repeats[place].fold)
        parts = []
        for fold in folds:
            judged_here = [one.get((number, int(fold)), -1.0) for one in inner]
            best = candidates[int(np.argmax(judged_here))]
            rows = best.repeats[place]
            parts.append(rows.where(rows.fold == fold))
        columns = zip(*parts, strict=True)
        repeats.append(ScoredRows(*(np.concatenate(column) for column in columns)))
    return tuple(repeats)


def _inner(system: PooledSystem) -> dict[tuple[int, int], float]:
    """The AUC on inner folds by repeat and fold, as far as it is known."""
    units = system.units[system.units["inner_auc"].notna()]
    keys = zip(units["repeat"], units["fold"], strict=True)
    values = units["inner_auc"].astype("float64")
    return {
        (int(repeat), int(fold)): round(float(value), 12)
        for (repeat, fold), value in zip(keys, values, strict=True)
    }
