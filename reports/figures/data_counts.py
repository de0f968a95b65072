"""The crops of a run, counted for the data section: lesions.parquet with every cell made plain.

Columns that a data set does not have are empty here, so that a figure can leave them out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.systems.run_folder import Run
from reports.values import category, clean

if TYPE_CHECKING:
    import pandas as pd

NEGATIVE, POSITIVE, UNLABELLED = 0, 1, 2

NOT_GIVEN = "not given"

# What goes beyond is put together or left to the tables.
MOST_ROWS = 12

_LARGEST_SIDE = 1e6  # pixels; no film has more

_SPLITS = {"train": 0, "test": 1}


class Bar(NamedTuple):
    """`crops` of one class, out of `of`."""

    label: int
    crops: int
    of: int


class Row(NamedTuple):
    """One category, with a bar for each class that it is compared over."""

    name: str
    bars: list[Bar]


class Band(NamedTuple):
    """Rows that belong together: a subset, or one split of it."""

    name: str
    crops: int
    rows: list[Row]


def plain_crops(run: Run) -> "pd.DataFrame":
    """A row a crop: crop_id, subset, split, pathology, view, density (text, empty where missing),
    label (NEGATIVE, POSITIVE or UNLABELLED), height and width (native pixels; NaN where unknown).
    """
    import pandas as pd

    lesions = run.lesions

    def texts(name: str, convert: Any) -> list[str]:
        values = lesions[name].astype("object") if name in lesions else [None] * len(lesions)
        return [convert(value) for value in values]

    labels = {"0": NEGATIVE, "1": POSITIVE}
    return pd.DataFrame(
        {
            **{name: texts(name, clean) for name in ("crop_id", "subset", "split", "pathology")},
            **{name: texts(name, category) for name in ("view", "density")},
            "label": [labels.get(text, UNLABELLED) for text in texts("label", category)],
            "height": _lengths(lesions, "crop_height"),
            "width": _lengths(lesions, "crop_width"),
        }
    )


def _lengths(lesions: "pd.DataFrame", name: str) -> "pd.Series":
    import pandas as pd

    if name not in lesions:
        return pd.Series(np.nan, index=range(len(lesions)))
    numbers = pd.Series(pd.to_numeric(lesions[name].astype("object"), errors="coerce"))
    numbers = numbers.astype("float64").reset_index(drop=True)
    return numbers.where((numbers >= 1) & (numbers <= _LARGEST_SIDE))


def pathology_bands(crops: "pd.DataFrame") -> list[Band]:
    """Pathologies of each subset and split, as in the source; a share is that of the split."""
    names = _kept(crops["pathology"], _by_class(crops))
    found = []
    for subset, of_subset in crops.groupby("subset", sort=False):
        for split, part in sorted(
            of_subset.groupby("split"), key=lambda s: (_SPLITS.get(s[0], 2), s[0])
        ):
            title = ", ".join(filter(None, (subset, "" if split == "none" else split)))
            counts = part.groupby([names[part.index], "label"], observed=True).size()
            rows = {
                name: [
                    Bar(label, int(counts[name, label]), len(part))
                    for label in (NEGATIVE, POSITIVE, UNLABELLED)
                    if (name, label) in counts
                ]
                for name in dict.fromkeys(names.cat.categories)
            }
            found.append(Band(title, len(part), [Row(*row) for row in rows.items() if row[1]]))
    return found


def class_bands(crops: "pd.DataFrame", column: str) -> list[Band]:
    """A category's share of each class, for every subset that has the column at all."""
    found = []
    for subset, of_subset in crops.groupby("subset", sort=False):
        if not of_subset[column].any():
            continue
        names = _kept(of_subset[column], sorted(set(of_subset[column]), key=_natural))
        totals = of_subset["label"].value_counts().sort_index()
        counts = of_subset.groupby([names, "label"], observed=True).size()
        rows = [
            Row(
                name,
                [Bar(k, int(counts.get((name, k), 0)), int(n)) for k, n in totals.items()],
            )
            for name in names.cat.categories
        ]
        found.append(Band(str(subset), len(of_subset), rows))
    return found


def _natural(name: str) -> tuple[bool, bool, float, str]:
    """Numbers by size, then words, then what is not given."""
    try:
        return (False, False, float(name), name)
    except ValueError:
        return (not name, True, 0.0, name)


def _by_class(crops: "pd.DataFrame") -> list[str]:
    """Pathologies: those of the negative class first, the more frequent before the others."""
    sizes = crops.groupby("pathology")["label"].agg(["mean", "size"])
    sizes["class"] = sizes["mean"].round()
    order = sizes.reset_index().sort_values(
        ["class", "size", "pathology"], ascending=[True, False, True]
    )
    return list(order["pathology"])


def _kept(values: "pd.Series", order: Sequence[str]) -> "pd.Series":
    """The values as ordered categories, the most frequent MOST_ROWS; the rest put together."""
    import pandas as pd

    # One more is drawn rather than called "1 others".
    most = MOST_ROWS + (len(order) == MOST_ROWS + 1)
    frequent = set(values.value_counts().index[:most])
    rest = [name for name in order if name not in frequent]
    together = f"{len(rest)} others"
    words = {name: name or NOT_GIVEN for name in order} | dict.fromkeys(rest, together)
    kept = [words[name] for name in order if name in frequent] + [together] * bool(rest)
    return values.map(words).astype(pd.CategoricalDtype(list(dict.fromkeys(kept)), ordered=True))
