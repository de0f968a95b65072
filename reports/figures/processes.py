"""Draws figures in several processes at once where there are many systems.

Each process imports what draws, which takes two seconds, and gets the pooled systems by way of a
file. loky's processes do not begin by running the program's main file again, as those of Python's
own executor do on most systems: a report can be made from any script.
"""

import pickle
import signal
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from reports.figures.drawing import Drawing

# Figures are drawn by at most so many processes: a run has a few large ones, and each takes
# 150 MB of memory.
_MOST_PROCESSES = 4


class Drawers:
    """Processes that draw; in a with block, at whose end they are gone."""

    def __init__(self, processes: int, ready: Callable[[], object]) -> None:
        """Start `processes` of them, each of which calls `ready`, an importable function."""
        from joblib.externals.loky import ProcessPoolExecutor

        self._folder = TemporaryDirectory(prefix="report-figures-", ignore_cleanup_errors=True)
        self._pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(ready,))
        self._files = 0
        self._pool.submit(_nothing)

    def submit(
        self, draw: "Callable[[Any, int], Drawing | None]", shared: Any, order: Sequence[int]
    ) -> "Callable[[], list[Drawing | None]]":
        """Have `draw(shared, number)` called for all numbers from 0, in this order.

        The function that is returned waits for what was drawn and has it in the order of the
        numbers; it raises what went wrong, with the traceback of the process.
        """
        file = Path(self._folder.name) / f"{self._files}.pickle"
        self._files += 1
        file.write_bytes(pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL))
        futures = {number: self._pool.submit(_drawn, draw, file, number) for number in order}
        return lambda: [futures[number].result() for number in sorted(futures)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        # Nobody waits for figures of a report that has failed.
        self._pool.shutdown(wait=True, kill_workers=error is not None)
        self._folder.cleanup()


def drawers(figures: int, ready: Callable[[], object]) -> Drawers | None:
    """Processes for so many figures; None where there is one core, or none can be started."""
    from joblib import cpu_count

    processes = min(cpu_count(), figures, _MOST_PROCESSES)
    if processes < 2:
        return None
    try:
        return Drawers(processes, ready)
    except (ImportError, NotImplementedError, OSError):
        return None  # a system without semaphores, or without memory for another process


def _begin(ready: Callable[[], object]) -> None:
    # Whoever presses Ctrl-C ends the report, which ends its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready()


def _nothing() -> None:
    """Has the processes started."""


def _drawn(draw: "Callable[[Any, int], Drawing | None]", file: Path, number: int) -> Drawing | None:
    return draw(_read(file), number)


@cache
def _read(file: Path) -> Any:
    return pickle.loads(file.read_bytes())
