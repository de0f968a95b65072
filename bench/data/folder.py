"""A user's own data set: one folder a class, or a CSV manifest (see `csv_manifest`)."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from bench.data import csv_manifest
from bench.data.class_words import ClassSides, decide_sides, named
from bench.data.companions import is_mask_folder, named_masks
from bench.data.folder_files import (
    escapes_source,
    files_in,
    images_in,
    is_undecodable,
    problem_of,
)
from bench.data.lesions import (
    Dataset,
    LeftOut,
    SubsetInfo,
    check_classes,
    finish,
    shared_patients,
    unusable,
)
from bench.data.patients import groups_of, kept_together, maybe_one_person, named_alike
from bench.data.sources import FolderSource
from bench.errors import UnusableInput

NO_PATIENTS = "there are no patient ids: every image counts as a patient of its own"
NO_SPLIT = "no official split"
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


def find(root: Path, follow_links: bool = False) -> bool:
    """Whether it is a CSV, or a folder with a CSV that may be a manifest or with class folders."""
    if root.is_file():
        return root.suffix.lower() == ".csv"
    tables = _tables(root)
    if len(tables) == 1 or any("path" in csv_manifest.column_names(file) for file in tables):
        return True
    source = FolderSource(root, follow_links)
    folders = _class_folders(source)
    return len(folders) >= 2 and all(any(images_in(source, folder)) for folder in folders)


def load(
    root: Path,
    positive: str | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
    follow_links: bool = False,
) -> Dataset:
    """The lesion table of a folder with class folders or a manifest, or of a manifest.

    `positive` is the class that a user calls positive, against all others; `columns` says what
    columns of a manifest are called in the file; `follow_links` whether symbolic links may lead out
    of the folder.

    Raises
    ------
    UnusableInput
        If there is neither, or a manifest breaks its rules.
    """
    if root.is_file():
        if root.suffix.lower() != ".csv":
            raise unusable(root, "is neither a folder nor a CSV manifest")
        return _from_manifest(root, positive, columns, follow_links)
    source = FolderSource(root, follow_links)
    tables = _tables(root)
    required = {csv_manifest.column_name(columns.get(n, n)) for n in csv_manifest.REQUIRED}
    manifests = [file for file in tables if required <= set(csv_manifest.column_names(file))]
    if len(manifests) > 1:
        names = ", ".join(file.name for file in manifests)
        raise unusable(root, f"more than one CSV has the columns path and label: {names}")
    if manifests:
        return _from_manifest(manifests[0], positive, columns, follow_links)
    if len(tables) == 1 and (columns or len(_class_folders(source)) < 2):
        return _from_manifest(tables[0], positive, columns, follow_links)
    if columns:
        raise unusable(root, "--columns is for a CSV manifest, and there is none")
    return _from_class_folders(source, positive)


def _tables(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() == ".csv" and path.is_file() and not path.name.startswith(".")
    ]


def _class_folders(source: FolderSource) -> list[Path]:
    """The folders that name classes; of more than two, those that hold images."""
    within = source.root.iterdir()
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


def _from_manifest(
    file: Path, positive: str | None, columns: Mapping[str, str], follow_links: bool
) -> Dataset:
    import pandas as pd

    manifest = csv_manifest.read(file, positive, columns)
    notices = [*manifest.class_notices]
    if not manifest.has_patients:
        notices += [NO_PATIENTS, *_named_alike(manifest.rows)]
    notices += manifest.patient_notices
    if manifest.ignored:
        ignored = ", ".join(map(repr, manifest.ignored))
        notices.append(f"columns that are not used: {ignored}")
    notices += manifest.split_notices
    if manifest.left_out and not manifest.rows:
        raise unusable(
            file,
            f"none of its {len(manifest.left_out)} files is there; the first, "
            f"{manifest.left_out[0].path}, was looked for in {file.parent.absolute()}, where the "
            "CSV lies: paths are relative to it",
        )
    source = FolderSource(file.parent, follow_links)
    kept, masks, doubtful = _without_masks(source, manifest.rows)
    notices += _doubtful_notices(doubtful)
    left_out = [*manifest.left_out, *masks]
    rows = pd.DataFrame(kept)
    if rows.empty and not left_out:
        raise unusable(file, "the manifest has no rows")
    if not rows.empty:
        _check_lost(file, rows, manifest.lost, left_out)
        check_classes(rows, file)
        rows, together = (_maybe_one_person if manifest.has_patients else _of_one_lesion)(rows)
        notices += together
        rows = _with_companions(rows, doubtful)
        notices += _split_notices(rows)
    negative_word, positive_word = manifest.words
    return finish(
        "folder",
        source,
        rows,
        left_out,
        {"all": SubsetInfo(("all",), positive=positive_word, negative=negative_word)},
        notices=notices,
        patient_ids=manifest.has_patients,
    )


def _maybe_one_person(rows: Any) -> tuple[Any, list[str]]:
    """The rows, with patients kept together whose ids may be spellings of one; a notice if so."""
    patients = rows["patient_id"]
    pairs = maybe_one_person(list(patients))
    if not pairs:
        return rows, []
    grouped = kept_together(rows, pairs)
    together = patients[groups_of(grouped).isin({patients[one] for one, _ in pairs})].nunique()
    one, other = (patients[row] for row in pairs[0])
    return grouped, [
        f"{together} patients may be fewer under several spellings, such as {one!r} and {other!r}: "
        "those are kept together and count as one in splits and intervals"
    ]


def _named_alike(rows: list[dict[str, Any]]) -> list[str]:
    """A notice where the names of files look as if they held patient ids."""
    groups = named_alike([row["path"] for row in rows])
    if not groups:
        return []
    one, other = groups[0][:2]
    return [
        f"{sum(map(len, groups))} images are named as if several were of one patient, such as "
        f"{one} and {other}: only a CSV with the column patient_id keeps them together"
    ]


def _of_one_lesion(rows: Any) -> tuple[Any, list[str]]:
    """The rows without patient ids, images of one lesion kept together; a notice if there are."""
    first = rows.groupby("lesion_id", sort=False)["lesion_id"].transform(
        lambda lesion: lesion.index[0]
    )
    pairs = [(int(one), row) for row, one in enumerate(first) if one != row]
    if not pairs:
        return rows, []
    images = int(rows["lesion_id"].duplicated(keep=False).sum())
    return kept_together(rows, pairs), [
        f"{images} images show {rows.loc[rows['lesion_id'].duplicated(), 'lesion_id'].nunique()} "
        "lesions several times: images of one lesion are kept together and count as one in splits "
        "and intervals"
    ]


def _split_notices(rows: Any) -> list[str]:
    both = shared_patients(rows)
    if both:
        return [f"{len(both)} patients are in both train and test"]
    return [] if {"train", "test"} <= set(rows["split"]) else [NO_SPLIT]


def _from_class_folders(source: FolderSource, positive: str | None) -> Dataset:
    import pandas as pd

    root = source.root
    folders = _class_folders(source)
    names = [folder.name for folder in folders]
    if len(folders) < 2:
        raise unusable(
            root,
            "needs two class folders or a CSV with path and label; its folders: "
            f"{named(names) or 'none'}",
        )
    if {name.lower() for name in names} <= _SPLITS:
        raise unusable(
            root,
            f"{named(names)} are parts of a split, not classes; give one folder a class, or a CSV "
            "with the column split",
        )
    sides = _sides(root, names, positive)
    rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    by_side = [*((0, name) for name in sides.negative), *((1, name) for name in sides.positive)]
    for label, name in by_side:
        for path in files_in(source, root / name):
            reason = problem_of(source, path)
            if reason:
                printable = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
                left_out.append(LeftOut(printable, printable, reason))
            else:
                rows.append(_row(path, name, label))
    if not rows and not left_out:
        raise unusable(root, f"its class folders {named(names)} hold no images")
    rows, masks, doubtful = _without_masks(source, rows)
    left_out += [*masks, *_mask_folders(source)]
    table = pd.DataFrame(rows)
    if rows:
        _check_used(root, by_side, rows, left_out)
        check_classes(table, root)
        table = _with_companions(table, doubtful)
    return finish(
        "folder",
        source,
        table,
        left_out,
        {"all": SubsetInfo(("all",), positive=sides.word(1), negative=sides.word(0))},
        notices=[
            *sides.notices,
            *_unused_folders(source, folders),
            NO_PATIENTS,
            *_named_alike(rows),
            NO_SPLIT,
            *_doubtful_notices(doubtful),
        ],
        patient_ids=False,
    )


def _check_used(
    root: Path,
    by_side: list[tuple[int, str]],
    rows: list[dict[str, Any]],
    left_out: list[LeftOut],
) -> None:
    """Raise UnusableInput for a side without a file that can be used, with the first reason."""
    for side in {label for label, _ in by_side} - {row["label"] for row in rows}:
        names = [name for label, name in by_side if label == side]
        of_side = [one for one in left_out if one.path.partition("/")[0] in names]
        if of_side:
            raise unusable(
                root,
                f"class {named(names)}: none of its {len(of_side)} files can be used; the first, "
                f"{of_side[0].path}: {of_side[0].reason}",
            )


def _check_lost(file: Path, rows: Any, lost: Mapping[str, int], left_out: list[LeftOut]) -> None:
    """Raise UnusableInput if no file of a manifest's class is there, with the first one."""
    gone = [one for one in left_out if lost.get(one.crop_id) in {0, 1} - set(rows["label"])]
    if gone:
        raise unusable(
            file,
            f"none of the {len(gone)} files of one class (label {lost[gone[0].crop_id]}) can be "
            f"used; the first, {gone[0].path}: {gone[0].reason}",
        )


