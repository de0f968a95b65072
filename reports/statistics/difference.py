"""Whether two systems differ: the same patients draw by draw, the same folds fold by fold.

Two systems that see the same rows are compared on their difference, never by whether their
intervals overlap: a patient who is hard for one is usually hard for the other, which cancels. On a
single split the test divides the difference by its standard error over the bootstrap draws. Over
the folds of a cross-validation it is the corrected resampled t-test, which is approximate.

References
----------
.. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003,
   section 3 (the correction).
.. [2] R. R. Bouckaert and E. Frank, "Evaluating the replicability of significance tests for
   comparing learning algorithms", PAKDD 2004 (its form for repeated cross-validation).
.. [3] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
   Statistics 6, 1979.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.bootstrap import DRAWS, bootstrap, observed
from reports.statistics.equivalence import LEVEL_OF_TWO, probability_higher
from reports.statistics.intervals import LEVEL, interval
from reports.systems.pooling import PooledSystem
from reports.systems.rows import Floats, ScoredRows
from reports.values import missing

# Chance of a false positive in a whole family of tests; of detecting a true difference.
ALPHA = 1 - LEVEL
POWER = 0.80

HIGHER, LOWER, ALIKE = "higher", "lower", "not distinguishable"

BY_BOOTSTRAP = "bootstrap"
BY_FOLDS = "corrected resampled t-test (approximate)"


class NotComparable(ValueError):
    """Two systems or runs that must not be set side by side; the message is one line."""


@dataclass(frozen=True)
class Difference:
    """One system against a reference on the same test rows.

    Undefined values are NaN.

    Attributes
    ----------
    value, reference : float
        The measure of each, the mean over the repeats compared.
    difference : float
        `value` minus `reference`.
    low, high : float
        Its 95 % percentile interval over patients.
    standard_error, freedom : float
        Of the test; infinite degrees of freedom mean a normal distribution.
    test : str
        BY_BOOTSTRAP or BY_FOLDS.
    p : float
        Two-sided p-value of this comparison alone.
    runs, reference_runs : int
        How many repeats of each were compared.
    low90, high90 : float
        The 90 % interval, which belongs to two one-sided tests at 5 %.
    higher : float
        The share of draws in which the system is above the reference.
    """

    value: float
    reference: float
    difference: float
    low: float
    high: float
    standard_error: float
    freedom: float
    test: str
    p: float
    runs: int
    reference_runs: int
    low90: float
    high90: float
    higher: float


def contrast(
    system: PooledSystem,
    reference: PooledSystem,
    measure: str = "auc",
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Compare two systems that ran on the same rows.

    Parameters
    ----------
    system, reference : PooledSystem
        As from `pool`; both must number patients in the same way.
    measure : str
        One of `reports.statistics.measures.MEASURES`.
    draws, seed : int
        Of the patient bootstrap; both systems get the same draws.

    Returns
    -------
    Difference
        The difference with its interval and test.

    Raises
    ------
    NotComparable
        For test rows that differ, and for folds without a repeat that both systems ran.
    """
    repeats, others = _side_by_side(system, reference)
    drawn = bootstrap([repeats, others], [measure], draws, seed)[:, 0]
    differences = drawn[0] - drawn[1]
    low, high = interval(differences)
    low90, high90 = interval(differences, LEVEL_OF_TWO)
    value, other = (float(observed(one, [measure])[0]) for one in (repeats, others))
    n_folds = _n_folds(repeats[0])
    if n_folds > 1:
        test, by_fold = BY_FOLDS, _fold_differences(repeats, others, measure)
        error, freedom = resampled_error(by_fold, n_folds)
        t = _ratio(float(np.mean(by_fold)) if len(by_fold) else float("nan"), error)
    else:
        test, freedom = BY_BOOTSTRAP, float("inf")
        # Too few draws in which both are defined give neither an interval nor a test.
        error = float("nan") if np.isnan(low) else float(np.nanstd(differences, ddof=1))
        t = _ratio(value - other, error)
    return Difference(
        value=value,
        reference=other,
        difference=value - other,
        low=low,
        high=high,
        standard_error=error,
        freedom=freedom,
        test=test,
        p=two_sided(t, freedom),
        runs=len(repeats),
        reference_runs=len(others),
        low90=low90,
        high90=high90,
        higher=probability_higher(differences),
    )


