"""Makes the report of a run folder: tables, figures and the page, from that folder only."""

from pathlib import Path

from reports.systems.run_folder import read_run


def build_report(run: Path) -> Path:
    """Write tables/, figures/, paper/ and report.html into a run folder.

    Their contents depend only on the folder's manifest.json, units.parquet, predictions.parquet,
    lesions.parquet, trainings.parquet, history.parquet and images/: a second call writes the same
    bytes. Each file is replaced as a whole, and the page is written last, so that it never names a
    file that does not exist.

    Parameters
    ----------
    run : Path
        The run folder.

    Returns
    -------
    Path
        The page, report.html.

    Raises
    ------
    RunFolderError
        For a folder that is not a run folder, or lacks a file or a column.
    """
    from reports.evaluation import Evaluation
    from reports.figures.data import draw_data
    from reports.figures.every_figure import draw_all
    from reports.page.page import render
    from reports.tables.every_table import TABLES
    from reports.tables.formats import to_csv, to_latex
    from reports.text.methods import methods
    from reports.text.references import references, to_bibtex
    from reports.whole_files import write_whole

    evaluation = Evaluation.of(read_run(run))
    drawings = [*draw_all(evaluation), *draw_data(evaluation.run)]
    paragraphs = methods(evaluation)
    bibtex = to_bibtex(references(evaluation))
    page = render(evaluation, drawings, paragraphs, bibtex)
    folder = evaluation.run.folder
    for declared in TABLES:
        if (table := evaluation.tables.get(declared.name)) is not None:
            path = folder / "tables" / declared.name
            write_whole(path.with_suffix(".csv"), to_csv(table).encode())
            worded = declared.in_words_of(evaluation, table)
            write_whole(path.with_suffix(".tex"), to_latex(worded, table).encode())
    for drawing in drawings:
        write_whole(folder / "figures" / f"{drawing.slug}.svg", drawing.svg)
        write_whole(folder / "figures" / f"{drawing.slug}.pdf", drawing.pdf)
    write_whole(folder / "paper" / "methods.txt", _text(paragraphs))
    write_whole(folder / "paper" / "references.bib", bibtex.encode())
    path = folder / "report.html"
    write_whole(path, page.encode())
    return path


def _text(paragraphs: list[str]) -> bytes:
    return ("\n\n".join(paragraphs) + "\n").encode("utf-8", "replace")
