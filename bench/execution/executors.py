"""What carries out tasks: here one after the other in this process."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from bench.execution.site import Site
from bench.execution.tasks import Answer, Reporter, Task, perform


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
