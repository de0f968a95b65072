"""One stack out of several data sets: the crops to train on, then those of each external set.

An external set is there to be tested on. Its rows have names of their own, so that no crop, lesion,
patient or subset of one set is taken for another's; what two sets share stands in two columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.copies_found import stored_copies
from bench.data.lesions import Dataset, SubsetInfo
from bench.data.patients import GROUP, groups_of, plain_id
from bench.store import Store, digest

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack

# The external set of a row; empty for those of the data set itself.
EXTERNAL = "external"
# Who a row is of, the same in all sets; empty where nobody knows.
PERSON = "person"
# What a row shows: a number, the same for copies in all sets. Only of decoded crops.
PICTURE = "picture"
_NAMES = ("crop_id", "lesion_id", "patient_id", "subset")


@dataclass(frozen=True)
class ExternalRows:
    """The rows of an external set.

    Attributes
    ----------
    name : str
        As in `--external NAME=PATH`.
    dataset : Dataset
        As it was loaded.
    table : pd.DataFrame
        Its lesion table, or that of what could be decoded.
    """

    name: str
    dataset: Dataset
    table: "pd.DataFrame"


def external_name(name: str, external: str) -> str:
    """What a crop, lesion, patient or subset of an external set is called."""
    return f"{external}:{name}"


def external_rows(rows: ExternalRows, numbering: str = "") -> "pd.DataFrame":
    """The table of an external set, its names marked as such, with the columns added here.

    `numbering` is that of the data set's patients.
    """
    table = rows.table
    columns = [*_NAMES, *([GROUP] if GROUP in table else [])]
    marked = {
        column: [external_name(str(one), rows.name) for one in table[column]] for column in columns
    }
    known = numbering and rows.dataset.numbering
    persons = _persons(rows.dataset, table, rows.dataset.numbering if known else numbering)
    return table.assign(**marked, **{EXTERNAL: rows.name, PERSON: persons})


def _persons(dataset: Dataset, table: "pd.DataFrame", numbering: str) -> list[str]:
    """The person of each row; how an id is spelled does not matter."""
    if not dataset.patient_ids:
        return [""] * len(table)
    return [f"{numbering}|{plain_id(str(one))}" for one in table["patient_id"]]


def joined_rows(
    dataset: Dataset, table: "pd.DataFrame", others: Sequence[ExternalRows]
) -> "pd.DataFrame":
    """The rows of a data set, then those of external sets, with the data set's columns.

    Parameters
    ----------
    dataset : Dataset
        As it was loaded.
    table : pd.DataFrame
        Its lesion table, or that of what could be decoded.
    others : Sequence[ExternalRows]
        The external sets.

    Returns
    -------
    pd.DataFrame
        With the columns EXTERNAL and PERSON; the table as it is where there is no other set.
    """
    import pandas as pd

    if not others:
        return table
    home = table.assign(**{EXTERNAL: "", PERSON: _persons(dataset, table, dataset.numbering)})
    # Whether readers may be measured there depends on it.
    if any("label_from" in one.table for one in others) and "label_from" not in home:
        home = home.assign(label_from="")
    tables = [external_rows(rows, dataset.numbering) for rows in others]
    if any(GROUP in one for one in (home, *tables)):
        home, *tables = (one.assign(**{GROUP: groups_of(one)}) for one in (home, *tables))
    # What a set lacks must not change the type, and with it the text, of what the others have.
    lacking = [
        one.assign(**{name: pd.Series(None, one.index, object) for name in home if name not in one})
        for one in tables
    ]
    parts = [one[list(home.columns)] for one in lacking]
    mixed = [n for n in home if any(one[n].dtype != home[n].dtype for one in parts)]
    whole = [one.astype(dict.fromkeys(mixed, object)) for one in (home, *parts)]
    return pd.concat(whole, ignore_index=True)


class JoinedImages:
    """The images of several stacks as those of one.

    Attributes
    ----------
    parts : tuple[NDArray[np.uint8], ...], shape (n_i, H, H) each
        In the order of the rows.
    """

    def __init__(self, parts: Sequence[NDArray[np.uint8]]) -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, positions: int | NDArray[np.int64]) -> NDArray[np.uint8]:
        wanted = np.atleast_1d(np.asarray(positions))
        images = np.empty((len(wanted), *self.parts[0].shape[1:]), dtype=np.uint8)
        sets = np.searchsorted(self._ends, wanted, side="right")
        for number in np.unique(sets):
            inside = sets == number
            part = self.parts[number]
            images[inside] = part[wanted[inside] - (self._ends[number] - len(part))]
        return images if np.ndim(positions) else images[0]


@dataclass(frozen=True)
class JoinedStacks:
    """The crops of a run.

    Attributes
    ----------
    own : CropStack
        Those of the data set.
    whole : CropStack
        Those of all sets; `own` where there is no other set.
    others : Mapping[str, CropStack]
        Those of each external set, by name.
    """

    own: "CropStack"
    whole: "CropStack"
    others: "Mapping[str, CropStack]" = field(default_factory=dict)


def join_stacks(
    dataset: Dataset,
    stack: "CropStack",
    others: Mapping[str, tuple[Dataset, "CropStack"]],
    store: Store,
    comparing: Callable[[int], None] | None = None,
) -> "CropStack":
    """One stack of a data set and external sets; each crop keeps its digest.

    Parameters
    ----------
    dataset : Dataset
        What is trained on.
    stack : CropStack
        Its crops.
    others : Mapping[str, tuple[Dataset, CropStack]]
        The external sets by name, decoded with the same settings.
    store : Store
        Where the result of the search for copies is kept.
    comparing : Callable[[int], None] | None, optional
        As for `build_stack`.

    Returns
    -------
    CropStack
        Its table is that of `joined_rows`, with the column PICTURE. No image is copied. Notices,
        and what was left out, are the data set's own.
    """
    rows = [ExternalRows(name, of, one.table) for name, (of, one) in others.items()]
    stacks = [stack, *(one for _, one in others.values())]
    subsets = dict(stack.subsets)
    for name, (_, one) in others.items():
        for subset, info in one.subsets.items():
            parts = tuple(external_name(part, name) for part in info.parts)
            subsets[external_name(subset, name)] = SubsetInfo(parts, info.positive, info.negative)
    images = JoinedImages([one.images for one in stacks])
    whole = replace(
        stack,
        images=cast("NDArray[np.uint8]", images),
        table=joined_rows(dataset, stack.table, rows),
        digests=tuple(crop for one in stacks for crop in one.digests),
        fingerprint=digest(["joined", [one.fingerprint for one in stacks]]),
        subsets=subsets,
    )
    pictures = stored_copies(whole, store, comparing)
    return replace(whole, table=whole.table.assign(**{PICTURE: pictures}))
