"""What a reader of the results must know of a copy of CBIS-DDSM, in lines of text."""

from typing import TYPE_CHECKING

from bench.data.cbis_ddsm.case_tables import PUBLISHED_ROWS, CaseTables
from bench.data.cbis_ddsm.image_files import DICOM_ENDINGS, JPEG_ENDINGS
from bench.data.cbis_ddsm.index import ImageIndex
from bench.data.cbis_ddsm.matching import Matched
from bench.data.lesions import shared_patients

if TYPE_CHECKING:
    import pandas as pd

# Names that a notice lists before it ends in dots.
_MOST_LISTED = 3


def count_notices(cases: CaseTables) -> list[str]:
    """One notice for each table that differs from the published one."""
    rows, notices = cases.rows, []
    for (kind, split), published in PUBLISHED_ROWS.items():
        file = cases.files.get((kind, split))
        count = int(((rows["subset"] == kind) & (rows["split"] == split)).sum())
        if file is None:
            notices.append(
                f"there is no {kind} {split} table; the published one has {published} rows"
            )
        elif count != published:
            notices.append(
                f"{file.name} has {count} rows of its own, the published one {published}"
            )
    return notices


def row_notices(usable: "pd.DataFrame") -> list[str]:
    """Contradictions and overlaps in the rows that have a crop."""
    notices = []
    labels = usable.groupby("lesion_id")["label"].nunique()
    conflicting = list(labels.index[labels > 1])
    if conflicting:
        lesions = "lesion has" if len(conflicting) == 1 else "lesions have"
        names = ", ".join(conflicting)
        notices.append(f"{len(conflicting)} {lesions} conflicting pathology between views: {names}")
    both = shared_patients(usable)
    if both:
        notices.append(
            f"{len(both)} patients are in both train and test once mass and calc are pooled"
        )
    return notices


def file_notices(index: ImageIndex, matched: Matched) -> list[str]:
    """Image files that could not be used, and formats that are mixed."""
    notices = link_notices(index)
    if index.unreadable:
        count = len(index.unreadable)
        listed = ", ".join(map(_plain, index.unreadable[:_MOST_LISTED]))
        more = " ..." * (count > _MOST_LISTED)
        notices.append(f"{count} files or folders cannot be accessed: {listed}{more}")
    if matched.unmatched:
        files = "file belongs" if len(matched.unmatched) == 1 else "files belong"
        notices.append(
            f"{len(matched.unmatched)} image {files} to no row of the tables: "
            f"{_plain(matched.unmatched[0])}{' ...' * (len(matched.unmatched) > 1)}"
        )
    crops = [one.path.lower() for one in matched.rows if not one.reason]
    formats = {
        "DICOM": sum(path.endswith(DICOM_ENDINGS) for path in crops),
        "JPEG": sum(path.endswith(JPEG_ENDINGS) for path in crops),
    }
    formats["PNG or TIFF"] = len(crops) - sum(formats.values())
    kinds = [f"{count} {name}" for name, count in formats.items() if count]
    if len(kinds) > 1:
        # A classifier could use bit depth and compression if they go with the classes.
        notices.append(f"the crops are of more than one format: {', '.join(kinds)}")
    return notices


def _plain(name: str) -> str:
    """A file's name without control characters, on which a terminal would act."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def link_notices(index: ImageIndex) -> list[str]:
    """The symbolic links that are not followed."""
    if not index.links:
        return []
    names = ", ".join(map(_plain, index.links[:_MOST_LISTED])) + " ..." * (
        len(index.links) > _MOST_LISTED
    )
    return [
        f"symbolic links that lead out of the data root are not followed: {names}; --follow-links "
        "follows them; or give the folder that they lead to as data, and that of the case tables "
        "with --tables"
    ]
