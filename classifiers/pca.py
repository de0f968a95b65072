"""Principal components of standardised features, from their Gram matrix alone.

Training rows are centred by their standardisation, so the eigenvectors of their Gram matrix are the
components' scores, up to length: n × n numbers, whatever the number of features.
"""

import numpy as np
from scipy.linalg import eigh

from classifiers.gram import Gram

# Eigenvalues below this share of the largest are rounding, not components.
_NEGLIGIBLE = 1e-10


def principal_components(gram: Gram, variance_share: float) -> Gram:
    """The Gram of the scores on the fewest components that keep more than this share of variance.

    The scores are not standardised again: a component counts by the variance it carries. Test rows
    are projected; they change no component.

    Parameters
    ----------
    gram : Gram
        Inner products of standardised features.
    variance_share : float
        Between 0 and 1, both excluded, as in scikit-learn's ``PCA(n_components=share)``.

    Returns
    -------
    Gram
        Inner products of the scores. Its `variance` is the variance retained, which takes the place
        of P in the preset scales, and its `rank` the number of components.

    Raises
    ------
    ValueError
        If the share is out of range.
    """
    if not 0 < variance_share < 1:
        raise ValueError(f"variance share {variance_share!r} must lie between 0 and 1")
    # This driver takes two further matrices at its peak, divide and conquer three.
    values, vectors = eigh(gram.train, driver="evr", check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    values = values[values > _NEGLIGIBLE * values[0]]
    kept = np.cumsum(values) / values.sum()
    # scikit-learn's rule: the first count that exceeds the share.
    count = min(int(np.searchsorted(kept, variance_share, side="right")) + 1, len(values))
    scores = vectors[:, :count] * np.sqrt(values[:count])
    del vectors
    test_scores = gram.test @ scores
    test_scores /= values[:count]
    train = scores @ scores.T
    return Gram(
        train=train,
        test=test_scores @ scores.T,
        train_squared_norm=np.diagonal(train).copy(),
        test_squared_norm=np.einsum("ij,ij->i", test_scores, test_scores),
        variance=float(values[:count].sum()) / len(train),
        rank=count,
    )
