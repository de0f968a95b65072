"""`bench report`: the report of a run, built again from its folder."""

from pathlib import Path
from typing import Annotated

import typer

from bench.atomic_files import remove_stale
from bench.errors import UnusableInput


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
) -> None:
    """Rebuild tables, figures and page of a run from its folder alone.

    Neither the data set nor the store is needed. It is rebuilt though nothing has changed, which
    `all` does not do.
    """
    from reports import RunFolderError, build_report

    try:
        page = build_report(run)
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    # A killed run or report may have left files that are not whole.
    remove_stale(run)
    typer.echo(f"report: {page}")
