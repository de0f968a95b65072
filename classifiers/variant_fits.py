"""Fits the SVMs that a benchmark names (see `classifiers.variants`) on one shared Gram matrix."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.c_path import Fit
from classifiers.calibration import rising_sigmoid
from classifiers.convergence import COLLAPSED
from classifiers.fusion import fused_gram, naming_backbone
from classifiers.gram import Gram, Standardisation
from classifiers.inner_folds import InnerScore, inner_folds, inner_scores
from classifiers.kernels import KERNELS
from classifiers.memory import affordable_threads, checked_limit, default_memory_limit, gram_bytes
from classifiers.pca import principal_components
from classifiers.settings import SweepSettings
from classifiers.sweeps import swept
from classifiers.tuning import TUNED_C, TUNED_SCALES, tuned
from classifiers.validation import (
    InvalidParameter,
    binary_labels,
    check_features,
    feature_sets,
    ignore_device,
    whole_number,
)
from classifiers.variants import VARIANTS, Variant

FloatArray = NDArray[np.float64]

PCA_SHARE = 0.95
INNER_FOLDS = 5
INNER_SEED = 0

# The note where a choice or a sigmoid rests on unfinished fits.
INNER_UNFINISHED = "fits of inner folds did not all converge"


@dataclass(frozen=True)
class VariantFit:
    """The result of one named SVM.

    Attributes
    ----------
    score : FloatArray, shape (m,)
        Scores of the test rows.
    threshold : float
        A score above it is called positive.
    gram_seconds, fit_seconds : float
        Time for the shared matrix, and for all that this SVM needs besides.
    iterations, n_support : int
        Iterations of libsvm (of liblinear in an approximate fit) and number of support vectors.
    converged, approximate : bool
        Whether the solver finished, and whether the kernel was replaced by sampled features.
    chosen_C, chosen_scale, inner_auc : float | None
        C and scale that tuning chose (the scale as a multiple of the preset), and their mean AUC on
        the inner folds; None without tuning.
    components : int | None
        Number of principal components; None without them.
    note : str
        What a reader must know of the fit; mostly empty.
    """

    score: FloatArray
    threshold: float
    gram_seconds: float
    fit_seconds: float
    iterations: int
    n_support: int
    converged: bool
    approximate: bool
    chosen_C: float | None = None
    chosen_scale: float | None = None
    inner_auc: float | None = None
    components: int | None = None
    note: str = ""


def fit_variants(
    train_features: Sequence[ArrayLike],
    train_labels: ArrayLike,
    test_features: Sequence[ArrayLike],
    groups: ArrayLike,
    names: Sequence[str],
    *,
    jobs: int = 1,
    device: str = "cpu",
    memory_limit: float | None = None,
) -> dict[str, VariantFit | str]:
    """Fit several named SVMs; where one cannot be fitted, the reason takes the place of its fit.

    Parameters
    ----------
    train_features, test_features : Sequence[ArrayLike], shapes (n, P) and (m, P) each
        One matrix for each backbone, not standardised; several are fused.
    train_labels : ArrayLike, shape (n,)
        Any two labels; the second in sorted order (1, True, "malignant") is the positive class.
    groups : ArrayLike, shape (n,)
        The patient of each training row.
    names : Sequence[str]
        Names out of `VARIANTS`.
    jobs : int
        Threads; they share the Gram matrix. Where memory is short, fewer are used.
    device : str
        Deprecated and ignored: Gram matrices are formed on the CPU.
    memory_limit : float | None
        Bytes that the fits may take; None is half of the machine's memory. Where one thread needs
        more, plain kernels are fitted approximately, as their field `approximate` says; the others
        are not fitted.

    Returns
    -------
    dict[str, VariantFit | str]
        By name, in the order of `names`: the fit, or why there is none.

    Raises
    ------
    ValueError
        If features or labels are unusable for any SVM; of several backbones the message names the
        first that is.
    """
    ignore_device(device)
    train = feature_sets("train_features", train_features)
    test = feature_sets("test_features", test_features)
    wanted = _variants_named(names)
    whole_number("jobs", jobs)
    labels = binary_labels(train_labels, len(train[0]))
    limit = default_memory_limit() if memory_limit is None else checked_limit(memory_limit)
    n, m, width = len(labels), len(test[0]), max(one.shape[-1] for one in train)
    needed = gram_bytes(n, m, width, len(train))
    _warm_up()
    if needed > limit:
        return _sampled_fits(train, labels, test, wanted, needed, limit)
    jobs = affordable_threads(n, m, jobs, limit)
    found = _exact_fits(train, labels, test, groups, wanted, jobs)
    return {one.name: found[one.name] for one in wanted}


def _variants_named(names: Sequence[str]) -> list[Variant]:
    """The variants of these names; raises InvalidParameter where there is none."""
    if not isinstance(names, Iterable) or isinstance(names, str | bytes):
        raise InvalidParameter(f"names={names!r:.60} must be a list of names")
    for name in names:
        if not isinstance(name, str) or name not in VARIANTS:
            raise InvalidParameter(f"classifier={name!r:.60} is unknown; see VARIANTS")
    return [VARIANTS[name] for name in names]


def _exact_fits(
    train: Sequence[NDArray[np.generic]],
    labels: NDArray[np.int64],
    test: Sequence[NDArray[np.generic]],
    groups: ArrayLike,
    wanted: Sequence[Variant],
    jobs: int,
) -> dict[str, VariantFit | str]:
    """All variants on one Gram matrix; that of the principal components takes its place last."""
    started = time.perf_counter()
    gram = fused_gram(train, test)
    seconds = time.perf_counter() - started
    found: dict[str, VariantFit | str] = {}
    for pca in (False, True):
        family = [one for one in wanted if one.pca == pca]
        if family and pca:
            started = time.perf_counter()
            gram = principal_components(gram, PCA_SHARE)
            seconds += time.perf_counter() - started
        for chosen_inside in (False, True):
            members = [one for one in family if one.tuned == chosen_inside]
            if not members:
                continue
            try:
                found |= _fit_family(gram, labels, groups, members, jobs, seconds)
            except ValueError as error:
                found |= {one.name: str(error) for one in members}
    return found


def _warm_up() -> None:
    """Do what takes a second once in a process and would count as time of its first fit."""
    import sklearn.svm  # noqa: F401


@dataclass(frozen=True)
class _KernelFit:
    """One kernel's fit, and what was found on inner folds, or why nothing could be."""

    fit: VariantFit
    inner: InnerScore | None = None
    inner_seconds: float = 0.0
    reason: str = ""


