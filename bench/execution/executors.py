"""What carries out tasks: here one after the other in this process."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from joblib import cpu_count

from bench.execution.explanations import Explanation, Explanations
from bench.execution.progress import Reporter
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task, perform
from bench.provenance import environment

if TYPE_CHECKING:
    from reports.wanted import Explained


class Executor(Protocol):
    """Carries out tasks somewhere."""

    def run(self, tasks: Sequence[Task], site: Site) -> Iterator[Answer]:
        """Do tasks.

        Parameters
        ----------
        tasks : Sequence[Task]
            Each stands behind the one that it needs.
        site : Site
            Where the work is done, and by which rules.

        Yields
        ------
        Answer
            One for each task, in any order.
        """
        ...

    def jobs(self, requested: int) -> int:
        """Threads for the SVMs of one fold; 0 requests as many as there are cores for."""
        ...

    def environment(self, device: str) -> Mapping[str, Any]:
        """Versions and hardware where the work is done, with networks on this device."""
        ...

    def explain(self, site: Site, wanted: "Explained") -> Explanation:
        """Saliency maps of one system."""
        ...


class LocalExecutor:
    """Does tasks in their order in this process.

    Parameters
    ----------
    reporter : Reporter
        Told how far each task is.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def run(self, tasks: Sequence[Task], site: Site) -> Iterator[Answer]:
        """Yield the answer to each task in turn; see `Executor`."""
        for task in tasks:
            yield perform(task, site, self.reporter)

    def jobs(self, requested: int) -> int:
        """The threads requested, else one a core."""
        return requested or cpu_count()

    def environment(self, device: str) -> Mapping[str, Any]:
        """Those of this process."""
        return environment(device)

    def explain(self, site: Site, wanted: "Explained") -> Explanation:
        """Saliency maps of one system, made in this process."""
        return Explanations(site, self.reporter).explain(wanted)
