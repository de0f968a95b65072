"""Percentile intervals from a bootstrap over patients.

Crops of one patient are alike, so patients are resampled, not crops. One draw takes as many
patients as there are, with replacement; a row counts as often as its patient was drawn. The same
draws serve every system and every repeat on the same patients, so that systems can be compared draw
by draw. With several repeats the measure is taken in each and the values are averaged: the interval
is then conditional on the trained models: it leaves out what training again would change.

References
----------
.. [1] B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (the
   percentile interval).
.. [2] C. A. Field and A. H. Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical
   Society B 69, 2007 (resampling whole clusters).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics.intervals import bounded_interval
from reports.statistics.measures import MEASURES, calls, check_folds, check_rows, from_counts
from reports.systems.rows import Floats, ScoredRows

DRAWS = 2000

# Of the running sums of the draws computed at once: 1 MB, which stays in the cache.
_CHUNK_VALUES = 2**17

MEASURED = ("auc", "sensitivity", "specificity")

# The columns that `estimates` fills.
ESTIMATE_COLUMNS = tuple(
    f"{name}{suffix}" for name in MEASURED for suffix in ("", "_std", "_ci_low", "_ci_high")
)


def patient_bootstrap(
    y: ArrayLike,
    score: ArrayLike,
    patient_id: ArrayLike,
    measure: str = "auc",
    draws: int = DRAWS,
    seed: int = 0,
    threshold: ArrayLike = 0.0,
    fold: ArrayLike | None = None,
) -> tuple[float, float]:
    """The 95 % percentile interval of one measure over resampled patients.

    Parameters
    ----------
    y : ArrayLike, shape (n,)
        Labels: 1 for the positive class and 0 for the other.
    score : ArrayLike, shape (n,)
        Finite scores; higher means more likely positive.
    patient_id : ArrayLike, shape (n,)
        Identifiers of the patients; rows that share one are drawn together.
    measure : str
        One of `reports.statistics.measures.MEASURES`.
    draws : int
        Number of bootstrap draws; at least 2,000 for a value that is to be quoted.
    seed : int
        The draws depend on it and on the number of distinct patients only.
    threshold : ArrayLike, shape () or (n,)
        A row whose score is above its threshold is called positive.
    fold : ArrayLike | None, shape (n,)
        Fold of each row; the AUC compares rows of one fold only. All rows are in one by default.

    Returns
    -------
    tuple[float, float]
        Lower and upper limit. Draws in which the measure is undefined are left out; both limits are
        NaN where these are more than `MAX_UNDEFINED` of all draws, or where there are no rows.
        A measure that is 0 or 1 in all draws has the interval of `bounded_interval`.

    Raises
    ------
    ValueError
        For an unknown measure, fewer than one draw, or rows that `measures` refuses.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    .. [2] C. A. Field and A. H. Welsh, "Bootstrapping clustered data", Journal of the Royal
       Statistical Society B 69, 2007.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    positive, scores, _ = check_rows(y, score)
    patients = np.asarray(patient_id)
    if patients.shape != scores.shape:
        raise ValueError(f"patient_id has shape {patients.shape} and score has {scores.shape}")
    if not len(scores):
        return float("nan"), float("nan")
    # Text, because identifiers of mixed types have no order; numbers from 0 in sorted order.
    numbered = np.unique(patients.astype(str), return_inverse=True)[1]
    folds = check_folds(fold, scores)
    rows = ScoredRows(positive, scores, calls(scores, threshold), numbered, folds)
    return bounded_interval(bootstrap([[rows]], [measure], draws, seed)[0, 0], measure, [rows])


