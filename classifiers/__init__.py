"""Feature matrices in, scores out: SVMs on one shared Gram matrix, and reference classifiers.

Usable alone, from a notebook:

>>> from classifiers import KernelSVC, sweep
"""

from typing import TYPE_CHECKING, Any

from classifiers.kernels import KERNELS, Kernel

if TYPE_CHECKING:
    from classifiers.c_path import Fit
    from classifiers.calibration import Sigmoid, platt
    from classifiers.estimator import KernelSVC
    from classifiers.fusion import BackboneSearch, fuse, grams_of, search_backbones, sweep_subsets
    from classifiers.gram import Gram
    from classifiers.heads.estimators import HeadRecipe
    from classifiers.heads.fits import HeadFit, fit_head
    from classifiers.inner_folds import InnerScore
    from classifiers.judgements import Judgement, judge_kernels
    from classifiers.pca import principal_components
    from classifiers.reference import REFERENCE_CLASSIFIERS, fit_reference
    from classifiers.settings import SweepSettings
    from classifiers.sweeps import Sweep, sweep, sweep_gram
    from classifiers.tuning import Choice, Tuning, tune, tune_gram
    from classifiers.variant_fits import VariantFit, fit_variants
    from classifiers.variants import VARIANTS, Variant

__all__ = [
    "KERNELS",
    "REFERENCE_CLASSIFIERS",
    "VARIANTS",
    "BackboneSearch",
    "Choice",
    "Fit",
    "Gram",
    "HeadFit",
    "HeadRecipe",
    "InnerScore",
    "Judgement",
    "Kernel",
    "KernelSVC",
    "Sigmoid",
    "Sweep",
    "SweepSettings",
    "Tuning",
    "Variant",
    "VariantFit",
    "fit_head",
    "fit_reference",
    "fit_variants",
    "fuse",
    "grams_of",
    "judge_kernels",
    "platt",
    "principal_components",
    "search_backbones",
    "sweep",
    "sweep_gram",
    "sweep_subsets",
    "tune",
    "tune_gram",
]

# scikit-learn takes half a second to import, which the command line's --help should not pay.
_LAZY = {
    name: f"classifiers.{module}"
    for module, names in {
        "calibration": ("Sigmoid", "platt"),
        "pca": ("principal_components",),
        "estimator": ("KernelSVC",),
        "fusion": ("BackboneSearch", "fuse", "grams_of", "search_backbones", "sweep_subsets"),
        "gram": ("Gram",),
        "reference": ("REFERENCE_CLASSIFIERS", "fit_reference"),
        "heads.estimators": ("HeadRecipe",),
        "heads.fits": ("HeadFit", "fit_head"),
        "c_path": ("Fit",),
        "settings": ("SweepSettings",),
        "sweeps": ("Sweep", "sweep", "sweep_gram"),
        "inner_folds": ("InnerScore",),
        "tuning": ("Choice", "Tuning", "tune", "tune_gram"),
        "judgements": ("Judgement", "judge_kernels"),
        "variant_fits": ("VariantFit", "fit_variants"),
        "variants": ("VARIANTS", "Variant"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'classifiers' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
