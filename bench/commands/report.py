"""`bench report`: the report of a run, built again from its folder."""

from pathlib import Path
from typing import Annotated

import typer

from bench.atomic_files import remove_stale
from bench.errors import UnusableInput


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    images: Annotated[
        bool,
        typer.Option(
            "--images/--no-images",
            help="Without images, those of the folder are removed, and the report can be shared.",
        ),
    ] = True,
) -> None:
    """Rebuild tables, figures and page of a run from its folder alone.

    Neither the data set nor the store is needed. It is rebuilt though nothing has changed, which
    `all` does not do. Images that were removed are written again by the `all` of the run.
    """
    from reports import RunFolderError, build_report

    try:
        if not images:
            _leave_out_images(run)
        page = build_report(run)
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    # A killed run or report may have left files that are not whole.
    remove_stale(run)
    typer.echo(f"report: {page}")


def _leave_out_images(run: Path) -> None:
    """Remove the images of a run folder; first from its manifest, so that it names none."""
    from bench.record.folder import RunFolder
    from bench.record.pictures import remove_images, without_images
    from reports.systems.run_folder import read_run

    manifest = read_run(run).manifest
    data = manifest.get("data")
    if not isinstance(data, dict):
        raise UnusableInput(f"{run / 'manifest.json'}: says nothing of its data")
    RunFolder(run).write_manifest(without_images(manifest))
    remove_images(run)
