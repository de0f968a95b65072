"""BUSI: ultrasound pictures in class folders, with a mask or several beside each."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bench.data.description import shape_by_header
from bench.data.folder import has_manifest
from bench.data.folder_files import images_in, problem_of
from bench.data.images.decoding import decoded
from bench.data.images.pixels import UnreadableImage
from bench.data.lesions import NO_SPLIT, Dataset, LeftOut, SubsetInfo, finish, totals, unusable
from bench.data.loader import Loader, Requested, only_place
from bench.data.loaders.rows import IMAGES, LESIONS, Box, image_row, scaled, square
from bench.data.loaders.tables import places
from bench.data.sources import FolderSource

if TYPE_CHECKING:
    from bench.data.crops.regions import Marked

LICENCE = "CC BY 4.0 (of the article; copies of the set may name another licence, or none)"
CITATION = (
    "W. Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28:104863 (2020)"
)
PUBLISHED = {"lesions": 647, "patients": 600, "images": 780}
# The classes, and whether their pictures show a lesion.
CLASSES = {"benign": True, "malignant": True, "normal": False}
LABEL_FROM = "class folder: malignant positive, all others negative"
SUBSETS = {
    IMAGES: SubsetInfo((IMAGES,), "malignant", "benign or normal"),
    LESIONS: SubsetInfo((LESIONS,)),
}
PATIENTS = (
    "there are no patient ids: every image counts as a patient of its own (780 images of 600 "
    "patients were published)"
)
_MASK = re.compile(r"(?P<stem>.+)_mask(_\d+)?", re.IGNORECASE)
_NAMED = re.compile(r"(benign|malignant|normal) \(\d+\)_mask(_\d+)?\.png", re.IGNORECASE)


def _place(root: Path) -> Path | None:
    return only_place(root, [place for place in places(root) if _is_place(place)])


def _is_place(place: Path) -> bool:
    classes = _class_folders(place)
    named = (any(map(_NAMED.fullmatch, _names(folder))) for folder in classes.values())
    return {"benign", "malignant"} <= set(classes) and any(named)


def _find(root: Path) -> bool:
    place = _place(root)
    return place is not None and not has_manifest(root) and not has_manifest(place)


def _class_folders(place: Path) -> dict[str, Path]:
    folders = (path for path in sorted(place.iterdir()) if path.name.lower() in CLASSES)
    return {path.name.lower(): path for path in folders if path.is_dir()}


def _names(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.iterdir())


def load(root: Path, requested: Requested) -> Dataset:
    """Its lesion table; raises UnusableInput where its folders are not there."""
    place = _place(root)
    if place is None:
        raise unusable(
            root,
            "no BUSI here; looked for the folders benign, malignant and normal with files such as "
            "'benign (1)_mask.png'",
        )
    source = FolderSource(place, requested.follow_links)
    rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    count = lesions = 0
    for name, folder in _class_folders(place).items():
        pictures, masks = _told_apart(source, folder)
        count += len(pictures)
        lesions += len(pictures) * CLASSES[name]
        for path, stem in pictures.items():
            problem = problem_of(source, path)
            if problem:
                left_out.append(LeftOut(path, path, problem))
                continue
            row = image_row(
                path, path, int(name == "malignant"), pathology=name, label_from=LABEL_FROM
            )
            rows.append(row)
            if CLASSES[name]:
                box = _lesion_box(source, path, masks.get(stem, []))
                lesion = {"crop_id": f"{path}:lesion", "subset": LESIONS, "abnormality": "mass"}
                if isinstance(box, str):
                    left_out.append(LeftOut(lesion["crop_id"], path, box))
                else:
                    rows.append({**row, **lesion, **square(box)})
        left_out += [
            LeftOut(path, path, "it is a mask, and its picture is missing")
            for stem in sorted(set(masks) - set(pictures.values()))
            for path in masks[stem]
        ]
    return finish(
        "busi",
        source,
        rows,
        left_out,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=[PATIENTS, NO_SPLIT],
        patient_ids=False,
        organ="breast",
        source_tables={"totals": totals({"lesions": lesions, "images": count}, PUBLISHED)},
    )


def _told_apart(source: FolderSource, folder: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The pictures of a class with their stems, and the masks by the stems of their pictures."""
    pictures: dict[str, str] = {}
    masks: dict[str, list[str]] = {}
    for path in images_in(source, folder):
        stem = PurePosixPath(path).stem
        match = _MASK.fullmatch(stem)
        if match:
            masks.setdefault(match["stem"], []).append(path)
        else:
            pictures[path] = stem
    return pictures, masks


def _lesion_box(source: FolderSource, path: str, masks: list[str]) -> Box | str:
    """The box around all that the masks of a picture mark, in its pixels, or why there is none."""
    size = shape_by_header(source.root / path)
    if size is None:
        return "its size cannot be read"
    if not masks:
        return "it has no mask"
    boxes: list[Box] = []
    for mask in masks:
        marked = problem_of(source, mask) or _marked(source.root / mask)
        # A box around what the others mark would not hold all.
        if isinstance(marked, str):
            return f"its mask: {marked}"
        box = (marked.columns[0], marked.rows[0], marked.columns[1], marked.rows[1])
        in_picture = scaled(box, marked.shape[::-1], size)
        if isinstance(in_picture, str):
            return in_picture
        boxes.append(in_picture)
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _marked(file: Path) -> "Marked | str":
    """What a mask marks, or why that is not known."""
    from bench.data.crops.regions import marked_box

    try:
        with decoded(file) as image:
            found = marked_box(image.pixels)
    except (UnreadableImage, OSError, MemoryError) as error:
        return str(error) or "too little memory"
    return found.problem.removeprefix("its mask ") or found


LOADER = Loader(
    name="busi",
    title="BUSI: benign, malignant and normal with masks beside the pictures",
    find=_find,
    load=load,
)
