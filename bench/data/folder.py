"""A user's own data set: one folder a class, or a CSV manifest (see `csv_manifest`)."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.data import csv_manifest
from bench.data.class_folders import (
    NO_PATIENTS,
    class_folders,
    dicom_patient_notices,
    doubtful_notices,
    from_class_folders,
    named_alike_notices,
    with_companions,
    without_masks,
)
from bench.data.folder_files import MOST_SEARCHED, images_in, same_name
from bench.data.lesions import (
    NO_SPLIT,
    Dataset,
    LeftOut,
    SubsetInfo,
    check_classes,
    finish,
    shared_patients,
    unusable,
)
from bench.data.patients import groups_of, kept_together, maybe_one_person
from bench.data.sources import FolderSource


def find(root: Path, follow_links: bool = False) -> bool:
    """Whether it is a CSV, or a folder with a CSV that may be a manifest or with class folders."""
    if root.is_file():
        return root.suffix.lower() == ".csv"
    tables = tables_of(root)
    if len(tables) == 1 or any("path" in csv_manifest.column_names(file) for file in tables):
        return True
    source = FolderSource(root, follow_links)
    folders = class_folders(source, source.root)
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
    tables = tables_of(root)
    required = {csv_manifest.column_name(columns.get(n, n)) for n in csv_manifest.REQUIRED}
    manifests = [file for file in tables if required <= set(csv_manifest.column_names(file))]
    if len(manifests) > 1:
        names = ", ".join(file.name for file in manifests)
        raise unusable(root, f"more than one CSV has the columns path and label: {names}")
    if manifests:
        return _from_manifest(manifests[0], positive, columns, follow_links)
    if len(tables) == 1 and (columns or len(class_folders(source, source.root)) < 2):
        return _from_manifest(tables[0], positive, columns, follow_links)
    if columns:
        below = {file.parent.name for file in islice(root.glob("*/*.csv"), MOST_SEARCHED)}
        one = f" here, but there is one in {min(below)}: name that folder" if below else ""
        raise unusable(root, f"--columns is for a CSV manifest, and there is none{one}")
    return from_class_folders("folder", source, {root: "none"}, positive, [NO_SPLIT])


def tables_of(root: Path) -> list[Path]:
    """The CSV files directly in a folder."""
    return [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() == ".csv" and path.is_file() and not path.name.startswith(".")
    ]


def has_manifest(root: Path) -> bool:
    """Whether a CSV with path and label lies directly in a folder: it says more than folders do."""
    required = set(csv_manifest.REQUIRED)
    return any(required <= set(csv_manifest.column_names(file)) for file in tables_of(root))


def _from_manifest(
    file: Path, positive: str | None, columns: Mapping[str, str], follow_links: bool
) -> Dataset:
    import pandas as pd

    manifest = csv_manifest.read(file, positive, columns)
    source = FolderSource(file.parent, follow_links)
    notices = [*manifest.class_notices]
    if not manifest.has_patients:
        notices += [NO_PATIENTS, *named_alike_notices(manifest.rows)]
        notices += dicom_patient_notices(source, manifest.rows)
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
            "CSV lies: paths are relative to it" + _instead(source, manifest.left_out[0].path),
        )
    kept, masks, doubtful = without_masks(source, manifest.rows)
    notices += doubtful_notices(doubtful)
    left_out = [*manifest.left_out, *masks]
    rows = pd.DataFrame(kept)
    if rows.empty and not left_out:
        raise unusable(file, "the manifest has no rows")
    if not rows.empty:
        _check_lost(file, rows, manifest.lost, left_out)
        check_classes(rows, file)
        rows, together = (_maybe_one_person if manifest.has_patients else _of_one_lesion)(rows)
        notices += together
        rows = with_companions(rows, doubtful)
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
        own=True,
    )


def _instead(source: FolderSource, path: str) -> str:
    """What to say of a file that is meant by a path which is not there; empty without one."""
    found = same_name(source, path)
    return f"; {found} is there: write paths like that" if found else ""


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


def _check_lost(file: Path, rows: Any, lost: Mapping[str, int], left_out: list[LeftOut]) -> None:
    """Raise UnusableInput if no file of a manifest's class is there, with the first one."""
    gone = [one for one in left_out if lost.get(one.crop_id) in {0, 1} - set(rows["label"])]
    if gone:
        raise unusable(
            file,
            f"none of the {len(gone)} files of one class (label {lost[gone[0].crop_id]}) can be "
            f"used; the first, {gone[0].path}: {gone[0].reason}",
        )
