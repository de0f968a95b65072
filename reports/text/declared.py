"""What the declared comparisons of a run say, counted by question, and whether systems match.

That no difference was seen shows no match; a question that asks for one is answered by tests of
equivalence.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reports.statistics.equivalence import EQUIVALENT, MARGIN
from reports.values import missing, number

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]

# What a declared comparison is about if its question says so; the others are about features.
_ABOUT_HYBRIDS = ("hybrid", "localization")


def declared(tables: Tables, of_hybrids: bool) -> tuple[list[str], list[str]]:
    """What the declared comparisons say: their verdicts counted, and each one's sentence."""
    table = tables.get("comparisons")
    if table is None:
        return [], []
    about = [any(w in str(text).lower() for w in _ABOUT_HYBRIDS) for text in table["question"]]
    rows = table[[found is of_hybrids for found in about]]
    made = rows[rows["verdict"].notna() & (rows["verdict"].astype(str) != "")]
    counted = []
    for (subset, protocol, question), group in made.groupby(
        ["subset", "protocol", "question"], sort=False
    ):
        verdicts = group["verdict"].value_counts().sort_index().items()
        low, high = number(group["difference"].min()), number(group["difference"].max())
        listed = ", ".join(f"{count} {verdict}" for verdict, count in verdicts)
        spread = (
            f"difference of AUC {low}" if len(group) == 1 else f"differences of AUC {low} to {high}"
        )
        counted.append(
            f"{subset}, {protocol}: {question} Declared comparisons: {listed}; {spread}."
            f"{_matched(tables, subset, protocol, question)}"
        )
    return counted, [str(text) for text in made["sentence"] if not missing(text) and str(text)]


_ABOUT_MATCHES = ("match", "reach")


def _matched(tables: Tables, subset: str, protocol: str, question: str) -> str:
    """How many systems are shown to be as good as their reference, where a question asks it."""
    table = tables.get("equivalence")
    if table is None or not any(word in question.split() for word in _ABOUT_MATCHES):
        return ""
    there = {"subset": subset, "protocol": protocol, "question": question}
    rows = table[(table[list(there)] == list(there.values())).all(axis=1)]
    tested = rows["verdict"][rows["verdict"].astype(str) != ""]
    if not len(tested):
        return ""
    shown = int((tested == EQUIVALENT).sum())
    return f" Shown to be equivalent within {MARGIN:g} of AUC: {shown} of {len(tested)}."