def _fit_family(
    gram: Gram,
    labels: NDArray[np.int64],
    groups: ArrayLike,
    members: Sequence[Variant],
    jobs: int,
    gram_seconds: float,
) -> dict[str, VariantFit | str]:
    """Variants that are alike in components and tuning: by kernel, with and without a sigmoid."""
    fit_kernels = _tuned_kernels if members[0].tuned else _preset_kernels
    components = gram.rank if members[0].pca else None
    fitted = fit_kernels(gram, labels, groups, members, jobs)
    found: dict[str, VariantFit | str] = {}
    for one in members:
        kernel = fitted[one.kernel]
        fit = replace(kernel.fit, gram_seconds=gram_seconds, components=components)
        if (one.tuned or one.platt) and kernel.inner and not kernel.inner.converged:
            fit = replace(fit, note="; ".join(filter(None, [fit.note, INNER_UNFINISHED])))
        if not one.platt:
            found[one.name] = fit
        elif kernel.inner is None:
            found[one.name] = kernel.reason
        else:
            spent = kernel.inner_seconds
            found[one.name] = _as_probability(fit, kernel.inner.out_of_fold, labels, spent)
    return found


def _tuned_kernels(
    gram: Gram,
    labels: NDArray[np.int64],
    groups: ArrayLike,
    members: Sequence[Variant],
    jobs: int,
) -> dict[str, _KernelFit]:
    kernels = list(dict.fromkeys(one.kernel for one in members))
    settings = SweepSettings(kernels, TUNED_C, TUNED_SCALES, jobs)
    found_settings = tuned(gram, labels, groups, settings, folds=INNER_FOLDS, seed=INNER_SEED)
    found = {}
    for kernel, choice in found_settings.choices.items():
        inner = choice.inner
        # Its time holds every inner fit already.
        fit = replace(
            _variant_fit(choice.fit, choice.seconds),
            chosen_C=inner.C,
            chosen_scale=inner.scale,
            inner_auc=inner.auc if np.isfinite(inner.auc) else None,
        )
        found[kernel] = _KernelFit(fit, inner)
    return found


