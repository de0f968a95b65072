"""Whether the systems of declared comparisons are equally good within a declared margin.

"Match" in a question is answered here, and never by a difference that was not seen.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.statistics.difference import NotComparable, contrast, holm
from reports.statistics.equivalence import (
    EQUIVALENT,
    MARGIN,
    equivalence_verdict,
    two_one_sided,
)
from reports.systems.groups import GroupKey
from reports.systems.pooling import GROUP_COLUMNS, PooledSystem
from reports.tables.comparisons import MEASURE, declared_pairs
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable
from reports.values import number

if TYPE_CHECKING:
    import pandas as pd

EQUIVALENCE_COLUMNS = (
    *("question", *(name for name in GROUP_COLUMNS if name != "train_fraction")),
    *("extractor", "weights", "classifier", "reference_extractor", "reference_classifier"),
    *("measure", "margin", "difference", "ci90_low", "ci90_high", "test"),
    *("p", "p_holm", "comparisons", "verdict", "probability_higher", "sentence"),
)


def equivalence(headline: Mapping[GroupKey, Sequence[PooledSystem]]) -> "pd.DataFrame":
    """A row a declared comparison that could be made, with exactly EQUIVALENCE_COLUMNS.

    p is the larger one of two one-sided tests at the margin, with the standard error and degrees of
    freedom of the comparison's own test; p_holm Holm's within the question, subset and protocol.
    ci90 is the percentile interval over patients that belongs to such tests at 5 %.
    probability_higher is the share of bootstrap draws in which the system is above its reference,
    given the trained models.

    headline: from `headline_groups`.
    """
    families: dict[tuple[str, GroupKey], list[dict[str, Any]]] = {}
    for question, key, system, reference in declared_pairs(headline):
        try:
            found = contrast(system, reference, MEASURE)
        except NotComparable:
            continue
        p = two_one_sided(found.difference, found.standard_error, found.freedom)
        row = dict(zip(GROUP_COLUMNS, key, strict=True)) | {
            **{name: system.identity[name] for name in ("extractor", "weights", "classifier")},
            "question": question,
            "reference_extractor": reference.identity["extractor"],
            "reference_classifier": reference.identity["classifier"],
            "measure": MEASURE,
            "margin": MARGIN,
            "difference": found.difference,
            "ci90_low": found.low90,
            "ci90_high": found.high90,
            "test": found.test,
            "p": p,
            "probability_higher": found.higher,
        }
        families.setdefault((question, key), []).append(row)
    rows = [row for family in families.values() for row in _adjusted(family)]
    return frame(rows, EQUIVALENCE_COLUMNS, whole=("comparisons",))


def _adjusted(family: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for row, p_holm in zip(family, holm([row["p"] for row in family]), strict=True):
        made: dict[str, Any] = {"p_holm": float(p_holm), "comparisons": len(family)}
        made |= {"verdict": equivalence_verdict(float(p_holm))}
        rows.append(row | made | {"sentence": _sentence(row | made)})
    return rows


def _sentence(row: dict[str, Any]) -> str:
    if not row["verdict"]:
        return ""
    system, reference = (
        f"{row[f'{side}extractor']} + {str(row[f'{side}classifier']).replace('_', ' ')}"
        for side in ("", "reference_")
    )
    shown = "is equivalent" if row["verdict"] == EQUIVALENT else "is not shown to be equivalent"
    limits = f"{number(row['ci90_low'])} to {number(row['ci90_high'])}"
    p = "below 0.001" if row["p_holm"] < 0.001 else number(row["p_holm"])
    return (
        f"On {row['subset']} under {row['protocol']}, {system} {shown} to {reference} within "
        f"{MARGIN:g} of AUC: difference {number(row['difference'])}, 90 % interval {limits}; "
        f"p {p} by Holm among {row['comparisons']}."
    )


EQUIVALENCE_TABLE = ReportTable(
    "equivalence",
    lambda pooled, _: equivalence(pooled.headline),
    title="Equivalence of declared comparisons",
    place="results",
    intro=(
        f"Equivalent: two one-sided tests show that the difference of AUC is less than {MARGIN:g} "
        "to either side, a margin that was declared before any figure was seen. Not shown does not "
        "mean different. The share of draws in which a system is higher is given the trained "
        "models; it is not the probability that it is better."
    ),
    folded=True,
    headings={
        "ci90_low": "90 % interval, low",
        "ci90_high": "90 % interval, high",
        "p": "p-value (equivalence)",
        "p_holm": "p-value (Holm)",
        "probability_higher": "share of draws in which it is higher",
    },
)