def _without_masks(
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


def _doubtful_notices(doubtful: list[tuple[str, str]]) -> list[str]:
    return [
        f"{len(doubtful)} pictures are named like masks or copies of other pictures, such as "
        f"{doubtful[0][0]}, but have many values and are used; each is kept in one fold with the "
        "other"
        for _ in doubtful[:1]
    ]


def _with_companions(table: Any, doubtful: list[tuple[str, str]]) -> Any:
    """The table, each picture kept together with the one that it is named after."""
    row_of = {path: row for row, path in enumerate(table["path"])}
    pairs = [
        (row_of[one], row_of[other])
        for one, other in doubtful
        if one in row_of and other in row_of  # neither is left out
    ]
    return kept_together(table, pairs)


def _mask_folders(source: FolderSource) -> list[LeftOut]:
    """The files of folders of masks beside the class folders."""
    used = _class_folders(source)
    folders = [path for path in sorted(source.root.iterdir()) if path.is_dir()]
    return [
        LeftOut(path, path, "it lies in a folder of masks, which is no class")
        for folder in _folders_of_masks(source, folders)
        if folder not in used
        for path in files_in(source, folder)
        if not is_undecodable(path)
    ]


def _unused_folders(source: FolderSource, used: list[Path]) -> list[str]:
    """A notice of folders beside the class folders in which no file is an image by its name."""
    names = [
        folder.name
        for folder in sorted(source.root.iterdir())
        if folder.is_dir() and folder not in used and folder.name[0] not in "._"
        if not any(images_in(source, folder)) and any(files_in(source, folder))
    ]
    return [f"folders without images, which are no classes: {named(names)}"] * bool(names)


def _sides(root: Path, names: list[str], positive: str | None) -> ClassSides:
    try:
        return decide_sides(names, positive)
    except UnusableInput as error:
        raise unusable(root, str(error)) from error


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
