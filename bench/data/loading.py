"""Finds out which data set a path holds, and reads it: one table of all loaders."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench.atomic_files import holds_nothing
from bench.data import folder, mias
from bench.data.cbis_ddsm import loader as cbis_ddsm
from bench.data.class_words import UnknownClass, normalised
from bench.data.description import described
from bench.data.folder_files import found_instead
from bench.data.lesions import Dataset, unusable
from bench.data.loader import Loader, Requested
from bench.data.loaders import busi, cmmd, image_folder, inbreast, rsna, vindr
from bench.data.loaders.registered import finds, load_registered
from bench.errors import UnusableInput
from bench.plugins.datasets import DATASET_PLUGINS
from bench.store import cache_folder
from extractors.errors import RegistrationError


def _find_folder(path: Path) -> bool:
    # CBIS-DDSM without its tables may look like two class folders.
    if cbis_ddsm.has_images(path):
        raise unusable(
            path,
            "images of CBIS-DDSM, but no case tables; looked for "
            f"{cbis_ddsm.LOOKED_FOR}; name their folder with --tables",
        )
    return folder.find(path)


def _load_cbis_ddsm(path: Path, requested: Requested) -> Dataset:
    return cbis_ddsm.load(
        path, requested.tables, requested.cache, requested.progress, requested.follow_links
    )


def _load_phantom(path: Path, requested: Requested) -> Dataset:
    dataset = _load_cbis_ddsm(path, requested)
    if not dataset.synthetic:
        raise unusable(path, "is not a phantom: there is no marker file PHANTOM.json")
    return dataset


# Folders of a level that are searched for a data set which lies deeper than the path.
_MOST_FOLDERS = 50

# In the order in which a path is tested: what fits many paths comes late.
LOADERS = (
    Loader(
        name="cbis-ddsm",
        title="case tables and images: Kaggle's JPEGs, TCIA's DICOMs, or PNGs made of them",
        find=lambda path: cbis_ddsm.find(path) is not None,
        load=_load_cbis_ddsm,
        takes_tables=True,
    ),
    Loader(
        name="mias",
        title="mini-MIAS: 322 films with Info.txt, as a folder or a tar archive",
        find=lambda path: mias.find(path) is not None,
        load=lambda path, requested: mias.load(path, requested.follow_links),
        file="a tar archive of mini-MIAS",
    ),
    inbreast.LOADER,
    vindr.LOADER,
    cmmd.LOADER,
    rsna.LOADER,
    busi.LOADER,
    image_folder.LOADER,
    Loader(
        name="folder",
        title="one folder a class, or a CSV with path and label",
        find=_find_folder,
        load=lambda path, requested: folder.load(
            path, requested.positive, requested.columns, requested.follow_links
        ),
        file="a CSV manifest",
        takes_positive=True,
    ),
    Loader(
        name="phantom",
        title="synthetic lesion crops that this program makes",
        find=lambda _: False,  # its layouts are those of CBIS-DDSM, whose loader finds it
        load=_load_phantom,
        takes_tables=True,
    ),
)
DATASETS = {loader.name: loader.title for loader in LOADERS}


def known_loaders() -> tuple[Loader, ...]:
    """The kinds of data sets, those of plugins before what fits many paths."""
    own = tuple(
        Loader(
            name=entry.name,
            title=entry.value.title,
            find=partial(finds, entry.name),
            load=lambda path, _, name=entry.name: load_registered(name, path),  # type: ignore[misc]
        )
        for entry in DATASET_PLUGINS.all()
    )
    place = next(i for i, loader in enumerate(LOADERS) if loader.name == "folder")
    return (*LOADERS[:place], *own, *LOADERS[place:])


def check_dataset_name(name: str, called: str = "data set") -> None:
    """Raise UnusableInput unless there is such a kind of data set; `called` is how it was given."""
    from difflib import get_close_matches

    if name == "auto":
        return
    try:
        DATASET_PLUGINS.find(name)
    except RegistrationError as error:
        raise unusable(f"{called} {name!r}", str(error)) from error
    known = [loader.name for loader in known_loaders()]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise unusable(f"{called} {name!r}", f"is not one of auto, {', '.join(known)}{hint}")


def load_lesions(
    root: str | Path,
    dataset: str = "auto",
    tables: str | Path | None = None,
    *,
    positive: str | None = None,
    columns: Mapping[str, str] | None = None,
    follow_links: bool = False,
    cache: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """The data set at a path: its lesion table, what was left out of it, and how to read its crops.

    Parameters
    ----------
    root : str | Path
        A folder, a tar archive (mini-MIAS), or a CSV manifest.
    dataset : str, default "auto"
        One of `DATASETS`, one that is registered, or "auto" to detect it.
    tables : str | Path | None, optional
        Folder of the CBIS-DDSM case tables, where they do not lie with the images.
    positive : str | None, optional
        In a user's own folder or manifest, the class that is positive, against all others; by
        default the classes' names say it (see `class_words`).
    columns : Mapping[str, str] | None, optional
        What columns of a CSV manifest are called in the file, by their names here.
    follow_links : bool, default False
        Whether symbolic links may lead out of the data root.
    cache : str | Path | None, optional
        Folder of the store, where the index of CBIS-DDSM's files is kept; by default $BENCH_CACHE,
        else the user's cache folder.
    progress : Callable[[int], None] | None, optional
        Called with the number of DICOM headers read since the last call.

    Returns
    -------
    Dataset
        One row a crop in its `table`, index 0 … n - 1; the files are not decoded yet.

    Raises
    ------
    UnusableInput
        With a message of one line, if there is no such data set at the path.
    """
    path = Path(root).expanduser()
    check_dataset_name(dataset)
    try:
        if not path.exists():
            raise unusable(path, "there is no such file or folder")
        if columns:
            if dataset not in ("auto", "folder") or tables is not None:
                raise unusable(path, "--columns is for a CSV manifest")
            dataset = "folder"
        place = cache_folder(Path(cache) if cache is not None else None)
        folder_of_tables = _tables_folder(tables)
        loader = _loader(path, dataset, folder_of_tables, follow_links)
        requested = Requested(
            place, folder_of_tables, progress, positive, columns or {}, follow_links
        )
        dataset_found = described(loader.load(path, requested))
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror or error})") from error
    if positive is not None and not loader.takes_positive:
        _check_positive(dataset_found, positive)
    return dataset_found


def _check_positive(dataset: Dataset, positive: str) -> None:
    """Raise UnusableInput unless it is what the data set itself calls positive."""
    given = sorted({info.positive for info in dataset.subsets.values()})
    if {normalised(word) for word in given} != {normalised(positive)}:
        raise UnknownClass(
            f"--positive {positive!r}: the classes of a {dataset.name} data set are given: "
            f"positive is {', '.join(given)}"
        )


def _tables_folder(tables: str | Path | None) -> Path | None:
    if tables is None:
        return None
    path = Path(tables).expanduser()
    if not path.is_dir():
        raise unusable(path, "there is no such folder of case tables")
    return path


def _loader(path: Path, dataset: str, tables: Path | None, follow_links: bool) -> Loader:
    """The loader for a path, given the name of a data set or "auto"."""
    if dataset != "auto":
        loader = next(loader for loader in known_loaders() if loader.name == dataset)
    elif tables is None:
        return detect(path, follow_links)
    else:
        loader = next(loader for loader in LOADERS if loader.takes_tables)
    if tables is not None and not loader.takes_tables:
        raise unusable(tables, f"case tables belong to CBIS-DDSM, not to a {dataset} data set")
    return loader


def detect(path: Path, follow_links: bool = False) -> Loader:
    """The loader of the data set at a path that exists.

    Raises
    ------
    UnusableInput
        If there is none, or several; the message says what is there instead.
    """
    published = _published(path)
    if len(published) > 1:
        names = ", ".join(loader.name for loader in published)
        raise unusable(path, f"holds several data sets ({names}); name its folder or --dataset")
    if published:
        return published[0]
    for loader in LOADERS:
        if loader.takes_positive and loader.find(path):
            return loader
    if follow_links and folder.find(path, follow_links=True):
        # Its class folders hold nothing but links.
        return next(loader for loader in LOADERS if loader.name == "folder")
    if path.is_file():
        *files, last = [loader.file for loader in LOADERS if loader.file]
        raise unusable(path, f"is neither a folder, {', '.join(files)}, nor {last}")
    if holds_nothing(path):
        raise unusable(path, "the folder is empty")
    below = _data_sets_below(path)
    if len(below) == 1:
        raise unusable(
            path, f"no data set is here, but there is one in {below[0]}: name that folder"
        )
    raise unusable(path, f"no data set known here: {found_instead(path)}")


def _published(path: Path) -> list[Loader]:
    """The loaders of published and registered sets that find theirs at a path."""
    found = []
    for loader in known_loaders():
        try:
            # What a user may call positive is a set of his own.
            if not loader.takes_positive and loader.find(path):
                found.append(loader)
        except OSError:
            # A folder that cannot be read does not matter where a set is found without it.
            if not found:
                raise
    return found


def _data_sets_below(path: Path) -> list[Path]:
    """The data sets at the first level that has any, down to the third."""
    level = [path]
    for _ in range(3):
        level = [
            child
            for folder in level
            for child in sorted(folder.iterdir())[:_MOST_FOLDERS]
            if child.is_dir() and not child.is_symlink() and child.name[0] not in "._"
        ][:_MOST_FOLDERS]
        if found := [child for child in level if _is_data_set(child)]:
            return found
    return []


def _is_data_set(path: Path) -> bool:
    try:
        return any(loader.find(path) for loader in known_loaders())
    except (UnusableInput, OSError):
        return False
