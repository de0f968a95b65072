"""What lies in the store, by kind and age, and what of it may go."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.atomic_files import remove_whole, stale
from bench.errors import WorkStopped
from bench.store import Address, Store, StoredFile

# Every kind of what is kept, and what it is.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "crops": "decoded crops",
        "copies": "which crops are copies",
        "index": "headers of image files",
        "extractors": "what names stand for",
        "starts": "digests of drawn weights",
        "profiles": "precision and cost of backbones",
        "features": "features, in chunks of crops",
        "imports": "features from users' files",
        "networks": "weights of trained networks",
        "trainings": "heads, curves and costs of trainings",
        "checkpoints": "trainings that were cut short",
        "units": "scores of fitted systems",
        "judgements": "systems on inner folds",
        "saliency": "saliency maps",
        "sites": "what runs hand to their workers",
        "rates": "measured speeds",
        "sizes": "parameters of networks",
    }
)
TEMPORARY = "temporary"
DAY = 86_400.0
# Where the columns of ages end, in days.
AGES = (1, 7, 30)


@dataclass(frozen=True)
class KindTotals:
    """How much of one kind there is.

    Attributes
    ----------
    kind : str
        Its name.
    files : int
        How many.
    size : int
        Their bytes.
    by_age : tuple[int, ...]
        The bytes of files younger than each of `AGES`, and not of the one before; then the rest.
    """

    kind: str
    files: int
    size: int
    by_age: tuple[int, ...]


def take_stock(store: Store) -> list[KindTotals]:
    """Count what lies in a store, kind by kind, what killed writers have left last."""
    return totals_of([*_everything(store), *left_over(store)])


def totals_of(entries: Sequence[StoredFile]) -> list[KindTotals]:
    """Count files by kind and age, in the order in which the kinds come."""
    now, found = time.time(), []
    for kind in dict.fromkeys(entry.kind for entry in entries):
        own = [entry for entry in entries if entry.kind == kind]
        by_age = [0] * (len(AGES) + 1)
        for entry in own:
            days = (now - entry.written) / DAY
            by_age[sum(days >= end for end in AGES)] += entry.size
        found.append(KindTotals(kind, len(own), sum(by_age), tuple(by_age)))
    return found


def prunable(
    store: Store, kinds: Collection[str], older_than_s: float, kept: Collection[Address]
) -> list[StoredFile]:
    """What may go: artifacts that are old enough and that nobody needs.

    Parameters
    ----------
    store : Store
        Where they lie.
    kinds : Collection[str]
        Of `KINDS`.
    older_than_s : float
        Seconds since they were written, at the least.
    kept : Collection[Address]
        What stays.

    Returns
    -------
    list[StoredFile]
        What killed writers have left is among them, whatever the kinds.
    """
    eldest = time.time() - older_than_s
    chosen = (
        entry
        for entry in _everything(store)
        if entry.kind in kinds and entry.written <= eldest and (entry.kind, entry.key) not in kept
    )
    return [*chosen, *left_over(store)]


def left_over(store: Store) -> Iterator[StoredFile]:
    """What killed writers have left."""
    for path in stale(store.root):
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        size = sum(one.stat().st_size for one in files)
        yield StoredFile(TEMPORARY, path.name, path, size, path.lstat().st_mtime)


def remove_entries(entries: Sequence[StoredFile]) -> None:
    """Remove files of a store; whoever reads one of them at this moment computes it again.

    Raises
    ------
    WorkStopped
        If some cannot be removed; the others are.
    """
    failed: list[tuple[Path, OSError]] = []
    for entry in entries:
        try:
            remove_whole(entry.path)
        except FileNotFoundError:
            continue  # somebody else has removed it
        except OSError as error:
            failed.append((entry.path, error))
    if failed:
        path, problem = failed[0]
        raise WorkStopped(
            f"{len(failed)} of {len(entries)} files cannot be removed, the first of them: "
            f"{path}: {problem.strerror or problem}"
        )


def _everything(store: Store) -> Iterator[StoredFile]:
    for kind in KINDS:
        yield from sorted(store.entries(kind), key=lambda entry: str(entry.path))


def nearest(folder: Path) -> Path:
    """A folder that may not be there yet, or the first one above it that is: on the same disk."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place
