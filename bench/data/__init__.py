"""Reads a data set into a lesion table, and its crops into one stack of squares.

Importing this package is light; what needs pandas or Pillow is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.data.crops.settings import CropSettings
    from bench.data.crops.stack import CropStack, build_stack
    from bench.data.lesions import Dataset, SubsetInfo, validate
    from bench.data.loading import DATASETS, load_lesions
    from bench.data.phantom.writing import builtin_phantom, write_phantom
    from bench.data.summary import summarise

_HOMES = {
    "CropSettings": "crops.settings",
    "CropStack": "crops.stack",
    "build_stack": "crops.stack",
    "Dataset": "lesions",
    "SubsetInfo": "lesions",
    "validate": "lesions",
    "DATASETS": "loading",
    "load_lesions": "loading",
    "builtin_phantom": "phantom.writing",
    "write_phantom": "phantom.writing",
    "summarise": "summary",
}

__all__ = [
    "DATASETS",
    "CropSettings",
    "CropStack",
    "Dataset",
    "SubsetInfo",
    "build_stack",
    "builtin_phantom",
    "load_lesions",
    "summarise",
    "validate",
    "write_phantom",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
