"""What kernels are worth on inner folds of the training rows, without a look at a test row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classifiers.fusion import fused_gram
from classifiers.inner_folds import inner_folds, inner_scores
from classifiers.memory import (
    affordable_threads,
    default_memory_limit,
    gram_bytes,
    require_memory,
)
from classifiers.settings import SweepSettings
from classifiers.validation import binary_labels, feature_sets, ignore_device, whole_number
from classifiers.variant_fits import INNER_FOLDS, INNER_SEED


@dataclass(frozen=True)
class Judgement:
    """The evaluation of a kernel on inner folds.

    Attributes
    ----------
    auc : float
        Mean AUC on the held-out rows.
    converged : bool
        Whether all inner fits converged.
    seconds : float
        Time of the inner fits, without the Gram matrix.
    collapsed : bool
        Whether all inner fits collapsed, so that the AUC is noise.
    """

    auc: float
    converged: bool
    seconds: float
    collapsed: bool = False


def judge_kernels(
    train_features: Sequence[ArrayLike],
    train_labels: ArrayLike,
    groups: ArrayLike,
    kernels: Sequence[str],
    *,
    jobs: int = 1,
    device: str = "cpu",
    memory_limit: float | None = None,
) -> dict[str, Judgement]:
    """Evaluate kernels, with C = 1 and their preset scales, on inner folds of the training rows.

    No test row is seen. The folds are those of tuning and of the sigmoids: the same for all
    features of the same rows, so that their figures can be compared.

    Parameters
    ----------
    train_features : Sequence[ArrayLike], shape (n, P) each
        One matrix for each backbone, not standardised; several are fused.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row.
    kernels : Sequence[str]
        Names out of `KERNELS`.
    jobs : int
        Threads; they share the Gram matrix. Where memory is short, fewer are used.
    device : str
        Deprecated and ignored: Gram matrices are formed on the CPU.
    memory_limit : float | None
        Bytes that the fits may take; None is half of the machine's memory.

    Returns
    -------
    dict[str, Judgement]
        By kernel name.

    Raises
    ------
    ValueError
        If features or labels are unusable, the patients are too few for the folds, or the Gram
        matrix does not fit into the memory that may be used.
    """
    ignore_device(device)
    train = feature_sets("train_features", train_features)
    whole_number("jobs", jobs)
    labels = binary_labels(train_labels, len(train[0]))
    splits = inner_folds(labels, groups, INNER_FOLDS, INNER_SEED)
    needed = gram_bytes(len(labels), 1, max(one.shape[-1] for one in train), len(train))
    limit = default_memory_limit() if memory_limit is None else memory_limit
    require_memory(needed, f"inner folds of {len(labels)} training rows", limit)
    # A Gram matrix has test rows; any will do, because none of their scores is used.
    gram = fused_gram(train, [one[:1] for one in train])
    threads = affordable_threads(len(labels), 1, jobs, limit)
    settings = SweepSettings(kernels, jobs=threads)
    scores, seconds = inner_scores(gram, labels, splits, settings)
    if any(np.isnan(one.auc) for one in scores):
        raise ValueError("no inner fold holds out rows of both classes")
    return {
        one.kernel: Judgement(one.auc, one.converged, seconds[one.kernel], one.collapsed)
        for one in scores
    }
