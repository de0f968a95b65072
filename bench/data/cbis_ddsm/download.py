"""Fetches CBIS-DDSM from where it is published, into a folder that the loaders read.

The libraries that do the work come with the extra `download` and are touched in two functions
only, `fetch_kaggle` and `fetch_idc`; everything around them is the same for both. What is there
already is told by counting files, so the folder itself is the only record of a download.
"""

import contextlib
import importlib.util
import logging
import os
import shlex
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cbis_ddsm.case_tables import PUBLISHED_ROWS, find_tables
from bench.data.cbis_ddsm.loader import CITATION, LICENCE
from bench.data.lesions import unusable
from bench.errors import UnusableInput

if TYPE_CHECKING:
    import pandas as pd

GB = 10**9
INSTALL = "pip install 'vit-svm-bench[download]'"
TABLES_PAGE = "https://www.cancerimagingarchive.net/collection/cbis-ddsm/"

# The version is named so that every download is the same, and so that resuming needs no answer
# from Kaggle about which version is the newest.
KAGGLE_SET = "awsaf49/cbis-ddsm-breast-cancer-image-dataset/versions/1"
KAGGLE_TOKEN_PAGE = "https://www.kaggle.com/settings/api"
# kagglehub keeps a partial archive in its cache only: with its `output_dir` it refuses a folder
# that an interrupted download has left, so its cache is put beside the final place instead.
STAGING = ".kagglehub"

IDC_COLLECTION = "cbis_ddsm"
IDC_BUCKET = "https://s3.amazonaws.com/idc-open-data?max-keys=1"
IDC_FOLDER = "dicom"
# Not by patient: 396 series have a PatientID that ends in ".dcm", as their folders would, too.
IDC_TEMPLATE = "%SeriesInstanceUID"
# Series in one call, some 12 GB: a network that has gone is noticed after one call, not after all.
IDC_BATCH = 500
_ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Source:
    """A place that CBIS-DDSM can be fetched from.

    Attributes
    ----------
    title : what is fetched and from where, in words.
    library : module that fetches it; comes with the extra `download`.
    fetch : fetches into a folder, or goes on with what an earlier call has left there; raises
        whatever its library raises.
    images : number of image files in the published set.
    pattern : glob of those files below the folder.
    partial : glob of the files that an unfinished download keeps below the folder.
    disk : bytes that the download takes at its peak.
    size : that size in words, and where the figure is from.
    has_tables : whether the four case tables come with the images.
    """

    title: str
    library: str
    fetch: Callable[[Path], None]
    images: int
    pattern: str
    partial: str
    disk: int
    size: str
    has_tables: bool


def download(name: str, folder: Path, say: Callable[[str], None]) -> None:
    """Fetch CBIS-DDSM into a folder, unless all of it is there; `say` gets every line to print.

    Parameters
    ----------
    name : "kaggle" or "idc".
    folder : where the set will lie; made if need be.

    Raises
    ------
    UnusableInput
        If the source is unknown, its library is missing, the folder or the disk will not do, or
        the download stops. What was fetched until then stays, and the same call goes on from it.
    """
    if name not in SOURCES:
        raise UnusableInput(f"--source: {name!r} is not one of {', '.join(SOURCES)}")
    source, folder = SOURCES[name], folder.expanduser()
    if _is_complete(source, folder):
        say(f"nothing to fetch: {folder} holds all {source.images:,} image files")
    else:
        _check(source, folder)
        for line in _announcement(source, folder):
            say(line)
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(source, folder)
    for line in _outcome(source, folder):
        say(line)


def fetch_kaggle(folder: Path) -> None:
    """Fetch the JPEG set: `csv/` and `jpeg/<series UID>/` below the folder.

    kagglehub appends to a partial archive (an HTTP request for the missing range), unpacks a
    whole one anew, and takes no notice of one that it has unpacked; then all is moved to its place.
    """
    staging = folder / STAGING
    settings = {
        "KAGGLEHUB_CACHE": str(staging),
        # In a notebook at Kaggle or Colab it would mount the set elsewhere and fetch nothing.
        "DISABLE_KAGGLE_CACHE": "true",
        "DISABLE_COLAB_CACHE": "true",
    }
    with _environment(settings):
        import kagglehub

        unpacked = Path(kagglehub.dataset_download(KAGGLE_SET))
    _move_into(unpacked, folder)
    shutil.rmtree(staging)


def fetch_idc(folder: Path) -> None:
    """Fetch the DICOM files of the collection: `dicom/<series UID>/` below the folder.

    idc-index tells which files a series has, so only series that are not whole are asked for. Its
    s5cmd writes a file under another name until it is whole. It reports no failure to its caller:
    what has come is counted after every call.

    Raises
    ------
    OSError
        If the bucket cannot be reached, or files are missing after a call.
    """
    _check_reachable(IDC_BUCKET)
    place = folder / IDC_FOLDER
    with _errors_of("idc_index") as errors:
        from idc_index.index import IDCClient

        client = IDCClient()
        series = client.index[client.index["collection_id"] == IDC_COLLECTION]
        wanted = _not_whole(place, series)
        for unfinished in place.glob("*/*.dcm?*"):
            unfinished.unlink()
        for start in range(0, len(wanted), IDC_BATCH):
            batch = wanted.iloc[start : start + IDC_BATCH]
            client.download_from_selection(
                downloadDir=str(place),
                seriesInstanceUID=list(batch["SeriesInstanceUID"]),
                dirTemplate=IDC_TEMPLATE,
            )
            missing = len(_not_whole(place, batch))
            if missing:
                why = f": {errors[-1]}" if errors else ""
                raise OSError(f"{missing} of {len(batch)} series did not come{why}")


