"""`bench cite`: BibTeX for what a run used."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UnusableInput


def cite(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
) -> None:
    """Print BibTeX for the data, backbones, methods and libraries of a run, and for the suite.

    It is made from the run folder alone, as in the report. What a data set or a model of the Hub
    says itself of how it is cited stands as a note.
    """
    from reports.evaluation import Evaluation
    from reports.systems.run_folder import RunFolderError, read_run
    from reports.text.references import references, to_bibtex

    try:
        found = references(Evaluation.of(read_run(run)))
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    typer.echo(to_bibtex(found), nl=False)
