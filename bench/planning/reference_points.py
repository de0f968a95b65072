"""The reference points of a subset: what looks at no image, or at what a reader wrote of it.

A network below these has learnt little.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.joined import EXTERNAL
from bench.data.lesions import made_from_reading
from bench.plugins.references import REFERENCE_PREFIX, reference_plugins, told

if TYPE_CHECKING:
    import pandas as pd

# The extractor of a system that looks at nothing: the majority class.
NO_FEATURES = "none"
# What decoding adds to the lesion table.
DECODED_COLUMNS = ("crop_height", "crop_width", "mean_intensity")
# How the files were made, also known from decoding; a column for each value of each.
FILE_COLUMNS = ("file_format", "file_bits", "file_mode")
FILE = "shortcut:file"
# Features that need no image: columns of the lesion table.
SHORTCUTS: Mapping[str, tuple[str, ...]] = {
    "shortcut:size": DECODED_COLUMNS,
    FILE: FILE_COLUMNS,
    "shortcut:radius": ("radius",),
}
# What radiologists wrote down of a lesion, a column for each value. The first has to be there and
# tell crops apart; of the others those that the data set has are taken.
READERS: Mapping[str, tuple[str, ...]] = {
    "reader:assessment": ("assessment",),
    "reader:description": ("assessment", "shape", "margins", "calc_type", "calc_distribution"),
}


def reference_points(rows: "pd.DataFrame") -> Iterator[tuple[str, str]]:
    """The extractor and classifier of each reference point that these rows of a lesion table have.

    The majority class comes first, then what the table alone can tell, then those of plugins.
    Readers have no row where the labels were made from their assessment: they would be measured by
    themselves.
    """
    yield NO_FEATURES, "majority"
    for name, columns in SHORTCUTS.items():
        if name == FILE:
            if any(column in rows and len(rows[column].unique()) > 1 for column in columns):
                yield name, "logistic"
            continue
        # Only a decoded crop has a size, but every crop that stays in a run has been decoded.
        from_table = [column for column in columns if column not in DECODED_COLUMNS]
        if all(column in rows and rows[column].notna().all() for column in from_table):
            yield name, "logistic"
    for name, columns in () if made_from_reading(rows) else READERS.items():
        present = [c for c in columns if c in rows and len(rows[c].unique()) > 1]
        if columns[0] in present and (len(present) > 1 or len(columns) == 1):
            yield name, "logistic"
    for one in reference_plugins():
        if all(column in rows and rows[column].notna().all() for column in one.value.columns):
            yield REFERENCE_PREFIX + one.name, one.value.classifier


def transferred_points(rows: "pd.DataFrame", external: "pd.DataFrame") -> Iterator[tuple[str, str]]:
    """Those reference points of a subset's rows that the rows of an external set have, too.

    A column that is empty there says nothing of them.
    """
    own = {REFERENCE_PREFIX + one.name: one.value.columns for one in reference_plugins()}
    for name, classifier in reference_points(rows):
        if name in READERS and made_from_reading(external):
            continue
        if name in own:
            if all(column in external and external[column].notna().all() for column in own[name]):
                yield name, classifier
            continue
        columns = (*SHORTCUTS.get(name, ()), *READERS.get(name, ()))
        needed = [
            column
            for column in columns
            if column in rows and column not in (*DECODED_COLUMNS, *FILE_COLUMNS)
            # A word that all crops have here says nothing there; a number could.
            if name in SHORTCUTS or len(rows[column].unique()) > 1
        ]
        known = [external[column].notna() & (external[column] != "") for column in needed]
        # A measure has to be known of every row, of words some may be lacking.
        if all(one.any() if name in READERS else one.all() for one in known):
            yield name, classifier


def table_features(table: "pd.DataFrame", name: str) -> NDArray[np.float64]:
    """The features of a reference point, (n, d): columns of a lesion table, or nothing at all."""
    if name == NO_FEATURES:
        return np.zeros((len(table), 1))
    if name == FILE:
        return _one_hot(table, SHORTCUTS[name])
    if name in READERS:
        return _one_hot(table, READERS[name])
    if name.startswith(REFERENCE_PREFIX):
        home = (table[EXTERNAL] == "").to_numpy() if EXTERNAL in table else None
        rows = table.drop(columns=EXTERNAL, errors="ignore")
        return told(name.removeprefix(REFERENCE_PREFIX), rows, home)
    found: NDArray[np.float64] = table[list(SHORTCUTS[name])].to_numpy(dtype=np.float64)
    return found


def _one_hot(table: "pd.DataFrame", columns: Sequence[str]) -> NDArray[np.float64]:
    """A column for each value of each of those columns that a table has, (n, values).

    A value that no training row has is constant there and carries no information. Values that
    external sets alone have get no column: what stands for the other rows does not depend on them.
    """
    import pandas as pd

    present = [name for name in columns if name in table]
    values = table[present].astype("object").fillna("").astype(str)
    if EXTERNAL in table:
        # One set may have whole numbers where another has decimals.
        values = values.replace(r"\.0$", "", regex=True)
    found: NDArray[np.float64] = pd.get_dummies(values).to_numpy(dtype=np.float64)
    if EXTERNAL in table:
        found = found[:, found[(table[EXTERNAL] == "").to_numpy()].any(axis=0)]
    return found
