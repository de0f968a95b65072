"""From predictions to measures, tables, figures and a self-contained page.

The public names are loaded when they are first used, so that importing the package is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.build import build_report
    from reports.statistics.bootstrap import patient_bootstrap
    from reports.statistics.measures import measures, sensitivity_at_specificity
    from reports.systems.run_folder import RunFolderError

__all__ = [
    "RunFolderError",
    "build_report",
    "measures",
    "patient_bootstrap",
    "sensitivity_at_specificity",
]

_HOMES = {
    "RunFolderError": "systems.run_folder",
    "build_report": "build",
    "measures": "statistics.measures",
    "patient_bootstrap": "statistics.bootstrap",
    "sensitivity_at_specificity": "statistics.measures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reports' has no attribute {name!r}")
    return getattr(import_module(f"reports.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
