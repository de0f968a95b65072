"""Measures by crop, by lesion and by breast: what a reader of mammograms would call one case."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics.bootstrap import ESTIMATE_COLUMNS, estimates, sizes
from reports.systems.groups import GroupKey
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable
from reports.values import in_a_row

if TYPE_CHECKING:
    import pandas as pd

# What is judged by laterality where the data set does not say what it shows.
SIDE = "side"

LEVEL_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("level", "n", "n_positive", "n_patients"),
    *ESTIMATE_COLUMNS,
)


def levels(run: Run, close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """AUC, sensitivity and specificity by crop, lesion and breast, for `focus.close_groups`.

    A lesion is positive if one of its views is, and its score is the mean of theirs; a breast is
    positive if one of its lesions is, and its score is the largest of theirs. Only test rows count:
    a breast whose other lesion is a training row, or of another subset, is judged by what is here.
    No row for lesions where each tested crop has its own, no row that would repeat the level below,
    nor for breasts (or the sides of what the data
    show) where a laterality is missing. Thresholds are those of the crops. Nothing where there is
    no level but the crop.
    """
    import pandas as pd

    sides = _lateralities(run)
    side = run.organ or SIDE
    rows: list[dict[str, Any]] = []
    for systems in close.values():
        by_level = {"crop": [list(system.repeats) for system in systems]}
        if run.lesion_ids:
            by_level["lesion"] = [_lesions(run, system) for system in systems]
        # Without ids nobody knows which sides are of one person.
        breasts = [_breasts(run, system, sides) for system in systems if run.patient_ids]
        if breasts and all(breasts):
            by_level[side] = breasts
        by_level = _without_repetition(by_level)
        if len(by_level) == 1:
            continue
        for level, cases in by_level.items():
            for system, repeats, found in zip(systems, cases, estimates(cases), strict=True):
                rows.append({**system.identity, "level": level, **sizes(repeats[0]), **found})
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))


def _without_repetition(
    by_level: dict[str, list[list[ScoredRows]]],
) -> dict[str, list[list[ScoredRows]]]:
    """The levels without those that have as many cases as the one below: the same cases again."""
    kept: dict[str, list[list[ScoredRows]]] = {}
    below: list[int] = []
    for level, cases in by_level.items():
        numbers = [len(rows.score) for repeats in cases for rows in repeats]
        if numbers != below:
            kept[level] = cases
            below = numbers
    return kept


def _lesions(run: Run, system: PooledSystem) -> list[ScoredRows]:
    ids = [run.predictions["lesion_id"].iloc[places].astype(str) for places in system.places]
    return [
        _joined(rows, _numbered(predicted), limit, "mean")[0]
        for rows, predicted, limit in zip(system.repeats, ids, system.thresholds(), strict=True)
    ]


def _breasts(run: Run, system: PooledSystem, sides: "pd.Series") -> list[ScoredRows]:
    """Empty where a row's side is not known."""
    found = []
    for rows, places, limit in zip(system.repeats, system.places, system.thresholds(), strict=True):
        predicted = run.predictions.iloc[places]
        side = predicted["crop_id"].astype(str).map(sides)
        if side.isna().any():
            return []
        lesions, first = _joined(rows, _numbered(predicted["lesion_id"].astype(str)), limit, "mean")
        breast = _numbered(predicted["patient_id"].astype(str) + "\n" + side)[first]
        found.append(_joined(lesions, breast, limit[first], "max")[0])
    return found


def _lateralities(run: Run) -> "pd.Series":
    """LEFT or RIGHT by crop_id; what is no such word is left out."""
    import pandas as pd

    lesions = run.lesions.drop_duplicates("crop_id")
    if "laterality" not in lesions:
        return pd.Series(dtype=object)
    sides = lesions.set_index(lesions["crop_id"].astype(str))["laterality"].astype(str)
    return sides[sides.isin(("LEFT", "RIGHT"))]


def _numbered(names: "pd.Series") -> NDArray[np.int64]:
    return np.unique(names.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)


def _joined(
    rows: ScoredRows, case: NDArray[np.int64], limit: NDArray[np.float64], how: str
) -> tuple[ScoredRows, NDArray[np.int64]]:
    """One row a case and fold, and where the first row of each stands.

    Scores of different folds have no common zero, so a case in two folds stays two.
    """
    key = case + rows.fold * (int(case.max(initial=0)) + 1)
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    size = len(first)
    score = np.full(size, -np.inf)
    if how == "max":
        np.maximum.at(score, number, rows.score)
    else:
        score = np.bincount(number, rows.score, size) / np.bincount(number, minlength=size)
    positive = np.bincount(number, rows.positive, size) > 0
    return ScoredRows(
        positive, score, score > limit[first], rows.patient[first], rows.fold[first]
    ), first


def _a(word: str) -> str:
    return "An" if word[:1].lower() in "aeiou" else "A"


def _title(pooled: PooledRun, table: "pd.DataFrame") -> str:
    return f"By {in_a_row(list(dict.fromkeys(table['level'])))}"


def _intro(pooled: PooledRun, table: "pd.DataFrame") -> str:
    """What makes a lesion and a breast positive, as far as there are such rows."""
    levels_there = list(dict.fromkeys(table["level"]))
    sentences = []
    if "lesion" in levels_there:
        sentences.append(
            "A lesion is positive if one of its crops is, and its score is the mean of theirs."
        )
    parts = "lesions" if "lesion" in levels_there else "crops"
    sentences += [
        f"{_a(level)} {level} is positive if one of its {parts} is, and its score is the largest "
        "of theirs."
        for level in levels_there
        if level not in ("crop", "lesion")
    ]
    return " ".join([*sentences, "Thresholds are those of the crops."])


LEVELS_TABLE = ReportTable(
    "levels",
    lambda pooled, _: levels(pooled.run, pooled.close),
    title=_title,
    place="closer",
    intro=_intro,
    folded=True,
    headings={
        "n": "cases",
    },
)
