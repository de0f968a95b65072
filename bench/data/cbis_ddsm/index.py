"""The image files below a folder, and the few facts of each that tell a crop from a mask.

One walk finds the files. What is learnt of a file (its header, or whether it has two values only)
is kept in the cache and serves until the file's size or time changes.
"""

import contextlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from bench.atomic_files import write_atomically
from bench.data.images.decoding import decode
from bench.data.images.pixels import MAX_PIXELS, UnreadableImage, has_two_values
from bench.data.phantom.cases import MARKER
from bench.store import digest

INDEX_VERSION = 1

DICOM_ENDINGS = (".dcm", ".dicom")

JPEG_ENDINGS = (".jpg", ".jpeg")

ENDINGS = (*DICOM_ENDINGS, ".png", ".tif", ".tiff", *JPEG_ENDINGS)

# The series of a file whose header names one that the case tables do not know.
OTHER_SERIES = "other"

_KINDS = {"croppedimages": "crop", "roimaskimages": "mask", "fullmammogramimages": "film"}

# PatientID names the case; a few files have a file's ending there.
_PATIENT_ID = re.compile(
    r"(mass|calc)-(training|test)_(p_\d{5})_(left|right)_(cc|mlo)(_\d+)?(?:\.dcm)?", re.IGNORECASE
)


@dataclass(frozen=True)
class IndexedFile:
    """A file found by the walk: POSIX path below the root, bytes, time of last change in ns."""

    path: str
    size: int
    changed: int

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def folders(self) -> list[str]:
        """The folders above the file, outermost first."""
        return self.path.split("/")[:-1]

    def ends_with(self, endings: tuple[str, ...]) -> bool:
        """Whether the name ends so, whatever its case."""
        return self.path.lower().endswith(endings)


@dataclass(frozen=True)
class Facts:
    """What is kept of a file's header and pixels; nothing else of a DICOM header is.

    `series` is a series UID that the case tables name, too, OTHER_SERIES for any other one, "" for
    none; `kind` is crop, mask, film or "" by the file's own description; `two_valued` is None where
    the pixels were not looked at.
    """

    series: str = ""
    case: str = ""
    kind: str = ""
    rows: int = 0
    columns: int = 0
    problem: str = ""
    two_valued: bool | None = None


def kind_of(description: str) -> str:
    """What a SeriesDescription calls a file: crop, mask, film, or "" for anything else."""
    return _KINDS.get("".join(description.lower().split()), "")


def _case_of(patient_id: str) -> str:
    """The lesion that a PatientID names, in one spelling; "" if it names none.

    As in Mass-Training_P_00001_LEFT_CC_1; a film's has no last number.
    """
    match = _PATIENT_ID.fullmatch(patient_id)
    if match is None:
        return ""
    kind, split, number, side, view, lesion = match.groups(default="")
    return (
        f"{kind.capitalize()}-{split.capitalize()}_{number.upper()}"
        f"_{side.upper()}_{view.upper()}{lesion}"
    )


class ImageIndex:
    """All image files below a root, with their facts.

    Attributes
    ----------
    files : in the order of their paths.
    links : symbolic links that lead out of the root and are not followed.
    unreadable : files and folders that cannot be looked at, with the reason.
    phantoms : folders ("" is the root) that a phantom's marker stands in.
    """

    def __init__(self, root: Path, cache: Path, known_series: Collection[str]) -> None:
        self.root = root
        walk = _Walk(root)
        self.files, self.links = sorted(walk.files, key=lambda file: file.path), sorted(walk.links)
        self.unreadable, self.phantoms = sorted(walk.unreadable), sorted(walk.phantoms)
        self._known = frozenset(known_series)
        # Another set of tables may know other series, so facts are kept for one set of them.
        name = digest([INDEX_VERSION, os.path.realpath(root), sorted(self._known)])
        self._file = cache / "index" / f"{name}.json"
        self._facts = _read(self._file, self.files)
        self._changed = False

    def read_headers(self, progress: Callable[[int], None] | None = None) -> None:
        """Read the header of every DICOM file that is new; pixels are not touched.

        progress : called with the number of files done since the last call.
        """
        new = [
            file
            for file in self.files
            if file.ends_with(DICOM_ENDINGS) and file.path not in self._facts
        ]
        # Files lie on slow disks; several threads wait for them at once. Warnings are silenced here
        # because a thread that silences them for itself does so for all.
        with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
            warnings.simplefilter("ignore")
            for file, facts in zip(new, pool.map(self._header, new), strict=True):
                self._keep(file, facts)
                if progress is not None:
                    progress(1)

    def facts(self, file: IndexedFile) -> Facts:
        """What the file's header tells."""
        if file.path not in self._facts:
            self._keep(file, self._header(file))
        return self._facts[file.path]

    def look_at(self, files: Iterable[IndexedFile]) -> None:
        """Find out in a few threads whether files have two values only, where it is not known."""
        new = [file for file in files if self.facts(file).two_valued is None]
        if not new:
            return
        with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
            warnings.simplefilter("ignore")
            paths = [self.root / file.path for file in new]
            for file, two_valued in zip(new, pool.map(_is_two_valued, paths), strict=True):
                self._keep(file, replace(self.facts(file), two_valued=two_valued))

    def is_two_valued(self, file: IndexedFile) -> bool | None:
        """Whether nearly every pixel has one of two values, as in a mask; None if unreadable."""
        self.look_at([file])
        return self.facts(file).two_valued

    def save(self) -> None:
        """Keep the facts in the cache; a cache that cannot be written costs time, no more."""
        if not self._changed:
            return
        sizes = {file.path: (file.size, file.changed) for file in self.files}
        # A problem may be this machine's or this moment's: it is looked into again every time.
        body = {
            path: [*sizes[path], *astuple(facts)]
            for path, facts in self._facts.items()
            if not facts.problem
        }
        with contextlib.suppress(OSError):
            write_atomically(self._file, json.dumps({"facts": body, "sha256": digest(body)}))

    def _keep(self, file: IndexedFile, facts: Facts) -> None:
        self._facts[file.path] = facts
        self._changed = True

    def _header(self, file: IndexedFile) -> Facts:
        path = self.root / file.path
        if not file.ends_with(DICOM_ENDINGS):
            return _picture_header(path)
        from bench.data.images.dicom import read_header

        try:
            header = read_header(path)
        except (UnreadableImage, OSError) as error:
            return Facts(problem=_line(error))
        return Facts(
            header.series if header.series in self._known else OTHER_SERIES * bool(header.series),
            _case_of(header.patient_id),
            kind_of(header.series_description),
            header.rows,
            header.columns,
            header.problem,
        )


