"""VinDr-Mammo: whole mammograms by the BI-RADS of the breast, crops of findings by their own."""

import ast
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.data.description import shape_by_header
from bench.data.lesions import (
    NO_SPLIT,
    Dataset,
    SubsetInfo,
    finish,
    shared_patients,
    totals,
    unusable,
)
from bench.data.loader import Loader, Requested, only_place
from bench.data.loaders import birads, cells, tables
from bench.data.loaders.birads import ReadingRule
from bench.data.loaders.image_files import ImageFiles
from bench.data.loaders.rows import (
    IMAGES,
    Box,
    Collected,
    box_problem,
    image_row,
    lesion_subsets,
    scaled,
    square,
)
from bench.data.loaders.tables import SourceTable, TableRow
from bench.data.sources import FolderSource

LICENCE = "PhysioNet Restricted Health Data License 1.5.0 (not to be shared)"
CITATION = (
    "H. T. Nguyen et al., VinDr-Mammo: a large-scale benchmark dataset for computer-aided "
    "diagnosis in full-field digital mammography, Scientific Data 10:277 (2023); data DOI "
    "10.13026/br2v-7517"
)
PUBLISHED = {"lesions": 2254, "patients": 5000, "images": 20000}
BREASTS, FINDINGS = "breast-level_annotations.csv", "finding_annotations.csv"
_IMAGE = ("study_id", "image_id", "laterality", "view_position")
_MORE = ("breast_density", "split", "height", "width")
_FINDING = ("finding_categories", "finding_birads")
_BOX = ("xmin", "ymin", "xmax", "ymax")
BREAST_RULE = ReadingRule("breast", positive="45", negative="12", others="0, 3 and 6 left out")
FINDING_RULE = ReadingRule(
    "finding", positive="45", negative="3", others="findings without one left out"
)
_SPLITS = {"training": "train", "train": "train", "test": "test", "": "none"}
EXAMS = "each exam (study_id) counts as a patient: the tables name nothing above it"


def _place(root: Path) -> Path | None:
    return only_place(root, [one for one in tables.places(root) if (one / BREASTS).is_file()])


def load(root: Path, requested: Requested) -> Dataset:
    """Its lesion table; raises UnusableInput where its tables are not there or cannot be read."""
    import pandas as pd

    place = _place(root)
    if place is None:
        raise unusable(root, f"no VinDr-Mammo here; looked for {BREASTS}")
    source = FolderSource(place, requested.follow_links)
    images = ImageFiles(source)
    read = tables.read_table(place / BREASTS, (*_IMAGE, "breast_birads"), _MORE)
    breasts = tables.without_repeats(read, ("image_id",))
    collected = Collected(left_out=list(breasts.left_out))
    for row in breasts.rows:
        name = row["image_id"] or breasts.name_of(row)
        collected.add(_image_row(row.cells, images), name, BREASTS)
    notices = [birads.NOTICE, EXAMS]
    named = [*read.rows]
    in_tables = {
        "patients": len({row["study_id"] for row in breasts.rows} - {""}),
        "images": len(breasts.rows),
    }
    if (place / FINDINGS).is_file():
        findings = tables.read_table(place / FINDINGS, (*_IMAGE, *_FINDING, *_BOX), _MORE)
        of_image: dict[str, Mapping[str, str] | None] = {
            row["image_id"]: None for row in read.rows if row["image_id"]
        }
        of_image |= {row["image_id"]: row.cells for row in breasts.rows if row["image_id"]}
        in_tables["lesions"] = _add_findings(collected, findings, of_image, images, place)
        named += findings.rows
    else:
        notices.append(f"there is no {FINDINGS}: no crops of findings")
    for path in images.not_among(name for row in named for name in _file_names(row)):
        collected.add("neither table has a row for this image", path, path)
    table = pd.DataFrame(collected.rows)
    return finish(
        "vindr",
        source,
        table,
        collected.left_out,
        {
            IMAGES: SubsetInfo((IMAGES,), BREAST_RULE.word(1), BREAST_RULE.word(0)),
            **lesion_subsets(collected.rows, FINDING_RULE.word(1), FINDING_RULE.word(0)),
        },
        licence=LICENCE,
        citation=CITATION,
        notices=[*notices, *_split_notices(table)],
        organ="breast",
        source_tables={"totals": totals(in_tables, PUBLISHED)},
    )


def _split_notices(table: Any) -> list[str]:
    if table.empty:
        return []
    if not {"train", "test"} <= set(table["split"]):
        return [NO_SPLIT]
    both = shared_patients(table)
    return [f"{len(both)} patients are in both train and test"] * bool(both)


def _file_names(row: Mapping[str, str] | TableRow) -> tuple[str, str]:
    """What the file of a row's image may be called."""
    return row["image_id"], f"{row['study_id']}_{row['image_id']}"


def _common(row: Mapping[str, str], images: ImageFiles) -> dict[str, Any] | str:
    """What a whole image and a finding in it have in common, or why it cannot be used."""
    if not row["study_id"] or not row["image_id"]:
        return "the table gives no study_id or no image_id"
    split = _SPLITS.get(row["split"].lower())
    if split is None:
        return f"split is {row['split'][:40]!r}, not training or test"
    path, problem = images.find(_file_names(row), row["study_id"])
    if problem:
        return problem
    return {
        "path": path,
        "patient_id": row["study_id"],
        "laterality": cells.side(row["laterality"]),
        "view": cells.value(row["view_position"]).upper(),
        "split": split,
        "density": cells.value(row["breast_density"]).upper().removeprefix("DENSITY").strip()
        or None,
    }


