"""What is known of the copies in a stack: kept in the store, counted, and said in notices."""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.copies import COPIES_VERSION, Squares, copy_groups
from bench.data.lesions import SubsetInfo, select
from bench.store import Store, digest

if TYPE_CHECKING:
    import pandas as pd

COPY_COLUMNS = ("subset", "copies", "pictures", "crops", "patients")
ACROSS, SPLITS, LABELS = "of several patients", "of them in train and test", "with both labels"


def stored_copies(
    stack: Squares, store: Store, progress: Callable[[int], None] | None = None
) -> NDArray[np.int64]:
    """The result of `copy_groups`, from the store if it is there, else compared and kept.

    Parameters
    ----------
    stack : Squares
        The crops.
    store : Store
        Where the result is kept; if it cannot be written, it is compared again next time.
    progress : Callable[[int], None] | None, optional
        As for `copy_groups`.

    Returns
    -------
    NDArray[np.int64], shape (n,)
        A number for each crop, the same for copies.
    """
    shapes = stack.table[["crop_height", "crop_width"]].to_numpy().tolist()
    key = digest([COPIES_VERSION, stack.fingerprint, stack.settings.fit, shapes])
    found = store.get("copies", key)
    if found is not None:
        return found.arrays["copies"]
    copies = copy_groups(stack, progress)
    with contextlib.suppress(OSError):
        store.put("copies", key, {"copies": copies}, {})
    return copies


def no_copies() -> "pd.DataFrame":
    """What `count_copies` gives where there are none."""
    import pandas as pd

    return pd.DataFrame(columns=list(COPY_COLUMNS))


def count_copies(
    crops: "pd.DataFrame", subsets: Mapping[str, SubsetInfo], copies: NDArray[np.int64]
) -> "pd.DataFrame":
    """The copies in each subset: those of several patients, on both sides, with both labels.

    Parameters
    ----------
    crops : pd.DataFrame
        The table of a stack.
    subsets : Mapping[str, SubsetInfo]
        Its subsets.
    copies : NDArray[np.int64], shape (n,)
        From `copy_groups`.

    Returns
    -------
    pd.DataFrame
        subset, copies (what is counted), pictures, crops that show them, patients; a row only where
        there are any.
    """
    import pandas as pd

    table = crops.assign(picture=copies)
    counts = []
    for subset in subsets:
        rows = select(table, subsets, subset)
        of_picture = rows.groupby("picture")
        several = of_picture["patient_id"].transform("nunique") > 1
        splits = rows["split"].where(rows["split"] != "none")
        both = several & (splits.groupby(rows["picture"]).transform("nunique") > 1)
        labels = of_picture["label"].transform("nunique") > 1
        for name, chosen in ((ACROSS, several), (SPLITS, both), (LABELS, labels)):
            found = rows[chosen]
            if len(found):
                pictures, patients = found["picture"].nunique(), found["patient_id"].nunique()
                counts.append((subset, name, int(pictures), len(found), int(patients)))
    return pd.DataFrame(counts, columns=list(COPY_COLUMNS))


def copy_notices(counts: "pd.DataFrame") -> tuple[str, ...]:
    """One line for each subset and kind of copies.

    Parameters
    ----------
    counts : pd.DataFrame
        From `count_copies`.

    Returns
    -------
    tuple[str, ...]
        Nothing where no patients share a picture and no label contradicts another.
    """
    ends = {
        ACROSS: (
            "show {pictures} pictures that stand under several of {patients} patients (the same or "
            "nearly the same pixels): these patients are kept together and count as one in splits "
            "and intervals"
        ),
        SPLITS: (
            "show {pictures} pictures that stand in both train and test under different patients"
        ),
        LABELS: (
            "share {pictures} pictures with crops of the other class: what is shown of them cannot "
            "tell them apart"
        ),
    }
    return tuple(
        f"subset {row['subset']}: {row['crops']} crops {ends[row['copies']].format(**row)}"
        for row in counts.to_dict("records")
    )