def resampled_error(differences: ArrayLike, n_folds: int) -> tuple[float, float]:
    """Standard error and degrees of freedom of the corrected resampled t-test.

    Parameters
    ----------
    differences : ArrayLike, shape (J,)
        The difference of two systems in each fold of each of R repeats; J = K·R.
    n_folds : int
        The number of folds, K.

    Returns
    -------
    tuple[float, float]
        Standard error of the mean difference, and J − 1; NaN and 0 for fewer than two differences.

    Notes
    -----
    Training sets overlap, so the J differences are not independent. Their variance s², with J − 1
    in its denominator, is multiplied by 1/J + 1/(K − 1); 1/(K − 1) is the ratio of test to training
    rows.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return float("nan"), 0.0
    spread = (1 / len(values) + 1 / (n_folds - 1)) * values.var(ddof=1)
    return float(np.sqrt(spread)), float(len(values) - 1)


def two_sided(t: float, freedom: float) -> float:
    """The two-sided p-value of a t statistic; with infinite degrees of freedom it is normal."""
    from scipy import stats

    return float(2 * stats.t.sf(abs(t), freedom)) if freedom > 0 else float("nan")


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p-values of one family, (n,); NaN stays NaN and does not count as a member.

    Rejecting where the adjusted value is below ALPHA keeps the chance of any false rejection in the
    family below ALPHA, however the tests depend on each other.
    """
    from statsmodels.stats.multitest import multipletests

    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    if known.any():
        adjusted[known] = multipletests(values[known], alpha=ALPHA, method="holm")[1]
    return adjusted


def smallest_difference(found: Difference, comparisons: int = 1) -> float:
    """The smallest true difference that would have been detected with a probability of `POWER`.

    Detected means: by this test at the first and strictest step of Holm's procedure, ALPHA divided
    by the `comparisons` of the family. Half the interval's width would be too small: a difference
    of that size is missed half of the time, and it ignores the other comparisons.
    """
    from scipy import stats

    if not found.freedom > 0:
        return float("nan")
    strict = stats.t.isf(ALPHA / (2 * comparisons), found.freedom)
    return float((strict + stats.t.isf(1 - POWER, found.freedom)) * found.standard_error)


def verdict(difference: float, p_holm: float) -> str:
    """HIGHER, LOWER or ALIKE; empty where nothing was tested."""
    if missing(p_holm):
        return ""
    if p_holm >= ALPHA:
        return ALIKE
    return HIGHER if difference > 0 else LOWER


def with_verdicts(found: Difference, p_holm: float, comparisons: int) -> dict[str, Any]:
    """The columns that every table of differences has; `comparisons` is the size of the family."""
    return {
        "difference": found.difference,
        "ci_low": found.low,
        "ci_high": found.high,
        "test": found.test,
        "p": found.p,
        "p_holm": p_holm,
        "smallest_difference": smallest_difference(found, comparisons),
        "verdict": verdict(found.difference, p_holm),
    }


def _ratio(difference: float, error: float) -> float:
    """Difference over standard error; two systems that agree everywhere do not differ."""
    if difference == 0 and error == 0:
        return 0.0
    return difference / error if error > 0 else float("nan")


def repeat_numbers(system: PooledSystem) -> list[int]:
    """The numbers of a system's repeats, in the order of `system.repeats`."""
    return sorted(set(system.units["repeat"]))


def paired_repeats(system: PooledSystem, reference: PooledSystem) -> tuple[list[int], list[int]]:
    """Positions in each system's repeats of those that are compared.

    On a single split all of them: repeats are trainings on the same rows. With folds those that
    both ran, in the same order, because every repeat draws new folds. Raises NotComparable where
    no repeat is common to both.
    """
    numbers, others = repeat_numbers(system), repeat_numbers(reference)
    if _n_folds(system.repeats[0]) == 1 and _n_folds(reference.repeats[0]) == 1:
        return [*range(len(numbers))], [*range(len(others))]
    common = [number for number in numbers if number in others]
    if not common:
        raise NotComparable("no repeat of the folds is common to both")
    return [numbers.index(n) for n in common], [others.index(n) for n in common]


def _side_by_side(
    system: PooledSystem, reference: PooledSystem
) -> tuple[list[ScoredRows], list[ScoredRows]]:
    places, other_places = paired_repeats(system, reference)
    repeats = [system.repeats[place] for place in places]
    others = [reference.repeats[place] for place in other_places]
    folds = _n_folds(repeats[0]) > 1
    # On a single split every repeat tests the same rows, on folds each has those of its number.
    pairs = (
        zip(repeats, others, strict=True)
        if folds
        else [(repeats[0], r) for r in (*repeats, *others)]
    )
    if any(_fingerprint(one) != _fingerprint(other) for one, other in pairs):
        raise NotComparable("their test rows or folds are not the same")
    return repeats, others


def _fingerprint(rows: ScoredRows) -> bytes:
    """The same for the same patients, labels and folds in any order of the rows."""
    compared = np.stack([rows.fold, rows.patient, rows.positive.astype(np.int64)])
    return compared[:, np.lexsort(compared)].tobytes()


def _n_folds(rows: ScoredRows) -> int:
    return len(np.unique(rows.fold))


def _fold_differences(
    repeats: Sequence[ScoredRows], others: Sequence[ScoredRows], measure: str
) -> Floats:
    """The difference in every fold of every repeat, without those in which it is undefined."""
    found = [
        observed([one.where(one.fold == number)], [measure])
        - observed([other.where(other.fold == number)], [measure])
        for one, other in zip(repeats, others, strict=True)
        for number in np.unique(one.fold)
    ]
    differences: Floats = np.concatenate(found)
    return differences[~np.isnan(differences)]