def _image_row(row: Mapping[str, str], images: ImageFiles) -> dict[str, Any] | str:
    label = BREAST_RULE.label(birads.grade(row["breast_birads"]))
    if label is None:
        return BREAST_RULE.reason(row["breast_birads"])
    common = _common(row, images)
    if isinstance(common, str):
        return common
    side = common["laterality"]
    found = birads.grade(row["breast_birads"])
    return image_row(
        row["image_id"],
        label=label,
        lesion_id=f"{row['study_id']}_{side}" if side else row["image_id"],
        pathology=f"BI-RADS {found}",
        assessment=found,
        label_from=BREAST_RULE.text,
        **common,
    )


def _add_findings(
    collected: Collected,
    table: SourceTable,
    of_image: Mapping[str, Mapping[str, str] | None],
    images: ImageFiles,
    place: Path,
) -> int:
    """Add the findings with a box; returns how many the table has.

    `of_image` is the row of each image in the other table; None where its rows there contradict
    each other.
    """
    collected.left_out += table.left_out
    seen: Counter[str] = Counter()
    known: set[tuple[str | float, ...]] = set()
    sizes: dict[str, tuple[int, int] | None] = {}
    for row in table.rows:
        categories = _categories(row["finding_categories"])
        if not any(row[name] for name in _BOX) and categories in ([], ["no finding"]):
            continue
        said = tuple(_comparable(*cell) for cell in row.cells.items())
        if said in known:
            collected.add(tables.SAME_ROW, table.name_of(row), table.file.name)
            continue
        known.add(said)
        seen[row["image_id"]] += 1
        name = f"{row['image_id'] or table.name_of(row)}_{seen[row['image_id']]}"
        image = of_image.get(row["image_id"], row.cells)
        made: dict[str, Any] | str = _contradiction(row, image)
        if image is not None and not made:
            # One table says whose an image is, and of which part.
            of_one = {column: image[column] for column in (*_IMAGE, "split")}
            made = _finding_row(name, {**row.cells, **of_one}, categories, images)
        if not isinstance(made, str):
            numbered = {**made, "abnormality_id": seen[row["image_id"]]}
            made = _in_image(numbered, row.cells, place, sizes)
        collected.add(made, name, table.file.name)
    return sum(seen.values())


def _comparable(column: str, cell: str) -> str | float:
    """A cell without what is only another spelling of it."""
    number = cells.number(cell) if column in _BOX else None
    return cell.lower() if number is None else number


def _contradiction(finding: TableRow, image: Mapping[str, str] | None) -> str:
    """Why nobody knows of whose breast a finding is; empty if that is known."""
    if image is None:
        return "the rows of its image contradict each other"
    same = {
        "exams": _same_id(finding["study_id"], image["study_id"]),
        "sides": cells.side(finding["laterality"]) == cells.side(image["laterality"]),
        "views": finding["view_position"].lower() == image["view_position"].lower(),
    }
    others = [what for what, is_same in same.items() if not is_same]
    return f"the two tables name different {others[0]} for this image" if others else ""


def _same_id(one: str, other: str) -> bool:
    return cells.identifier(one).lower() == cells.identifier(other).lower()


def _categories(text: str) -> list[str]:
    """The words of a cell such as ['Mass', 'Nipple Retraction'], in lower case."""
    try:
        words = ast.literal_eval(text) if text.startswith("[") else [text]
        return [str(word).strip().lower() for word in words if str(word).strip()]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return [text.lower()]


def _finding_row(
    name: str, row: Mapping[str, str], categories: list[str], images: ImageFiles
) -> dict[str, Any] | str:
    found = birads.grade(row["finding_birads"])
    label = FINDING_RULE.label(found)
    if label is None:
        return FINDING_RULE.reason(row["finding_birads"])
    common = _common(row, images)
    if isinstance(common, str):
        return common
    kind = "calc" if "suspicious calcification" in categories else "other"
    return image_row(
        name,
        label=label,
        subset="mass" if "mass" in categories else kind,
        abnormality="+".join(categories),
        pathology=f"BI-RADS {found}",
        assessment=found,
        label_from=FINDING_RULE.text,
        **common,
    )


def _in_image(
    made: dict[str, Any],
    row: Mapping[str, str],
    place: Path,
    sizes: dict[str, tuple[int, int] | None],
) -> dict[str, Any] | str:
    """A finding's row with its square, in an image that may have been scaled."""
    corners = [cells.number(row[name]) for name in _BOX]
    known = [corner for corner in corners if corner is not None]
    if len(known) < len(_BOX):
        return "its box is incomplete"
    in_table: Box = (known[0], known[1], known[2], known[3])
    box: Box | str = in_table
    if made["path"] not in sizes:
        sizes[made["path"]] = shape_by_header(place / made["path"])
    size = sizes[made["path"]]
    width, height = cells.number(row["width"]), cells.number(row["height"])
    if size and width and height and (width, height) != size:
        box = scaled(in_table, (width, height), size)
    if isinstance(box, str):
        return box
    return box_problem(box, size) or {**made, **square(box)}


LOADER = Loader(
    name="vindr",
    title=f"VinDr-Mammo: {BREASTS}, {FINDINGS} and images/<study>/<image>.dicom",
    find=lambda path: _place(path) is not None,
    load=load,
)
