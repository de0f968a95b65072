"""Which systems cannot be told from the highest of their comparison, over all pairs at once."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.all_pairs import all_pairs
from reports.statistics.bootstrap import bootstrap, observed
from reports.systems.groups import GroupKey
from reports.systems.kinds import drawn, is_selected
from reports.systems.pooling import PooledSystem
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.comparisons import MEASURE
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

TOLD_APART_COLUMNS = (
    *SYSTEM_COLUMNS,
    *(MEASURE, "below_highest", "below_highest_ci_low", "below_highest_ci_high"),
    *("told_from_highest", "critical_value", "n_systems"),
)


def told_apart(headline: Mapping[GroupKey, Sequence[PooledSystem]]) -> "pd.DataFrame":
    """A row a system that ran, in the order of the configuration: TOLD_APART_COLUMNS.

    below_highest is the highest AUC of the comparison less the system's; its interval is one of
    those that hold for all pairs at once with a probability of 95 %, given the trained models, so
    that the highest may be found in the same figures. critical_value is how many standard errors
    they extend. Systems of drawn weights, the row `selected` and audits are left out.

    headline: from `headline_groups`.
    """
    rows: list[dict[str, Any]] = []
    for members in headline.values():
        ran = [one for one in members if one.ran and not is_selected(one) and not drawn(one)]
        if len(ran) > 1:
            rows += _of_group(ran)
    return frame(rows, TOLD_APART_COLUMNS, whole=("n_systems",))


def _of_group(systems: list[PooledSystem]) -> list[dict[str, Any]]:
    value = np.array([observed(system.repeats, [MEASURE])[0] for system in systems])
    if np.isnan(value).all():
        return []
    found = all_pairs(value, bootstrap([system.repeats for system in systems], [MEASURE])[:, 0])
    highest = int(np.nanargmax(value))
    known = np.isfinite(found.critical)
    return [
        {
            **system.identity,
            MEASURE: float(value[place]),
            "below_highest": float(value[highest] - value[place]),
            "below_highest_ci_low": float(found.low[highest, place]),
            "below_highest_ci_high": float(found.high[highest, place]),
            "told_from_highest": bool(found.told_apart[highest, place]) if known else None,
            "critical_value": found.critical,
            "n_systems": len(systems),
        }
        for place, system in enumerate(systems)
    ]


TOLD_APART_TABLE = ReportTable(
    "told_apart",
    lambda pooled, _: told_apart(pooled.headline),
    title="Told from the highest",
    place="results",
    intro=lambda pooled, _: (
        "How far each system lies below the highest AUC of its comparison, with intervals that "
        "hold for all pairs of systems at once (the largest standardised difference in the "
        f"bootstrap over {pooled.run.patients}). Where the interval holds 0, the two cannot be "
        "told apart. Without systems of drawn weights."
    ),
    folded=True,
    headings={
        "below_highest": "below the highest",
        "told_from_highest": "told from the highest",
        "critical_value": "standard errors",
        "n_systems": "systems",
    },
)
