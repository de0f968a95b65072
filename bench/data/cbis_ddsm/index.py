"""The index of image files: the few facts of each file that distinguish a crop from a mask.

The facts (from a file's header, or whether it has two values only) are kept in the cache until the
file's size or time changes.
"""

import contextlib
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
from bench.data.cbis_ddsm.image_files import DICOM_ENDINGS, JPEG_ENDINGS, IndexedFile, Walk
from bench.data.images.decoding import decoded
from bench.data.images.picture_headers import picture_size, thumbnail
from bench.data.images.pixels import MAX_PIXELS, UnreadableImage, has_two_values
from bench.store import digest

# 3: pictures with damaged TIFF directories have a problem, and reasons are of the file.
INDEX_VERSION = 3

# The series of a file whose header names one that the case tables do not know.
OTHER_SERIES = "other"

_KINDS = {"croppedimages": "crop", "roimaskimages": "mask", "fullmammogramimages": "film"}

# PatientID names the case; a few files have a file's ending there.
_PATIENT_ID = re.compile(
    r"(mass|calc)-(training|test)_(p_\d{5})_(left|right)_(cc|mlo)(_\d+)?(?:\.dcm)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Facts:
    """What is kept of a file's header and pixels; nothing else of a DICOM header is.

    Attributes
    ----------
    series : str
        A series UID that the case tables name, too, OTHER_SERIES for any other, "" for none.
    case : str
        The lesion that the file belongs to, as in Mass-Training_P_00001_LEFT_CC_1 (a film's has
        no last number); "" if unknown.
    kind : str
        "crop", "mask" or "film" by the file's own description, else "".
    rows, columns : int
        In pixels; 0 if unknown.
    problem : str
        Why the file cannot be read; "" if it can, as far as its header shows.
    two_valued : bool | None
        Whether nearly every pixel has one of two values; None where that is not known.
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

    `files`, `links`, `unreadable` and `phantoms` are those of the `Walk` below the root.

    Parameters
    ----------
    root : Path
        The data root.
    cache : Path
        Folder of the store; the facts lie in `index/` below it.
    known_series : Collection[str]
        The series UIDs that the case tables name.
    follow_links : bool, default False
        Whether symbolic links may lead out of the root.
    """

    def __init__(
        self,
        root: Path,
        cache: Path,
        known_series: Collection[str],
        follow_links: bool = False,
    ) -> None:
        self.root = root
        self.follow_links = follow_links
        walk = Walk(root, follow_links)
        self.files, self.links = walk.files, walk.links
        self.unreadable, self.phantoms = walk.unreadable, walk.phantoms
        self._known = frozenset(known_series)
        # Another set of tables may know other series, so facts are kept for one set of them.
        name = digest([INDEX_VERSION, os.path.realpath(root), sorted(self._known)])
        self._file = cache / "index" / f"{name}.json"
        self._facts = _kept_facts(self._file, self.files)
        self._changed = False

    def read_headers(self, progress: Callable[[int], None] | None = None) -> None:
        """Read the header of every DICOM file that is new; pixels are not read.

        Parameters
        ----------
        progress : Callable[[int], None] | None, optional
            Called with the number of files done since the last call.
        """
        new = [
            file
            for file in self.files
            if file.ends_with(DICOM_ENDINGS) and file.path not in self._facts
        ]
        # Disks may be slow: several threads wait for files at once. Warnings are silenced here
        # because a thread that silences them for itself does so for all.
        with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
            warnings.simplefilter("ignore")
            for file, facts in zip(new, pool.map(self._header, new), strict=True):
                self._keep(file, facts)
                if progress is not None:
                    progress(1)

    def facts(self, file: IndexedFile) -> Facts:
        """The facts of a file, from its header if they are not known yet."""
        if file.path not in self._facts:
            self._keep(file, self._header(file))
        return self._facts[file.path]

    def check_values(self, files: Iterable[IndexedFile]) -> None:
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
        self.check_values([file])
        return self.facts(file).two_valued

    def save(self) -> None:
        """Keep the facts in the cache; if it cannot be written, that costs time only."""
        if not self._changed:
            return
        sizes = {file.path: (file.size, file.changed) for file in self.files}
        # A problem may be one of this machine or this moment: it is checked again every time.
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
            return Facts(problem=str(error))
        return Facts(
            header.series if header.series in self._known else OTHER_SERIES * bool(header.series),
            _case_of(header.patient_id),
            kind_of(header.series_description),
            header.rows,
            header.columns,
            header.problem,
        )


def _kept_facts(file: Path, files: Iterable[IndexedFile]) -> dict[str, Facts]:
    """The cached facts of the files that have not changed; none where the cache is damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        body = content["facts"]
        if digest(body) != content["sha256"]:
            return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    rows: dict[str, list[Any]] = {
        one.path: row
        for one in files
        if (row := body.get(one.path)) and row[:2] == [one.size, one.changed]
    }
    return {path: Facts(*row[2:]) for path, row in rows.items()}


def _picture_header(path: Path) -> Facts:
    try:
        columns, rows = picture_size(path)
    except Exception as error:  # any decoder error means the same here
        return Facts(problem=str(error))
    if rows * columns > MAX_PIXELS:
        return Facts(problem=f"its header announces {columns} x {rows} pixels")
    return Facts(rows=rows, columns=columns)


def _is_two_valued(path: Path) -> bool | None:
    """Whether a file has two values only; None where it cannot be read, which proves nothing."""
    try:
        if path.suffix.lower() in JPEG_ENDINGS:
            return has_two_values(thumbnail(path.read_bytes(), 256))
        with decoded(path) as image:
            return has_two_values(image.pixels)
    except (UnreadableImage, OSError, MemoryError):
        return None
