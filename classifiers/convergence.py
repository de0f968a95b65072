"""One warning for all fits of a call that a reader should not take as they are."""

import warnings
from collections.abc import Iterable
from typing import Protocol

# The note of a fit whose scores are noise.
COLLAPSED = (
    "collapsed: the scores vary no more than the solver's error, so that their order and the AUC "
    "are noise"
)


class Outcome(Protocol):
    """What the fits of all solvers say of themselves."""

    @property
    def converged(self) -> bool:
        """Whether the solver finished."""

    @property
    def approximate(self) -> bool:
        """Whether the kernel was replaced by sampled features."""

    @property
    def collapsed(self) -> bool:
        """Whether the scores vary no more than the solver's error."""


def warn_of(fits: Iterable[Outcome], unfinished_settings: int = 0, *, stacklevel: int = 3) -> None:
    """Give one `ConvergenceWarning` that counts what did not converge, is approximate or collapsed.

    Parameters
    ----------
    fits : Iterable[Outcome]
        The fits that a call returns.
    unfinished_settings : int
        Number of settings whose inner fits did not all converge.
    stacklevel : int
        As in `warnings.warn`: 3 is the caller of the function that calls this one.
    """
    from sklearn.exceptions import ConvergenceWarning

    made = list(fits)
    counts = {
        "did not converge: the solver stopped at its limit": [not fit.converged for fit in made],
        "are approximate: the Gram matrix needs too much memory": [f.approximate for f in made],
        COLLAPSED: [fit.collapsed for fit in made],
    }
    found = [f"{sum(has)} of {len(made)} fits {what}" for what, has in counts.items() if any(has)]
    if unfinished_settings:
        found.append(f"the inner fits of {unfinished_settings} settings did not all converge")
    if found:
        warnings.warn("; ".join(found), ConvergenceWarning, stacklevel=stacklevel)
