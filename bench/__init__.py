"""Decides what runs, in what order, and where results lie.

For notebooks and plugins:

    from bench import FeatureExtractor        # a backbone as a transformer of scikit-learn
    from bench import register_classifier     # and register_dataset, register_reference_point
"""

TYPE_CHECKING = False  # As in `typing`, which a file beside the user's data may hide.
if TYPE_CHECKING:
    from typing import Any

    from bench.data.loaders.registered import make_dataset
    from bench.feature_extractor import FeatureExtractor
    from bench.plugins.classifiers import register_classifier
    from bench.plugins.datasets import register_dataset
    from bench.plugins.references import register_reference_point

__all__ = [
    "FeatureExtractor",
    "make_dataset",
    "register_classifier",
    "register_dataset",
    "register_reference_point",
]

_HOMES = {
    "FeatureExtractor": "feature_extractor",
    "make_dataset": "data.loaders.registered",
    "register_classifier": "plugins.classifiers",
    "register_dataset": "plugins.datasets",
    "register_reference_point": "plugins.references",
}


def __getattr__(name: str) -> "Any":
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"bench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
