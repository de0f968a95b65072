"""Where each system fails: its measures by density, view, shape and the like."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import ESTIMATE_COLUMNS, estimates, sizes
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable
from reports.values import category

if TYPE_CHECKING:
    import pandas as pd

# Column of lesions.parquet -> what it is called. The last is made from height and width.
VARIABLES = {
    "density": "density",
    "view": "view",
    "abnormality": "abnormality",
    "shape": "shape",
    "margins": "margins",
    "calc_type": "calcification type",
    "calc_distribution": "calcification distribution",
    "assessment": "assessment",
    "subtlety": "subtlety",
    "crop_size": "crop size",
}
# What is called otherwise where the images are of this organ.
_OF_ORGAN = {"breast": {"density": "breast density", "assessment": "BI-RADS assessment"}}
# Descriptors are joined by hyphens; the first stands for all, or most groups would be of one crop.
_FIRST_WORD = ("shape", "margins", "calc_type", "calc_distribution")
_NOT_GIVEN = "not given"
# Our choice: with fewer rows of a class a rate moves in steps of over ten per cent.
FEWEST = 10
# Sensitivity needs positive rows, specificity negative ones, the AUC both.
_NEEDS = {"auc": (True, True), "sensitivity": (True, False), "specificity": (False, True)}
SUBGROUP_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("variable", "group", "n", "n_positive", "n_patients"),
    *ESTIMATE_COLUMNS,
)


def subgroups(run: Run, close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """A row a system and group of its test rows, for the systems of `focus.close_groups`.

    AUC, sensitivity and specificity with bootstrap intervals over patients. n counts the test crops
    of one repeat. A measure that rests on fewer than FEWEST rows of a class is empty, and so is one
    that is undefined. Crop size is the longest side, cut at the terciles of these test rows.
    """
    import pandas as pd

    facts = facts_of_crops(run)
    called = words_of_variables(run)
    rows: list[dict[str, Any]] = []
    for systems in close.values():
        grouped = [groups_of_rows(run, facts, system) for system in systems]
        for variable in VARIABLES:
            values = sorted(
                {v for repeats in grouped for of_repeat in repeats for v in of_repeat[variable]},
                key=_natural,
            )
            if len(values) > 1 and values != [_NOT_GIVEN]:
                for value in values:
                    masks = [
                        [of_repeat[variable] == value for of_repeat in repeats]
                        for repeats in grouped
                    ]
                    rows += _group_rows(systems, masks, called[variable], value)
    return pd.DataFrame(rows, columns=list(SUBGROUP_COLUMNS))


def _group_rows(
    systems: list[PooledSystem], masks: list[list[NDArray[np.bool_]]], variable: str, value: str
) -> list[dict[str, Any]]:
    cut = [
        [
            rows.where(mask)
            for rows, mask in zip(system.repeats, of_system, strict=True)
            if mask.any()
        ]
        for system, of_system in zip(systems, masks, strict=True)
    ]
    there = [(system, repeats) for system, repeats in zip(systems, cut, strict=True) if repeats]
    found = estimates([repeats for _, repeats in there])
    return [
        {
            **system.identity,
            "variable": variable,
            "group": value,
            **sizes(repeats[0]),
            **_resting_on_enough(one, repeats[0]),
        }
        for (system, repeats), one in zip(there, found, strict=True)
    ]


def _resting_on_enough(found: dict[str, float], rows: ScoredRows) -> dict[str, float]:
    """What is left when measures on fewer than FEWEST rows of a class are taken out."""
    enough = (int(rows.positive.sum()) >= FEWEST, int((~rows.positive).sum()) >= FEWEST)
    kept = [
        name
        for name, needs in _NEEDS.items()
        if all(have or not need for have, need in zip(enough, needs, strict=True))
    ]
    return {name: value for name, value in found.items() if name.startswith(tuple(kept))}


def words_of_variables(run: Run) -> dict[str, str]:
    """What each of VARIABLES is called for what the images of this run show."""
    return {**VARIABLES, **_OF_ORGAN.get(run.organ, {})}


def facts_of_crops(run: Run) -> "pd.DataFrame":
    """What is known of each crop, as text, by crop_id; longest side in native pixels."""
    import pandas as pd

    lesions = run.lesions.drop_duplicates("crop_id")
    known = pd.DataFrame(index=pd.Index(lesions["crop_id"].astype(str)))
    for name in VARIABLES:
        if name in lesions:
            words = [category(value) for value in lesions[name].astype("object")]
            known[name] = [_first_word(name, word) or _NOT_GIVEN for word in words]
    if {"crop_height", "crop_width"} <= set(lesions.columns):
        sides = lesions[["crop_height", "crop_width"]].apply(pd.to_numeric, errors="coerce")
        known["side"] = sides.max(axis=1, skipna=False).to_numpy(dtype=np.float64)
    return known


def _first_word(name: str, text: str) -> str:
    words = text.split("-")[0] if name in _FIRST_WORD else text
    if words in ("N/A", "nan"):
        return ""  # the tables write N/A for what does not apply
    shouted = words.isupper() and len(words) > 4
    return words.replace("_", " ").lower() if shouted else words


def groups_of_rows(
    run: Run, facts: "pd.DataFrame", system: PooledSystem
) -> list[dict[str, NDArray[Any]]]:
    """For each repeat of a system, the group of each of its rows in every variable."""
    found = []
    for places in system.places:
        known = facts.reindex(run.predictions["crop_id"].iloc[places].astype(str))
        groups = {
            name: known[name].fillna(_NOT_GIVEN).to_numpy(dtype=object)
            if name in known
            else np.full(len(known), _NOT_GIVEN, dtype=object)
            for name in VARIABLES
        }
        if "side" in known:
            groups["crop_size"] = _terciles(known["side"].to_numpy(dtype=np.float64))
        found.append(groups)
    return found


def _terciles(side: NDArray[np.float64]) -> NDArray[Any]:
    """'up to 188 px', 'over 188 to 301 px', 'over 301 px'; not given where the side is unknown."""
    known = np.isfinite(side)
    if not known.any():
        return np.full(len(side), _NOT_GIVEN, dtype=object)
    low, high = np.quantile(side[known], [1 / 3, 2 / 3], method="inverted_cdf")
    names = (f"up to {low:.0f} px", f"over {low:.0f} to {high:.0f} px", f"over {high:.0f} px")
    words = np.array(names, dtype=object)[np.searchsorted([low, high], side, side="left")]
    return np.where(known, words, _NOT_GIVEN)


def _natural(text: str) -> tuple[bool, bool, float, str]:
    """Numbers by size, sizes from small to large, then words, then what is not given."""
    first = {"up to": 0.0, "over": 1.0}
    try:
        number = float(text)
    except ValueError:
        for start, place in first.items():
            if text.startswith(start) and text.endswith("px"):
                return (False, False, place + (" to " not in text and place > 0), text)
        return (text == _NOT_GIVEN, True, 0.0, text)
    return (False, False, number, text)


SUBGROUPS_TABLE = ReportTable(
    "subgroups",
    lambda pooled, _: subgroups(pooled.run, pooled.close),
    title="Subgroups",
    place="closer",
    intro=(
        "With so many groups some differ by chance: a difference seen here is a question for "
        f"other data, not a finding. A measure that rests on fewer than {FEWEST} crops of a class "
        "is left empty. Of combined descriptors the first word counts; crop size is the longest "
        "side in terciles."
    ),
    folded=True,
)
