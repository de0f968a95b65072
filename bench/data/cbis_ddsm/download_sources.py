"""The places that CBIS-DDSM can be downloaded from, and how each is fetched.

The libraries that do the work come with the extra `download`; only `fetch_kaggle` and `fetch_idc`
import them.
"""

import contextlib
import logging
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.lesions import unusable

if TYPE_CHECKING:
    import pandas as pd

GB = 10**9

# The version is named so that every download is the same, and so that resuming needs no answer
# from Kaggle about which version is the newest.
KAGGLE_SET = "awsaf49/cbis-ddsm-breast-cancer-image-dataset/versions/1"
# kagglehub keeps a partial archive in its cache only: with its `output_dir` it refuses a folder
# that an interrupted download has left, so its cache is put beside the final place instead.
STAGING = ".kagglehub"

IDC_COLLECTION = "cbis_ddsm"
IDC_BUCKET = "https://s3.amazonaws.com/idc-open-data?max-keys=1"
IDC_FOLDER = "dicom"
# Not by patient: 396 series have a PatientID that ends in ".dcm", as their folders would, too.
IDC_TEMPLATE = "%SeriesInstanceUID"
# Series in one call, some 12 GB: a lost network is noticed after one call, not after all.
IDC_BATCH = 500
_ANSWER_SECONDS = 20


@dataclass(frozen=True)
class DownloadSource:
    """A place that CBIS-DDSM can be downloaded from.

    Attributes
    ----------
    title : str
        What is fetched and from where, in words.
    library : str
        The module that fetches it; it comes with the extra `download`.
    fetch : Callable[[Path], None]
        Fetches into a folder, continuing what an earlier call has left there; raises whatever its
        library raises.
    images : int
        Number of image files in the published set.
    pattern : str
        Glob of those files below the folder.
    partial : str
        Glob of the files that an unfinished download keeps below the folder.
    disk : int
        Bytes that the download takes at its peak.
    size : str
        That size in words, and the source of the figure.
    has_tables : bool
        Whether the four case tables come with the images.
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


def fetch_kaggle(folder: Path) -> None:
    """Fetch the JPEG set: `csv/` and `jpeg/<series UID>/` below the folder.

    kagglehub continues a partial archive (an HTTP request for the missing range), unpacks a
    complete one again, and ignores one that it has unpacked. Then all files are moved to `folder`.
    """
    staging = folder / STAGING
    settings = {
        "KAGGLEHUB_CACHE": str(staging),
        # In a notebook at Kaggle or Colab it would mount the set elsewhere instead of fetching it.
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

    idc-index knows the files of a series, so only incomplete series are requested. Its s5cmd writes
    a file under another name until it is complete. It reports no failure to its caller: the files
    are counted after every call.

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
        wanted = _incomplete(place, series)
        for unfinished in place.glob("*/*.dcm?*"):
            unfinished.unlink()
        for start in range(0, len(wanted), IDC_BATCH):
            batch = wanted.iloc[start : start + IDC_BATCH]
            client.download_from_selection(
                downloadDir=str(place),
                seriesInstanceUID=list(batch["SeriesInstanceUID"]),
                dirTemplate=IDC_TEMPLATE,
            )
            missing = len(_incomplete(place, batch))
            if missing:
                reason = f": {errors[-1]}" if errors else ""
                raise OSError(f"{missing} of {len(batch)} series were not downloaded{reason}")


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set environment variables within the block only."""
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
    """Move files into a folder that may hold some of them; no existing file is replaced."""
    if not target.exists():
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for path in sorted(source.iterdir()):
            _move_into(path, target / path.name)
        source.rmdir()
    else:
        raise unusable(
            target,
            "is in the place of a downloaded file; move it away and run the same command again",
        )


def _check_reachable(address: str) -> None:
    """Raise OSError if an address does not answer: s5cmd would retry for many minutes."""
    with contextlib.suppress(urllib.error.HTTPError):  # an answer, too
        urllib.request.urlopen(address, timeout=_ANSWER_SECONDS).close()


def _incomplete(place: Path, series: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of idc-index's table of series that have fewer files on disk than in the table."""
    short = [
        sum(1 for _ in (place / uid).glob("*.dcm")) < count
        for uid, count in series[["SeriesInstanceUID", "instanceCount"]].itertuples(index=False)
    ]
    return series[short]


@contextlib.contextmanager
def _errors_of(library: str) -> Iterator[list[str]]:
    """Collect s5cmd's errors from a library's log and keep its lines off the terminal."""
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


SOURCES = {
    "kaggle": DownloadSource(
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
    "idc": DownloadSource(
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
