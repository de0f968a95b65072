"""The bootstrap checked: standard errors of the AUC by formula beside those of the draws."""

from typing import TYPE_CHECKING

from reports.statistics.bootstrap import bootstrap
from reports.statistics.clustered_auc import analytic_auc
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

CHECK_COLUMNS = (*SYSTEM_COLUMNS, "auc", "se_bootstrap", "se_by_patient", "se_by_crop")


def auc_check(close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """A row a system of `focus.close_groups`, of its first repeat: CHECK_COLUMNS.

    se_bootstrap is the standard deviation over the draws of patients, se_by_patient Obuchowski's
    (1997) and se_by_crop DeLong's (1988), which takes the crops of a patient as independent.
    """
    rows = []
    for systems in close.values():
        drawn = bootstrap([system.repeats[:1] for system in systems], ["auc"])[:, 0]
        for system, draws in zip(systems, drawn, strict=True):
            found = analytic_auc(system.repeats[0])
            rows.append(
                {
                    **system.identity,
                    "auc": found.value,
                    # One undefined draw makes it undefined: the formulas know no such draws.
                    "se_bootstrap": float(draws.std(ddof=1)),
                    "se_by_patient": found.by_patient,
                    "se_by_crop": found.by_crop,
                }
            )
    return frame(rows, CHECK_COLUMNS)


AUC_CHECK_TABLE = ReportTable(
    "auc_check",
    lambda pooled, _: auc_check(pooled.close),
    title="Standard errors of the AUC, three ways",
    place="closer",
    intro=lambda pooled, _: (
        f"A check of the bootstrap over {pooled.run.patients}, on the first repeat: its standard "
        "error should be near Obuchowski's, which lets crops of one be alike; DeLong's takes all "
        "crops as independent."
    ),
    folded=True,
    headings={
        "se_bootstrap": "standard error, bootstrap",
        "se_by_patient": "standard error, Obuchowski",
        "se_by_crop": "standard error, DeLong",
    },
)
