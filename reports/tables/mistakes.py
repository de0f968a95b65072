"""The most confident mistakes: which crops, how far on the wrong side, and who else errs there."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.systems.groups import GroupKey
from reports.systems.kinds import counts, sees_images
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable
from reports.values import category

if TYPE_CHECKING:
    import pandas as pd

FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"

# Of each kind, for each system.
MOST_ERRORS = 5

# Of each kind, for each comparison, in the figure.
MOST_SHOWN = 6

_FACT_COLUMNS = (
    "view",
    "pathology",
    "density",
    "assessment",
    "subtlety",
    "shape",
    "margins",
    "calc_type",
)

ERROR_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("kind", "rank", "crop_id", "lesion_id", "patient_id", *_FACT_COLUMNS),
    *("score", "beyond_threshold", "times_wrong", "times_tested", "systems_wrong", "of_systems"),
)


def errors(run: Run, close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """The MOST_ERRORS furthest mistakes of each kind of each system of `focus.close_groups`.

    score and beyond_threshold (how far the score lies on the wrong side) are means over repeats,
    and a crop is a mistake if the latter is positive; times_wrong of times_tested calls were wrong.
    systems_wrong of of_systems with a network, in this comparison, make this mistake too. Ids and
    facts that the data do not have have no column. Scores of different systems have different
    scales, so ranks are within a system.
    """
    import pandas as pd

    facts = _facts(run)
    rows: list[dict[str, Any]] = []
    for systems in close.values():
        mistakes = [_mistakes(run, system) for system in systems]
        among = _counted(systems)
        wrong = Counter(
            crop
            for system, of_system in zip(systems, mistakes, strict=True)
            if any(system is one for one in among)
            for crop in of_system["crop_id"]
        )
        for system, of_system in zip(systems, mistakes, strict=True):
            for kind, of_kind in of_system.groupby("kind", sort=True):
                worst = of_kind.head(MOST_ERRORS).to_dict("records")
                rows += [
                    {
                        **system.identity,
                        **row,
                        **facts.get(row["crop_id"], {}),
                        "kind": kind,
                        "rank": rank,
                        "systems_wrong": wrong[row["crop_id"]],
                        "of_systems": len(among),
                    }
                    for rank, row in enumerate(worst, start=1)
                ]
    unknown = _unknown(run)
    return pd.DataFrame(rows, columns=[name for name in ERROR_COLUMNS if name not in unknown])


def _counted(systems: Sequence[PooledSystem]) -> list[PooledSystem]:
    """The systems that mistakes are counted over: networks, without drawn weights if any are left.

    What looks at no image makes other mistakes; where nothing looks at one, all count.
    """
    return list(filter(counts, systems)) or list(filter(sees_images, systems)) or list(systems)


class SharedMistakes(NamedTuple):
    """Mistakes that all networks of one comparison make.

    Attributes
    ----------
    tested, wrong, systems : int
        How many crops were tested, how many of them all of the systems get wrong.
    """

    tested: int
    wrong: int
    systems: int


def wrong_in_all(run: Run, systems: Sequence[PooledSystem]) -> SharedMistakes:
    """Over all test crops of one comparison; systems with a network whose weights are not drawn."""
    networks = list(filter(counts, systems))
    mistakes = [set(_mistakes(run, system)["crop_id"]) for system in networks]
    tested = {
        crop
        for system in networks
        for places in system.places
        for crop in run.predictions["crop_id"].iloc[places].astype(str)
    }
    wrong = set.intersection(*mistakes) if mistakes else set()
    return SharedMistakes(len(tested), len(wrong), len(networks))


def _unknown(run: Run) -> set[str]:
    """Columns that the data have nothing for: ids that are the crops' names, facts not given."""
    ids = {"lesion_id": run.lesion_ids, "patient_id": run.patient_ids}
    given = [fact for facts in _facts(run).values() for fact, value in facts.items() if value]
    return {name for name in ids if not ids[name]} | (set(_FACT_COLUMNS) - set(given))


def _mistakes(run: Run, system: PooledSystem) -> "pd.DataFrame":
    """Every crop that a system gets wrong in the mean over its repeats, the furthest first."""
    import pandas as pd

    parts = []
    for rows, places, limit in zip(system.repeats, system.places, system.thresholds(), strict=True):
        predicted = run.predictions.iloc[places]
        named = {name: predicted[name].astype(str).to_numpy() for name in _NAMED}
        away = np.where(rows.positive, limit - rows.score, rows.score - limit)
        part = {**named, "score": rows.score, "beyond_threshold": away, "positive": rows.positive}
        parts.append(
            pd.DataFrame({**part, "times_wrong": rows.called != rows.positive, "times_tested": 1})
        )
    every = pd.concat(parts).groupby("crop_id", sort=True)
    table = every.agg(
        {
            **dict.fromkeys((*_NAMED[1:], "positive"), "first"),
            **{
                "score": "mean",
                "beyond_threshold": "mean",
                "times_wrong": "sum",
                "times_tested": "sum",
            },
        }
    ).reset_index()
    table["kind"] = np.where(table["positive"], FALSE_NEGATIVE, FALSE_POSITIVE)
    table = table[(table["beyond_threshold"] > 0) & (table["times_wrong"] > 0)]
    return table.sort_values("beyond_threshold", ascending=False, kind="stable")


_NAMED = ("crop_id", "lesion_id", "patient_id")


def _facts(run: Run) -> dict[str, dict[str, str]]:
    """What lesions.parquet says of each crop, as text."""
    lesions = run.lesions.drop_duplicates("crop_id")
    names = [name for name in _FACT_COLUMNS if name in lesions]
    table = lesions[names].astype("object").map(category).replace("nan", "")
    ids = lesions["crop_id"].astype(str)
    return dict(zip(ids, table.to_dict("records"), strict=True))


def hardest(run: Run, systems: list[PooledSystem]) -> list[dict[str, Any]]:
    """The mistakes that most networks of one comparison make, MOST_SHOWN of each kind.

    Keys crop_id, kind, systems_wrong, of_systems; ordered by systems_wrong, then crop_id.
    """
    systems = _counted(systems)
    mistakes = [_mistakes(run, system) for system in systems]
    found = []
    for kind in (FALSE_NEGATIVE, FALSE_POSITIVE):
        of_kind = [of_system.loc[of_system["kind"] == kind, "crop_id"] for of_system in mistakes]
        wrong = Counter(crop for crops in of_kind for crop in crops)
        ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
        found += [
            {"crop_id": crop, "kind": kind, "systems_wrong": n, "of_systems": len(systems)}
            for crop, n in ordered[:MOST_SHOWN]
        ]
    return found


ERRORS_TABLE = ReportTable(
    "errors",
    lambda pooled, _: errors(pooled.run, pooled.close),
    title="The most confident mistakes",
    place="mistakes",
    intro=(
        "The crops furthest on the wrong side of the threshold, of each system looked at closely; "
        "ranks are within a system, for scores of different systems have different scales. The "
        "column systems wrong counts how many of those with a network make the same mistake."
    ),
    folded=True,
    headings={
        "calc_type": "calcification type",
        "beyond_threshold": "beyond threshold",
        "times_wrong": "times wrong",
        "times_tested": "times tested",
        "systems_wrong": "systems wrong",
        "of_systems": "of systems",
    },
)
