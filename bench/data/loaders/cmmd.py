"""CMMD: whole mammograms of breasts whose lesion was biopsied, by the clinical table."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.images.decoding import DICOM_ENDINGS
from bench.data.images.pixels import UnreadableImage
from bench.data.lesions import NO_SPLIT, Dataset, SubsetInfo, finish, totals, unusable
from bench.data.loader import Loader, Requested
from bench.data.loaders import cells, tables
from bench.data.loaders.image_files import ImageFiles, format_preference
from bench.data.loaders.rows import IMAGES, Collected, image_row
from bench.data.loaders.tables import TableRow
from bench.data.sources import FolderSource

LICENCE = "CC BY 4.0"
CITATION = (
    "C. Cui et al., The Chinese Mammography Database (CMMD): an online mammography database with "
    "biopsy confirmed types for machine diagnosis of breast, The Cancer Imaging Archive (2021), "
    "data DOI 10.7937/tcia.eqde-4b16"
)
PUBLISHED = {"patients": 1775, "images": 3728}
NEEDED = ("ID1", "LeftRight", "classification")
OPTIONAL = ("abnormality",)
LABEL_FROM = "classification (biopsy): Malignant positive, Benign negative"
SUBSETS = {IMAGES: SubsetInfo((IMAGES,))}
_NAMED = "cmmd_clinicaldata"
_LABELS = {"benign": 0, "malignant": 1}
_PATIENT = re.compile(r"D[12]-\d{4}", re.IGNORECASE)
_SIDE_AND_VIEW = re.compile(
    r"[_\- ](?P<side>L|R|LEFT|RIGHT)[_\- ](?P<view>CC|MLO)(?![A-Za-z])", re.I
)
# Of DICOM's views, in SNOMED RT and in SNOMED CT.
_VIEWS = {"R-10242": "CC", "399162004": "CC", "R-10226": "MLO", "399368009": "MLO"}
NO_BREAST = "the table gives no ID1 or no LeftRight"
SHOWN_BETTER = "its mammogram is used in another format"
NOT_SAID = "neither its header nor its name says whose it is, and which side"

Whose = tuple[str, str, str]  # patient, side, view


def _table(root: Path) -> Path | None:
    found = []
    for place in tables.places(root):
        for file in tables.tables_in(place, (".csv", ".xlsx")):
            named = file.name.lower().startswith(_NAMED)
            if named or (file.suffix.lower() == ".csv" and tables.has_columns(file, NEEDED)):
                found.append(file)
    # The CSV needs no extra.
    return tables.only_table(root, found, _rank)


def _rank(file: Path) -> int:
    """The published name first, then the set's name, then any; of each the CSV first."""
    name = file.name.lower()
    named = name.startswith(_NAMED), name.startswith(f"{_NAMED}_revision")
    return 2 * named.count(False) + (file.suffix.lower() != ".csv")


def load(root: Path, requested: Requested) -> Dataset:
    """Its lesion table; raises UnusableInput where its table is not there or cannot be read."""
    file = _table(root)
    if file is None:
        raise unusable(
            root, "no CMMD here; looked for CMMD_clinicaldata_revision.xlsx, or that as CSV"
        )
    source = FolderSource(file.parent, requested.follow_links)
    table = tables.read_table(file, NEEDED, OPTIONAL)
    for row in table.rows:
        row.cells["ID1"] = row["ID1"].upper()
        row.cells["LeftRight"] = cells.side(row["LeftRight"])
    table = tables.without_repeats(table, ("ID1", "LeftRight"))
    breasts = {
        (row["ID1"], row["LeftRight"]): row for row in table.rows if row["ID1"] and row["LeftRight"]
    }
    found = Collected(left_out=list(table.left_out))
    seen: Counter[tuple[str, str]] = Counter()
    images = ImageFiles(source)
    shown = {
        path: images.problem(path) or _whose(source.root, path, requested.progress)
        for path in images.paths
    }
    shown |= dict.fromkeys(_shown_better(shown), SHOWN_BETTER)
    for path, whose in shown.items():
        if not isinstance(whose, str):
            seen[whose[:2]] += 1
        made = whose if isinstance(whose, str) else _row(path, whose, breasts, seen[whose[:2]])
        found.add(made, path, path)
    for row in table.rows:
        breast = row["ID1"], row["LeftRight"]
        if not all(breast):
            found.add(NO_BREAST, table.name_of(row), file.name)
        elif not seen[breast]:
            found.add("no image of this breast is there", "_".join(breast), file.name)
    return finish(
        "cmmd",
        source,
        found.rows,
        found.left_out,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=[NO_SPLIT],
        organ="breast",
        source_tables={
            "totals": totals(
                {"patients": len({row["ID1"] for row in table.rows} - {""})}, PUBLISHED
            )
        },
    )


def _shown_better(shown: Mapping[str, Whose | str]) -> list[str]:
    """The files whose mammogram is there in a format that is preferred.

    A file without a view may show any view of its breast.
    """
    of_breast: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path, whose in shown.items():
        if not isinstance(whose, str):
            of_breast.setdefault(whose[:2], []).append((path, whose[2]))
    return [
        path
        for files in of_breast.values()
        for path, view in files
        if any(
            format_preference(other) < format_preference(path)
            for other, other_view in files
            if view == other_view or not (view and other_view)
        )
    ]


def _whose(root: Path, path: str, progress: Callable[[int], None] | None) -> Whose | str:
    """Whose mammogram a file is, with side and view, or why that is not known."""
    from bench.data.images.dicom import read_header

    patient = side = view = ""
    if path.lower().endswith(DICOM_ENDINGS):
        try:
            header = read_header(root / path)
        except UnreadableImage as error:
            return str(error)
        if progress is not None:
            progress(1)
        side = cells.side(header.laterality)
        view = _VIEWS.get(header.view.upper(), header.view.upper())
        patient = header.patient_id if _PATIENT.fullmatch(header.patient_id) else ""
    in_path = _PATIENT.findall(path)
    named = _SIDE_AND_VIEW.search(PurePosixPath(path).name)
    patient = patient or (in_path[-1] if in_path else "")
    side = side or (cells.side(named["side"]) if named else "")
    view = view or (named["view"].upper() if named else "")
    return (patient.upper(), side, view) if patient and side else NOT_SAID


def _row(
    path: str, whose: Whose, breasts: Mapping[tuple[str, str], TableRow], number: int
) -> dict[str, Any] | str:
    """A row of the lesion table, or why there is none."""
    patient, side, view = whose
    row = breasts.get((patient, side))
    if row is None:
        return "the clinical table has no row for this breast"
    label = _LABELS.get(row["classification"].lower())
    if label is None:
        return f"classification is {row['classification'][:40]!r}, not Benign or Malignant"
    return image_row(
        f"{patient}_{side}_{number}",
        path,
        label,
        lesion_id=f"{patient}_{side}",
        patient_id=patient,
        laterality=side,
        view=view,
        abnormality=cells.value(row["abnormality"]).lower(),
        pathology=row["classification"].capitalize(),
        label_from=LABEL_FROM,
    )


LOADER = Loader(
    name="cmmd",
    title="CMMD: CMMD_clinicaldata_revision as xlsx or CSV, and its DICOM files",
    find=lambda path: _table(path) is not None,
    load=load,
)
