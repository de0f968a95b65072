"""How an external set is tested on: which rows are trained on, and which of them are not.

Pure: a table in, positions of rows out. What the two sides share is taken out of training: a test
on other data says nothing of patients and pictures that were trained on.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.joined import EXTERNAL, PERSON, PICTURE
from bench.data.patients import groups_of
from bench.errors import UnusableInput
from bench.planning.splits import RowSplit, Split, has_official_split, official

if TYPE_CHECKING:
    import pandas as pd


def external(table: "pd.DataFrame", repeats: int, seed: int) -> Split:
    """All rows of an external set for test; for training those of the data set's own split.

    The table holds the rows of a subset and of one external set (see `joined_rows`). Where there is
    an official split its training rows are trained on and its test rows are held out, as under
    `official`; else all rows of the data set are trained on.
    """
    own = np.flatnonzero(table[EXTERNAL] == "")
    test = np.flatnonzero(table[EXTERNAL] != "")
    rows = table.iloc[own]
    # Without test rows of its own a network has no curve: one on the external rows would make each
    # external set a training of its own.
    train, held_out = own, np.empty(0, dtype=np.int64)
    if has_official_split(rows):
        (fold,) = official(rows, repeats, seed).folds
        train, held_out = own[fold.train], own[fold.test]
    persons, pictures = (_shared(table, column, train, test) for column in (PERSON, PICTURE))
    groups = groups_of(table).iloc[train]
    gone = groups.isin(set(groups[persons | pictures])).to_numpy()
    name = table[EXTERNAL].iloc[test[0]]
    if gone.all():
        raise UnusableInput(
            f"every training crop is of a patient or shows a picture of {name}: it holds the data "
            "that are trained on"
        )
    kept = train[~gone]
    if set(table["label"].iloc[kept]) != {0, 1}:
        raise UnusableInput(
            f"without the patients and pictures of {name} the training rows hold one class only"
        )
    notices = [_notice(name, persons, pictures, gone, groups.to_numpy())] if gone.any() else []
    return Split((RowSplit(0, 0, kept, test, held_out=held_out),), tuple(notices))


def _shared(
    table: "pd.DataFrame", column: str, train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which training rows have a value of the test rows, (n_train,); an empty one says nothing."""
    if column not in table:
        return np.zeros(len(train), dtype=bool)
    values = table[column]
    shared: NDArray[np.bool_] = values.iloc[train].isin(set(values.iloc[test]) - {""}).to_numpy()
    return shared


def _notice(
    name: str,
    persons: NDArray[np.bool_],
    pictures: NDArray[np.bool_],
    gone: NDArray[np.bool_],
    groups: NDArray[np.object_],
) -> str:
    reasons = {
        f"{int(persons.sum())} crops of patients with an id that {name} has, too": persons.any(),
        f"{int(pictures.sum())} crops with a picture that {name} has, too": pictures.any(),
    }
    found = " and ".join(reason for reason, there in reasons.items() if there)
    ids = "; patients of two sets that are others need other ids" if persons.any() else ""
    return (
        f"{found}: {int(gone.sum())} of {len(gone)} training crops, of {len(set(groups[gone]))} "
        f"patients, are left out of training{ids}"
    )
