"""Finds out what kind of data set a path holds, and reads it."""

from collections.abc import Callable
from pathlib import Path

from bench.data import folder, mias
from bench.data.cbis_ddsm import loader
from bench.data.lesions import Dataset, unusable
from bench.store import cache_folder

DATASETS = {
    "cbis-ddsm": "case tables and images: Kaggle's JPEGs, TCIA's DICOMs, or PNGs made of them",
    "mias": "mini-MIAS: 322 films with Info.txt, as a folder or a tar archive",
    "folder": "one folder a class, or a CSV with path and label",
    "phantom": "synthetic lesion crops that this program makes",
}


def load_lesions(
    root: str | Path,
    dataset: str = "auto",
    tables: str | Path | None = None,
    *,
    cache: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """The data set at a path: its lesion table, what was left out of it, and how to read its crops.

    Parameters
    ----------
    root : a folder, a tar archive (mini-MIAS), or a CSV manifest.
    dataset : one of `DATASETS`, or "auto" to find out by looking.
    tables : folder of the CBIS-DDSM case tables, where they do not lie by the images.
    cache : folder of the store, where the index of CBIS-DDSM's files is kept; by default
        $BENCH_CACHE, else the user's cache folder.
    progress : called with the number of DICOM headers read since the last call.

    Raises
    ------
    UnusableInput
        With one line, if there is nothing that can be read as asked.
    """
    path = Path(root).expanduser()
    if dataset != "auto" and dataset not in DATASETS:
        raise unusable(f"data set {dataset!r}", f"is not one of auto, {', '.join(DATASETS)}")
    try:
        if not path.exists():
            raise unusable(path, "there is no such file or folder")
        place = cache_folder(Path(cache) if cache is not None else None)
        return _load(path, dataset, _tables_folder(tables), place, progress)
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror or error})") from error


def _tables_folder(tables: str | Path | None) -> Path | None:
    if tables is None:
        return None
    path = Path(tables).expanduser()
    if not path.is_dir():
        raise unusable(path, "there is no such folder of case tables")
    return path


def _load(
    path: Path,
    dataset: str,
    tables: Path | None,
    cache: Path,
    progress: Callable[[int], None] | None,
) -> Dataset:
    kind = detect(path) if dataset == "auto" and tables is None else dataset
    if tables is not None and kind == "auto":
        kind = "cbis-ddsm"
    if tables is not None and kind in ("mias", "folder"):
        raise unusable(tables, f"case tables belong to CBIS-DDSM, not to a {kind} data set")
    if kind == "mias":
        return mias.load(path)
    if kind == "folder":
        return folder.load(path)
    found = loader.load(path, tables, cache, progress)
    if dataset == "phantom" and not found.synthetic:
        raise unusable(path, "is not a phantom: there is no marker file PHANTOM.json")
    return found


def detect(path: Path) -> str:
    """The kind of data set at a path that exists, one of the names in `DATASETS`.

    Raises
    ------
    UnusableInput
        If it is none of them; the line says what was looked for.
    """
    if path.is_file():
        if mias.is_archive(path):
            return "mias"
        if path.suffix.lower() == ".csv":
            return "folder"
        raise unusable(path, "is neither a folder, a tar archive of mini-MIAS, nor a CSV manifest")
    found = loader.find(path)
    if found is not None:
        return "cbis-ddsm"
    if mias.find(path) is not None:
        return "mias"
    if loader.has_images(path):
        raise unusable(
            path,
            "images of CBIS-DDSM, but no case tables; looked for "
            f"{loader.LOOKED_FOR}; name their folder with --tables",
        )
    if folder.find(path):
        return "folder"
    if not any(path.iterdir()):
        raise unusable(path, "the folder is empty")
    looked_for = f"CBIS-DDSM: {loader.LOOKED_FOR}; MIAS: {mias.LOOKED_FOR}; {folder.LOOKED_FOR}"
    raise unusable(path, f"no data set known here; looked for {looked_for}")
