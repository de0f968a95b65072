"""The reference points of a subset: what looks at no image, or at what a reader wrote of it.

A network below these has learnt little.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.data.lesions import made_from_reading

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

    The majority class comes first, then what the table alone can tell. Readers have no row where
    the labels were made from their assessment: they would be measured by themselves.
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
    if made_from_reading(rows):
        return
    for name, columns in READERS.items():
        present = [c for c in columns if c in rows and len(rows[c].unique()) > 1]
        if columns[0] in present and (len(present) > 1 or len(columns) == 1):
            yield name, "logistic"
