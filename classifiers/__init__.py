"""Feature matrices in, scores out: SVMs on one shared Gram matrix, and reference classifiers.

Usable alone, from a notebook:

>>> from classifiers import KernelSVC, sweep
"""

from typing import TYPE_CHECKING, Any

from classifiers.kernels import KERNELS, Kernel

if TYPE_CHECKING:
    from classifiers.reference import REFERENCE_CLASSIFIERS, fit_reference
    from classifiers.svm import KernelSVC, Sweep, sweep

__all__ = [
    "KERNELS",
    "REFERENCE_CLASSIFIERS",
    "Kernel",
    "KernelSVC",
    "Sweep",
    "fit_reference",
    "sweep",
]

# scikit-learn takes half a second to import, which the command line's --help should not pay.
_LAZY = {
    "KernelSVC": "classifiers.svm",
    "Sweep": "classifiers.svm",
    "sweep": "classifiers.svm",
    "REFERENCE_CLASSIFIERS": "classifiers.reference",
    "fit_reference": "classifiers.reference",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'classifiers' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
