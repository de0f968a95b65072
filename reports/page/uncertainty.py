"""What the page knows of the differences between the systems of one comparison."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports.page.packed import SCALE, packed_pairs
from reports.statistics.all_pairs import critical_value, defined_draws, pairwise
from reports.statistics.bootstrap import bootstrap, observed
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats
from reports.systems.schema import SUMMARY_MEASURES

# With more systems than these in one comparison, pairs of declared systems alone are kept.
MOST_SYSTEMS = 200

# What is in view: for a rule of choosing classifiers, without and with random weights.
Views = Mapping[str, tuple[Sequence[int], Sequence[int]]]


def pair_figures(
    systems: Sequence[PooledSystem], views: Views, declared: Sequence[int]
) -> dict[str, Any]:
    """All differences of AUC, and those of the other measures between the declared systems.

    systems: those of one comparison; views and declared: positions in it. The result has `pairs`
    and `critical`, each by measure; a measure that is undefined in too many draws is in neither.
    """
    ran = _comparable(systems)
    every = ran if len(ran) <= MOST_SYSTEMS else [place for place in ran if place in set(declared)]
    pairs, critical = {}, {}
    for names, places, of_views in (
        (["auc"], every, views),
        ([name for name in SUMMARY_MEASURES if name != "auc"], _among(declared, ran), None),
    ):
        if len(places) < 2:
            continue
        drawn = bootstrap([systems[place].repeats for place in places], names)
        values = np.array([observed(systems[place].repeats, names) for place in places])
        for name, draws, value in zip(names, drawn.transpose(1, 0, 2), values.T, strict=True):
            defined = defined_draws(draws)
            if defined is None:
                continue
            packed = packed_pairs(pairwise(defined), limits=name == "auc")
            pairs[name] = {"at": list(places), "scale": SCALE, "data": packed}
            chosen = of_views or {"declared": views["declared"]}
            critical[name] = _critical(value, defined, places, chosen)
    return {"pairs": pairs, "critical": critical} if pairs else {}


def _comparable(systems: Sequence[PooledSystem]) -> list[int]:
    """The systems that were tested on the patients that most of them were tested on."""
    tested = [
        np.unique(np.concatenate([rows.patient for rows in one.repeats])).tobytes()
        if one.ran
        else b""
        for one in systems
    ]
    known = [patients for patients in tested if patients]
    usual = max(known, key=known.count, default=b"")
    return [place for place, patients in enumerate(tested) if patients and patients == usual]


def _among(places: Sequence[int], ran: Sequence[int]) -> list[int]:
    return [place for place in places if place in set(ran)]


def _critical(value: Floats, drawn: Floats, places: Sequence[int], views: Views) -> dict[str, Any]:
    """For each view how many standard errors a difference takes; `all` for every pair here."""
    at = {place: row for row, place in enumerate(places)}
    found: dict[str, Any] = {"all": _rounded(critical_value(value, drawn))}
    for rule, seen in views.items():
        kept = [[at[place] for place in some if place in at] for some in seen]
        found[rule] = [_rounded(critical_value(value[some], drawn[some])) for some in kept]
    return found


def _rounded(value: float) -> float | None:
    """To thousandths; None where there is none."""
    return round(value, 3) if value == value else None


def untold(figures: Mapping[str, Any], values: Mapping[int, float], rule: str) -> set[int] | None:
    """Which of these systems cannot be told from the one with the highest AUC, by position.

    figures: from `pair_figures`; values: by position in the comparison. None where nobody knows.
    """
    block = figures.get("pairs", {}).get("auc")
    limit = figures.get("critical", {}).get("auc", {}).get(rule, [None])[0]
    if block is None or limit is None or not values:
        return None
    n = len(block["at"])
    numbers = np.frombuffer(base64.b64decode(block["data"]), dtype="<i2")
    errors = numbers[-(n * (n - 1) // 2) :] / block["scale"]
    at = {place: row for row, place in enumerate(block["at"])}
    highest = max(values, key=lambda place: values[place])
    found = {highest}
    for place, value in values.items():
        if place == highest or place not in at or highest not in at:
            continue
        i, j = sorted((at[place], at[highest]))
        error = errors[i * n - i * (i + 1) // 2 + (j - i - 1)]
        if abs(values[highest] - value) <= limit * error:
            found.add(place)
    return found
