"""The crop stack: every crop decoded once, as squares of one size in one memory-mapped file.

The stack is looked up by each file's path, size and time, so that a second call decodes nothing;
its fingerprint depends on the crops' pixels and their labels alone, wherever they lie.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.companions import masks_among
from bench.data.crops import stack_files
from bench.data.crops.copies_found import count_copies, no_copies, stored_copies
from bench.data.crops.file_facts import FACT_COLUMNS, class_notices, decoding_notices
from bench.data.crops.regions import RegionCut, plan_cuts
from bench.data.crops.settings import CropSettings
from bench.data.crops.squares import (
    TRANSIENT_REASONS,
    FileStats,
    file_stats,
    may_hold_masks,
    square_crops,
)
from bench.data.images.decoding import decoder_versions
from bench.data.lesions import Dataset, LeftOut, SubsetInfo, left_out_table, select, unusable
from bench.data.patients import GROUP, kept_together
from bench.store import Store, digest, note_use

if TYPE_CHECKING:
    import pandas as pd

# 6: files that take too much memory or time to decode, and floats too far apart to be scaled, are
# refused; reasons are of the file.
STACK_VERSION = 6

# What a result can depend on besides the pixels.
IDENTITY_COLUMNS = ("crop_id", "lesion_id", "patient_id", "subset", "label", "split")


@dataclass(frozen=True)
class CropStack:
    """The readable crops of a data set.

    Attributes
    ----------
    images : NDArray[np.uint8], shape (n, size, size)
        Read-only and memory-mapped.
    table : pd.DataFrame
        n rows in the stack's order, index 0 … n - 1: the lesion table with `crop_height` and
        `crop_width` (native pixels), `mean_intensity` (0 … 255, before resizing and padding), and
        `file_format`, `file_bits` and `file_mode` (see `FileFacts`); with `group_id` where patients
        share a picture or may be one (see `bench.data.patients`).
    left_out : pd.DataFrame
        What the loader left out, then what could not be decoded: crop_id, path, reason.
    digests : tuple[str, ...]
        SHA-256 of each square's pixels.
    fingerprint : str
        SHA-256 over the digests and the rows' identities, labels, splits and groups.
    subsets : dict[str, SubsetInfo]
        Those of the data set.
    settings : CropSettings
        The settings that the squares were made with.
    notices : tuple[str, ...]
        What a reader must know of how the crops were decoded, one line each.
    decoding : tuple[str, ...]
        Those of the notices that say what was done to files that are more than a grey picture.
    decoders : Mapping[str, int]
        The number of crops that each decoder decoded.
    decoder_versions : Mapping[str, str]
        The versions of all decoders that were installed then.
    copies : pd.DataFrame
        From `count_copies`.
    """

    images: NDArray[np.uint8]
    table: "pd.DataFrame"
    left_out: "pd.DataFrame"
    digests: tuple[str, ...]
    fingerprint: str
    subsets: dict[str, SubsetInfo]
    settings: CropSettings
    notices: tuple[str, ...] = ()
    decoding: tuple[str, ...] = ()
    decoders: Mapping[str, int] = field(default_factory=dict)
    decoder_versions: Mapping[str, str] = field(default_factory=dict)
    copies: "pd.DataFrame" = field(default_factory=no_copies)

    def positions(self, subset: str) -> NDArray[np.int64]:
        """The rows of a subset as positions in `images` and `table`, ascending.

        Parameters
        ----------
        subset : str
            One of `subsets`.

        Returns
        -------
        NDArray[np.int64], shape (n_subset,)
            The positions.

        Raises
        ------
        UnusableInput
            If the data set has no such subset.
        """
        wanted = set(select(self.table, self.subsets, subset)["crop_id"])
        return np.flatnonzero(self.table["crop_id"].isin(wanted).to_numpy())


def build_stack(
    dataset: Dataset,
    settings: CropSettings,
    cache: str | Path,
    progress: Callable[[int], None] | None = None,
    comparing: Callable[[int], None] | None = None,
) -> CropStack:
    """The stack of a data set, read from the cache folder if it is there, else decoded.

    Parameters
    ----------
    dataset : Dataset
        From `load_lesions`.
    settings : CropSettings
        Size, region and grey values of the squares.
    cache : str | Path
        Folder of the store; stacks lie in `crops/` below it.
    progress : Callable[[int], None] | None, optional
        Called with the number of crops decoded since the last call.
    comparing : Callable[[int], None] | None, optional
        Called with the number of steps done since the last call in the search for copies, two for
        each crop; not where its result is in the store.

    Returns
    -------
    CropStack
        All crops that could be decoded; the others are in its `left_out`.

    Raises
    ------
    UnusableInput
        If no crop at all can be decoded, or if the cache folder cannot be written.
    """
    cache = Path(cache).expanduser()
    report = progress or (lambda _: None)
    cuts = plan_cuts(dataset.table, settings.region, settings.margin)
    stats = file_stats(dataset, cuts)
    key = _lookup_key(dataset, settings, cuts, stats)
    note_use("crops", key)
    file = cache / "crops" / key[:2] / f"{key}.stack"
    found = stack_files.open_stack(file, len(cuts), settings.size)
    if found is not None:
        report(len(cuts))
        return _with_groups(_assemble(dataset, settings, *found), cache, comparing)
    try:
        _write(file, dataset, settings, cuts, stats, report)
    except OSError as error:
        raise unusable(
            cache,
            f"the crop stack cannot be kept there ({error.strerror or error}); name another folder "
            "with --cache",
        ) from error
    found = stack_files.open_stack(file, len(cuts), settings.size)
    if found is None:
        raise unusable(cache, "the crop stack was written there, but it does not read back")
    reasons = [record.get("reason", "") for record in found[1]]
    if any(transient in reason for reason in reasons for transient in TRANSIENT_REASONS):
        # It is so on this machine at this moment: the next call decodes again.
        stack_files.forget(file)
    return _with_groups(_assemble(dataset, settings, *found), cache, comparing)


def _write(
    file: Path,
    dataset: Dataset,
    settings: CropSettings,
    cuts: list[RegionCut | str],
    stats: FileStats,
    report: Callable[[int], None],
) -> None:
    """Decode every crop into a stack on disk."""
    with stack_files.writing(file, len(cuts), settings.size) as writer:
        for row, crop in square_crops(dataset, settings, cuts, stats):
            if isinstance(crop, str):
                writer.skip(row, crop)
            else:
                facts = {"mean": crop.mean, "windowed": crop.windowed, "file": asdict(crop.facts)}
                facts |= {} if crop.two_valued is None else {"two_valued": crop.two_valued}
                writer.put(row, crop.pixels, (crop.height, crop.width), facts)
            report(1)
        _leave_masks_out(writer)
        if not any(writer.readable()):
            raise unusable(
                dataset.source.root,
                f"no crop can be read, region {settings.region}; "
                f"the first one: {writer.records[0]['reason']}",
            )


def _leave_masks_out(writer: stack_files.StackWriter) -> None:
    """Skip two-valued pictures among others, as the masks of a folder are."""
    two_valued = [record.get("two_valued") for record in writer.records]
    reason = masks_among(two_valued)
    for row, is_mask in enumerate(two_valued):
        if reason and is_mask:
            writer.skip(row, reason)


def _lookup_key(
    dataset: Dataset, settings: CropSettings, cuts: list[RegionCut | str], stats: FileStats
) -> str:
    rows = [
        cut if isinstance(cut, str) else [*astuple(cut), stats[cut.image], stats[cut.mask]]
        for cut in cuts
    ]
    # The root is part of it: two copies of a set may agree in every name, size and time and still
    # differ. So are all decoders that are installed: they decide the bytes, and what is refused.
    root = os.path.realpath(dataset.source.root)
    looks_for_masks = may_hold_masks(dataset)
    parts = [decoder_versions(), root, settings.as_key(), looks_for_masks, rows]
    return digest([STACK_VERSION, *parts])


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
    for column, fact in FACT_COLUMNS.items():
        table[column] = [record["file"][fact] for record in kept]
    lost = left_out_table(
        LeftOut(crop_id, path, record["reason"])
        for crop_id, path, record in zip(
            dataset.table["crop_id"], dataset.table["path"], records, strict=True
        )
        if "reason" in record
    )
    digests = tuple(str(record["digest"]) for record in kept)
    identity = [[str(cell) for cell in row] for row in table[list(IDENTITY_COLUMNS)].to_numpy()]
    decoding = decoding_notices([record["file"] for record in kept])
    return CropStack(
        images=images,
        table=table,
        left_out=pd.concat([dataset.left_out, lost], ignore_index=True),
        digests=digests,
        fingerprint=digest([identity, list(digests)]),
        subsets=dict(dataset.subsets),
        settings=settings,
        notices=(
            *_unwindowed(kept),
            *decoding,
            *class_notices(table, dataset.subsets),
        ),
        decoding=tuple(decoding),
        decoders=dict(Counter(record["file"]["decoder"] for record in kept)),
        decoder_versions=decoder_versions(),
    )


def _with_groups(
    stack: CropStack, cache: Path, comparing: Callable[[int], None] | None
) -> CropStack:
    """A stack whose patients are kept together where they share a picture."""
    copies = stored_copies(stack, Store(cache), comparing)
    counts = count_copies(stack.table, stack.subsets, copies)
    table = kept_together(stack.table, [(int(one), row) for row, one in enumerate(copies)])
    fingerprint = stack.fingerprint
    if GROUP in table.columns:
        fingerprint = digest([fingerprint, list(table[GROUP])])
    return replace(stack, table=table, copies=counts, fingerprint=fingerprint)


def _unwindowed(records: list[stack_files.Record]) -> tuple[str, ...]:
    """How many crops have no window of their file, where windows were requested."""
    without = sum(not record["windowed"] for record in records)
    if not without:
        return ()
    return (
        f"window voi: {without} of {len(records)} crops come from files without a window; these "
        "are as with window own",
    )
