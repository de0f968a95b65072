"""RSNA Screening Mammography Breast Cancer Detection: train.csv and its mammograms, whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.data.lesions import NO_SPLIT, Dataset, SubsetInfo, finish, totals, unusable
from bench.data.loader import Loader, Requested
from bench.data.loaders import cells, tables
from bench.data.loaders.image_files import ImageFiles
from bench.data.loaders.rows import IMAGES, Collected, image_row
from bench.data.sources import FolderSource

LICENCE = "non-commercial use only, as agreed to at Kaggle; no attempt to identify anybody"
CITATION = (
    "C. Carr et al., RSNA Screening Mammography Breast Cancer Detection, Kaggle (2022), "
    "https://kaggle.com/competitions/rsna-breast-cancer-detection"
)
PUBLISHED = {"patients": 11913, "images": 54706}
NEEDED = ("patient_id", "image_id", "laterality", "view", "cancer")
OPTIONAL = ("BIRADS", "density")
LABEL_FROM = "cancer of the breast: 1 positive, 0 negative"
# What its table means by a number, in the order of suspicion.
ASSESSMENTS = {"0": "0 (follow-up)", "1": "1 (negative)", "2": "2 (normal)"}
NO_TEST_LABELS = f"{NO_SPLIT}: the labels of its test set are not published"
SUBSETS = {IMAGES: SubsetInfo((IMAGES,), "malignant", "no cancer")}


def _table(root: Path) -> Path | None:
    fitting = (
        file
        for place in tables.places(root)
        for file in tables.tables_in(place)
        if tables.has_columns(file, ("patient_id", "image_id", "cancer"))
        and file.name.lower().startswith("train")
    )
    return tables.only_table(root, fitting, lambda file: file.name.lower() != "train.csv")


def load(root: Path, requested: Requested) -> Dataset:
    """Its lesion table; raises UnusableInput where its table is not there or cannot be read."""
    file = _table(root) or next(
        (place / "train.csv" for place in tables.places(root) if (place / "train.csv").is_file()),
        None,
    )
    if file is None:
        raise unusable(root, "no RSNA mammograms here; looked for train.csv with patient_id")
    source = FolderSource(file.parent, requested.follow_links)
    table = tables.read_table(file, NEEDED, OPTIONAL)
    for row in table.rows:
        row.cells["patient_id"] = cells.identifier(row["patient_id"])
        row.cells["image_id"] = cells.identifier(row["image_id"])
    table = tables.without_repeats(table, ("patient_id", "image_id"))
    images = ImageFiles(source)
    found = Collected(left_out=list(table.left_out))
    for row in table.rows:
        name = "_".join(filter(None, (row["patient_id"], row["image_id"])))
        found.add(_row(row.cells, images), name or table.name_of(row), file.name)
    patients = {row["patient_id"] for row in table.rows} - {""}
    return finish(
        "rsna",
        source,
        found.rows,
        found.left_out,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=[NO_TEST_LABELS],
        organ="breast",
        source_tables={
            "totals": totals({"patients": len(patients), "images": len(table.rows)}, PUBLISHED)
        },
    )


def _row(row: Mapping[str, str], images: ImageFiles) -> dict[str, Any] | str:
    """A row of the lesion table, or why there is none."""
    patient, image = row["patient_id"], row["image_id"]
    if not patient or not image:
        return "the table gives no patient_id or no image_id"
    label = cells.yes_or_no(row["cancer"])
    if label is None:
        return f"cancer is {row['cancer'][:40]!r}, not 0 or 1"
    path, problem = images.find((image, f"{patient}_{image}"), patient)
    if problem:
        return problem
    side = cells.side(row["laterality"])
    assessment = cells.identifier(row["BIRADS"])
    return image_row(
        f"{patient}_{image}",
        path,
        label,
        lesion_id=f"{patient}_{side}" if side else f"{patient}_{image}",
        patient_id=patient,
        laterality=side,
        view=cells.value(row["view"]).upper(),
        pathology="cancer" if label else "no cancer",
        density=cells.value(row["density"]) or None,
        assessment=ASSESSMENTS.get(assessment, assessment) or None,
        label_from=LABEL_FROM,
    )


LOADER = Loader(
    name="rsna",
    title="RSNA screening mammograms: train.csv and train_images/<patient>/<image>.dcm",
    find=lambda path: _table(path) is not None,
    load=load,
)
