"""`bench paper`: table, figures, methods and references of chosen systems of a run."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UnusableInput


def paper(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    systems: Annotated[
        str,
        typer.Option(
            help="Extractors, or EXTRACTOR/CLASSIFIER, from top to bottom; needed. Without it the "
            "names in the run are said.",
            metavar="A,B",
        ),
    ] = "",
    subset: Annotated[str, typer.Option(help="The run's first by default.")] = "",
    protocol: Annotated[str, typer.Option(help="The first that is no audit by default.")] = "",
    measures: Annotated[
        str, typer.Option(help="Columns of the table; the first is that of the forest.")
    ] = "auc,sensitivity,specificity",
    names: Annotated[
        list[str] | None,
        typer.Option(help="What a system is called; may be given several times.", metavar="A=NAME"),
    ] = None,
    width: Annotated[float, typer.Option(help="Of a column, in inches.")] = 3.5,
    font_size: Annotated[float, typer.Option(help="In points.")] = 8.0,
    decimal: Annotated[str, typer.Option(help="A point or a comma.")] = ".",
    out: Annotated[Path | None, typer.Option(help="By default RUN/paper/systems.")] = None,
) -> None:
    """Write a LaTeX table, a forest and a ROC figure, methods and BibTeX of these systems alone.

    `paper.tex` in the same folder shows all of it.
    """
    from reports import RunFolderError
    from reports.paper.build import build_paper
    from reports.paper.request import NotInRun, PaperRequest

    try:
        if not _parts(systems):
            raise NotInRun(f"--systems is missing; there are {_extractors_of(run)}")
        request = PaperRequest(
            _parts(systems), subset, protocol, _parts(measures), _named(names or []),
            width, font_size, decimal,
        )  # fmt: skip
        files = build_paper(run, request, out.expanduser() if out else run / "paper" / "systems")
    except (NotInRun, RunFolderError) as error:
        raise UnusableInput(str(error)) from error
    typer.echo(f"paper: {files[0].parent} ({', '.join(file.name for file in files)})")


def _extractors_of(run: Path) -> str:
    from reports.systems.run_folder import read_scores

    return ", ".join(dict.fromkeys(map(str, read_scores(run).units["extractor"])))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, sign, shown = text.partition("=")
        if not (sign and name.strip() and shown.strip()):
            raise UnusableInput(f"--names {text!r} has to be SYSTEM=NAME")
        pairs[name.strip()] = shown.strip()
    return pairs
