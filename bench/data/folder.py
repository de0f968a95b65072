"""A user's own data set: one folder a class, or a CSV manifest (see `csv_manifest`)."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data import csv_manifest
from bench.data.lesions import (
    Dataset,
    LeftOut,
    SubsetInfo,
    check_classes,
    finish,
    shared_patients,
    unusable,
)
from bench.data.sources import FolderSource, escapes, path_problem

IMAGE_ENDINGS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".pgm",
    ".ppm",
    ".tif",
    ".tiff",
    ".bmp",
    ".dcm",
    ".dicom",
)
LOOKED_FOR = "a folder: two class folders with images, or one CSV with the columns path and label"
NO_PATIENTS = "there are no patient ids: every image counts as a patient of its own"
NO_SPLIT = "no official split"


def find(root: Path) -> bool:
    """Whether it is a CSV, or a folder with a CSV that may be a manifest or two class folders."""
    if root.is_file():
        return root.suffix.lower() == ".csv"
    tables = _tables(root)
    if len(tables) == 1 or any("path" in csv_manifest.column_names(file) for file in tables):
        return True
    folders = _class_folders(root)
    return len(folders) == 2 and all(any(_images(root, folder)) for folder in folders)


def load(root: Path) -> Dataset:
    """The lesion table of a folder with two class folders or a manifest, or of a manifest.

    Raises
    ------
    UnusableInput
        If there is neither, or a manifest breaks its rules.
    """
    if root.is_file():
        if root.suffix.lower() != ".csv":
            raise unusable(root, "is neither a folder nor a CSV manifest")
        return _from_manifest(root)
    tables = _tables(root)
    required = set(csv_manifest.REQUIRED)
    manifests = [file for file in tables if required <= set(csv_manifest.column_names(file))]
    if len(manifests) > 1:
        names = ", ".join(file.name for file in manifests)
        raise unusable(root, f"more than one CSV has the columns path and label: {names}")
    if manifests:
        return _from_manifest(manifests[0])
    if len(tables) == 1 and len(_class_folders(root)) != 2:
        return _from_manifest(tables[0])
    return _from_class_folders(root)


def _tables(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() == ".csv" and path.is_file() and not path.name.startswith(".")
    ]


def _class_folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")


def _from_manifest(file: Path) -> Dataset:
    import pandas as pd

    manifest = csv_manifest.read(file)
    notices = [] if manifest.has_patients else [NO_PATIENTS]
    if manifest.ignored:
        ignored = ", ".join(map(repr, manifest.ignored))
        notices.append(f"columns that are not used: {ignored}")
    rows = pd.DataFrame(manifest.rows)
    if rows.empty and not manifest.left_out:
        raise unusable(file, "the manifest has no rows")
    if not rows.empty:
        check_classes(rows, file)
        notices += _split_notices(rows)
    negative, positive = manifest.words
    return finish(
        "folder",
        FolderSource(file.parent),
        rows,
        manifest.left_out,
        {"all": SubsetInfo(("all",), positive=positive, negative=negative)},
        notices=notices,
    )


def _split_notices(rows: Any) -> list[str]:
    both = shared_patients(rows)
    if both:
        return [f"{len(both)} patients are in both train and test"]
    return [] if {"train", "test"} <= set(rows["split"]) else [NO_SPLIT]


def _from_class_folders(root: Path) -> Dataset:
    import pandas as pd

    folders = _class_folders(root)
    if len(folders) != 2:
        names = ", ".join(repr(folder.name) for folder in folders[:6]) or "none"
        raise unusable(
            root, f"needs two class folders or a CSV with path and label; its folders: {names}"
        )
    if {folder.name.lower() for folder in folders} <= {"train", "training", "test", "val", "valid"}:
        raise unusable(
            root, "train and test are not classes; give one folder a class, or a CSV with a split"
        )
    (negative, positive), notices = _by_class(folders)
    rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    for label, folder in enumerate((negative, positive)):
        for path in _files(root, folder):
            reason = _problem(root, path)
            if reason:
                printable = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
                left_out.append(LeftOut(printable, printable, reason))
            else:
                rows.append(_row(path, folder.name, label))
    if not rows and not left_out:
        raise unusable(
            root, f"its class folders {negative.name!r} and {positive.name!r} hold no images"
        )
    table = pd.DataFrame(rows)
    if rows:
        check_classes(table, root)
    return finish(
        "folder",
        FolderSource(root),
        table,
        left_out,
        {"all": SubsetInfo(("all",), positive=positive.name, negative=negative.name)},
        notices=[*notices, NO_PATIENTS, NO_SPLIT],
    )


def _by_class(folders: list[Path]) -> tuple[tuple[Path, Path], list[str]]:
    """The negative and the positive folder; a notice if their names do not say which is which."""
    first, second = folders
    labels = csv_manifest.label_of(first.name), csv_manifest.label_of(second.name)
    if labels in ((0, 1), (0, None), (None, 1)):
        return (first, second), []
    if labels in ((1, 0), (1, None), (None, 0)):
        return (second, first), []
    notice = f"the names do not say which class is positive; taken as positive: {second.name!r}"
    return (first, second), [notice]


def _files(root: Path, folder: Path) -> Iterator[str]:
    """Every file below a class folder but hidden ones, in a fixed order, relative to the root."""
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        # A link to a folder is not followed, but listed with the rows left out.
        links = [name for name in below if (Path(place) / name).is_symlink()]
        for name in sorted([*names, *links]):
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(root).as_posix()


def _images(root: Path, folder: Path) -> Iterator[str]:
    return (path for path in _files(root, folder) if path.lower().endswith(IMAGE_ENDINGS))


def _problem(root: Path, path: str) -> str:
    """Why a file is not used as an image; empty if it is."""
    if (root / path).is_dir():
        return "a symbolic link to a folder is not followed"
    if _is_undecodable(path):
        return "its name is not text"
    if not path.lower().endswith(IMAGE_ENDINGS):
        return "it is not an image file by its name"
    problem = path_problem(path)
    if problem:
        return f"its path {problem}"
    if escapes(root, path):
        return "a symbolic link leads out of the data root"
    return "" if (root / path).is_file() else "the file is missing"


def _is_undecodable(path: str) -> bool:
    """Whether a name has bytes that cannot be decoded in the file system's encoding."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False


def _row(path: str, name: str, label: int) -> dict[str, Any]:
    return {
        "crop_id": path,
        "lesion_id": path,
        "patient_id": path,
        "laterality": "",
        "view": "",
        "abnormality": "",
        "abnormality_id": 1,
        "pathology": name,
        "label": label,
        "split": "none",
        "path": str(PurePosixPath(path)),
        "subset": "all",
    }
