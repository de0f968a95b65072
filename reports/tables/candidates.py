"""What the row `selected` was chosen from: the AUC of each candidate inside the training rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.systems.kinds import is_selected, judged
from reports.systems.pooling import PooledSystem
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd

_PLACE = ("dataset", "subset", "region", "size", "protocol", "seed")

COLUMNS = (
    *_PLACE,
    "extractor",
    "weights",
    "classifier",
    "inner_auc",
    "inner_auc_std",
    "folds_chosen",
    "folds",
)


def candidates(systems: Sequence[PooledSystem]) -> "pd.DataFrame":
    """A row a candidate, by what is compared with what, in the order of the configuration.

    inner_auc is the mean over outer folds (of all repeats) of its mean AUC on the inner folds of
    their training rows, inner_auc_std their standard deviation (n - 1; missing for one fold);
    folds_chosen counts the outer folds, of `folds`, in which it was the highest.
    """
    import pandas as pd

    rows = []
    # A folder that was written before there was such a row has no column for it.
    able = [one for one in systems if is_selected(one) and "chosen_extractor" in one.units]
    for chosen in able:
        place = [str(chosen.identity[name]) for name in _PLACE]
        for system in systems:
            beside = [str(system.identity[name]) for name in _PLACE] == place
            if beside and system.whole and judged(system):
                rows.append(_row(system, chosen.units))
    frame = pd.DataFrame([[row[name] for name in COLUMNS] for row in rows], columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(("folds_chosen", "folds"), "Int64"))


def _row(system: PooledSystem, choices: "pd.DataFrame") -> dict[str, Any]:
    inner = system.units["inner_auc"].astype("float64")
    is_this = (choices["chosen_extractor"] == system.identity["extractor"]) & (
        choices["chosen_classifier"] == system.identity["classifier"]
    )
    return {
        **system.identity,
        "inner_auc": inner.mean(),
        "inner_auc_std": inner.std(ddof=1),
        "folds_chosen": int(is_this.sum()),
        "folds": len(choices),
    }


CANDIDATES_TABLE = ReportTable(
    "candidates",
    lambda pooled, _: candidates(pooled.systems),
    title="What the row selected was chosen from",
    place="results",
    intro=lambda pooled, _: (
        "In every fold the row selected is the system with the highest mean AUC on five inner "
        f"folds{pooled.run.by_patient} of the training rows; no test crop is looked at. Candidates "
        "are the frozen features with plain SVM kernels: a network trained here has seen the rows "
        "of the inner folds. What stands here are those inner figures, means ± over the outer "
        "folds, and in how many folds each was chosen. They are no estimates of performance."
    ),
    folded=True,
)
