"""Class folders: the folders that name classes, their pictures, and the masks among these."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.data.class_words import ClassSides, UnknownClass, decide_sides, named
from bench.data.companions import is_mask_folder, named_masks
from bench.data.csv_manifest import VALIDATION
from bench.data.folder_files import (
    IMAGE_ENDINGS,
    escapes_source,
    files_in,
    images_in,
    is_undecodable,
    problem_of,
)
from bench.data.images.decoding import DICOM_ENDINGS
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, check_classes, finish, unusable
from bench.data.loader import lesion_row
from bench.data.patients import kept_together, named_alike
from bench.data.sources import FolderSource
from bench.errors import UnusableInput

# Headers of DICOM that are read for a notice.
MOST_HEADERS = 1000
NO_PATIENTS = "there are no patient ids: every image counts as a patient of its own"
# The folders of a split; nothing is chosen on a validation set here, so it joins training.
PARTS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", *VALIDATION), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def class_folders(source: FolderSource, root: Path) -> list[Path]:
    """The folders in `root` that name classes; of more than two, those that hold images."""
    within = root.iterdir()
    folders = sorted(path for path in within if path.is_dir() and path.name[0] not in "._")
    if len(folders) <= 2:
        return folders
    masks = _folders_of_masks(source, folders)
    without_masks = [folder for folder in folders if folder not in masks]
    if len(without_masks) >= 2:
        folders = without_masks
    return [folder for folder in folders if any(images_in(source, folder))]


def _folders_of_masks(source: FolderSource, folders: list[Path]) -> list[Path]:
    names = [folder.name for folder in folders]
    return [
        folder
        for folder in folders
        if is_mask_folder(folder, names, (source.root / one for one in images_in(source, folder)))
    ]


def from_class_folders(
    name: str,
    source: FolderSource,
    parts: Mapping[Path, str],
    positive: str | None,
    notices: Iterable[str] = (),
    left_out: Iterable[LeftOut] = (),
) -> Dataset:
    """The data set of all class folders in some folders.

    Parameters
    ----------
    name : str
        The loader's.
    source : FolderSource
        The data root.
    parts : Mapping[Path, str]
        The folders that hold class folders, each with the split of its pictures.
    positive : str | None
        The class that a user calls positive, against all others.
    notices : Iterable[str], optional
        What else a reader must know.
    left_out : Iterable[LeftOut], optional
        Files that lie in no class folder.

    Returns
    -------
    Dataset
        Each picture is a patient of its own.

    Raises
    ------
    UnusableInput
        If there are no two classes with pictures, or their sides are not known.
    """
    import pandas as pd

    root = source.root
    folders = [folder for part in parts for folder in class_folders(source, part)]
    class_of = _class_names(folders, len(parts) > 1)
    names = list(dict.fromkeys(class_of.values()))
    _check_names(root, names)
    sides = _sides(root, names, positive)
    rows: list[dict[str, Any]] = []
    lost: list[LeftOut] = []
    by_side = [*((0, name) for name in sides.negative), *((1, name) for name in sides.positive)]
    for label, word in by_side:
        for folder in (folder for folder in folders if class_of[folder] == word):
            for path in files_in(source, folder):
                reason = problem_of(source, path)
                if reason:
                    printable = _printable(path)
                    lost.append(LeftOut(printable, printable, reason))
                else:
                    split = parts[folder.parent]
                    rows.append(lesion_row(path, path, label, pathology=word, split=split))
    if not rows and not lost:
        raise unusable(root, f"its class folders {named(names)} hold no images")
    rows, masks, doubtful = without_masks(source, rows)
    lost += [*masks, *(one for part in parts for one in _mask_folders(source, part))]
    table = pd.DataFrame(rows)
    if rows:
        _check_used(root, by_side, rows, lost, class_of)
        check_classes(table, root)
        table = with_companions(table, doubtful)
    return finish(
        name,
        source,
        table,
        [*lost, *left_out],
        {"all": SubsetInfo(("all",), positive=sides.word(1), negative=sides.word(0))},
        notices=[
            *sides.notices,
            *(line for part in parts for line in _unused_folders(source, part, folders)),
            NO_PATIENTS,
            *named_alike_notices(rows),
            *dicom_patient_notices(source, rows),
            *notices,
            *doubtful_notices(doubtful),
        ],
        patient_ids=False,
        own=True,
    )


def _printable(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _class_names(folders: list[Path], is_split: bool) -> dict[Path, str]:
    """The class of each folder; in the parts of a split one class may be written in two ways."""
    first: dict[str, str] = {}
    for folder in folders:
        first.setdefault(folder.name.lower() if is_split else folder.name, folder.name)
    return {folder: first[folder.name.lower() if is_split else folder.name] for folder in folders}


def _check_names(root: Path, names: list[str]) -> None:
    if len(names) < 2:
        raise unusable(
            root,
            "needs two class folders or a CSV with path and label; its folders: "
            f"{named(names) or 'none'}",
        )
    if {name.lower() for name in names} <= PARTS.keys():
        raise unusable(
            root,
            f"{named(names)} are parts of a split, not classes; give one folder a class, or a CSV "
            "with the column split",
        )


def named_alike_notices(rows: list[dict[str, Any]]) -> list[str]:
    """A notice where the names of files look as if they held patient ids."""
    groups = named_alike([row["path"] for row in rows])
    if not groups:
        return []
    one, other = groups[0][:2]
    return [
        f"{sum(map(len, groups))} images are named as if several were of one patient, such as "
        f"{one} and {other}: only a CSV with the column patient_id keeps them together"
    ]


def dicom_patient_notices(source: FolderSource, rows: list[dict[str, Any]]) -> list[str]:
    """A notice where DICOM headers say that several pictures are of one patient; no id is named."""
    from bench.data.images.dicom import read_header
    from bench.data.images.pixels import UnreadableImage

    files = [row["path"] for row in rows if not _has_no_header(row["path"])]
    ids = []
    for path in files[:MOST_HEADERS]:
        if not escapes_source(source, path):
            try:
                ids.append(read_header(source.root / path).patient_id)
            except UnreadableImage:  # it is listed elsewhere
                continue
    known = [one for one in ids if one]
    if len(set(known)) in (0, 1, len(known)):
        return []
    return [
        f"the headers of {len(known)} DICOM files have {len(set(known))} patient ids, which are "
        "not used: only a CSV with the column patient_id keeps the pictures of one together"
    ]


def _has_no_header(path: str) -> bool:
    """Whether a picture is no DICOM by its name."""
    return path.lower().endswith(IMAGE_ENDINGS) and not path.lower().endswith(DICOM_ENDINGS)


def _check_used(
    root: Path,
    by_side: list[tuple[int, str]],
    rows: list[dict[str, Any]],
    left_out: list[LeftOut],
    class_of: Mapping[Path, str],
) -> None:
    """Raise UnusableInput for a side without a file that can be used, with the first reason."""
    for side in {label for label, _ in by_side} - {row["label"] for row in rows}:
        names = [name for label, name in by_side if label == side]
        folders = [folder for folder, name in class_of.items() if name in names]
        of_side = [
            one
            for one in left_out
            if any((root / one.path).is_relative_to(folder) for folder in folders)
        ]
        if of_side:
            raise unusable(
                root,
                f"class {named(names)}: none of its {len(of_side)} files can be used; the first, "
                f"{of_side[0].path}: {of_side[0].reason}",
            )


def without_masks(
    source: FolderSource, rows: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[LeftOut], list[tuple[str, str]]]:
    """The rows that are no masks by name and pixels, those that are, and those in doubt."""
    # What leads out of the root is refused later, and not read before.
    inside = [row["path"] for row in rows if not escapes_source(source, row["path"])]
    masks, doubtful = named_masks(source.root, inside)
    left_out = [
        LeftOut(row["crop_id"], row["path"], masks[row["path"]])
        for row in rows
        if row["path"] in masks
    ]
    return [row for row in rows if row["path"] not in masks], left_out, doubtful


def doubtful_notices(doubtful: list[tuple[str, str]]) -> list[str]:
    """A notice of the pictures that are named like masks and are none; none without them."""
    return [
        f"{len(doubtful)} pictures are named like masks or copies of other pictures, such as "
        f"{doubtful[0][0]}, but have many values and are used; each is kept in one fold with the "
        "other"
        for _ in doubtful[:1]
    ]


def with_companions(table: Any, doubtful: list[tuple[str, str]]) -> Any:
    """The table, each picture kept together with the one that it is named after."""
    row_of = {path: row for row, path in enumerate(table["path"])}
    pairs = [
        (row_of[one], row_of[other])
        for one, other in doubtful
        if one in row_of and other in row_of  # neither is left out
    ]
    return kept_together(table, pairs)


def _mask_folders(source: FolderSource, root: Path) -> list[LeftOut]:
    """The files of folders of masks beside the class folders."""
    used = class_folders(source, root)
    folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
    return [
        LeftOut(path, path, "it lies in a folder of masks, which is no class")
        for folder in _folders_of_masks(source, folders)
        if folder not in used
        for path in files_in(source, folder)
        if not is_undecodable(path)
    ]


def _unused_folders(source: FolderSource, root: Path, used: list[Path]) -> list[str]:
    """A notice of folders beside the class folders in which no file is an image by its name."""
    names = [
        folder.name
        for folder in sorted(root.iterdir())
        if folder.is_dir() and folder not in used and folder.name[0] not in "._"
        if not any(images_in(source, folder)) and any(files_in(source, folder))
    ]
    return [f"folders without images, which are no classes: {named(names)}"] * bool(names)


def _sides(root: Path, names: list[str], positive: str | None) -> ClassSides:
    try:
        return decide_sides(names, positive)
    except UnknownClass as error:
        raise UnknownClass(str(unusable(root, str(error)))) from error
    except UnusableInput as error:
        raise unusable(root, str(error)) from error
