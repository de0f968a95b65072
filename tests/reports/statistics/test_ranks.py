"""Mean ranks over settings."""

import numpy as np
import pytest

from reports.statistics.ranks import critical_difference, mean_ranks


def test_the_critical_difference_is_that_of_the_published_example() -> None:
    # J. Demšar, JMLR 7 (2006), section 3.2.2: four classifiers on 14 data sets, alpha 0.05.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_mean_ranks_need_five_settings() -> None:
    values = np.array([[0.9, 0.8, 0.7], [0.9, 0.7, 0.7], [0.6, 0.8, 0.7], [0.9, 0.8, 0.7]])
    assert mean_ranks(values) is None
    found = mean_ranks([*values, [0.9, 0.8, 0.7]])
    assert found is not None
    # Ties share their rank.
    assert found.mean.tolist() == pytest.approx([1.4, 1.9, 2.7])
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    with pytest.raises(ValueError, match="finite"):
        mean_ranks([*values, [0.9, np.nan, 0.7]])
