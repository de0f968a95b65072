"""How commands print: lines and tables, on a terminal or into a pipe, and JSON."""

import json
import os
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

# Characters of a name or a path that may be folded where a table has no room for them.
LONGEST_WORD = 36
# Characters between two columns.
BETWEEN = 2
# A narrower terminal breaks lines itself: cells of no width would be lost.
NARROWEST = 16


def width_of_output() -> int | None:
    """Columns of the terminal, or what $COLUMNS says; None in a pipe, which has no width."""
    console = Console()
    if console.is_terminal:
        return max(console.width, NARROWEST)
    wanted = os.environ.get("COLUMNS", "")
    known = wanted.isascii() and wanted.isdigit() and int(wanted) > 0
    return max(int(wanted), NARROWEST) if known else None


def _console() -> Console:
    # In a pipe there is no width to keep to: a cut cell would be lost.
    # Names have colons; what stands between two of them is no emoji.
    return Console(highlight=False, emoji=False, width=width_of_output() or 1000)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; None is an empty cell, and a long cell is folded, never cut.

    Where not even the longest words of the columns have room beside each other, each row becomes a
    block with one column a line.
    """
    if title:
        # As a line of its own: a table would fold a title that is wider than it is.
        say(title)
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    width = width_of_output()
    if width is None:
        _print_side_by_side(columns, cells, [None] * len(columns))
        return
    widths = _widths(columns, cells, width)
    if widths is None:
        _print_in_blocks(columns, cells, width)
    else:
        _print_side_by_side(columns, cells, widths)


def _print_side_by_side(
    columns: Sequence[str], cells: Iterable[Sequence[str]], widths: Sequence[int | None]
) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, BETWEEN, 0, 0))
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(_plain, row))
    _console().print(table)


def _print_in_blocks(columns: Sequence[str], cells: Iterable[Sequence[str]], width: int) -> None:
    from rich.cells import cell_len

    names = min(max(map(cell_len, columns)), width // 3)
    for number, row in enumerate(cells):
        if number:
            say("")
        table = Table(box=None, pad_edge=False, padding=(0, BETWEEN, 0, 0), show_header=False)
        table.add_column(width=names, overflow="fold")
        table.add_column(width=width - names - BETWEEN, overflow="fold")
        for name, cell in zip(columns, row, strict=True):
            if cell:
                table.add_row(_plain(name), _plain(cell))
        _console().print(table)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column may be; None where the longest words do not fit beside each other."""
    from rich.cells import cell_len

    texts = [[name, *(row[i] for row in cells)] for i, name in enumerate(columns)]
    wanted = [max(map(cell_len, column)) for column in texts]
    found = [
        max(min(cell_len(word), LONGEST_WORD) for text in column for word in text.split() or [""])
        for column in texts
    ]
    spare = width - BETWEEN * (len(columns) - 1) - sum(found)
    if spare < 0:
        return None
    # One by one to the column that is folded most.
    for _ in range(spare):
        folded = [
            want / have if want > have else 0 for want, have in zip(wanted, found, strict=True)
        ]
        most = max(folded)
        if not most:
            break
        found[folded.index(most)] += 1
    return found


def print_json(found: object) -> None:
    """Print one JSON value; letters beyond ASCII stay as they are."""
    import typer

    typer.echo(json.dumps(found, ensure_ascii=False, indent=1))


def say_wrapped(line: str, further: str = "") -> None:
    """Print a paragraph within the terminal's width, no name cut; in a pipe as one line.

    Parameters
    ----------
    line : str
        The text.
    further : str
        What its second and later lines begin with.
    """
    import textwrap

    width = width_of_output()
    if width is None:
        say(line)
        return
    for part in textwrap.wrap(
        line, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    ):
        say(part)


def _plain(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def say(line: str) -> None:
    """Print one line as it is: brackets are no markup, and nothing is wrapped."""
    _console().print(line, markup=False, soft_wrap=True)
