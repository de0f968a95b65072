"""Notices of how the files of a data set were made, and whether that gives their class away."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.lesions import SubsetInfo, select

if TYPE_CHECKING:
    import pandas as pd

# Columns of the stack's table, and the fact of a file in each.
FACT_COLUMNS = {"file_format": "format", "file_bits": "bits", "file_mode": "mode"}

_NAMES = {"file_format": "format", "file_bits": "bit depth", "file_mode": "colour mode"}
_SIZE = "size in pixels"
# Told apart: the shares of the classes differ by so much in all, and hardly by chance.
_LEAST_DIFFERENCE, _MOST_CHANCE = 0.2, 0.001
# A few files that are told apart without an exception.
_MOST_CHANCE_IF_ALL = 0.01
# Sizes as an order, large or small: this AUC on its own. Malignant lesions are larger than benign
# ones (AUC 0.6 to 0.7), which is no artefact of the files.
_LEAST_AUC = 0.9
_PERMUTATIONS = 2000
_MOST_SHOWN = 3


def decoding_notices(files: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was done to files that are more than one grey picture, with their number.

    Parameters
    ----------
    files : Sequence[Mapping[str, Any]]
        The facts of each crop's file.

    Returns
    -------
    list[str]
        One line for each kind.
    """
    counted = (
        ("colour pictures, made grey", sum(file["colour"] for file in files)),
        (
            "files with more than one page, of which the first is taken",
            sum(file["pages"] > 1 for file in files),
        ),
        (
            "files with an EXIF orientation, which is applied",
            sum(file["rotated"] for file in files),
        ),
        (
            "partly transparent files, whose transparency is ignored",
            sum(file["transparent"] for file in files),
        ),
        (
            "JPEG 2000 whose sign contradicts PixelRepresentation; of the two readings the one "
            "without jumps is taken",
            sum(file["contradictory"] for file in files),
        ),
        (
            "colour pictures of more than 8 bits a channel, of which 8 are read",
            sum(file["reduced"] for file in files),
        ),
    )
    return [f"{count} of {len(files)} crops come from {what}" for what, count in counted if count]


def class_notices(table: "pd.DataFrame", subsets: Mapping[str, SubsetInfo]) -> list[str]:
    """Where format, bit depth, colour mode or size of the files tell the classes apart.

    Parameters
    ----------
    table : pd.DataFrame
        The stack's.
    subsets : Mapping[str, SubsetInfo]
        The subsets of the data set.

    Returns
    -------
    list[str]
        A line for each subset and fact, with the numbers.
    """
    notices = []
    for name, info in subsets.items():
        rows = select(table, subsets, name)
        labels = rows["label"].to_numpy()
        if len(set(labels)) < 2:
            continue
        facts = {title: rows[column].astype(str) for column, title in _NAMES.items()}
        facts[_SIZE] = rows["crop_width"].astype(str) + " x " + rows["crop_height"].astype(str)
        for title, values in facts.items():
            if _tells_apart(values.to_numpy(dtype=str), labels):
                notices.append(_notice(name, info, title, values, labels))
            elif title == _SIZE:
                notices += _large_and_small(name, info, rows)
    return notices


def _notice(
    subset: str, info: SubsetInfo, title: str, values: "pd.Series", labels: NDArray[Any]
) -> str:
    parts = []
    for label, word in ((0, info.negative), (1, info.positive)):
        counts = values[labels == label].value_counts()
        shown = ", ".join(f"{count} {value}" for value, count in counts.head(_MOST_SHOWN).items())
        more = f", {len(counts) - _MOST_SHOWN} others" * (len(counts) > _MOST_SHOWN)
        parts.append(f"{word}: {shown}{more}")
    return (
        f"subset {subset}: the {title} of the files differs by class ({'; '.join(parts)}): a "
        "classifier can learn it in place of the lesion; compare the rows shortcut:file and "
        "shortcut:size"
    )


def _large_and_small(subset: str, info: SubsetInfo, rows: "pd.DataFrame") -> list[str]:
    """A notice where the longest side or the proportions alone separate the classes."""
    height, width = rows["crop_height"], rows["crop_width"]
    return [
        *_ordered(subset, info, "longest side", np.maximum(height, width), rows["label"]),
        *_ordered(subset, info, "height / width", height / width, rows["label"]),
    ]


def _ordered(
    subset: str, info: SubsetInfo, title: str, values: "pd.Series", label: "pd.Series"
) -> list[str]:
    ranks, labels = values.rank().to_numpy(), label.to_numpy()
    n_positive = int(labels.sum())
    n_negative = len(labels) - n_positive
    auc = (ranks[labels == 1].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    # The chance that few crops are in such an order: one of all orders.
    if max(auc, 1 - auc) < _LEAST_AUC or min(n_positive, n_negative) < 5:
        return []
    medians = [f"{values[labels == side].median():.4g}" for side in (0, 1)]
    return [
        f"subset {subset}: the {_SIZE} of the files differs by class (median of {title}: "
        f"{info.negative} {medians[0]}, {info.positive} {medians[1]}; AUC of it alone "
        f"{max(auc, 1 - auc):.2f}): compare the row shortcut:size"
    ]


def _tells_apart(values: NDArray[np.str_], labels: NDArray[Any]) -> bool:
    """Whether a fact differs between the classes, by size and beyond chance.

    The difference is half the sum over the values of the difference of their shares in the two
    classes. Values of fewer than three files count as one: sizes that are all different say
    nothing as a category.
    """
    kinds, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts < 3)
    codes = np.where(np.isin(codes, rare), len(kinds), codes)
    _, codes = np.unique(codes, return_inverse=True)
    if codes.max() == 0:
        return False
    observed = _difference(codes, labels)
    if observed < _LEAST_DIFFERENCE:
        return False
    rng = np.random.default_rng(0)
    drawn = [_difference(codes, rng.permutation(labels)) for _ in range(_PERMUTATIONS)]
    chance = (1 + sum(value >= observed - 1e-12 for value in drawn)) / (1 + _PERMUTATIONS)
    return chance < (_MOST_CHANCE_IF_ALL if observed > 1 - 1e-12 else _MOST_CHANCE)


def _difference(codes: NDArray[np.int64], labels: NDArray[Any]) -> float:
    shares = [
        np.bincount(codes[labels == label], minlength=codes.max() + 1) / np.sum(labels == label)
        for label in (0, 1)
    ]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
