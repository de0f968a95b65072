"""Predictive values of each system looked at closely, at stated prevalences."""

from typing import TYPE_CHECKING, Any

import numpy as np

from reports.statistics.bootstrap import bootstrap, observed
from reports.statistics.intervals import interval
from reports.statistics.predictive_values import (
    PredictiveValue,
    PredictiveValues,
    negative_predictive_value,
    positive_predictive_value,
)
from reports.systems.groups import GroupKey
from reports.systems.pooling import PooledSystem
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

# Declared, from what screening finds to what is sent to biopsy.
PREVALENCES = (0.005, 0.01, 0.05, 0.1, 0.3)

_RATES = ("sensitivity", "specificity")

PREDICTIVE_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("prevalence", *_RATES),
    *(f"{name}{end}" for name in ("ppv", "npv") for end in ("", "_ci_low", "_ci_high")),
)


def predictive_values(close: dict[GroupKey, list[PooledSystem]]) -> "pd.DataFrame":
    """A row a system of `focus.close_groups` and stated prevalence: PREDICTIVE_COLUMNS.

    Sensitivity and specificity at the system's own threshold, means over repeats; 95 % intervals on
    the logit scale with the variances of the bootstrap over patients. No interval where a rate is 0
    or 1.
    """
    rows: list[dict[str, Any]] = []
    for systems in close.values():
        drawn = bootstrap([system.repeats for system in systems], _RATES)
        for system, draws in zip(systems, drawn, strict=True):
            values = observed(system.repeats, _RATES)
            if any(np.isnan(interval(of_rate)[0]) for of_rate in draws):
                continue
            defined = draws[:, ~np.isnan(draws).any(axis=0)]
            (of_one, together), (_, of_other) = np.cov(defined)
            rates = PredictiveValues(*map(float, (*values, of_one, of_other, together)))
            rows += [{**system.identity, **_at(rates, prevalence)} for prevalence in PREVALENCES]
    return frame(rows, PREDICTIVE_COLUMNS)


def _at(rates: PredictiveValues, prevalence: float) -> dict[str, float]:
    row = {
        "prevalence": prevalence,
        "sensitivity": rates.sensitivity,
        "specificity": rates.specificity,
    }
    row |= _named("ppv", positive_predictive_value(rates, prevalence))
    return row | _named("npv", negative_predictive_value(rates, prevalence))


def _named(name: str, found: PredictiveValue) -> dict[str, float]:
    return {name: found.value, f"{name}_ci_low": found.low, f"{name}_ci_high": found.high}


PREDICTIVE_VALUES_TABLE = ReportTable(
    "predictive_values",
    lambda pooled, _: predictive_values(pooled.close),
    title="Predictive values at stated prevalences",
    place="closer",
    intro=(
        "What PPV and NPV would be at other prevalences, for cases of the same kind and the "
        "thresholds of the training. The prevalences are stated, not estimated; no interval stands "
        "where the sensitivity or specificity is 0 or 1."
    ),
    folded=True,
)
