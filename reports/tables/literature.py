"""What others report on CBIS-DDSM for systems that are not measured here.

None was read in the source itself: abstracts, excerpts and what other papers say of them. The table
says so in every row. A figure is no mark in any picture.
"""

from typing import TYPE_CHECKING, NamedTuple

from reports.systems.run_folder import Run
from reports.tables.frames import frame
from reports.tables.published import note_on_copy, of_published_data
from reports.tables.report_table import ReportTable

if TYPE_CHECKING:
    import pandas as pd


class Reported(NamedTuple):
    """A figure of another study.

    Attributes
    ----------
    source, system : str
        Where it was published, and what was measured.
    auc : float
        The AUC.
    unit : str
        What was classified: crop, image, two views or case; empty where it is not known.
    n_test : int | None
        How many of them were tested; None where it is not known.
    split : str
        official, own by patient, own by image, or unknown.
    verified : bool
        Whether it was read in the source itself.
    remark : str
        What is known besides.
    """

    source: str
    system: str
    auc: float
    unit: str
    n_test: int | None
    split: str
    verified: bool = False
    remark: str = ""


_SAWYER = "Sawyer-Lee et al. 2021, J Biomed Inform 113"
_PETRINI_VIEWS = "Petrini et al. 2022, IEEE Access 10"
_PETRINI = "Petrini and Kim 2025, arXiv 2503.19945"
_PATHAK = "Pathak et al., multi-instance learning for mammography"
_GABBUALOY = "Gabbualoy 2026, Sensors 26:3911"
_TSCHUCHNIG = "Tschuchnig 2025, arXiv 2507.19843"
_SUBALI = "Subali 2026, IJ-AI 15:861"
_STANDARD = "a standard, public evaluation set, by its abstract; which one is not known"
_FOLDS = "random cross-validation"
_FIFTH = "714 is a fifth of 3,568 crops, and not the official test"
_AGAIN = "run again by others; {} in the paper"

REPORTED = (
    Reported(_SAWYER, "CNN", 0.86, "crop", None, "unknown", remark=_STANDARD),
    Reported(_SAWYER, "texture + LDA", 0.75, "crop", None, "unknown", remark=_STANDARD),
    Reported(_SAWYER, "bag of visual words", 0.73, "crop", None, "unknown", remark=_STANDARD),
    Reported(_SAWYER, "hand-made features", 0.58, "crop", None, "unknown", remark=_STANDARD),
    Reported(_PETRINI_VIEWS, "two views", 0.848, "two views", None, "official"),
    Reported(
        _PETRINI_VIEWS, "two views", 0.934, "two views", None, "unknown", False, "random folds"
    ),
    Reported(_PETRINI, "one view", 0.834, "image", None, "official"),
    Reported(_PETRINI, "two views", 0.866, "two views", None, "official"),
    Reported(_PATHAK, "GMIC", 0.79, "image", None, "official", False, _AGAIN.format("0.83")),
    Reported(
        _PATHAK, "DenseNet-169 + RGP", 0.76, "image", None, "official", False, _AGAIN.format("0.84")
    ),
    Reported(_PATHAK, "ResNet-34", 0.78, "image", None, "official", False, _AGAIN.format("0.79")),
    Reported(_GABBUALOY, "ResNet-50", 0.867, "crop", 714, "unknown", False, _FIFTH),
    Reported(_GABBUALOY, "DINOv2", 0.847, "crop", 714, "unknown", False, _FIFTH),
    Reported(_GABBUALOY, "RAD-DINO", 0.846, "crop", 714, "unknown", False, _FIFTH),
    Reported(_GABBUALOY, "Mammo-CLIP", 0.813, "crop", 714, "unknown", False, _FIFTH),
    Reported(_GABBUALOY, "Mammo-FM", 0.703, "crop", 714, "unknown", False, _FIFTH),
    Reported(_TSCHUCHNIG, "ResNet-50", 0.781, "image", None, "unknown"),
    Reported(_TSCHUCHNIG, "ResNet-50, hand-made, DINOv2", 0.796, "image", None, "unknown"),
    Reported(_SUBALI, "own system", 0.896, "", None, "own by patient", False, "by its own account"),
)

COLUMNS = ("source", "system", "published_auc", "unit", "n_test", "split", "verified", "remark")


def literature(run: Run, summary: "pd.DataFrame") -> "pd.DataFrame":
    """A row a figure, on real mass crops of CBIS-DDSM; none elsewhere.

    Parameters
    ----------
    run : Run
        The run.
    summary : pd.DataFrame
        Its summary, which says what was measured.

    Returns
    -------
    pd.DataFrame
        With exactly the columns of COLUMNS.
    """
    rows = [
        {
            **one._asdict(),
            "published_auc": one.auc,
            "verified": "yes" if one.verified else "no",
        }
        for one in (REPORTED if of_published_data(run, summary) else ())
    ]
    return frame(rows, COLUMNS, whole=("n_test",))


LITERATURE_TABLE = ReportTable(
    "literature",
    lambda pooled, tables: literature(pooled.run, tables["summary"]),
    title="What others report on CBIS-DDSM",
    place="published",
    intro=lambda pooled, _: (
        "Figures of abstracts, excerpts and of what other papers say; where the last column but "
        "one says no, nobody here has read the source. Units, rows and splits differ, from each "
        f"other and from this run's. {note_on_copy(pooled.run)}".strip()
    ),
    folded=True,
    headings={"published_auc": "AUC, published", "n_test": "tested"},
)
