"""Matches the rows of the case tables to image files, however these are named and laid out.

A file belongs to the row whose series or case folder its DICOM header, its folders or its name
tell. Which of a row's files is the crop and which the mask is told by the file itself: by its own
description where it has one, else by its pixels. Neither its name, nor the column that names its
series, nor the description of the series is to be relied on.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cbis_ddsm.case_tables import CASE, PUBLISHED_ROWS, is_series
from bench.data.cbis_ddsm.image_files import DICOM_ENDINGS, JPEG_ENDINGS, IndexedFile
from bench.data.cbis_ddsm.index import Facts, ImageIndex, kind_of
from bench.data.lesions import unusable

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTIONS = "dicom_info.csv"
NO_CROP = "none of its image files is a crop"
MISSING = "no image file of its series is there"
AMBIGUOUS = "the name of its image file fits several rows"
# A conversion to PNG in one flat folder keeps the last five digits of the series UID.
_FLAT = re.compile(
    r"(mass|calc)_(train|test)\w*_(roi|full|[a-z]+)_([0-9]{5})_[0-9]+-[0-9]+\.\w+", re.IGNORECASE
)
# The folder of a series as the NBIA Data Retriever names it ends in five digits of its UID.
_NBIA = re.compile(r"[0-9.]+-.*-([0-9]{5})")
# A file's name may begin with its case; a film's has no last number, and "CC_1-1" is none of these.
_NAMED = re.compile(rf"({CASE}(?:_\d+)?)(?=[_. ]|$)")

Describe = Callable[[IndexedFile], str]


@dataclass(frozen=True)
class Resolved:
    """Where a row's crop, mask and full mammogram lie below the root, "" where there is none.

    `reason` says why there is no crop; `path` then is where it was looked for.
    """

    path: str
    mask_path: str = ""
    film_path: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Matched:
    """What every row resolved to, and the files that belong to no row."""

    rows: list[Resolved]
    strays: list[str]


def match_files(
    index: ImageIndex, rows: "pd.DataFrame", descriptions: Mapping[tuple[str, str], str]
) -> Matched:
    """Find crop, mask and full mammogram of every row.

    Parameters
    ----------
    index : the image files; the headers of DICOM files are read if they are not yet.
    rows : from `cbis_tables.read_tables`.
    descriptions : from `read_descriptions`.
    """
    owners = _Owners(rows)
    found: dict[str, list[IndexedFile]] = defaultdict(list)
    strays = []
    for file in index.files:
        owner = owners.of(file, index)
        if owner:
            found[owner].append(file)
        else:
            strays.append(file.path)

    def describe(file: IndexedFile) -> str:
        known = descriptions.get((file.folders[-1], file.name)) if file.folders else None
        return known or (index.facts(file).kind if file.ends_with(DICOM_ENDINGS) else "")

    unknown = [
        file
        for crop_id in rows["crop_id"]
        for file in found.get(crop_id, ())
        if not describe(file) and not index.facts(file).problem
    ]
    index.check_values(unknown)
    resolved = []
    for crop_id, film_case, series in _cells(rows, "crop_id", "film_case", "crop_series"):
        film = _film(found.get(film_case, []), describe)
        one = _resolve(index, found.get(crop_id, []), film, describe)
        if not one.path:
            reason = AMBIGUOUS if crop_id in owners.ambiguous else one.reason
            one = Resolved(series, reason=reason)
        resolved.append(one)
    return Matched(resolved, strays)


def read_descriptions(folders: Iterable[Path]) -> dict[tuple[str, str], str]:
    """(folder, file name) -> crop, mask or film, of the first dicom_info.csv; empty without one.

    Raises
    ------
    UnusableInput
        If the file lacks the columns that it is read for.
    """
    import pandas as pd

    file = next((path for path in (one / DESCRIPTIONS for one in folders) if path.is_file()), None)
    if file is None:
        return {}
    columns = ["image_path", "SeriesDescription"]
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, usecols=columns)
    except (OSError, ValueError) as error:
        raise unusable(
            file, f"cannot read the columns {' and '.join(columns)} ({error})"
        ) from error
    found = {}
    for path, description in table[columns].itertuples(index=False):
        # The path begins with a folder that need not exist here; series and name are its end.
        parts = path.replace("\\", "/").split("/")
        kind = kind_of(description)
        if len(parts) >= 2 and kind:
            found[parts[-2], parts[-1]] = kind
    return found


class _Owners:
    """Whose a file is: the `crop_id` of a row, or the `film_case` of a full mammogram.

    `ambiguous` are those that a file's name fits, but others, too.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.ambiguous: set[str] = set()
        self._by_series: dict[str, str] = {}
        self._endings: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
        for column, owner, role in (
            ("film_series", "film_case", "full"),
            ("crop_series", "crop_id", "roi"),
            ("mask_series", "crop_id", "roi"),
        ):
            cells = _cells(rows, "abnormality", "split", column, owner)
            for abnormality, split, series, name in cells:
                self._endings[name].add(series[-5:])
                if series:
                    self._by_series[series] = name
                    self._by_name[abnormality, split, role, series[-5:]].add(name)
        # A table that lacks rows cannot tell which of all rows five digits belong to.
        counts = rows.groupby(["abnormality", "split"]).size().to_dict()
        self._whole = {part for part, n in PUBLISHED_ROWS.items() if counts.get(part, 0) >= n}

    def of(self, file: IndexedFile, index: ImageIndex) -> str:
        """The owner by the file's header, else by its folders, else by its name; "" for none."""
        facts = index.facts(file) if file.ends_with(DICOM_ENDINGS) else Facts()
        if facts.series:
            # A header that names a series of no row is that of a stranger, whatever its case.
            return self._by_series.get(facts.series, "")
        for folder in reversed(file.folders):
            if folder in self._by_series:
                return self._by_series[folder]
            if is_series(folder):
                return ""
        return self._by_case(file, facts.case) or self._by_flat_name(file)

    def _by_case(self, file: IndexedFile, case: str) -> str:
        named = _NAMED.match(file.name)
        for name in (case, *reversed(file.folders), named[1] if named else ""):
            if name and name in self._endings:
                nbia = _NBIA.fullmatch(file.folders[-1]) if file.folders else None
                return name if nbia is None or nbia[1] in self._endings[name] else ""
        return ""

    def _by_flat_name(self, file: IndexedFile) -> str:
        match = _FLAT.fullmatch(file.name)
        if match is None:
            return ""
        kind, split, role, digits = (text.lower() for text in match.groups())
        roles = (role,) if role in ("roi", "full") else ("roi", "full")
        fitting = {one for r in roles for one in self._by_name.get((kind, split, r, digits), ())}
        if len(fitting) == 1 and (kind, split) in self._whole:
            return fitting.pop()
        self.ambiguous |= fitting
        return ""


