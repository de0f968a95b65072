"""Which row of a file of features belongs to which crop."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.folder_files import IMAGE_ENDINGS
from bench.data.imported.columns import few
from bench.data.imported.reading import FeatureFile
from bench.data.lesions import unusable
from bench.data.sources import below_root

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MatchedRows:
    """The rows of a file that belong to crops.

    Attributes
    ----------
    by : str
        What the ids are of a crop.
    rows : NDArray[np.int64], shape (n,)
        The row in the file for each crop; -1 where there is none.
    unused : int
        How many rows of the file belong to no crop.
    """

    by: str
    rows: NDArray[np.int64]
    unused: int


def match_rows(file: FeatureFile, table: "pd.DataFrame", root: Path) -> MatchedRows:
    """Find the row of each crop, by whatever the ids fit best: crop_id, path or the file's name.

    Parameters
    ----------
    file : FeatureFile
        The file.
    table : pd.DataFrame
        The crops, as in a lesion table.
    root : Path
        The data root, which paths may begin with.

    Returns
    -------
    MatchedRows
        The rows.

    Raises
    ------
    UnusableInput
        If the ids fit no crop, or one of them fits several.
    """
    of_crops = {
        "crop_id": [_plain(str(name)) for name in table["crop_id"]],
        "path": [_plain(str(path)) for path in table["path"]],
        "the file's stem": [_stem(str(path)) for path in table["path"]],
    }
    as_key: dict[str, Callable[[str], str]] = {
        "crop_id": _plain,
        "path": lambda name: _path(root, name),
        "the file's stem": _stem,
    }
    found = {by: [key(name) for name in file.ids] for by, key in as_key.items()}
    # Ids, not crops: a path may fit several. Of equal counts the first one is taken.
    counts = {by: len(set(found[by]) & set(keys)) for by, keys in of_crops.items()}
    by = max(counts, key=lambda name: counts[name])
    if not counts[by]:
        raise unusable(
            file.path,
            f"none of its {len(file.ids)} ids ({few(file.ids)}) is the crop_id, path or file name "
            f"of a crop ({few(map(str, table['crop_id']))})",
        )
    _check_single(file, by, found[by], of_crops[by], [str(name) for name in table["crop_id"]])
    row_of = {key: row for row, key in enumerate(found[by])}
    rows = np.array([row_of.get(key, -1) for key in of_crops[by]], dtype=np.int64)
    return MatchedRows(by, rows, len(file.ids) - int((rows >= 0).sum()))


def _check_single(
    file: FeatureFile, by: str, ids: Sequence[str], keys: Sequence[str], crops: Sequence[str]
) -> None:
    """Raise UnusableInput where it is not clear which row belongs to which crop."""
    wanted, given = Counter(keys), Counter(ids)
    several = [key for key, count in wanted.items() if count > 1 and key in given]
    if several:
        names = [crop for crop, key in zip(crops, keys, strict=True) if key == several[0]]
        raise unusable(
            file.path,
            f"its ids are {by} of crops, and {several[0]} is that of {len(names)} "
            f"({few(names)}): name crops by crop_id",
        )
    twice = [key for key, count in given.items() if count > 1 and key in wanted]
    if twice:
        names = [name for name, key in zip(file.ids, ids, strict=True) if key == twice[0]]
        raise unusable(
            file.path, f"{len(names)} ids are {by} {twice[0]}: {few(names)}; name crops by crop_id"
        )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _path(root: Path, name: str) -> str:
    folder = root if root.is_dir() else root.parent
    return _plain(str(PurePosixPath(below_root(folder, name))))


def _stem(name: str) -> str:
    """The last part of a path, without the ending of an image."""
    last = PurePosixPath(name.replace("\\", "/")).name
    ending = PurePosixPath(last).suffix.lower()
    return _plain(last[: -len(ending)] if ending in IMAGE_ENDINGS else last)
