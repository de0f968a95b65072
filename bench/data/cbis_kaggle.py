"""Finds the crops of CBIS-DDSM in the Kaggle layout: `jpeg/<series UID>/<n>-<xxx>.jpg`.

Neither a file's name nor the column that names its series tells crop from mask: each file is
judged by its own description in `dicom_info.csv`, or by its pixels where that says nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.data.cbis_tables import Resolved, is_series
from bench.data.decoding import MAX_PIXELS
from bench.data.lesions import unusable

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTIONS = "dicom_info.csv"
_CROP, _MASK, _FULL = "cropped images", "roi mask images", "full mammogram images"


class Place(Protocol):
    """The folder of the images and that of the case tables."""

    @property
    def root(self) -> Path:
        """The data root."""

    @property
    def tables(self) -> Path:
        """The folder of the case tables."""


def resolve_kaggle(place: Place, rows: "pd.DataFrame") -> list[Resolved]:
    """For every row of the case tables its crop, relative to the data root, or why there is none.

    Raises
    ------
    UnusableInput
        If there is no folder of series, or `dicom_info.csv` lacks the columns it is read for.
    """
    folder = _series_folder(place.root)
    descriptions = _descriptions(place)
    finder = _Finder(place.root, folder, descriptions)
    return [
        finder.resolve(crop, mask)
        for crop, mask in rows[["crop_series", "mask_series"]].itertuples(index=False)
    ]


def _series_folder(root: Path) -> Path:
    """The folder whose subfolders are series: `jpeg`, here or a level down, or the root."""
    candidates = [root / "jpeg", *sorted(root.glob("*/jpeg"))]
    found = next((folder for folder in candidates if folder.is_dir()), None)
    if found is not None:
        return found
    if any(is_series(path.name) and path.is_dir() for path in root.iterdir()):
        return root
    raise unusable(root, "case tables, but no images; looked for jpeg/<series UID>/1-xxx.jpg")


def _descriptions(place: Place) -> dict[tuple[str, str], str]:
    """(series, file name) -> SeriesDescription in lower case; empty without dicom_info.csv."""
    import pandas as pd

    folders = (place.tables, place.root / "csv", place.root)
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
        if len(parts) >= 2:
            found[parts[-2], parts[-1]] = description.strip().lower()
    return found


@dataclass(frozen=True)
class _Finder:
    root: Path
    folder: Path
    descriptions: dict[tuple[str, str], str]

    def resolve(self, crop_series: str, mask_series: str) -> Resolved:
        """The one crop among the files of both series; the crop's own series is asked first."""
        prefix = self.folder.relative_to(self.root)
        expected = (prefix / crop_series).as_posix()
        found_any = False
        for series in dict.fromkeys((crop_series, mask_series)):
            files = self._files(series)
            found_any = found_any or bool(files)
            crops = self._crops(series, files)
            if len(crops) > 1:
                reason = f"more than one file of the series is a crop: {', '.join(crops)}"
                return Resolved((prefix / series).as_posix(), reason)
            if crops:
                return Resolved((prefix / series / crops[0]).as_posix())
        if not found_any:
            return Resolved(expected, "the series folder is missing or holds no image")
        return Resolved(expected, "no file of the series is a crop")

    def _files(self, series: str) -> list[str]:
        try:
            names = os.listdir(self.folder / series)  # noqa: PTH208 - thousands of small folders
        except OSError:
            return []
        endings = (".jpg", ".jpeg", ".png")
        return sorted(
            name for name in names if name.lower().endswith(endings) and not name.startswith(".")
        )

    def _crops(self, series: str, files: list[str]) -> list[str]:
        described = {name: self.descriptions.get((series, name), "") for name in files}
        crops = [name for name in files if described[name] == _CROP]
        if crops:
            return crops
        unknown = [name for name in files if described[name] not in (_MASK, _FULL)]
        return _many_valued(self.folder / series, unknown)


def _many_valued(folder: Path, names: list[str]) -> list[str]:
    """Of files that nothing describes, the crop: the smallest of those with many values."""
    areas = {name: _area(folder / name) for name in names}
    # A damaged file may still be the crop; the stack will say what is wrong with it.
    damaged = [name for name in names if areas[name] == 0]
    for name in sorted((name for name in names if areas[name]), key=lambda one: areas[one]):
        if not _looks_like_mask(folder / name):
            return [name]
    return damaged


def _area(file: Path) -> int:
    """Pixels by the file's header; 0 where it has none that can be read."""
    from PIL import Image

    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            return image.width * image.height
    except Exception:  # any decoder error means the same here
        return 0


def _looks_like_mask(file: Path) -> bool:
    """Whether nearly every pixel is black or white, as in a mask that JPEG has blurred a little."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                return True
            # JPEG can be decoded at a fraction of its size, which is much faster for a whole film.
            image.draft("L", (256, 256))
            pixels = np.asarray(image.convert("L"))
    except Exception:  # a damaged file is no evidence of a mask
        return False
    if pixels.size == 0:
        return False
    between = (pixels > 24) & (pixels < 231)
    return float(between.mean()) < 0.03
