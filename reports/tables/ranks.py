"""The rank of each system among those on the same rows, with what the sample leaves open of it.

A rank without an interval separates neighbours that the data cannot. Ranks are never averaged
over data sets here: a critical-difference diagram (Demšar, JMLR 7, 2006) wants five or more, and a
run has one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.statistics.bootstrap import DRAWS, bootstrap, observed
from reports.statistics.intervals import LEVEL
from reports.systems.groups import GroupKey
from reports.systems.kinds import is_selected
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.comparisons import MEASURE
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (*SYSTEM_COLUMNS, MEASURE, "rank", "rank_ci_low", "rank_ci_high", "n_systems")


def ranks(headline: Mapping[GroupKey, Sequence[PooledSystem]]) -> "pd.DataFrame":
    """A row a system that ran, best first within its comparison: COLUMNS.

    rank is 1 for the highest AUC, ties sharing the mean of their places; its 95 % interval is that
    of the ranks in the draws of the patient bootstrap, given the trained models. Percentile
    intervals of ranks are somewhat too narrow where many systems are alike (Hall and Miller, Ann.
    Statist. 37, 2009). Audits and systems trained on a part of the patients have no rank, nor has
    the row `selected`.

    headline: from `headline_groups`.
    """
    import pandas as pd

    rows = []
    for members in headline.values():
        # The row `selected` is one of the others in every fold: it would shift their places.
        ran = [system for system in members if system.ran and not is_selected(system)]
        if not ran:
            continue
        found = rank_intervals(ran)
        for place in np.argsort(found[:, 1], kind="stable"):
            identity = [ran[place].identity[name] for name in SYSTEM_COLUMNS]
            rows.append([*identity, *map(float, found[place]), len(ran)])
    return pd.DataFrame(rows, columns=COLUMNS)


def rank_intervals(systems: Sequence[PooledSystem], draws: int = DRAWS, seed: int = 0) -> Floats:
    """AUC, rank and the ends of its 95 % interval of systems on the same patients, (n, 4).

    Draws in which some AUC is undefined are left out; the ends are NaN where none is left.
    """
    value = np.array([observed(system.repeats, [MEASURE])[0] for system in systems])
    drawn = bootstrap([system.repeats for system in systems], [MEASURE], draws, seed)[:, 0]
    defined = drawn[:, ~np.isnan(drawn).any(axis=0)]
    ends = np.full((2, len(systems)), np.nan)
    if defined.size:
        levels = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        # Ends that are ranks which occurred: there is no place between two places.
        ends = np.quantile(_ranked(defined), levels, axis=1, method="inverted_cdf")
    return np.column_stack([value, _ranked(value[:, None])[:, 0], *ends])


def _ranked(values: Floats) -> Floats:
    """Ranks from the highest down in each column."""
    from scipy import stats

    found: Floats = stats.rankdata(-values, axis=0, nan_policy="omit")
    return found


RANKS_TABLE = ReportTable(
    "ranks",
    lambda pooled, _: ranks(pooled.headline),
    title="Ranks with their uncertainty",
    place="results",
    intro=lambda pooled, _: (
        "By AUC within a subset and protocol, 1 is the highest; the interval is that of the ranks "
        f"in the bootstrap over {pooled.run.patients}. Wide ones overlap: neighbours are not told "
        "apart."
    ),
    folded=True,
    headings={
        "n_systems": "systems",
    },
)
