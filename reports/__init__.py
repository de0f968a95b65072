"""From predictions to measures, tables, figures and a self-contained page.

The public names are loaded when they are first used, so that importing the package stays light.
"""

import sys
from importlib import import_module
from types import ModuleType
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


class _Package(ModuleType):
    """Keeps `reports.statistics.measures` the function.

    Python binds a submodule to its name in the package when it is first imported, and one of ours
    is called like the function in it. Importing that one at once would avoid this, but loads numpy.
    """

    @property
    def measures(self) -> Any:
        return __getattr__("measures")

    @measures.setter
    def measures(self, module: ModuleType) -> None:
        """The submodule stays reachable through sys.modules, which is where imports look."""


sys.modules[__name__].__class__ = _Package
