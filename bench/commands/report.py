"""`bench report`: the report of a run, built again from its folder."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UnusableInput


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
) -> None:
    """Rebuild tables, figures and page of a run from its folder alone.

    Neither the data set nor the store is needed.
    """
    from reports import RunFolderError, build_report

    try:
        typer.echo(f"report: {build_report(run)}")
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    except (TypeError, ValueError, KeyError) as error:
        # Columns of other types than a run writes: somebody has altered the folder.
        reason = f"{type(error).__name__}: {error}"
        raise UnusableInput(f"{run}: its tables hold what no run writes ({reason})") from error
