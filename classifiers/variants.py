"""The SVMs that a benchmark names: a kernel, and what is done besides.

    kernel[+pca][+tuned][+platt]

`+pca` fits in the space of the principal components that keep 95 % of the variance; `+tuned`
chooses C and scale by patient-grouped inner folds of the training rows; `+platt` turns scores into
probabilities by a sigmoid fitted to scores of such inner folds.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from classifiers.kernels import KERNELS


@dataclass(frozen=True)
class Variant:
    """A named SVM.

    Attributes
    ----------
    name : str
        The name on the command line and in every table.
    kernel : str
        A name out of `KERNELS`.
    pca, tuned, platt : bool
        Whether its features are principal components, whether C and scale are chosen on inner
        folds, and whether its scores are probabilities.
    """

    name: str
    kernel: str
    pca: bool
    tuned: bool
    platt: bool


def _variants() -> Iterable[Variant]:
    for pca, tuned, sigmoid in itertools.product((False, True), repeat=3):
        ending = "+pca" * pca + "+tuned" * tuned + "+platt" * sigmoid
        for kernel in KERNELS:
            yield Variant(kernel + ending, kernel, pca, tuned, sigmoid)


VARIANTS: Mapping[str, Variant] = MappingProxyType({one.name: one for one in _variants()})
