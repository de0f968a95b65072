"""Makes the report of a run folder: tables, figures and the page, from that folder alone."""

from pathlib import Path

from reports.systems.run_folder import read_run


def build_report(run: Path) -> Path:
    """Write tables/, figures/, paper/ and report.html into a run folder; returns the page's path.

    A pure function of the folder's manifest.json, units.parquet, predictions.parquet,
    lesions.parquet, trainings.parquet, history.parquet and images/: a second call writes the same
    bytes. Each file is replaced whole, and the page comes last, so that it never names a file that
    is not there.

    Raises RunFolderError, in one line, for a folder that is no run folder or lacks a file or a
    column.
    """
    from reports.figures.data import draw_data
    from reports.figures.every_figure import draw_all, draw_audits
    from reports.page.page import render
    from reports.systems.entries import curve_groups, grouped
    from reports.systems.pooling import pool
    from reports.tables.every_table import every_table
    from reports.tables.formats import to_csv, to_latex, write_whole
    from reports.text.methods import methods
    from reports.text.references import references, to_bibtex

    loaded = read_run(run)
    systems = pool(loaded)
    tables = every_table(loaded, systems)
    groups = grouped(loaded, systems, tables["summary"])
    curves = curve_groups(loaded, systems, tables["summary"])
    drawings = [
        *draw_all(loaded, groups, curves),
        *draw_audits(loaded, systems, tables),
        *draw_data(loaded),
    ]
    page = render(loaded, systems, groups, tables, drawings)
    for name, table in tables.items():
        write_whole(loaded.folder / "tables" / f"{name}.csv", to_csv(table).encode())
        write_whole(loaded.folder / "tables" / f"{name}.tex", to_latex(name, table).encode())
    for drawing in drawings:
        write_whole(loaded.folder / "figures" / f"{drawing.slug}.svg", drawing.svg)
        write_whole(loaded.folder / "figures" / f"{drawing.slug}.pdf", drawing.pdf)
    paper = loaded.folder / "paper"
    write_whole(paper / "methods.txt", _text(methods(loaded, systems, tables)))
    entries = references(loaded, systems, tables)
    write_whole(paper / "references.bib", to_bibtex(entries).encode())
    path = loaded.folder / "report.html"
    write_whole(path, page.encode())
    return path


def _text(paragraphs: list[str]) -> bytes:
    return ("\n\n".join(paragraphs) + "\n").encode("utf-8", "replace")