def _cells(rows: "pd.DataFrame", *columns: str) -> Iterator[tuple[str, ...]]:
    """The cells of some columns, row by row; many times faster than pandas' own rows of strings."""
    return zip(*(rows[column].tolist() for column in columns), strict=True)


def _resolve(
    index: ImageIndex, files: list[IndexedFile], film: str, describe: Describe
) -> Resolved:
    """The crop among a row's files, and its mask; of several formats the one that lost least."""
    if not files:
        return Resolved("", reason=MISSING)
    found = Resolved(files[0].path, reason=NO_CROP)
    for loss in sorted({_loss(file) for file in files}):
        found = _of_format(index, [file for file in files if _loss(file) == loss], film, describe)
        if found.reason != NO_CROP:
            break
    return found


def _of_format(
    index: ImageIndex, files: list[IndexedFile], film: str, describe: Describe
) -> Resolved:
    kinds = {file.path: describe(file) for file in files}
    unknown = [file for file in files if not kinds[file.path]]
    looks = {
        file.path: None if index.facts(file).problem else index.is_two_valued(file)
        for file in unknown
    }
    crops = [file for file in files if kinds[file.path] == "crop"]
    crops = crops or [file for file in unknown if looks[file.path] is False]
    # A damaged file that nothing describes may well be the crop, if there is no other.
    crops = crops or [file for file in unknown if looks[file.path] is None][:1]
    if len(crops) > 1:
        names = ", ".join(file.path for file in crops[:3])
        return Resolved(crops[0].path, reason=f"more than one of its files is a crop: {names}")
    if not crops:
        return Resolved(files[0].path, reason=NO_CROP)
    crop = crops[0]
    masks = [file for file in files if kinds[file.path] == "mask"]
    masks = masks or [file for file in unknown if looks[file.path]]
    # The header of a picture that is described elsewhere need not be read at all.
    described_elsewhere = kinds[crop.path] and not crop.ends_with(DICOM_ENDINGS)
    problem = "" if described_elsewhere else index.facts(crop).problem
    return Resolved(crop.path, masks[0].path if len(masks) == 1 else "", film, problem)


def _film(files: list[IndexedFile], describe: Describe) -> str:
    films = _best_format([file for file in files if describe(file) in ("film", "")])
    return films[0].path if len(films) == 1 else ""


def _best_format(files: list[IndexedFile]) -> list[IndexedFile]:
    """Of files in several formats those that lost least: DICOM, then PNG or TIFF, then JPEG."""
    best = min((_loss(file) for file in files), default=0)
    return [file for file in files if _loss(file) == best]


def _loss(file: IndexedFile) -> int:
    return 0 if file.ends_with(DICOM_ENDINGS) else 2 if file.ends_with(JPEG_ENDINGS) else 1
