"""The figures of the leakage audit: the differences of all systems, by subset and comparison."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from reports.audit import Comparison, Pair, called, pairs
from reports.figures import Drawing, Entry, Group, class_names, drawn
from reports.kinds import is_reference
from reports.naming import clean, names, slugs, titles
from reports.plots import difference_forest
from reports.pooling import System
from reports.run_folder import Run

if TYPE_CHECKING:
    import pandas as pd


def draw_audits(
    run: Run, systems: list[System], tables: "Mapping[str, pd.DataFrame]"
) -> list[Drawing]:
    """A forest plot a subset and comparison, without reference points; none without an audit."""
    if "leakage_audit" not in tables:
        return []
    rows = tables["leakage_audit"].to_dict("records")
    members: dict[tuple[Comparison, tuple[str, ...]], list[tuple[Pair, Mapping[Any, Any]]]] = {}
    for pair, row in zip(pairs(run, systems), rows, strict=True):
        if not is_reference(pair.system):
            members.setdefault((pair.comparison, pair.system.group), []).append((pair, row))
    keys = list(dict.fromkeys(group for _, group in members))
    slug_of, title_of = slugs(keys), titles(keys, run.audits)
    drawings, taken = [], dict.fromkeys(keys, 0)
    for (comparison, key), own in members.items():
        taken[key] += 1
        audited = [pair.system for pair, _ in own]
        group = Group(
            slug=slug_of[key] if taken[key] == 1 else f"{slug_of[key]}-against-{taken[key]}",
            title=f"{title_of[key]}; {called(comparison, run.audits)}",
            entries=[
                Entry(system, name, row)
                for system, name, (_, row) in zip(audited, names(audited), own, strict=True)
            ],
            **class_names(run, clean(audited[0].identity["subset"])),
            synthetic=run.synthetic,
            audit=True,
        )
        compared = called(comparison, run.audits)
        drawings.append(drawn("audit", group, partial(difference_forest, compared=compared)))
    return [drawing for drawing in drawings if drawing is not None]