def _preset_kernels(
    gram: Gram,
    labels: NDArray[np.int64],
    groups: ArrayLike,
    members: Sequence[Variant],
    jobs: int,
) -> dict[str, _KernelFit]:
    kernels = list(dict.fromkeys(one.kernel for one in members))
    fits = swept(gram, labels, SweepSettings(kernels, jobs=jobs)).fits
    found = {name: _KernelFit(_variant_fit(fit, fit.seconds)) for (name, _), fit in fits.items()}
    scaled = [one.kernel for one in members if one.platt]
    if not scaled:
        return found
    try:
        splits = inner_folds(labels, groups, INNER_FOLDS, INNER_SEED)
        scores, seconds = inner_scores(gram, labels, splits, SweepSettings(scaled, jobs=jobs))
    except ValueError as error:
        return found | {name: replace(found[name], reason=str(error)) for name in scaled}
    judged = {one.kernel: one for one in scores}
    return found | {
        name: _KernelFit(found[name].fit, judged[name], seconds[name]) for name in scaled
    }


def _variant_fit(fit: Fit, seconds: float, gram_seconds: float = 0.0) -> VariantFit:
    return VariantFit(
        score=fit.score,
        threshold=0.0,
        gram_seconds=gram_seconds,
        fit_seconds=seconds,
        iterations=fit.iterations,
        n_support=fit.n_support,
        converged=fit.converged,
        approximate=fit.approximate,
        note=COLLAPSED if fit.collapsed else "",
    )


def _as_probability(
    fit: VariantFit, out_of_fold: FloatArray, labels: NDArray[np.int64], seconds: float
) -> VariantFit:
    """The fit with probabilities in place of scores, by a sigmoid that never falls."""
    sigmoid, note = rising_sigmoid(out_of_fold, labels)
    return replace(
        fit,
        score=sigmoid(fit.score),
        threshold=0.5,
        fit_seconds=fit.fit_seconds + seconds,
        note="; ".join(filter(None, (fit.note, note))),
    )


def _sampled_fits(
    train: Sequence[NDArray[np.generic]],
    labels: NDArray[np.int64],
    test: Sequence[NDArray[np.generic]],
    wanted: Sequence[Variant],
    needed: int,
    limit: float,
) -> dict[str, VariantFit | str]:
    """Plain kernels on sampled features; for the other variants there is no such form."""
    reason = (
        f"the Gram matrix of {len(labels)} training rows needs {needed / 2**30:.1f} GiB, "
        f"{limit / 2**30:.1f} GiB may be used, and there is no approximate form"
    )
    found: dict[str, VariantFit | str] = {one.name: reason for one in wanted}
    plain = [one.kernel for one in wanted if one.name == one.kernel]
    kernels = [name for name in plain if KERNELS[name].svc is not None]
    if not kernels:
        return found
    from classifiers.nystroem import approximate_fits

    started, each = time.perf_counter(), []
    for position, (rows, others) in enumerate(zip(train, test, strict=True)):
        with naming_backbone(position, len(train)):
            check_features(rows, others)
            each.append(Standardisation.fit_varying(rows))
    # Side by side all would be of the widest type, and it depends on the type what is constant.
    whole = Standardisation.beside(each)
    standardising = time.perf_counter() - started
    fits, seconds = approximate_fits(
        np.hstack(train), labels, np.hstack(test), SweepSettings(kernels), limit, whole
    )
    seconds += standardising
    return found | {
        name: _variant_fit(fit, fit.seconds, seconds) for (name, _, _), fit in fits.items()
    }
