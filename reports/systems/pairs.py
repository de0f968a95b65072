"""The pairs of the leakage audit: one system under an audit and under its twin protocol."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.systems.groups import GroupKey, any_protocol, by_network
from reports.systems.kinds import architecture, is_reference
from reports.systems.pooling import PooledSystem
from reports.systems.protocols import Comparison, audit_comparisons
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import ALL_ROWS, SHARED, SYSTEM_COLUMNS

WITHOUT_PROTOCOL = tuple(name for name in SYSTEM_COLUMNS if name != "protocol")

# The published results that an audit examines are those of AlexNet, so it comes first.
_FIRST = "torchvision:alexnet"


@dataclass(frozen=True)
class Pair:
    """One system under an audit and under its twin.

    Attributes
    ----------
    comparison : Comparison
        What is compared.
    system, twin : PooledSystem
        The system under either protocol.
    rows, twin_rows : tuple[ScoredRows, ...]
        The test rows that are measured, repeat by repeat.
    """

    comparison: Comparison
    system: PooledSystem
    twin: PooledSystem
    rows: tuple[ScoredRows, ...]
    twin_rows: tuple[ScoredRows, ...]


def pairs(run: Run, systems: Iterable[PooledSystem]) -> list[Pair]:
    """Every system that ran under an audit and its twin on all training patients.

    By subset, then in the order of `audit_comparisons`, then in that of `audit_order`.
    """
    places: dict[GroupKey, dict[str, dict[tuple[str, ...], PooledSystem]]] = {}
    for system in audit_order(systems):
        key = tuple(str(system.identity[name]) for name in WITHOUT_PROTOCOL)
        by_protocol = places.setdefault(any_protocol(system.group), {})
        by_protocol.setdefault(str(system.identity["protocol"]), {})[key] = system
    found = []
    for by_protocol in places.values():
        for comparison in audit_comparisons(run):
            twins = by_protocol.get(comparison.twin, {})
            for key, system in by_protocol.get(comparison.audit, {}).items():
                if key in twins and (pair := _pair(run, comparison, system, twins[key])):
                    found.append(pair)
    return found


def audit_order(systems: Iterable[PooledSystem]) -> list[PooledSystem]:
    """The systems that ran on all training patients; AlexNet first, reference points last."""

    def place(system: PooledSystem) -> int:
        if is_reference(system):
            return 2
        return 0 if architecture(system) == _FIRST else 1

    return sorted(by_network(s for s in systems if s.ran and s.whole), key=place)


def _pair(
    run: Run, comparison: Comparison, system: PooledSystem, twin: PooledSystem
) -> Pair | None:
    """The pair; None where a side has no such rows."""
    rows = _part(run, system, comparison.rows)
    twin_rows = _part(run, twin, comparison.twin_rows)
    return Pair(comparison, system, twin, rows, twin_rows) if rows and twin_rows else None


def _part(run: Run, system: PooledSystem, which: str) -> tuple[ScoredRows, ...]:
    """The requested rows of each repeat; empty where a repeat has none."""
    if which == ALL_ROWS:
        return system.repeats
    parts = []
    for rows, places in zip(system.repeats, system.places, strict=True):
        inside = _shared(run, places) == (which == SHARED)
        if not inside.any():
            return ()
        parts.append(ScoredRows(*(column[inside] for column in rows)))
    return tuple(parts)


def _shared(run: Run, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these predictions are of patients in both splits of the tested subset, (n,)."""
    rows, lesions = run.predictions.iloc[places], run.lesions
    if not {"subset", "split"} <= set(lesions.columns):
        return np.zeros(len(rows), dtype=bool)
    # A union such as `all` has no name in lesions: take the subsets of its test crops.
    tested = lesions["crop_id"].astype(str).isin(rows["crop_id"].astype(str))
    inside = lesions[lesions["subset"].isin(set(lesions.loc[tested, "subset"]))]
    # Predictions name the group of patients who are kept together in the place of a patient.
    column = "group_id" if "group_id" in lesions.columns else "patient_id"
    train, test = (
        set(inside.loc[inside["split"] == name, column].astype(str)) for name in ("train", "test")
    )
    found: NDArray[np.bool_] = rows["patient_id"].astype(str).isin(train & test).to_numpy(bool)
    return found
