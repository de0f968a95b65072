"""How commands print: lines and tables, on a terminal or into a pipe."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def _console() -> Console:
    # In a pipe there is no width to keep to: a cut cell would be lost.
    # Names have colons; what stands between two of them is no emoji.
    width = None if Console().is_terminal else 1000
    return Console(highlight=False, emoji=False, width=width)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; None is an empty cell, and a long cell is folded, never cut."""
    if title:
        # As a line of its own: a table would fold a title that is wider than it is.
        say(title)
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    for row in cells:
        table.add_row(*(_plain(cell) for cell in row))
    _console().print(table)


def _plain(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def say(line: str) -> None:
    """Print one line as it is: brackets are no markup, and nothing is wrapped."""
    _console().print(line, markup=False, soft_wrap=True)