def bootstrap(
    systems: Sequence[Sequence[ScoredRows]],
    names: Sequence[str],
    draws: int = DRAWS,
    seed: int = 0,
) -> Floats:
    """Bootstrap values of several systems.

    Parameters
    ----------
    systems : Sequence[Sequence[ScoredRows]]
        The pooled rows of each repeat of each system. Patients are drawn from all that occur in any
        of the systems, so systems with the same patients belong together. A repeat may lack some of
        them: it then has fewer rows in that draw.
    names : Sequence[str]
        Which of `MEASURES`.
    draws, seed : int
        Number of draws; seed of the random generator.

    Returns
    -------
    Floats, shape (systems, measures, draws)
        Means over the repeats; NaN where a measure is undefined.

    Raises
    ------
    ValueError
        For fewer than one draw.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    everyone = np.unique(
        np.concatenate([np.unique(rows.patient) for repeats in systems for rows in repeats])
    )
    multiplicity = draw_patients(len(everyone), draws, seed)
    values = np.empty((len(systems), len(names), draws))
    for index, repeats in enumerate(systems):
        numbered = [rows._replace(patient=_position(rows.patient, everyone)) for rows in repeats]
        per_repeat = [_values(rows, multiplicity, names) for rows in numbered]
        values[index] = np.mean(per_repeat, axis=0)
    return values


def observed(repeats: Sequence[ScoredRows], names: Sequence[str]) -> Floats:
    """The measures themselves, (measures,): each patient counts once; mean over the repeats.

    NaN where a measure is undefined in a repeat.
    """
    once = []
    for rows in repeats:
        everyone, numbered = np.unique(rows.patient, return_inverse=True)
        weight = np.ones((len(everyone), 1))
        once.append(_values(rows._replace(patient=numbered), weight, names)[:, 0])
    values: Floats = np.mean(once, axis=0)
    return values


# Comparisons, one after the other, are on the same patients.
@lru_cache(maxsize=2)
def draw_patients(n_patients: int, draws: int, seed: int) -> Floats:
    """How often each patient is in each draw, (n_patients, draws); columns sum to n_patients."""
    generator = np.random.default_rng(seed)
    share = np.full(n_patients, 1 / n_patients)
    counts = generator.multinomial(n_patients, share, size=draws)
    drawn = np.ascontiguousarray(counts.T, dtype=np.float64)
    drawn.flags.writeable = False
    return drawn


def std_over_repeats(values: Floats | Sequence[float]) -> float:
    """Standard deviation over repeats, n - 1 in the denominator; NaN for a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _position(patient: NDArray[np.int64], everyone: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(everyone, patient).astype(np.int64)


def _values(rows: ScoredRows, multiplicity: Floats, names: Sequence[str]) -> Floats:
    """Every measure of one repeat in every draw: (measures, draws)."""
    found = from_counts(*_counts(rows, multiplicity)) if set(names) - {"auc"} else {}
    if "auc" in names:
        found["auc"] = _auc(rows, multiplicity)
    return np.array([found[name] for name in names])


def _counts(rows: ScoredRows, multiplicity: Floats) -> Floats:
    """TP, FN, FP, TN in every draw, (4, draws): the counts of each patient, weighted."""
    outcome = 2 * ~rows.positive + ~rows.called
    size = len(multiplicity)
    of_patient = np.bincount(outcome * size + rows.patient, minlength=4 * size).reshape(4, size)
    counts: Floats = of_patient.astype(np.float64) @ multiplicity
    return counts


def _auc(rows: ScoredRows, multiplicity: Floats) -> Floats:
    """The AUC in every draw, (draws,), without sorting again.

    A positive row wins against the negative rows of its fold below it and half of those it is tied
    with. With the negatives in order of fold and score, both are differences of one running sum of
    their weights. All sums are of whole numbers below 2**53, hence exact in any order.
    """
    positive = rows.positive
    # Equal scores share a rank, and ranks of a later fold lie above all those of an earlier one.
    step = np.unique(rows.score, return_inverse=True)[1] + rows.fold * (len(rows.score) + 1)
    ascending = np.argsort(step[~positive], kind="stable")
    negative_step = step[~positive][ascending]
    negative_patient = rows.patient[~positive][ascending]
    below = np.searchsorted(negative_step, step[positive], side="left")
    up_to = np.searchsorted(negative_step, step[positive], side="right")
    tied = bool((below != up_to).any())
    negative_fold = rows.fold[~positive][ascending]
    first = np.searchsorted(negative_fold, rows.fold[positive], side="left")
    last = np.searchsorted(negative_fold, rows.fold[positive], side="right")
    draws = multiplicity.shape[1]
    result = np.empty(draws)
    # The sums are exact, so that their number at once changes no result.
    chunk = max(1, _CHUNK_VALUES // (len(positive) + 1))
    for start in range(0, draws, chunk):
        part = np.ascontiguousarray(multiplicity[:, start : start + chunk])
        running = np.zeros((len(negative_patient) + 1, part.shape[1]))
        np.cumsum(part[negative_patient], axis=0, out=running[1:])
        weight = part[rows.patient[positive]]
        won = running[below]
        if tied:
            won = (won + running[up_to]) / 2
        pairs = np.einsum("ij,ij->j", weight, running[last] - running[first])
        with np.errstate(invalid="ignore"):
            won_pairs = np.einsum("ij,ij->j", weight, won - running[first])
            result[start : start + chunk] = won_pairs / pairs
    return result


def estimates(systems: Sequence[Sequence[ScoredRows]]) -> list[dict[str, float]]:
    """The values of ESTIMATE_COLUMNS for each system, given as the rows of its repeats.

    Every system gets the same bootstrap draws over patients. Undefined values are NaN.
    """
    if not systems:
        return []
    drawn = bootstrap(systems, MEASURED)
    return [_estimate(repeats, values) for repeats, values in zip(systems, drawn, strict=True)]


def sizes(rows: ScoredRows) -> dict[str, int]:
    """The numbers of rows, positive rows and patients behind a row of a table."""
    return {
        "n": len(rows.positive),
        "n_positive": int(rows.positive.sum()),
        "n_patients": len(np.unique(rows.patient)),
    }


def _estimate(repeats: Sequence[ScoredRows], drawn: NDArray[np.float64]) -> dict[str, float]:
    measured = np.array([observed([rows], MEASURED) for rows in repeats])
    found = {}
    for name, values, of_draws in zip(MEASURED, measured.T, drawn, strict=True):
        low, high = bounded_interval(of_draws, name, repeats)
        found[name] = float(values.mean())
        found[f"{name}_std"] = std_over_repeats(values)
        # Where the measure itself is undefined, so is its interval.
        defined = found[name] == found[name]
        found[f"{name}_ci_low"], found[f"{name}_ci_high"] = (
            (low, high) if defined else (np.nan,) * 2
        )
    return found
