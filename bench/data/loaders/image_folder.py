"""The ImageFolder layout: train, val and test, each with one folder a class."""

from pathlib import Path

from bench.data.class_folders import (
    PARTS,
    class_folders,
    from_class_folders,
)
from bench.data.csv_manifest import VALIDATION
from bench.data.folder import has_manifest
from bench.data.folder_files import files_in, images_in, is_image
from bench.data.lesions import NO_SPLIT, Dataset, LeftOut, unusable
from bench.data.loader import Loader, Requested
from bench.data.sources import FolderSource


def _parts(root: Path) -> dict[Path, str]:
    """The folders that are parts of a split, with the split."""
    return {
        path: PARTS[path.name.lower()]
        for path in sorted(root.iterdir())
        if path.name.lower() in PARTS and path.is_dir()
    }


def _find(root: Path) -> bool:
    if not root.is_dir():
        return False
    parts = _parts(root)
    if len(parts) < 2 or has_manifest(root):
        return False
    source = FolderSource(root)
    return all(
        any(any(images_in(source, folder)) for folder in class_folders(source, part))
        for part in parts
    )


def load(root: Path, requested: Requested) -> Dataset:
    """The lesion table of its pictures; raises UnusableInput as `from_class_folders` does."""
    parts = _parts(root) if root.is_dir() else {}
    if not parts:
        raise unusable(root, "no parts of a split here; looked for the folders train, val and test")
    source = FolderSource(root, requested.follow_links)
    notices, outside = [], _outside(source, parts)
    for part in parts:
        if part.name.lower() in VALIDATION:
            folders = class_folders(source, part)
            count = sum(1 for folder in folders for _ in images_in(source, folder))
            notices.append(f"{count} images of {part.name} join training")
    if set(parts.values()) != {"train", "test"}:
        notices.append(NO_SPLIT)
    return from_class_folders("image-folder", source, parts, requested.positive, notices, outside)


def _outside(source: FolderSource, parts: dict[Path, str]) -> list[LeftOut]:
    """The images that lie in no class folder of a part."""
    inside = tuple(f"{part.name}/" for part in parts)
    left_out = []
    for path in files_in(source, source.root):
        if not path.startswith(inside):
            reason = f"it lies outside {', '.join(part.name for part in parts)}"
        elif path.count("/") == 1:
            reason = "it lies in no class folder"
        else:
            continue
        if is_image(source, path):
            left_out.append(LeftOut(path, path, reason))
    return left_out


LOADER = Loader(
    name="image-folder",
    title="ImageFolder: train, val and test, each with one folder a class",
    find=_find,
    load=load,
    takes_positive=True,
)
