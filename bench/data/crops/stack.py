"""The crop stack: every crop decoded once, as squares of one size in one memory-mapped file.

The stack is looked up by each file's path, size and time, so that a second look decodes nothing;
its fingerprint depends on the crops' pixels and their labels alone, wherever they lie.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.crops import stack_files
from bench.data.crops.regions import RegionCut, cut_out, fit_square, plan_cuts, square_around
from bench.data.crops.settings import CropSettings
from bench.data.images.decoding import decode
from bench.data.images.pixels import INSTALL, MAX_BYTES, UnreadableImage
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, left_out_table, select, unusable
from bench.store import digest

if TYPE_CHECKING:
    import pandas as pd

STACK_VERSION = 3

UNREADABLE = "the file cannot be read"

# Reasons that another machine, or another moment, would not give.
PASSING = (UNREADABLE, INSTALL)

# What a result can depend on besides the pixels.
IDENTITY_COLUMNS = ("crop_id", "lesion_id", "patient_id", "subset", "label", "split")

Stats = dict[str, tuple[int, int] | None]


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
    notices : what a reader must know of how the crops were decoded.
    """

    images: NDArray[np.uint8]
    table: "pd.DataFrame"
    left_out: "pd.DataFrame"
    digests: tuple[str, ...]
    fingerprint: str
    subsets: dict[str, SubsetInfo]
    settings: CropSettings
    notices: tuple[str, ...] = ()

    def positions(self, subset: str) -> NDArray[np.int64]:
        """Where in `images` and `table` the rows of a subset stand, ascending."""
        wanted = set(select(self.table, self.subsets, subset)["crop_id"])
        return np.flatnonzero(self.table["crop_id"].isin(wanted).to_numpy())


@dataclass(frozen=True)
class _Square:
    """A crop made square, its native size, its mean before padding; whether it is as asked for.

    `windowed` is False where the window of the file was asked for and it has none.
    """

    pixels: NDArray[np.uint8]
    height: int
    width: int
    mean: float
    windowed: bool


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
        If no crop at all can be decoded, or if the cache folder cannot be written.
    """
    cache = Path(cache).expanduser()
    report = progress or (lambda _: None)
    cuts = plan_cuts(dataset.table, settings.region, settings.margin)
    stats = _stats(dataset, cuts)
    key = _lookup_key(dataset, settings, cuts, stats)
    file = cache / "crops" / key[:2] / f"{key}.stack"
    found = stack_files.load(file, len(cuts), settings.size)
    if found is not None:
        report(len(cuts))
        return _assemble(dataset, settings, *found)
    try:
        with stack_files.writing(file, len(cuts), settings.size) as writer:
            for place, outcome in _decode_all(dataset, settings, cuts, stats):
                if isinstance(outcome, str):
                    writer.skip(place, outcome)
                else:
                    shape = (outcome.height, outcome.width)
                    told = {"mean": outcome.mean, "windowed": outcome.windowed}
                    writer.put(place, outcome.pixels, shape, told)
                report(1)
            if not any(writer.readable()):
                raise unusable(
                    dataset.source.root,
                    f"no crop can be read, region {settings.region}; "
                    f"the first one: {writer.records[0]['reason']}",
                )
    except OSError as error:
        raise unusable(
            cache,
            f"the crop stack cannot be kept there ({error.strerror or error}); name another folder "
            "with --cache",
        ) from error
    found = stack_files.load(file, len(cuts), settings.size)
    if found is None:
        raise unusable(cache, "the crop stack was written there, but it does not read back")
    if any(mark in record.get("reason", "") for record in found[1] for mark in PASSING):
        # It is as it is on this machine at this moment, so the next look decodes anew.
        stack_files.forget(file)
    return _assemble(dataset, settings, *found)


def _stats(dataset: Dataset, cuts: list[RegionCut | str]) -> Stats:
    """Size and time of every file that is needed; None where it is missing."""
    stats: Stats = {"": None}
    for cut in cuts:
        for path in (cut.image, cut.mask) if isinstance(cut, RegionCut) else ():
            if path not in stats:
                try:
                    stats[path] = dataset.source.stat(path)
                except OSError:
                    stats[path] = None
    return stats


def _lookup_key(
    dataset: Dataset, settings: CropSettings, cuts: list[RegionCut | str], stats: Stats
) -> str:
    rows = [
        cut if isinstance(cut, str) else [*astuple(cut), stats[cut.image], stats[cut.mask]]
        for cut in cuts
    ]
    # The root belongs in here: two copies of a set may agree in every name, size and time and still
    # differ. The decoders' versions do too, since they decide the bytes.
    root = os.path.realpath(dataset.source.root)
    versions = [version("pillow"), version("pydicom")]
    return digest([STACK_VERSION, versions, root, settings.as_key(), rows])


def _decode_all(
    dataset: Dataset, settings: CropSettings, cuts: list[RegionCut | str], stats: Stats
) -> Iterator[tuple[int, _Square | str]]:
    """The square of every row, or the reason why there is none, in the order that reads fastest.

    Rows of one image are cut from it together. Files are read one after another (an archive can
    only be read forwards) and decoded in a few threads; a short queue between the two keeps memory
    bounded.
    """
    by_image: dict[str, list[tuple[int, RegionCut]]] = {}
    for place, cut in enumerate(cuts):
        if isinstance(cut, str):
            yield place, cut
        else:
            by_image.setdefault(cut.image, []).append((place, cut))
    order = sorted(by_image, key=lambda path: dataset.source.position(path) if stats[path] else 0)
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[list[tuple[int, _Square | str]]]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")
        for path in order:
            image = _read(dataset, path, stats[path])
            masks = {
                cut.mask: _read(dataset, cut.mask, stats[cut.mask])
                for _, cut in by_image[path]
                if cut.mask
            }
            waiting.append(pool.submit(_squares_of, image, masks, by_image[path], settings))
            # The call holds the bytes now; a name that lives on would hold them twice.
            del image, masks
            if len(waiting) > workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _read(dataset: Dataset, path: str, stat: tuple[int, int] | None) -> bytes | str:
    """A file's bytes, or the reason why it is not read."""
    if stat is None:
        return "the file is missing"
    if stat[0] > MAX_BYTES:
        return f"the file has {stat[0]} bytes, more than {MAX_BYTES // 10**6} million"
    try:
        return dataset.source.read(path)
    except (OSError, EOFError) as error:
        return f"{UNREADABLE} ({getattr(error, 'strerror', None) or error})"