SOURCES = {
    "kaggle": Source(
        title=f"Kaggle, {KAGGLE_SET} (JPEG, 8 bits, with the case tables)",
        library="kagglehub",
        fetch=fetch_kaggle,
        images=10_237,
        pattern="jpeg/*/*.jpg",
        partial=f"{STAGING}/**/*",
        disk=13 * GB,
        size="about 6 GB to download and to keep (the set's page), 13 GB while it is unpacked",
        has_tables=True,
    ),
    "idc": Source(
        title=f"NCI Imaging Data Commons, collection {IDC_COLLECTION} (DICOM, 16 bits)",
        library="idc_index",
        fetch=fetch_idc,
        images=10_239,
        pattern=f"{IDC_FOLDER}/*/*.dcm",
        partial=f"{IDC_FOLDER}/*/*.dcm",
        disk=164 * GB,
        size="about 164 GB to download and to keep (index of the Imaging Data Commons, TCIA)",
        has_tables=False,
    ),
}


def _is_complete(source: Source, folder: Path) -> bool:
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


def _check(source: Source, folder: Path) -> None:
    """Refuse what cannot end well, before anything is fetched."""
    if importlib.util.find_spec(source.library) is None:
        raise UnusableInput(f"{source.library} is not installed: {INSTALL}")
    if folder.exists() and not folder.is_dir():
        raise unusable(folder, "is a file; name a folder")
    if source.has_tables and not (folder / STAGING).exists():
        # Nothing that this command has not fetched itself is ever replaced by it.
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


def _announcement(source: Source, folder: Path) -> Iterator[str]:
    yield f"source: {source.title}"
    yield f"size: {source.size}"
    yield f"licence: {LICENCE}"
    yield f"cite: {CITATION}"
    yield f"folder: {folder}"
    yield from _tables_wanted(source, folder)


def _tables_wanted(source: Source, folder: Path) -> Iterator[str]:
    missing = _missing_tables(folder)
    if not source.has_tables and missing:
        yield "The case tables, which hold the labels, do not come with this source."
        yield f"Put {', '.join(missing)}"
        yield f"into {folder / 'csv'}; they are published at {TABLES_PAGE}"


def _outcome(source: Source, folder: Path) -> Iterator[str]:
    images = sum(1 for _ in folder.glob(source.pattern))
    tables = len(PUBLISHED_ROWS) - len(_missing_tables(folder))
    yield f"{images:,} image files and {tables} of {len(PUBLISHED_ROWS)} case tables in {folder}"
    yield from _tables_wanted(source, folder)
    yield f"next: python -m bench data info {shlex.quote(str(folder))}"


def _fetch(source: Source, folder: Path) -> None:
    try:
        source.fetch(folder)
    except UnusableInput:
        raise
    except Exception as error:
        # Network, disk, credentials, an archive: each library has errors of its own for them, and
        # all mean the same here.
        raise unusable(
            folder,
            f"the download stopped ({_reason(error)}); the same command goes on from what has come",
        ) from error
    if not _is_complete(source, folder):
        images = sum(1 for _ in folder.glob(source.pattern))
        raise unusable(
            folder,
            f"the download has ended, but {images:,} of {source.images:,} image files and "
            f"{len(PUBLISHED_ROWS) - len(_missing_tables(folder))} case tables are there",
        )


def _reason(error: BaseException) -> str:
    """In a few words why a download stopped."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the server answered {status}: it wants an API token, see {KAGGLE_TOKEN_PAGE}"
    if isinstance(error, OSError):
        # A lost connection lies under layers of errors, each wordier than the one below it.
        while deeper := error.__cause__ or error.__context__:
            error = deeper
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split())[:200]


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the block alone."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _move_into(source: Path, target: Path) -> None:
    """Move files into a folder that may hold a part of them; none that stands there is replaced."""
    if not target.exists():
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for path in sorted(source.iterdir()):
            _move_into(path, target / path.name)
        source.rmdir()
    else:
        raise unusable(
            target,
            "stands where a downloaded file belongs; move it away, and the same command goes on",
        )


def _check_reachable(address: str) -> None:
    """OSError if nothing answers at an address: s5cmd would go on trying for many minutes."""
    with contextlib.suppress(urllib.error.HTTPError):  # an answer, whatever it says
        urllib.request.urlopen(address, timeout=_ANSWER_SECONDS).close()


def _not_whole(place: Path, series: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of idc-index's table of series that have fewer files on disk than in the table."""
    short = [
        sum(1 for _ in (place / uid).glob("*.dcm")) < count
        for uid, count in series[["SeriesInstanceUID", "instanceCount"]].itertuples(index=False)
    ]
    return series[short]


@contextlib.contextmanager
def _errors_of(library: str) -> Iterator[list[str]]:
    """What a library logs as s5cmd's errors, instead of thousands of lines on the terminal."""
    errors: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines = record.getMessage().splitlines()
            # ERROR "cp <from> <to>": <what went wrong>
            errors.extend(line.rsplit('": ', 1)[-1] for line in lines if line.startswith("ERROR"))

    logger, collector = logging.getLogger(library), Collector(logging.ERROR)
    propagated = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield errors
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagated
