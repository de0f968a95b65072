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

from bench.data.cbis_tables import CASE
from bench.data.image_index import DICOM_ENDINGS, JPEG_ENDINGS, ImageFile, ImageIndex
from bench.data.lesions import unusable

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTIONS = "dicom_info.csv"
KINDS = {"cropped images": "crop", "roi mask images": "mask", "full mammogram images": "film"}
MISSING = "no image file of its series is there"
# A conversion to PNG in one flat folder keeps the last five digits of the series UID.
_FLAT = re.compile(r"(mass|calc)_(train|test)\w*_[a-z]+_(\d{5})_\d+-\d+\.\w+", re.IGNORECASE)

# Or the file's name begins with its case; a film's has no last number, and "CC_1-1" is none.
_NAMED = re.compile(rf"({CASE}(?:_\d+)?)(?=[_. ]|$)")

Describe = Callable[[ImageFile], str]


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
    found: dict[str, list[ImageFile]] = defaultdict(list)
    strays = []
    for file in index.files:
        owner = owners.of(file, index)
        if owner:
            found[owner].append(file)
        else:
            strays.append(file.path)

    def describe(file: ImageFile) -> str:
        known = descriptions.get((file.folders[-1], file.name)) if file.folders else None
        return known or (index.facts(file).kind if file.ends_with(DICOM_ENDINGS) else "")

    resolved = []
    for crop_id, film_case, series in _cells(rows, "crop_id", "film_case", "crop_series"):
        film = _film(found.get(film_case, []), describe)
        one = _resolve(index, found.get(crop_id, []), film, describe)
        resolved.append(one if one.path else Resolved(series, reason=one.reason))
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
        kind = KINDS.get(description.strip().lower())
        if len(parts) >= 2 and kind:
            found[parts[-2], parts[-1]] = kind
    return found


class _Owners:
    """Whose a file is: the `crop_id` of a row, or the `film_case` of a full mammogram."""

    def __init__(self, rows: "pd.DataFrame") -> None:
        self._by_series: dict[str, str] = {}
        self._by_name: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._cases = {*rows["crop_id"], *rows["film_case"]}
        for column, owner in (
            ("film_series", "film_case"),
            ("crop_series", "crop_id"),
            ("mask_series", "crop_id"),
        ):
            cells = _cells(rows, "abnormality", "split", column, owner)
            for abnormality, split, series, name in cells:
                self._by_series[series] = name
                self._by_name[abnormality, split, series[-5:]].add(name)
        self._by_series.pop("", None)

    def of(self, file: ImageFile, index: ImageIndex) -> str:
        """The owner by the file's header, else by its folders, else by its name; "" for none."""
        facts = index.facts(file) if file.ends_with(DICOM_ENDINGS) else None
        if facts is not None and facts.series:
            return self._by_series[facts.series]
        for folder in reversed(file.folders):
            if folder in self._by_series:
                return self._by_series[folder]
        for case in (*([facts.case] if facts else []), *reversed(file.folders)):
            if case in self._cases:
                return case
        named = _NAMED.match(file.name)
        if named and named[1] in self._cases:
            return named[1]
        match = _FLAT.fullmatch(file.name)
        owners = (
            self._by_name.get((match[1].lower(), match[2].lower(), match[3])) if match else None
        )
        # Five digits may fit two rows, and then they tell nothing.
        return next(iter(owners)) if owners and len(owners) == 1 else ""


def _cells(rows: "pd.DataFrame", *columns: str) -> Iterator[tuple[str, ...]]:
    """The cells of some columns, row by row; many times faster than pandas' own rows of strings."""
    return zip(*(rows[column].tolist() for column in columns), strict=True)


def _resolve(index: ImageIndex, files: list[ImageFile], film: str, describe: Describe) -> Resolved:
    """The crop among a row's files, and its mask."""
    if not files:
        return Resolved("", reason=MISSING)
    kinds = {file.path: describe(file) for file in files}
    crops = _best_format([file for file in files if kinds[file.path] == "crop"])
    unknown = [file for file in files if not kinds[file.path]]
    if not crops:
        crops = _many_valued(index, unknown)
    if len(crops) > 1:
        names = ", ".join(file.name for file in crops)
        return Resolved(crops[0].path, reason=f"more than one of its files is a crop: {names}")
    if not crops:
        return Resolved(files[0].path, reason="none of its image files is a crop")
    crop = crops[0]
    masks = _best_format([file for file in files if kinds[file.path] == "mask"])
    if not masks:
        rest = [file for file in unknown if file != crop]
        masks = [file for file in _best_format(rest) if not index.facts(file).problem]
    # The header of a picture that is described elsewhere need not be read at all.
    described_elsewhere = kinds[crop.path] and not crop.ends_with(DICOM_ENDINGS)
    problem = "" if described_elsewhere else index.facts(crop).problem
    return Resolved(crop.path, masks[0].path if len(masks) == 1 else "", film, problem)


def _film(files: list[ImageFile], describe: Describe) -> str:
    films = _best_format([file for file in files if describe(file) in ("film", "")])
    return films[0].path if len(films) == 1 else ""


def _best_format(files: list[ImageFile]) -> list[ImageFile]:
    """Of files in several formats those that lost least: DICOM, then PNG or TIFF, then JPEG."""
    best = min((_loss(file) for file in files), default=0)
    return [file for file in files if _loss(file) == best]


def _loss(file: ImageFile) -> int:
    return 0 if file.ends_with(DICOM_ENDINGS) else 2 if file.ends_with(JPEG_ENDINGS) else 1


def _many_valued(index: ImageIndex, files: list[ImageFile]) -> list[ImageFile]:
    """Of files that nothing describes, the crop: the smallest image with many values.

    Where none is, the first file that cannot be read: it may well have been the crop.
    """

    def area(file: ImageFile) -> int:
        return index.facts(file).rows * index.facts(file).columns

    for file in sorted(filter(area, files), key=lambda one: (area(one), _loss(one))):
        if not index.is_two_valued(file):
            return [file]
    return [file for file in files if not area(file)][:1]
