"""What the page tells of pairs and subgroups of one comparison, as plain values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.evaluation import Evaluation
from reports.systems.entries import FigureGroup
from reports.systems.kinds import drawn
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.values import missing, number, short

if TYPE_CHECKING:
    import pandas as pd

# Of more crops the page does not tell which are wrong.
MOST_CROPS = 5000

Numbers = dict[int, list[NDArray[np.int64]]]


def crop_numbers(run: Run, systems: Sequence[PooledSystem]) -> tuple[list[str], Numbers]:
    """The test crops of a comparison, and for each system and repeat the number of each row's crop.

    Empty where a crop was tested more than once in a repeat, as with rotated copies, or where
    systems were tested on different crops.
    """
    ids = run.predictions["crop_id"].to_numpy()
    found: Numbers = {}
    crops: NDArray[Any] | None = None
    for place, system in enumerate(systems):
        found[place] = []
        for places in system.places:
            unique, numbers = np.unique(ids[places].astype(str), return_inverse=True)
            crops = unique if crops is None else crops
            if len(unique) != len(numbers) or not np.array_equal(unique, crops):
                return [], {}
            found[place].append(numbers.astype(np.int64))
    if crops is None or len(crops) > MOST_CROPS:
        return [], {}
    return [str(crop) for crop in crops], found


def declared_pairs(
    evaluation: Evaluation, group: FigureGroup, keys: Sequence[str]
) -> list[dict[str, Any]]:
    """The declared comparisons of this group that could be made, with Holm's p."""
    table = evaluation.tables.get("comparisons")
    if table is None:
        return []
    first = group.entries[0].system.identity
    key_of = {
        tuple(str(entry.system.identity[name]) for name in ("extractor", "classifier")): key
        for entry, key in reversed(list(zip(group.entries, keys, strict=True)))
    }
    here = ("dataset", "subset", "region", "size", "protocol")
    found = []
    for row in table.to_dict("records"):
        sides = [
            (str(row[f"{s}extractor"]), str(row[f"{s}classifier"])) for s in ("", "reference_")
        ]
        same = all(str(row[name]) == str(first[name]) for name in here)
        if not same or missing(row["p_holm"]) or not all(side in key_of for side in sides):
            continue
        p = float(row["p_holm"])
        found.append(
            {
                "a": key_of[sides[0]],
                "b": key_of[sides[1]],
                "question": row["question"],
                "p": "below 0.001" if p < 0.001 else number(p),
                "of": int(row["comparisons"]),
            }
        )
    return found


def subgroups_of(
    evaluation: Evaluation, group: FigureGroup, keys: Sequence[str]
) -> dict[str, Any] | None:
    """The AUC of each closely shown system in each group of test crops; None without a group.

    Random weights are left out.
    """
    table = evaluation.tables.get("subgroups")
    if table is None:
        return None
    key_of = {
        _identity(entry.system.identity): key
        for entry, key in zip(group.entries, keys, strict=True)
        if not drawn(entry.system)
    }
    rows: dict[tuple[str, str], int] = {}
    values: dict[str, dict[tuple[str, str], list[float | None]]] = {}
    for row in _of_group(table, group).to_dict("records"):
        key = key_of.get(_identity(row))
        if key is None:
            continue
        name = (str(row["variable"]), str(row["group"]))
        rows.setdefault(name, int(row["n"]))
        if not missing(row["auc"]):
            known = [row[f"auc{end}"] for end in ("", "_ci_low", "_ci_high")]
            values.setdefault(key, {})[name] = [
                None if missing(one) else float(short(float(one))) for one in known
            ]
    if not values:
        return None
    return {
        "rows": [[*name, n] for name, n in rows.items()],
        "of": {key: [of_key.get(name) for name in rows] for key, of_key in values.items()},
    }


def _of_group(table: "pd.DataFrame", group: FigureGroup) -> "pd.DataFrame":
    first = group.entries[0].system.identity
    here = [table[n].astype(str) == str(first[n]) for n in ("subset", "protocol", "region")]
    return table[here[0] & here[1] & here[2]]


def _identity(row: Any) -> tuple[str, ...]:
    return tuple(short(row[name]) for name in SYSTEM_COLUMNS)
