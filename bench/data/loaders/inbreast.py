"""INbreast: whole mammograms and outlined lesions, both by the BI-RADS of the image."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.description import shape_by_header
from bench.data.lesions import NO_SPLIT, Dataset, LeftOut, SubsetInfo, finish, totals, unusable
from bench.data.loader import Loader, Requested
from bench.data.loaders import birads, cells, tables
from bench.data.loaders.birads import ReadingRule
from bench.data.loaders.image_files import ImageFiles
from bench.data.loaders.inbreast_outlines import read_outlines
from bench.data.loaders.rows import (
    IMAGES,
    Collected,
    box_problem,
    image_row,
    lesion_subsets,
    square,
)
from bench.data.sources import FolderSource

LICENCE = "on request from its authors, for research; not to be shared"
CITATION = (
    "I. C. Moreira et al., INbreast: toward a full-field digital mammographic database, Academic "
    "Radiology 19(2), 236-248 (2012)"
)
PUBLISHED = {"patients": 115, "images": 410}
NEEDED = ("File Name", "Laterality", "View", "Bi-Rads")
OPTIONAL = ("Patient ID", "ACR", "Acquisition date")
RULE = ReadingRule("image", positive="456", negative="12", others="0 and 3 left out")
# 22678622_61b13c59bcba149e_MG_R_CC_ANON.dcm: image and patient.
_NAME = re.compile(r"\d+_([0-9a-z]+)_mg_.*", re.IGNORECASE)
_REMOVED = ("", "removed")
SIZES = ((2560, 3328), (3328, 4084))
_BEHIND_NUMBER = re.compile(r"[ _(\-].*")


def _number(stem: str) -> str:
    """The image's number, which its name begins with."""
    return _BEHIND_NUMBER.sub("", stem)


def _table(root: Path) -> Path | None:
    fitting = (
        file
        for place in tables.places(root)
        for file in tables.tables_in(place)
        if file.name.lower() == "inbreast.csv"
        or tables.has_columns(file, (*NEEDED, "ACR", "Acquisition date"))
    )
    return tables.only_table(root, fitting, lambda file: file.name.lower() != "inbreast.csv")


def load(root: Path, requested: Requested) -> Dataset:
    """Its lesion table; raises UnusableInput where its table is not there or cannot be read."""
    file = _table(root)
    if file is None:
        hint = "; save INbreast.xls as INbreast.csv" * any(
            (place / "INbreast.xls").is_file() for place in tables.places(root)
        )
        raise unusable(root, f"no INbreast here; looked for INbreast.csv{hint}")
    source = FolderSource(file.parent, requested.follow_links)
    images = ImageFiles(source, _number)
    table = tables.read_table(file, NEEDED, OPTIONAL)
    for row in table.rows:
        row.cells["File Name"] = _number(cells.identifier(row["File Name"]))
    named = {row["File Name"] for row in table.rows}
    outlines, unused = _outline_files(images.others, named)
    table = tables.without_repeats(table, ("File Name",))
    found = Collected(left_out=[*table.left_out, *unused])
    for path in images.not_among(named):
        found.add("the table has no row for this image", path, path)
    points: Counter[str] = Counter()
    for row in table.rows:
        made = _image_row(row.cells, images)
        name = row["File Name"] or table.name_of(row)
        found.add(made, name, file.name)
        if name in outlines and not isinstance(made, str):
            points[name] += _add_lesions(found, made, source, outlines.pop(name))
    for name, path in outlines.items():
        found.add("its image is left out", f"{name}_outlines", path)
    rows = found.rows
    own = sum(row["patient_id"] == row["crop_id"] for row in rows if row["subset"] == IMAGES)
    return finish(
        "inbreast",
        source,
        rows,
        found.left_out,
        {
            IMAGES: SubsetInfo((IMAGES,), RULE.word(1), RULE.word(0)),
            **lesion_subsets(rows, RULE.word(1), RULE.word(0)),
        },
        licence=LICENCE,
        citation=CITATION,
        notices=[birads.NOTICE, *_patient_notices(own), *_notices(source, rows, points), NO_SPLIT],
        organ="breast",
        patient_ids=own < sum(row["subset"] == IMAGES for row in rows),
        source_tables={"totals": totals({"images": len(table.rows)}, PUBLISHED)},
    )


