"""Two one-sided tests against statsmodels, and how often they are wrong at the margin."""

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from reports.statistics.difference import two_sided
from reports.statistics.equivalence import (
    EQUIVALENT,
    NOT_SHOWN,
    equivalence_verdict,
    probability_higher,
    two_one_sided,
)

MARGIN = 0.05


@pytest.mark.parametrize("shift", [0.0, 0.03, -0.04, 0.2])
def test_the_p_value_is_that_of_statsmodels(shift: float) -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(0.8 + shift, 0.1, 40), random.normal(0.8, 0.1, 40)
    apart = one - other
    error = apart.std(ddof=1) / np.sqrt(40)
    expected = ttost_paired(one, other, -MARGIN, MARGIN)[0]
    assert two_one_sided(apart.mean(), error, 39, MARGIN) == pytest.approx(expected, abs=1e-12)


def test_not_distinguishable_is_not_equivalent() -> None:
    """A wide interval about 0 shows neither difference nor equivalence, a narrow one the latter."""
    assert two_sided(0.0, np.inf) == 1
    assert equivalence_verdict(two_one_sided(0.0, 0.05, np.inf)) == NOT_SHOWN
    assert equivalence_verdict(two_one_sided(0.0, 0.02, np.inf)) == EQUIVALENT
    # Both can be true of one pair: a difference that is there, and too small to matter.
    assert two_sided(0.02 / 0.005, np.inf) < 0.001
    assert equivalence_verdict(two_one_sided(0.02, 0.005, np.inf)) == EQUIVALENT


def test_at_the_margin_it_is_wrong_once_in_twenty() -> None:
    random = np.random.default_rng(1)
    found = random.normal(MARGIN, 0.015, 4000)
    wrong = np.mean([two_one_sided(one, 0.015, np.inf) < 0.05 for one in found])
    assert 0.04 <= wrong <= 0.06


def test_what_is_undefined_has_no_verdict() -> None:
    assert np.isnan(two_one_sided(np.nan, 0.1, np.inf))
    assert np.isnan(two_one_sided(0.1, 0.1, 0.0))
    assert equivalence_verdict(float("nan")) == ""
    assert (two_one_sided(0.0, 0.0, np.inf), two_one_sided(0.06, 0.0, np.inf)) == (0, 1)
    with pytest.raises(ValueError, match="margin"):
        two_one_sided(0.0, 0.1, np.inf, 0.0)


def test_the_share_of_draws_in_which_one_is_higher() -> None:
    assert probability_higher(np.array([0.1, 0.2, -0.1, 0.0])) == pytest.approx(0.625)
    assert np.isnan(probability_higher(np.array([0.1, np.nan])))
