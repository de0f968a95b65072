"""Makes the report of a run folder: tables, figures and the page, from that folder only."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reports.systems.run_folder import read_run

if TYPE_CHECKING:
    from reports.evaluation import Evaluation


def build_report(run: Path) -> Path:
    """Write tables/, figures/, paper/, two cards and report.html into a run folder.

    Their contents depend only on the folder's manifest.json, units.parquet, predictions.parquet,
    lesions.parquet, trainings.parquet, history.parquet and images/: a second call writes the same
    bytes. Each file is replaced as a whole, and the page is written last, so that it never names a
    file that does not exist. What they were made from, and their digests, are kept beside
    them (see `reports.unchanged`): that is for those who would call this again.

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
    from reports.figures.every_figure import draw_all
    from reports.page.page import render
    from reports.text.cards import (
        DATA_CARD,
        LESIONS,
        RESULTS_CARD,
        data_card,
        results_card,
        to_json_ld,
    )
    from reports.text.methods import methods
    from reports.text.references import references, to_bibtex
    from reports.unchanged import PAGE, RECORD, inputs, keep_record, recorded_files
    from reports.whole_files import write_whole

    evaluation = Evaluation.of(read_run(run))
    folder = evaluation.run.folder
    # As it stands there: what is read of it is made fit for tables and pages.
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    made_from = inputs(folder, manifest)
    written: dict[str, bytes] = {}
    drawings = draw_all(evaluation, lambda: written.update(_tables(evaluation)))
    paragraphs = methods(evaluation)
    bibtex = to_bibtex(references(evaluation))
    page = render(evaluation, drawings, paragraphs, bibtex)
    for drawing in drawings:
        written[f"figures/{drawing.slug}.svg"] = drawing.svg
        written[f"figures/{drawing.slug}.pdf"] = drawing.pdf
    lesions = hashlib.sha256((folder / LESIONS).read_bytes()).hexdigest()
    written[DATA_CARD] = to_json_ld(data_card(evaluation.run, lesions))
    written[RESULTS_CARD] = to_json_ld(results_card(evaluation))
    written["paper/methods.txt"] = _text(paragraphs)
    written["paper/references.bib"] = bibtex.encode()
    earlier = recorded_files(folder)
    (folder / RECORD).unlink(missing_ok=True)
    # Most of the time of a small file is spent waiting for the disk.
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(lambda item: write_whole(folder / item[0], item[1]), written.items()))
    written[PAGE] = page.encode()
    write_whole(folder / PAGE, written[PAGE])
    _remove_others(folder, earlier, written)
    keep_record(folder, made_from, written)
    return folder / PAGE


_WRITERS = 8


def _remove_others(folder: Path, earlier: set[str], written: Mapping[str, bytes]) -> None:
    """Remove the figures and tables of an earlier report that this one does not have.

    Figures of crops go though no record names them: a report that is said to have no image is
    shared as a folder.
    """
    from reports.figures.crops import ERRORS_FIGURE, OF_CROPS

    pictures = (
        f"figures/{file.name}"
        for kind in (*OF_CROPS, f"{ERRORS_FIGURE.name}-*")
        for file in (folder / "figures").glob(f"{kind}.*")
        if file.suffix in (".svg", ".pdf")
    )
    for name in {*earlier, *pictures} - set(written):
        path = PurePosixPath(name)
        if len(path.parts) == 2 and path.parts[0] in ("tables", "figures"):
            (folder / path).unlink(missing_ok=True)


def _tables(evaluation: "Evaluation") -> dict[str, bytes]:
    """The files of all tables, by path."""
    from reports.tables.every_table import TABLES
    from reports.tables.formats import to_csv, to_latex

    written = {}
    for declared in TABLES:
        if (table := evaluation.tables.get(declared.name)) is not None:
            written[f"tables/{declared.name}.csv"] = to_csv(table).encode()
            worded = declared.in_words_of(evaluation, table)
            written[f"tables/{declared.name}.tex"] = to_latex(worded, table).encode()
    return written


def _text(paragraphs: list[str]) -> bytes:
    return ("\n\n".join(paragraphs) + "\n").encode("utf-8", "replace")