def _squares_of(
    image: bytes | str,
    masks: dict[str, bytes | str],
    rows: list[tuple[int, RegionCut]],
    settings: CropSettings,
) -> list[tuple[int, _Square | str]]:
    """The squares of all rows that are cut from one image, or the reason why there is none."""
    try:
        return _cut_squares(image, masks, rows, settings)
    except UnreadableImage as error:
        return [(place, str(error)) for place, _ in rows]
    except MemoryError:
        return [(place, f"{UNREADABLE} (too little memory)") for place, _ in rows]


def _cut_squares(
    image: bytes | str,
    masks: dict[str, bytes | str],
    rows: list[tuple[int, RegionCut]],
    settings: CropSettings,
) -> list[tuple[int, _Square | str]]:
    """The squares; a row whose mask or place is bad has the reason instead."""
    path = rows[0][1].image
    if isinstance(image, str):
        raise UnreadableImage(image)
    decoded = decode(image, path, settings.window)
    pixels, windowed = decoded.pixels, decoded.windowed or settings.window != "voi"
    found: list[tuple[int, _Square | str]] = []
    for place, cut in rows:
        try:
            square = cut.square
            if cut.mask:
                mask = _mask(masks[cut.mask], cut.mask)
                square = square_around(mask, pixels.shape, settings.margin)
            crop = cut_out(pixels, square)
        except UnreadableImage as error:
            found.append((place, str(error)))
            continue
        fitted = fit_square(crop, settings.size, settings.fit)
        height, width = crop.shape
        found.append((place, _Square(fitted, height, width, float(crop.mean()), windowed)))
    return found


def _mask(data: bytes | str, path: str) -> NDArray[Any]:
    try:
        if isinstance(data, str):
            raise UnreadableImage(data)
        return decode(data, path).pixels
    except UnreadableImage as error:
        raise UnreadableImage(f"its mask: {error}") from error


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
        notices=_unwindowed(kept),
    )


def _unwindowed(records: list[stack_files.Record]) -> tuple[str, ...]:
    """How many crops were to be shown through their file's window, and have none."""
    without = sum(not record["windowed"] for record in records)
    if not without:
        return ()
    return (
        f"window voi: {without} of {len(records)} crops come from files without a window; these "
        "are as with window own",
    )
