"""The files of a user's own folders: which are images, which are not, and what is there instead."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from bench.data.images.decoding import DICOM_ENDINGS, begins_as_dicom
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
    ".webp",
    ".gif",
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *DICOM_ENDINGS,
)

# Files that are looked at for a hint, in a folder of any size.
MOST_SEARCHED = 100_000


def found_instead(root: Path) -> str:
    """What is in a folder that is no data set, in words."""
    folders = [
        path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] not in "._"
    ]
    with_images = [folder for folder in folders if any(images_in(FolderSource(root), folder))]
    images = [path for path in sorted(root.iterdir()) if path.name.lower().endswith(IMAGE_ENDINGS)]
    if len(with_images) == 1 and len(folders) > 1:
        return (
            f"of its {len(folders)} folders only {with_images[0].name!r} holds images; "
            "two classes need a folder each"
        )
    if len(with_images) == 1:
        name = with_images[0].name
        return f"its images are all in one folder, {name!r}; two classes need a folder each"
    if with_images:
        return "it has neither two class folders with images nor one CSV with path and label"
    if images:
        return (
            f"it holds {len(images)} images, such as {images[0].name!r}, but neither class folders "
            "nor a CSV that says which is which"
        )
    files = [
        path
        for folder in (root, *folders)
        for path in islice(files_in(FolderSource(root), folder), 1000)
    ]
    if not files:
        return "it holds folders, but no files"
    endings = Counter(PurePosixPath(path).suffix.lower() or "no ending" for path in set(files))
    kinds = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
    return f"none of its files is an image by its name ({kinds})"


def files_in(source: FolderSource, folder: Path) -> Iterator[str]:
    """Every file below a class folder but hidden ones, in a fixed order, relative to the root."""
    seen = {os.path.realpath(folder)}
    for place, below, names in os.walk(folder, followlinks=source.follow_links):
        below[:] = sorted(name for name in below if not name.startswith("."))
        # A link to a folder that is not followed is listed with the rows left out.
        links = [name for name in below if (Path(place) / name).is_symlink()]
        if source.follow_links:
            links = [name for name in links if _is_seen(Path(place) / name, seen)]
            below[:] = [name for name in below if name not in links]
        for name in sorted([*names, *links]):
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(source.root).as_posix()


def _is_seen(link: Path, seen: set[str]) -> bool:
    """Whether a link leads to a folder that is read already, or to one around it."""
    real = os.path.realpath(link)
    is_seen = real in seen or Path(os.path.realpath(link.parent)).is_relative_to(real)
    seen.add(real)
    return is_seen


def images_in(source: FolderSource, folder: Path) -> Iterator[str]:
    """The images among them; see `is_image`."""
    return (path for path in files_in(source, folder) if is_image(source, path))


def same_name(source: FolderSource, path: str) -> str:
    """The first image of the name in a path, with an ending or without; empty if there is none."""
    wanted = PurePosixPath(path).name.lower()
    for file in islice(files_in(source, source.root), MOST_SEARCHED):
        name = PurePosixPath(file.lower())
        if wanted in (name.name, name.stem) and name.suffix in IMAGE_ENDINGS:
            return file
    return ""


def is_image(source: FolderSource, path: str) -> bool:
    """Whether a file is an image by its name, or DICOM under any other."""
    if path.lower().endswith(IMAGE_ENDINGS):
        return True
    return not escapes_source(source, path) and begins_as_dicom(source.root / path)


def escapes_source(source: FolderSource, path: str) -> bool:
    """Whether a path leads out of the root through a link that is not to be followed."""
    return not source.follow_links and escapes(source.root, path)


def problem_of(source: FolderSource, path: str) -> str:
    """Why a file is not used as an image; empty if it is."""
    if (source.root / path).is_dir():
        if source.follow_links:
            return "a symbolic link to a folder that is read already"
        return "a symbolic link to a folder is not followed (--follow-links follows it)"
    if is_undecodable(path):
        return "its name is not text"
    if not is_image(source, path):
        return "it is not an image file by its name"
    problem = path_problem(path)
    if problem:
        return f"its path {problem}"
    if escapes_source(source, path):
        return "a symbolic link leads out of the data root (--follow-links follows it)"
    return "" if (source.root / path).is_file() else "the file is missing"


def is_undecodable(path: str) -> bool:
    """Whether a name has bytes that cannot be decoded in the file system's encoding."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False
