"""Reference points that say nothing: those that the label was made from, or that give it away."""

from reports.statistics.bootstrap import observed
from reports.systems.kinds import is_reading, is_reference
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run

DECIDES = (
    "each grade of the readers' assessment has one label, as where the label was made from it: no "
    "measure of readers"
)
READING_SEPARATES = (
    "separates the classes without a mistake, as a reading does that the label was made from: no "
    "measure of readers"
)
POINT_SEPARATES = "separates the classes without a mistake: what it looks at gives the class away"

# What readers conclude; a label may be made from it.
_CONCLUDED = "assessment"


def remark(run: Run, system: PooledSystem) -> str:
    """Why the row of a reference point is none to be measured against; empty where it is one.

    Parameters
    ----------
    run : Run
        The run.
    system : PooledSystem
        Any of its systems.

    Returns
    -------
    str
        For its notes.
    """
    if not system.ran or not is_reference(system):
        return ""
    reading = is_reading(system)
    if reading and _decides(run):
        return DECIDES
    if observed(system.repeats, ["auc"])[0] < 1:
        return ""
    return READING_SEPARATES if reading else POINT_SEPARATES


def _decides(run: Run) -> bool:
    """Whether each assessment has one label, and several rows: then it is the label."""
    lesions = run.lesions
    if not {_CONCLUDED, "label"} <= set(lesions.columns):
        return False
    known = lesions[lesions[_CONCLUDED].notna()]
    of_value = known.groupby(known[_CONCLUDED].astype(str))["label"].agg(["nunique", "size"])
    both = known["label"].nunique() > 1
    return bool(both and len(of_value) and (of_value["nunique"] == 1).all()) and bool(
        of_value["size"].min() > 1
    )
