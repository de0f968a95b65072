"""What a loader is: how a kind of data set is recognised and read, and what a row begins as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.data.lesions import Dataset, unusable


def lesion_row(crop_id: str, path: str, label: int, **cells: Any) -> dict[str, Any]:
    """A row with what is not said left empty, and its image a lesion and a patient of its own.

    Parameters
    ----------
    crop_id, path : str
        Its name, and its file.
    label : int
        0 or 1.
    **cells : Any
        Further cells, and others in place of those here.

    Returns
    -------
    dict[str, Any]
        The cells by column.
    """
    return {
        "crop_id": crop_id,
        "lesion_id": crop_id,
        "patient_id": crop_id,
        "laterality": "",
        "view": "",
        "abnormality": "",
        "abnormality_id": 1,
        "pathology": "",
        "label": label,
        "split": "none",
        "path": path,
        "subset": "all",
        **cells,
    }


def only_place(root: Path, places: Sequence[Path]) -> Path | None:
    """The place of a set among those that look like one; None if there is none.

    Parameters
    ----------
    root : Path
        What was given; it comes before the folders in it.
    places : Sequence[Path]
        The folders that look like the set.

    Returns
    -------
    Path | None
        The root, or the only other one.

    Raises
    ------
    UnusableInput
        If there are several.
    """
    if root in places:
        return root
    if len(places) > 1:
        names = ", ".join(place.relative_to(root).as_posix() for place in places)
        raise unusable(root, f"holds several data sets ({names}); name the folder of one")
    return places[0] if places else None


@dataclass(frozen=True)
class Requested:
    """How a data set is to be read.

    Attributes
    ----------
    cache : Path
        Folder of the store.
    tables : Path | None
        Folder of the case tables, where it is not the data root's.
    progress : Callable[[int], None] | None
        Called with the number of headers read since the last call.
    positive : str | None
        The class that is positive; None where its name says it.
    columns : Mapping[str, str]
        What columns of a CSV manifest are called in the file, by their names here.
    follow_links : bool
        Whether symbolic links may lead out of the data root.
    """

    cache: Path
    tables: Path | None = None
    progress: Callable[[int], None] | None = None
    positive: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    follow_links: bool = False


@dataclass(frozen=True)
class Loader:
    """One kind of data set, and how it is recognised and read.

    Attributes
    ----------
    name : str
        The name that a user gives.
    title : str
        What is read, in words.
    find : Callable[[Path], bool]
        Whether a path, which exists, holds such a data set. Raises UnusableInput if it holds one
        that lacks an essential part.
    load : Callable[[Path, Requested], Dataset]
        Reads it: data root, and what a user asks for.
    file : str
        The single file that may take the place of a folder, in words; "" if there is none.
    takes_tables : bool
        Whether its case tables may lie in another folder.
    takes_positive : bool
        Whether a user may say which class is positive; elsewhere the data set says it.
    """

    name: str
    title: str
    find: Callable[[Path], bool]
    load: Callable[[Path, Requested], Dataset]
    file: str = ""
    takes_tables: bool = False
    takes_positive: bool = False
