"""Reference points of users: what columns of a data set tell without an image.

from bench import register_reference_point

@register_reference_point("age", columns=["age"])
def age(table):
    return table[["age"]]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.plugins.datasets import DATASET_PLUGINS
from extractors.errors import RegistrationError
from extractors.registration.registry import Registered, Registry

if TYPE_CHECKING:
    import pandas as pd

Telling = TypeVar("Telling", bound=Callable[..., object])

# What such an extractor is called in tables, before its name.
REFERENCE_PREFIX = "reference:"
# What nothing that stands beside images may be told.
_HIDDEN = ("label", "pathology", "split")


@dataclass(frozen=True)
class ReferencePlugin:
    """A registered reference point.

    Attributes
    ----------
    tell : Callable[..., object]
        Makes columns of the rows of a lesion table.
    columns : tuple[str, ...]
        The columns that the table must have, and no row may lack a value of.
    classifier : str
        What is fitted on it.
    """

    tell: Callable[..., object]
    columns: tuple[str, ...]
    classifier: str


REFERENCE_PLUGINS: Registry[ReferencePlugin] = Registry(
    "reference point", "bench.register_reference_point", "bench.references", ("none",)
)


def register_reference_point(
    name: str, *, columns: Sequence[str], classifier: str = "logistic"
) -> Callable[[Telling], Telling]:
    """Decorator: add a reference point, which stands in every run on data with its columns.

    The decorated function takes rows of the lesion table, without labels, and returns a table or
    matrix with a row for each: numbers as they are, words as a column for each value. What it gives
    for a row must depend on that row alone.

    Parameters
    ----------
    name : str
        Letters, digits, `_` and `-`; tables call it `reference:NAME`.
    columns : Sequence[str]
        Columns of the table that it needs.
    classifier : str
        What is fitted on it: a classifier by name.

    Returns
    -------
    Callable[[Telling], Telling]
        A decorator that leaves the function as it is.

    Raises
    ------
    RegistrationError
        If the name is taken by another source, or not a valid name, or a column is a label.
    """
    REFERENCE_PLUGINS.check_name(name)
    if isinstance(columns, str) or not columns:
        raise RegistrationError(f"{name}: columns is a list of the columns that it needs")
    hidden = [column for column in columns if column in _HIDDEN]
    if hidden:
        raise RegistrationError(f"{name}: {hidden[0]} says the answer; no reference point sees it")

    def add(tell: Telling) -> Telling:
        REFERENCE_PLUGINS.add(name, ReferencePlugin(tell, tuple(columns), classifier), tell)
        return tell

    return add


def reference_plugins() -> list[Registered[ReferencePlugin]]:
    """All that are registered, by files and by packages that bring a data set."""
    DATASET_PLUGINS.read_entry_points()
    return REFERENCE_PLUGINS.all()


def told(
    name: str, table: "pd.DataFrame", home: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """The features of a registered reference point.

    Parameters
    ----------
    name : str
        Without its prefix.
    table : pd.DataFrame
        The lesion table.
    home : NDArray[np.bool_] | None, shape (n,)
        The rows that are of no external set; None where all are. Words that external sets alone
        have get no column.

    Returns
    -------
    NDArray[np.float64], shape (n, columns)
        Rows that lack a value of its columns are not a number.

    Raises
    ------
    RegistrationError
        If there is none of that name, it fails, or breaks its contract: one line.
    """
    import pandas as pd

    DATASET_PLUGINS.read_entry_points()
    found = REFERENCE_PLUGINS.find(name)
    if found is None:
        raise RegistrationError(f"reference point {name} is not registered on this machine")
    point = found.value
    whole = table[list(point.columns)].notna().all(axis=1).to_numpy()
    shown = table[whole].drop(columns=[c for c in _HIDDEN if c in table]).reset_index(drop=True)
    values = _values(name, point, shown)
    half = shown.iloc[: max(1, len(shown) // 2)].copy()
    if not _values(name, point, half).equals(values.iloc[: len(half)]):
        raise RegistrationError(
            f"reference point {name}: what it gives for a row depends on the other rows"
        )
    numbers = pd.get_dummies(values).to_numpy(dtype=np.float64)
    if home is not None:
        numbers = numbers[:, numbers[home[whole]].any(axis=0)]
    matrix = np.full((len(table), numbers.shape[1]), np.nan)
    matrix[whole] = numbers
    return matrix


def _values(name: str, point: ReferencePlugin, rows: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    try:
        given: Any = point.tell(rows.copy())
        values = pd.DataFrame(given).reset_index(drop=True)
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())[:200]
        raise RegistrationError(
            f"reference point {name}: {type(error).__name__}: {words}"
        ) from error
    if len(values) != len(rows) or not values.shape[1]:
        raise RegistrationError(
            f"reference point {name}: gives a table {values.shape} for {len(rows)} rows"
        )
    words_too = values.select_dtypes(exclude=["number", "bool"]).columns
    return values.astype(dict.fromkeys(words_too, str)).rename(columns=str)
