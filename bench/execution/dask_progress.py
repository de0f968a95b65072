"""Progress across processes: a worker sends events about its steps, the driver shows them."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.execution.progress import Progress

TOPIC = "bench"
# Seconds between two reports of one step.
REPORT_S = 0.5


class EventReporter:
    """Tells the driver of steps in a worker; a value, made anew in each process."""

    def say(self, line: str) -> None:
        """Send one line."""
        _send({"kind": "line", "text": f"{socket.gethostname()}: {line}"})

    @contextmanager
    def step(
        self, name: str, total: int | None, unit: str, of: str = ""
    ) -> Iterator[Callable[[int], None]]:
        """One step; see `bench.execution.progress.Reporter`."""
        step = {"step": uuid.uuid4().hex}
        where = f"{of} on {socket.gethostname()}".strip()
        _send({"kind": "start", **step, "name": name, "total": total, "unit": unit, "of": where})
        waiting, last = 0, time.monotonic()

        def advance(pieces: int) -> None:
            nonlocal waiting, last
            waiting += pieces
            if unit == "epochs" or time.monotonic() - last >= REPORT_S:
                _send({"kind": "advance", **step, "pieces": waiting})
                waiting, last = 0, time.monotonic()

        try:
            yield advance
        finally:
            _send({"kind": "end", **step})


def _send(event: dict[str, Any]) -> None:
    from distributed import get_worker

    get_worker().log_event(TOPIC, event)


class ShownEvents:
    """Shows the steps of all workers in the driver's bars and log.

    Parameters
    ----------
    progress : Progress
        Where they are shown.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._steps: dict[str, tuple[ExitStack, Callable[[int], None]]] = {}

    def take(self, event: tuple[float, dict[str, Any]]) -> None:
        """Show one event; what belongs to no step that is known is passed over."""
        _, told = event
        if told["kind"] == "line":
            self.progress.say(told["text"])
        elif told["kind"] == "start":
            stack = ExitStack()
            step = self.progress.step(told["name"], told["total"], told["unit"], told["of"])
            self._steps[told["step"]] = (stack, stack.enter_context(step))
        elif told["step"] in self._steps and told["kind"] == "advance":
            self._steps[told["step"]][1](told["pieces"])
        elif told["step"] in self._steps:
            self._steps.pop(told["step"])[0].close()

    def close(self) -> None:
        """End the steps of workers that have not said that theirs ended."""
        while self._steps:
            self._steps.popitem()[1][0].close()
