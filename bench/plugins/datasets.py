"""Data sets of users: the `register_dataset` decorator and what it keeps.

from bench import register_dataset

@register_dataset("mine", title="a folder with cases.csv")
def load(root):
    return pandas.read_csv(root / "cases.csv")     # path, label, patient_id, ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from extractors.registration.registry import Registry

Loading = TypeVar("Loading", bound=Callable[[Path], object])

# The suite's own kinds, and the word for all of them.
_TAKEN = (
    *("auto", "cbis-ddsm", "mias", "inbreast", "vindr", "cmmd", "rsna", "busi"),
    *("image-folder", "folder", "phantom"),
)


@dataclass(frozen=True)
class DatasetPlugin:
    """How a registered data set is recognised and read.

    Attributes
    ----------
    title : str
        What is read, in words.
    load : Callable[[Path], object]
        Reads the data set at a path.
    find : Callable[[Path], bool] | None
        Whether a path, which exists, holds such a data set; None where only its name says so.
    """

    title: str
    load: Callable[[Path], object]
    find: Callable[[Path], bool] | None


DATASET_PLUGINS: Registry[DatasetPlugin] = Registry(
    "data set",
    "bench.register_dataset",
    "bench.datasets",
    _TAKEN,
)


def register_dataset(
    name: str, *, title: str = "", find: Callable[[Path], bool] | None = None
) -> Callable[[Loading], Loading]:
    """Decorator: add a kind of data set under a name.

    The decorated function takes the data root, a `Path`, and returns what `make_dataset` gives, or
    a table that `make_dataset` takes as it is. Images are read from below the root, in any format
    that the suite reads.

    Parameters
    ----------
    name : str
        Letters, digits, `_` and `-`; what `--dataset` names.
    title : str
        What is read, in words; by default the first line of the docstring.
    find : Callable[[Path], bool] | None
        Whether a path holds such a data set, for `--dataset auto`. Where it and
        another kind both find theirs, the run asks for `--dataset`.

    Returns
    -------
    Callable[[Loading], Loading]
        A decorator that leaves the function as it is.

    Raises
    ------
    RegistrationError
        If the name is taken by another source (both are named), reserved, or not a valid name.
    """
    DATASET_PLUGINS.check_name(name)

    def add(load: Loading) -> Loading:
        lines = (load.__doc__ or "").strip().splitlines()
        said = title or (lines[0].rstrip(".") if lines else "a data set of a plugin")
        DATASET_PLUGINS.add(name, DatasetPlugin(said, load, find), load)
        return load

    return add


DATASET_PLUGINS.by_default(register_dataset)  # type: ignore[arg-type]
