"""Matches the rows of the case tables to image files, in any of the usual layouts.

A file belongs to the row whose series or case its DICOM header, its folders or its name give. Which
of a row's files is the crop and which the mask follows from the file itself: from its description
where it has one, else from its pixels. Its name, the column that names its series, and the
description of the series are not reliable.
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
# A file's name may begin with its case; a film's has no last number, and in "CC_1-1" there is none.
_NAMED = re.compile(rf"({CASE}(?:_\d+)?)(?=[_. ]|$)")

KindOf = Callable[[IndexedFile], str]


@dataclass(frozen=True)
class RowFiles:
    """The files of a row, as paths relative to the root; "" where there is none.

    Attributes
    ----------
    path : str
        The crop; where there is none, where it was looked for.
    mask_path, film_path : str
        The mask of the lesion, and the full mammogram.
    reason : str
        Why there is no crop; "" where there is one.
    """

    path: str
    mask_path: str = ""
    film_path: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Matched:
    """The files of every row, in the order of the rows, and the files that belong to no row."""

    rows: list[RowFiles]
    unmatched: list[str]


def match_files(
    index: ImageIndex, rows: "pd.DataFrame", descriptions: Mapping[tuple[str, str], str]
) -> Matched:
    """Find crop, mask and full mammogram of every row.

    Parameters
    ----------
    index : ImageIndex
        The image files; headers of DICOM files that are not read yet are read.
    rows : pd.DataFrame
        From `case_tables.read_tables`.
    descriptions : Mapping[tuple[str, str], str]
        From `read_descriptions`.

    Returns
    -------
    Matched
        One entry for every row.
    """
    lookup = _RowLookup(rows)
    files: dict[str, list[IndexedFile]] = defaultdict(list)
    unmatched = []
    for file in index.files:
        name = lookup.name_of(file, index)
        if name:
            files[name].append(file)
        else:
            unmatched.append(file.path)

    def kind_of_file(file: IndexedFile) -> str:
        described = descriptions.get((file.folders[-1], file.name)) if file.folders else None
        return described or (index.facts(file).kind if file.ends_with(DICOM_ENDINGS) else "")

    undescribed = [
        file
        for crop_id in rows["crop_id"]
        for file in files.get(crop_id, ())
        if not kind_of_file(file) and not index.facts(file).problem
    ]
    index.check_values(undescribed)
    matched = []
    for crop_id, film_case, series in _cells(rows, "crop_id", "film_case", "crop_series"):
        film = _film(files.get(film_case, []), kind_of_file)
        row = _row_files(index, files.get(crop_id, []), film, kind_of_file)
        if not row.path:
            reason = AMBIGUOUS if crop_id in lookup.ambiguous else row.reason
            row = RowFiles(series, reason=reason)
        matched.append(row)
    return Matched(matched, unmatched)


def read_descriptions(folders: Iterable[Path]) -> dict[tuple[str, str], str]:
    """(folder, file name) -> crop, mask or film, by the first dicom_info.csv; empty without one.

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
    kinds = {}
    for path, description in table[columns].itertuples(index=False):
        # The path begins with a folder that need not exist here, and ends in series and name.
        parts = path.replace("\\", "/").split("/")
        kind = kind_of(description)
        if len(parts) >= 2 and kind:
            kinds[parts[-2], parts[-1]] = kind
    return kinds


class _RowLookup:
    """What a file belongs to: the `crop_id` of a row, or the `film_case` of a full mammogram.

    `ambiguous` are those whose file has a name that fits others, too.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.ambiguous: set[str] = set()
        self._by_series: dict[str, str] = {}
        self._endings: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
        for column, name_column, role in (
            ("film_series", "film_case", "full"),
            ("crop_series", "crop_id", "roi"),
            ("mask_series", "crop_id", "roi"),
        ):
            cells = _cells(rows, "abnormality", "split", column, name_column)
            for abnormality, split, series, name in cells:
                self._endings[name].add(series[-5:])
                if series:
                    self._by_series[series] = name
                    self._by_name[abnormality, split, role, series[-5:]].add(name)
        # Five digits identify a series among all rows; a table that lacks rows cannot show that.
        counts = rows.groupby(["abnormality", "split"]).size().to_dict()
        self._complete = {part for part, n in PUBLISHED_ROWS.items() if counts.get(part, 0) >= n}

    def name_of(self, file: IndexedFile, index: ImageIndex) -> str:
        """`crop_id` or `film_case` by the file's header, else folders, else name; "" for none."""
        facts = index.facts(file) if file.ends_with(DICOM_ENDINGS) else Facts()
        if facts.series:
            # A header that names a series of no row is of another set, whatever its case.
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
        if len(fitting) == 1 and (kind, split) in self._complete:
            return fitting.pop()
        self.ambiguous |= fitting
        return ""


def _cells(rows: "pd.DataFrame", *columns: str) -> Iterator[tuple[str, ...]]:
    """The cells of some columns, row by row; many times faster than `itertuples` for strings."""
    return zip(*(rows[column].tolist() for column in columns), strict=True)


def _row_files(
    index: ImageIndex, files: list[IndexedFile], film: str, kind_of_file: KindOf
) -> RowFiles:
    """The crop among a row's files, and its mask; of several formats those with the least loss."""
    if not files:
        return RowFiles("", reason=MISSING)
    row = RowFiles(files[0].path, reason=NO_CROP)
    for loss in sorted({_loss(file) for file in files}):
        of_format = [file for file in files if _loss(file) == loss]
        row = _of_format(index, of_format, film, kind_of_file)
        if row.reason != NO_CROP:
            break
    return row


def _of_format(
    index: ImageIndex, files: list[IndexedFile], film: str, kind_of_file: KindOf
) -> RowFiles:
    kinds = {file.path: kind_of_file(file) for file in files}
    undescribed = [file for file in files if not kinds[file.path]]
    two_valued = {
        file.path: None if index.facts(file).problem else index.is_two_valued(file)
        for file in undescribed
    }
    crops = [file for file in files if kinds[file.path] == "crop"]
    crops = crops or [file for file in undescribed if two_valued[file.path] is False]
    # A damaged file without a description may be the crop, if there is no other.
    crops = crops or [file for file in undescribed if two_valued[file.path] is None][:1]
    if len(crops) > 1:
        names = ", ".join(file.path for file in crops[:3])
        return RowFiles(crops[0].path, reason=f"more than one of its files is a crop: {names}")
    if not crops:
        return RowFiles(files[0].path, reason=NO_CROP)
    crop = crops[0]
    masks = [file for file in files if kinds[file.path] == "mask"]
    masks = masks or [file for file in undescribed if two_valued[file.path]]
    # The header of an image that is described elsewhere need not be read at all.
    described_elsewhere = kinds[crop.path] and not crop.ends_with(DICOM_ENDINGS)
    problem = "" if described_elsewhere else index.facts(crop).problem
    return RowFiles(crop.path, masks[0].path if len(masks) == 1 else "", film, problem)


def _film(files: list[IndexedFile], kind_of_file: KindOf) -> str:
    films = _best_format([file for file in files if kind_of_file(file) in ("film", "")])
    return films[0].path if len(films) == 1 else ""


def _best_format(files: list[IndexedFile]) -> list[IndexedFile]:
    """Of files in several formats those with the least loss: DICOM, PNG or TIFF, then JPEG."""
    best = min((_loss(file) for file in files), default=0)
    return [file for file in files if _loss(file) == best]


def _loss(file: IndexedFile) -> int:
    return 0 if file.ends_with(DICOM_ENDINGS) else 2 if file.ends_with(JPEG_ENDINGS) else 1
