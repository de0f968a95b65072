"""Subgroups as differences: the AUC within a group less that of all other test rows."""

from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import interval
from reports.systems.groups import GroupKey
from reports.systems.kinds import drawn
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable
from reports.tables.subgroups import FEWEST, facts_of_crops, groups_of_rows, words_of_variables

if TYPE_CHECKING:
    import pandas as pd

DIFFERENCE_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("variable", "group", "n", "n_positive", "n_rest", "n_rest_positive"),
    *("auc", "auc_rest", "auc_difference", "auc_difference_ci_low", "auc_difference_ci_high"),
)


def subgroup_differences(run: Run, close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """A row a system and group that differs from the rest in at least FEWEST rows of each class.

    The same draws of patients serve both parts, so that a patient with crops in both counts in
    both. Systems of drawn weights are left out. No correction is made for the number of rows.
    """
    facts, words = facts_of_crops(run), words_of_variables(run)
    rows = [
        {**system.identity, "variable": words[variable], "group": group, **found}
        for systems in close.values()
        for system in systems
        if not drawn(system)
        for variable, group, found in _of_system(system, groups_of_rows(run, facts, system))
    ]
    whole = ("n", "n_positive", "n_rest", "n_rest_positive")
    return frame(rows, DIFFERENCE_COLUMNS, whole=whole)


def _of_system(
    system: PooledSystem, groups: list[dict[str, Any]]
) -> list[tuple[str, str, dict[str, float]]]:
    found, parts = [], []
    for variable in groups[0]:
        for group in dict.fromkeys(groups[0][variable]):
            masks = [of_repeat[variable] == group for of_repeat in groups]
            inside = [r.where(mask) for r, mask in zip(system.repeats, masks, strict=True)]
            rest = [r.where(~mask) for r, mask in zip(system.repeats, masks, strict=True)]
            if all(map(_enough, (*inside, *rest))):
                found.append((variable, str(group)))
                parts += [inside, rest]
    if not parts:
        return []
    # One call: draws are of all patients, whichever part they are in.
    drawn_values = bootstrap(parts, ["auc"])[:, 0]
    return [
        (*names, _difference(parts[2 * n], parts[2 * n + 1], *drawn_values[2 * n : 2 * n + 2]))
        for n, names in enumerate(found)
    ]


def _enough(rows: ScoredRows) -> bool:
    return min(int(rows.positive.sum()), int((~rows.positive).sum())) >= FEWEST


def _difference(
    inside: list[ScoredRows], rest: list[ScoredRows], draws: Any, of_rest: Any
) -> dict[str, float]:
    one, other = (float(observed(part, ["auc"])[0]) for part in (inside, rest))
    low, high = interval(draws - of_rest) if np.isfinite(one - other) else (np.nan, np.nan)
    return {
        "n": len(inside[0].score),
        "n_positive": int(inside[0].positive.sum()),
        "n_rest": len(rest[0].score),
        "n_rest_positive": int(rest[0].positive.sum()),
        "auc": one,
        "auc_rest": other,
        "auc_difference": one - other,
        "auc_difference_ci_low": low,
        "auc_difference_ci_high": high,
    }


SUBGROUP_DIFFERENCES_TABLE = ReportTable(
    "subgroup_differences",
    lambda pooled, _: subgroup_differences(pooled.run, pooled.close),
    title="Differences of subgroups",
    place="closer",
    intro=(
        "AUC within a group less that of all other test crops, with the 95 % interval from the "
        "same draws for both. Of many such intervals one in twenty leaves out 0 by chance. Groups "
        f"with fewer than {FEWEST} crops of a class on either side are not compared."
    ),
    folded=True,
    headings={
        "n_rest": "other crops",
        "n_rest_positive": "positive, other crops",
        "auc_rest": "AUC, other crops",
        "auc_difference": "difference of AUC",
    },
)