class _Walk:
    """One walk over everything below a folder but what is hidden."""

    def __init__(self, root: Path) -> None:
        self.files: list[IndexedFile] = []
        self.links: list[str] = []
        self.unreadable: list[str] = []
        self.phantoms: list[str] = []
        self._real_root = os.path.realpath(root)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                # Path.iterdir gives no file types, and each of thousands would be asked twice.
                entries = list(os.scandir(f"{root}/{folder}"))
            except OSError as error:
                self.unreadable.append(f"{folder or '.'} ({error.strerror})")
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith(".") or not _is_text(entry.name):
                    continue
                try:
                    waiting += [path] if self._take(entry, path) else []
                except OSError as error:
                    self.unreadable.append(f"{path} ({error.strerror})")
                if entry.name == MARKER:
                    self.phantoms.append(folder)

    def _take(self, entry: "os.DirEntry[str]", path: str) -> bool:
        """Note a file or a link; whether it is a folder that is to be walked."""
        if entry.is_dir(follow_symlinks=False):
            return True
        is_image = entry.name.lower().endswith(ENDINGS)
        if entry.is_symlink() and not _is_within(self._real_root, entry.path):
            if is_image or entry.is_dir():
                self.links.append(path)
        elif is_image and entry.is_file():
            found = entry.stat()
            changed = max(found.st_mtime_ns, found.st_ctime_ns)
            self.files.append(IndexedFile(path, found.st_size, changed))
        return False


def _is_within(real_root: str, path: str) -> bool:
    return os.path.commonpath([real_root, os.path.realpath(path)]) == real_root


def _is_text(name: str) -> bool:
    """Whether a name holds no bytes that are no text in the file system's encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(file: Path, files: Iterable[IndexedFile]) -> dict[str, Facts]:
    """The kept facts of the files that are as they were; none where the cache is damaged."""
    try:
        content = json.loads(file.read_text())
        body = content["facts"]
        if digest(body) != content["sha256"]:
            return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found: dict[str, list[Any]] = {
        one.path: row
        for one in files
        if (row := body.get(one.path)) and row[:2] == [one.size, one.changed]
    }
    return {path: Facts(*row[2:]) for path, row in found.items()}


def _picture_header(path: Path) -> Facts:
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image:
            columns, rows = image.size
    except Exception as error:  # any decoder error means the same here
        return Facts(problem=_line(error, "it is not an image"))
    if rows * columns > MAX_PIXELS:
        return Facts(problem=f"its header announces {columns} x {rows} pixels")
    return Facts(rows=rows, columns=columns)


def _is_two_valued(path: Path) -> bool | None:
    """None where the file cannot be read: that is no evidence of a mask."""
    try:
        if path.suffix.lower() in JPEG_ENDINGS:
            return has_two_values(_thumbnail(path))
        return has_two_values(decode(path.read_bytes(), path.name).pixels)
    except (UnreadableImage, OSError):
        return None


def _thumbnail(path: Path) -> Any:
    """A JPEG at a fraction of its size, which is decoded much faster than a whole film."""
    import numpy as np
    from PIL import Image

    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft("L", (256, 256))
            return np.asarray(image.convert("L"))
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(_line(error)) from error


def _line(error: Exception, otherwise: str = "") -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return otherwise
    return " ".join(str(error).split())[:200] or otherwise or type(error).__name__
