"""Progress on the terminal: a bar with time left where a person looks on, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import Task, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

# Seconds between two lines of one training, at the least.
QUIET_S = 60.0


class Reporter(Protocol):
    """What work is told of: steps, and lines. `Progress` shows them; a worker sends them on."""

    def say(self, line: str) -> None:
        """Print one line."""
        ...

    def step(
        self, name: str, total: int | None, unit: str, of: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        """One step; the context's value is called with the pieces done since the last call."""
        ...


class Progress:
    """Tells which system is at work, how far it is, and how long it will still take.

    Work is counted in two bars: the whole run, and the step at hand. Off a terminal each finished
    step is one line, and a training says after its first epoch and then at most once a minute how
    far it is. Every line also goes to the run's log once `log_to` has named it.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._bars: RichProgress | None = None
        self._whole: TaskID | None = None
        self._log: Path | None = None
        self._total = 0
        self._done = 0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                RemainingColumn(compact=True),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def log_to(self, file: Path) -> None:
        """Append every line from now on to this file as well."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._log = file

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line."""
        line = line.encode(errors="backslashreplace").decode()
        self.console.print(line, style=style, markup=False)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")

    def expect(self, steps: int) -> None:
        """Announce the steps of the whole run."""
        self._total, self._done = steps, 0
        if self._bars is not None:
            self._whole = self._bars.add_task("whole run", total=steps, ends=None)

    @contextmanager
    def step(
        self, name: str, total: int | None, unit: str, of: str = ""
    ) -> Iterator[Callable[[int], None]]:
        """Show one step of the work.

        Parameters
        ----------
        name : str
            What is worked on.
        total : int | None
            The pieces of the step; None where they are not known before the end.
        unit : str
            What the pieces are.
        of : str
            Which of several steps of that name; lines say it, for which a bar has no room.

        Yields
        ------
        Callable[[int], None]
            To be called with the pieces done since the last call.
        """
        if self._bars is None:
            # Crops and fits take seconds; epochs take hours, in which a log must not stand still.
            yield (
                self._in_lines(f"{name}, {of}", total) if unit == "epochs" else lambda pieces: None
            )
            return
        task = self._bars.add_task(f"{name} [dim]{unit}[/dim]", total=total)
        try:
            yield partial(self._bars.advance, task)
        finally:
            self._bars.remove_task(task)

    def _in_lines(self, name: str, epochs: int | None) -> Callable[[int], None]:
        """A training's progress as lines; one that is taken from the store has none."""
        done, last = 0, float("-inf")

        def advance(pieces: int) -> None:
            nonlocal done, last
            done += pieces
            if time.monotonic() - last >= QUIET_S and done != epochs:
                last = time.monotonic()
                self.say(f"{name}: trained for {done} of {epochs} epochs")

        return advance

    def finished(self, line: str, left: float | None = None) -> None:
        """One step of the whole run is done: its line, with the seconds that are likely left."""
        self._done += 1
        if self._bars is not None and self._whole is not None:
            ends = None if left is None else time.monotonic() + left
            self._bars.update(self._whole, advance=1, ends=ends)
        ending = f"; about {duration(left)} left" if left is not None and left >= 5 else ""
        self.say(f"[{self._done}/{self._total}] {line}{ending}")


class RemainingColumn(TimeRemainingColumn):
    """As rich has it for steps alike; those of a whole run are not: its task is told when it ends.

    Such a task has a field `ends`, in seconds of `time.monotonic`, or None where nobody knows.
    """

    def render(self, task: Task) -> Text:
        """The time that is left."""
        if "ends" not in task.fields:
            return super().render(task)
        ends = task.fields["ends"]
        if ends is None or task.finished:
            return Text("-:--" if not task.finished else "", style="progress.remaining")
        minutes, seconds = divmod(max(round(ends - time.monotonic()), 0), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
        return Text(text, style="progress.remaining")


def duration(seconds: float) -> str:
    """'2 h 5 min', '5 min 3 s', '3 s'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
