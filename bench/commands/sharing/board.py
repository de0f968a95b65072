"""`bench board`: one page over many runs."""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from bench.atomic_files import write_atomically
from bench.commands.printing import say
from bench.errors import UnusableInput


def board(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, bundles, or what is kept of runs.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("board.html"),
) -> None:
    """Put many runs on one page: settings as columns, backbones as rows.

    Synthetic runs are refused, audits are left out. Without a run the page says how to submit one.
    """
    from reports.board.page import render_board
    from reports.systems.run_folder import Run, RunFolderError, read_scores

    found: list[Run] = []
    for folder in runs or []:
        try:
            run = read_scores(folder)
        except RunFolderError as error:
            raise UnusableInput(str(error)) from error
        if run.synthetic:
            raise UnusableInput(f"{folder}: its data are synthetic; such a run has no place here")
        found.append(run)
    try:
        page = render_board(found, [_address(run.folder, out) for run in found])
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    write_atomically(out, page)
    say(f"board: {out} ({len(page.encode()) / 1e6:.2f} MB, {len(found)} runs)")


def _address(folder: Path, out: Path) -> str:
    """Where the report of a run lies as seen from the page; empty if it has none, or is far off."""
    page = folder / "report.html"
    if not page.is_file():
        return ""
    relative = os.path.relpath(page.resolve(), out.resolve().parent)
    # A page with the way through somebody's folders is not one to share.
    far = Path(relative).parts[:3] == ("..", "..", "..")
    return "" if far else quote(Path(relative).as_posix())
