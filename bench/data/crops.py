"""The crop stack: every crop decoded once, as squares of one size in one memory-mapped file.

The stack is looked up by each file's path, size and time, so that a second look decodes nothing;
its fingerprint depends on the crops' pixels and their labels alone, wherever they lie.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data import stack_files
from bench.data.decoding import (
    MAX_BYTES,
    UnreadableImage,
    cut_square,
    decode,
    fit_square,
    to_eight_bit,
)
from bench.data.lesions import (
    GEOMETRY_COLUMNS,
    Dataset,
    LeftOut,
    SubsetInfo,
    check_classes,
    left_out_table,
    select,
    unusable,
)
from bench.errors import UnusableInput
from bench.store import digest

if TYPE_CHECKING:
    import pandas as pd

STACK_VERSION = 1
FITS = ("pad", "stretch")
REGIONS = ("crop",)
# What a result can depend on besides the pixels.
IDENTITY_COLUMNS = ("crop_id", "lesion_id", "patient_id", "subset", "label", "split")

Geometry = tuple[int, int, int]


@dataclass(frozen=True)
class CropSettings:
    """How a crop becomes a square: `size` in pixels, `fit` "pad" or "stretch", `region` "crop"."""

    size: int = 256
    fit: str = "pad"
    region: str = "crop"

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 4096:
            raise UnusableInput(f"size {self.size}: the working size is 8 to 4096 pixels")
        if self.fit not in FITS:
            raise UnusableInput(f"fit {self.fit!r} is not one of {', '.join(FITS)}")
        if self.region not in REGIONS:
            raise UnusableInput(f"region {self.region!r} is not one of {', '.join(REGIONS)}")

    def as_key(self) -> dict[str, Any]:
        """The settings as a dictionary for a cache key."""
        return asdict(self)


@dataclass(frozen=True)
class CropStack:
    """The readable crops of a data set.

    Attributes
    ----------
    images : uint8 (N, size, size), read-only, memory-mapped.
    table : N rows in the stack's order, index 0 … N - 1: the lesion table with `crop_height` and
        `crop_width` (native pixels) and `mean_intensity` (0 … 255, before resizing and padding).
    left_out : what the loader left out, then what could not be decoded; crop_id, path, reason.
    digests : SHA-256 of each crop's stacked pixels.
    fingerprint : SHA-256 over the digests and the rows' identities, labels and splits.
    subsets : as the data set's.
    settings : as asked for.
    """

    images: NDArray[np.uint8]
    table: "pd.DataFrame"
    left_out: "pd.DataFrame"
    digests: tuple[str, ...]
    fingerprint: str
    subsets: dict[str, SubsetInfo]
    settings: CropSettings

    def positions(self, subset: str) -> NDArray[np.int64]:
        """Where in `images` and `table` the rows of a subset stand, ascending."""
        wanted = set(select(self.table, self.subsets, subset)["crop_id"])
        return np.flatnonzero(self.table["crop_id"].isin(wanted).to_numpy())


@dataclass(frozen=True)
class _Square:
    """A crop made square, its native size, and its mean before padding."""

    pixels: NDArray[np.uint8]
    height: int
    width: int
    mean: float


def build_stack(
    dataset: Dataset,
    settings: CropSettings,
    cache: str | Path,
    progress: Callable[[int], None] | None = None,
) -> CropStack:
    """The stack of a data set, from the cache folder where it stands there whole, else decoded.

    Parameters
    ----------
    cache : folder of the store; stacks lie in `crops/` below it.
    progress : called with the number of crops done since the last call.

    Raises
    ------
    UnusableInput
        If no crop of a subset, or only crops of one class, can be decoded, or if the cache folder
        cannot be written.
    """
    cache = Path(cache).expanduser()
    report = progress or (lambda _: None)
    geometries = _geometries(dataset.table)
    paths = list(dataset.table["path"])
    stats = [_stat(dataset, path) for path in paths]
    key = _lookup_key(dataset, settings, paths, stats, geometries)
    file = cache / "crops" / key[:2] / f"{key}.stack"
    found = stack_files.load(file, len(paths), settings.size)
    if found is not None:
        report(len(paths))
        return _assemble(dataset, settings, *found)
    try:
        with stack_files.writing(file, len(paths), settings.size) as writer:
            for place, outcome in _decode_all(dataset, settings, paths, stats, geometries):
                if isinstance(outcome, str):
                    writer.skip(place, outcome)
                else:
                    shape = (outcome.height, outcome.width)
                    writer.put(place, outcome.pixels, shape, outcome.mean)
                report(1)
            _check_left(dataset, writer.readable())
    except OSError as error:
        raise unusable(
            cache, f"the crop stack cannot be kept there ({error.strerror or error})"
        ) from error
    found = stack_files.load(file, len(paths), settings.size)
    if found is None:
        raise unusable(cache, "the crop stack was written there, but it does not read back")
    return _assemble(dataset, settings, *found)


def _lookup_key(
    dataset: Dataset,
    settings: CropSettings,
    paths: list[str],
    stats: list[tuple[int, int] | None],
    geometries: list[Geometry | None],
) -> str:
    import PIL

    rows = [
        [path, list(stat) if stat else None, list(geometry) if geometry else None]
        for path, stat, geometry in zip(paths, stats, geometries, strict=True)
    ]
    # The root belongs in here: two copies of a set may agree in every name, size and time and still
    # differ. The decoder's version does too, since it decides the bytes.
    root = os.path.realpath(dataset.source.root)
    return digest([STACK_VERSION, PIL.__version__, root, settings.as_key(), rows])


def _stat(dataset: Dataset, path: str) -> tuple[int, int] | None:
    try:
        return dataset.source.stat(path)
    except OSError:
        return None


def _geometries(table: "pd.DataFrame") -> list[Geometry | None]:
    if GEOMETRY_COLUMNS[0] not in table.columns:
        return [None] * len(table)
    cells = table[list(GEOMETRY_COLUMNS)].astype("float64").to_numpy()
    return [
        None if np.isnan(row).any() else (int(row[0]), int(row[1]), int(row[2])) for row in cells
    ]


def _decode_all(
    dataset: Dataset,
    settings: CropSettings,
    paths: list[str],
    stats: list[tuple[int, int] | None],
    geometries: list[Geometry | None],
) -> Iterator[tuple[int, _Square | str]]:
    """The square of every row, or the reason why there is none, in the order that reads fastest.

    Files are read one after another (an archive can only be read forwards) and decoded in a few
    threads; a short queue between the two keeps memory bounded.
    """
    order = sorted(
        range(len(paths)),
        key=lambda place: dataset.source.position(paths[place]) if stats[place] else 0,
    )
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[tuple[int, Future[_Square | str]]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")
        for place in order:
            data = _read(dataset, paths[place], stats[place])
            job = pool.submit(_square_of, data, paths[place], geometries[place], settings)
            waiting.append((place, job))
            if len(waiting) > 2 * workers:
                done, outcome = waiting.popleft()
                yield done, outcome.result()
        for done, outcome in waiting:
            yield done, outcome.result()


def _read(dataset: Dataset, path: str, stat: tuple[int, int] | None) -> bytes | str:
    """A file's bytes, or the reason why it is not read."""
    if stat is None:
        return "the file is missing"
    if stat[0] > MAX_BYTES:
        return f"the file has {stat[0]} bytes, more than {MAX_BYTES // 10**6} million"
    try:
        return dataset.source.read(path)
    except (OSError, EOFError) as error:
        return f"the file cannot be read ({getattr(error, 'strerror', None) or error})"


