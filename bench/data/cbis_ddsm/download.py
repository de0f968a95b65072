"""Downloads CBIS-DDSM into a folder that its loader reads.

What is the same for every source is here: checks, messages, and what is missing. That is found by
counting files, so the folder itself is the only record of a download.
"""

import importlib.util
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.data.cbis_ddsm.case_tables import PUBLISHED_ROWS, find_tables
from bench.data.cbis_ddsm.download_sources import SOURCES, STAGING, DownloadSource
from bench.data.cbis_ddsm.loader import CITATION, LICENCE
from bench.data.lesions import unusable
from bench.errors import UnusableInput

INSTALL = "pip install 'vit-svm-bench[download]'"
KAGGLE_TOKEN_PAGE = "https://www.kaggle.com/settings/api"
TABLES_PAGE = "https://www.cancerimagingarchive.net/collection/cbis-ddsm/"


def download(name: str, folder: Path, say: Callable[[str], None]) -> None:
    """Download CBIS-DDSM into a folder, unless all of it is there.

    Parameters
    ----------
    name : str
        One of `SOURCES`.
    folder : Path
        Where the set will lie; made if it does not exist.
    say : Callable[[str], None]
        Called with every line to print.

    Raises
    ------
    UnusableInput
        If the source is unknown, its library is missing, the folder or the disk is not suitable,
        or the download stops. What was fetched is kept, and the same call continues from it.
    """
    if name not in SOURCES:
        raise UnusableInput(f"--source: {name!r} is not one of {', '.join(SOURCES)}")
    source, folder = SOURCES[name], folder.expanduser()
    if _is_complete(source, folder):
        say(f"nothing to fetch: {folder} holds all {source.images:,} image files")
    else:
        _check_before(source, folder)
        for line in _announcement(source, folder):
            say(line)
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(source, folder)
    for line in _summary(source, folder):
        say(line)


def _is_complete(source: DownloadSource, folder: Path) -> bool:
    images = sum(1 for _ in folder.glob(source.pattern))
    return images >= source.images and not (source.has_tables and _missing_tables(folder))


def _missing_tables(folder: Path) -> list[str]:
    """File names of the case tables that `csv/` lacks."""
    found = find_tables(folder / "csv")
    return [
        f"{kind}_case_description_{split}_set.csv"
        for kind, split in PUBLISHED_ROWS
        if (kind, split) not in found
    ]


def _check_before(source: DownloadSource, folder: Path) -> None:
    """Raise UnusableInput if the download cannot succeed, before anything is fetched."""
    if importlib.util.find_spec(source.library) is None:
        raise UnusableInput(f"{source.library} is not installed: {INSTALL}")
    if folder.exists() and not folder.is_dir():
        raise unusable(folder, "is a file; name a folder")
    if source.has_tables and not (folder / STAGING).exists():
        # Only what this command has fetched itself is ever replaced by it.
        taken = [name for name in ("csv", "jpeg") if (folder / name).exists()]
        if taken:
            raise unusable(
                folder,
                f"holds {' and '.join(taken)} already, but not the whole set; name another folder",
            )
    kept = sum(file.stat().st_size for file in folder.glob(source.partial) if file.is_file())
    needed = source.disk - kept
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise unusable(
            folder,
            f"too little space: {needed:,} bytes are needed, {free:,} are free",
        )


def _announcement(source: DownloadSource, folder: Path) -> Iterator[str]:
    yield f"source: {source.title}"
    yield f"size: {source.size}"
    yield f"licence: {LICENCE}"
    yield f"cite: {CITATION}"
    yield f"folder: {folder}"
    yield from _tables_note(source, folder)


def _tables_note(source: DownloadSource, folder: Path) -> Iterator[str]:
    missing = _missing_tables(folder)
    if not source.has_tables and missing:
        yield "The case tables, which hold the labels, do not come with this source."
        yield f"Put {', '.join(missing)}"
        yield f"into {folder / 'csv'}; they are published at {TABLES_PAGE}"


def _summary(source: DownloadSource, folder: Path) -> Iterator[str]:
    images = sum(1 for _ in folder.glob(source.pattern))
    tables = len(PUBLISHED_ROWS) - len(_missing_tables(folder))
    yield f"{images:,} image files and {tables} of {len(PUBLISHED_ROWS)} case tables in {folder}"
    yield from _tables_note(source, folder)
    yield f"next: python -m bench data info {shlex.quote(str(folder))}"


def _fetch(source: DownloadSource, folder: Path) -> None:
    try:
        source.fetch(folder)
    except UnusableInput:
        raise
    except Exception as error:
        # Network, disk, credentials, an archive: each library has its own errors for them, and all
        # mean the same here.
        raise unusable(
            folder,
            f"the download stopped ({_reason(error)}); run the same command again to continue it",
        ) from error
    if not _is_complete(source, folder):
        images = sum(1 for _ in folder.glob(source.pattern))
        raise unusable(
            folder,
            f"the download has ended, but {images:,} of {source.images:,} image files and "
            f"{len(PUBLISHED_ROWS) - len(_missing_tables(folder))} case tables are there",
        )


def _reason(error: BaseException) -> str:
    """Why a download stopped, in a few words."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the server answered {status}: an API token is needed, see {KAGGLE_TOKEN_PAGE}"
    if isinstance(error, OSError):
        # The cause of a lost connection is under several layers of longer errors.
        while deeper := error.__cause__ or error.__context__:
            error = deeper
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(message.split())[:200]