def _outline_files(
    paths: Iterable[str], named: Collection[str]
) -> tuple[dict[str, str], list[LeftOut]]:
    """The files of outlines by their images, and those that belong to no row."""
    found: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for path in paths:
        name = PurePosixPath(path).stem
        if not path.lower().endswith(".xml"):
            continue
        if name not in named:
            left_out.append(LeftOut(path, path, "the table has no row for these outlines"))
        elif name in found:
            left_out.append(LeftOut(path, path, "another file has the outlines of this image"))
        else:
            found[name] = path
    return found, left_out


def _image_row(row: Mapping[str, str], images: ImageFiles) -> dict[str, Any] | str:
    """The row of a whole image, or why there is none."""
    if not row["File Name"]:
        return "the table gives no File Name"
    found = birads.grade(row["Bi-Rads"])
    label = RULE.label(found)
    if label is None:
        return RULE.reason(row["Bi-Rads"])
    path, problem = images.find((row["File Name"],))
    if problem:
        return problem
    side = cells.side(row["Laterality"])
    named = _NAME.fullmatch(PurePosixPath(path).stem)
    given = cells.value(row["Patient ID"])
    patient = given if given.lower() not in _REMOVED else named[1].lower() if named else ""
    # A woman may have been examined twice.
    breast = "_".join(filter(None, (patient, cells.identifier(row["Acquisition date"]), side)))
    return image_row(
        row["File Name"],
        path,
        label,
        lesion_id=breast if patient and side else row["File Name"],
        patient_id=patient or row["File Name"],
        laterality=side,
        view=cells.value(row["View"]).upper(),
        pathology=f"BI-RADS {found}",
        density=cells.identifier(row["ACR"]) or None,
        assessment=found,
        label_from=RULE.text,
    )


def _add_lesions(
    found: Collected, image: Mapping[str, Any], source: FolderSource, file: str
) -> int:
    """Add the lesions outlined in an image; returns how many single calcifications there are."""
    read = read_outlines(source, file)
    if isinstance(read, str):
        found.add(read, f"{image['crop_id']}_outlines", file)
        return 0
    size = shape_by_header(source.root / image["path"])
    for number, outline in enumerate(read.lesions, start=1):
        name = f"{image['crop_id']}_{number}"
        of_lesion = {
            "crop_id": name,
            "lesion_id": name,
            "subset": outline.kind,
            "abnormality": outline.name,
            "abnormality_id": number,
        }
        problem = outline.problem or box_problem(outline.box, size)
        found.add(problem or {**image, **of_lesion, **square(outline.box)}, name, file)
    return read.single_calcifications


def _patient_notices(own: int) -> list[str]:
    return [
        f"{own} images have no patient in the table or in their names, and each counts as a "
        "patient of its own: several images of one patient may be on both sides of a split"
    ] * bool(own)


def _notices(source: FolderSource, rows: list[dict[str, Any]], points: Counter[str]) -> list[str]:
    notices = []
    if points.total():
        notices.append(
            f"{points.total()} outlines of single calcifications in {len(+points)} images are no "
            "crops of their own"
        )
    paths = sorted({row["path"] for row in rows if row["subset"] != IMAGES})
    sizes = [shape_by_header(source.root / path) for path in paths]
    others = [size for size in sizes if size and size not in SIZES]
    if others:
        published = " and ".join(f"{width} x {height}" for width, height in SIZES)
        notices.append(
            f"{len(others)} images with outlines are not of a published size ({published} pixels), "
            f"one has {others[0][0]} x {others[0][1]}: outlines are in pixels of the originals, "
            "and squares of scaled images miss their lesions"
        )
    return notices


LOADER = Loader(
    name="inbreast",
    title="INbreast: INbreast.csv, AllDICOMs and the outlines in AllXML",
    find=lambda path: _table(path) is not None,
    load=load,
)
