"""Numbers of the page in few bytes: whole numbers of 8 or 16 bits, as base64."""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.statistics.all_pairs import PairwiseDifferences
from reports.statistics.roc import mean_roc
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats

# Differences lie in -2..2 for MCC, in -1..1 for all others.
SCALE = 16000

UNDEFINED = -32768

ROC_POINTS = 40


def as_text(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode()


def packed_pairs(found: PairwiseDifferences, limits: bool) -> str:
    """Low, high and standard error of all pairs, or the error alone, in 16 bits each.

    A standard error that is not 0 stays above 0.
    """
    error = np.maximum(np.rint(found.error * SCALE), found.error > 0)
    parts = [found.low * SCALE, found.high * SCALE, error] if limits else [error]
    numbers = np.rint(np.concatenate(parts))
    numbers = np.where(np.isfinite(numbers), np.clip(numbers, -32767, 32767), UNDEFINED)
    return as_text(numbers.astype("<i2").tobytes())


def packed_roc(system: PooledSystem) -> str:
    """At most ROC_POINTS pairs of 1 - specificity and sensitivity, each in 255ths."""
    false, true = mean_roc(system.repeats)
    if not len(false):
        return ""
    kept = np.unique(np.linspace(0, len(false) - 1, ROC_POINTS).round().astype(int))
    points = np.rint(255 * np.stack([false[kept], true[kept]], axis=1)).astype(np.uint8)
    return as_text(points.tobytes())


def packed_bits(flags: NDArray[np.bool_]) -> str:
    """One bit each, the first in the lowest bit of the first byte."""
    return as_text(np.packbits(flags, bitorder="little").tobytes())


def often_wrong(system: PooledSystem, crops: Sequence[NDArray[np.int64]], n: int) -> str:
    """Which of the n crops a system gets wrong in more than half of its repeats, as bits.

    crops: for each repeat the number of the crop of each row.
    """
    wrong: Floats = np.zeros(n)
    tested: Floats = np.zeros(n)
    for rows, numbers in zip(system.repeats, crops, strict=True):
        np.add.at(wrong, numbers, rows.called != rows.positive)
        np.add.at(tested, numbers, 1)
    return packed_bits(wrong * 2 > tested)