def _square_of(
    data: bytes | str, path: str, geometry: Geometry | None, settings: CropSettings
) -> _Square | str:
    if isinstance(data, str):
        return data
    try:
        pixels = decode(data, path)
    except UnreadableImage as error:
        return str(error)
    if geometry is not None:
        pixels = cut_square(pixels, *geometry)
    crop = to_eight_bit(pixels)
    square = fit_square(crop, settings.size, settings.fit)
    return _Square(square, crop.shape[0], crop.shape[1], float(crop.mean()))


def _check_left(dataset: Dataset, readable: list[bool]) -> None:
    """Raise UnusableInput if a subset lost all its crops, or all those of a class."""
    root = dataset.source.root
    left = dataset.table[readable]
    for subset in dataset.table["subset"].unique():
        if subset not in set(left["subset"]):
            raise unusable(root, f"no crop of subset {subset} can be decoded")
    check_classes(left, root)


def _assemble(
    dataset: Dataset,
    settings: CropSettings,
    images: NDArray[np.uint8],
    records: list[stack_files.Record],
) -> CropStack:
    import pandas as pd

    readable = ["digest" in record for record in records]
    table = dataset.table[readable].reset_index(drop=True)
    kept = [record for record in records if "digest" in record]
    table["crop_height"] = [int(record["height"]) for record in kept]
    table["crop_width"] = [int(record["width"]) for record in kept]
    table["mean_intensity"] = [float(record["mean"]) for record in kept]
    lost = left_out_table(
        LeftOut(crop_id, path, record["reason"])
        for crop_id, path, record in zip(
            dataset.table["crop_id"], dataset.table["path"], records, strict=True
        )
        if "reason" in record
    )
    digests = tuple(str(record["digest"]) for record in kept)
    identity = [[str(cell) for cell in row] for row in table[list(IDENTITY_COLUMNS)].to_numpy()]
    return CropStack(
        images=images,
        table=table,
        left_out=pd.concat([dataset.left_out, lost], ignore_index=True),
        digests=digests,
        fingerprint=digest([identity, list(digests)]),
        subsets=dict(dataset.subsets),
        settings=settings,
    )
