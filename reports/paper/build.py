"""Writes what a paper shows of chosen systems: table, figures, methods, references, a document."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.evaluation import Evaluation
from reports.figures.drawing import Drawing
from reports.paper.figures import PaperSystem, paper_figures
from reports.paper.latex import RULES, latex_table
from reports.paper.request import PaperRequest, chosen, place_of
from reports.statistics.bootstrap import bootstrap, observed, std_over_repeats
from reports.statistics.intervals import bounded_interval
from reports.systems.kinds import drawn
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, manifest_records, read_run, section
from reports.tables.formats import escape_latex
from reports.tables.summary import rows_by_system, summary
from reports.text.methods import methods
from reports.text.references import references, to_bibtex
from reports.whole_files import write_whole

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class PaperEvaluation(Evaluation):
    """A run cut to the systems of a paper; the only table is theirs."""

    @cached_property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """The summary of these systems: nothing else of a report is claimed in their methods."""
        return {"summary": summary(self.run, self.systems)}


def build_paper(folder: Path, request: PaperRequest, out: Path) -> list[Path]:
    """Write table, figures, methods, references and a document that shows all of them.

    Parameters
    ----------
    folder : Path
        A run's folder.
    request : PaperRequest
        What is shown.
    out : Path
        Where it is written; files of the same names are replaced.

    Returns
    -------
    list[Path]
        The files.

    Raises
    ------
    RunFolderError
        For a folder that is not a run folder.
    NotInRun
        For a system, subset, protocol or measure that the run does not have.
    """
    request.checked()
    pooled = PooledRun.of(read_run(folder))
    subset, protocol, members = place_of(pooled.run, pooled.systems, request)
    systems = [chosen(members, wanted) for wanted in dict.fromkeys(request.systems)]
    evaluation = PaperEvaluation(_cut(pooled.run, systems, subset, protocol), systems)
    shown = _shown(evaluation, request)
    mark = pooled.run.audit_mark if protocol in pooled.run.audits else ""
    drawings = paper_figures(shown, request, f"{subset}, {protocol}", mark, pooled.run.synthetic)
    files = _files(evaluation, shown, drawings, request, _caption(shown, subset, protocol, mark))
    for name, content in files.items():
        write_whole(out / name, content)
    return [out / name for name in files]


def _files(
    evaluation: Evaluation,
    shown: Sequence[PaperSystem],
    drawings: Sequence[Drawing],
    request: PaperRequest,
    caption: str,
) -> dict[str, bytes]:
    named = [(one.name, one.row) for one in shown]
    of = evaluation.run.patients
    table = latex_table(
        named,
        request.measures,
        f"{caption} In brackets: 95 % intervals over {of}."
        + " Synthetic data." * evaluation.run.synthetic,
        request.decimal,
    )
    paragraphs = methods(evaluation)
    files = {
        "table.tex": table.encode(),
        "methods.txt": ("\n\n".join(paragraphs) + "\n").encode("utf-8", "replace"),
        "methods.tex": _cited("\n\n".join(map(escape_latex, paragraphs))).encode(),
        "references.bib": to_bibtex(references(evaluation)).encode(),
        "paper.tex": _document(request, drawings).encode(),
    }
    for drawing in drawings:
        files |= {f"{drawing.slug}.svg": drawing.svg, f"{drawing.slug}.pdf": drawing.pdf}
    return files


def _cut(run: Run, systems: Sequence[PooledSystem], subset: str, protocol: str) -> Run:
    """The run as if it had these systems, this subset and this protocol alone."""
    data = section(run.manifest, "data")
    own = {
        "subsets": {k: v for k, v in section(data, "subsets").items() if k == subset},
        "counts": [row for row in manifest_records(data, "counts") if row.get("subset") == subset],
    }
    options = {k: v for k, v in _configuration(run).items() if k != "train_fraction"}
    taken = [
        row
        for row in manifest_records(run.manifest, "taken_out")
        if row.get("subset") == subset and row.get("protocol") == protocol
    ]
    names = {str(system.identity["extractor"]) for system in systems}
    trained = run.trainings[run.trainings["extractor"].isin(names)]
    manifest = run.manifest | {
        "data": data | own,
        "configuration": options,
        "taken_out": taken,
        "saliency": [],
    }
    if not protocol.startswith("external"):
        manifest |= {"external": []}
    return replace(run, manifest=manifest, trainings=trained)


def _configuration(run: Run) -> dict[str, Any]:
    return section(run.manifest, "configuration")


def _shown(evaluation: Evaluation, request: PaperRequest) -> list[PaperSystem]:
    rows = rows_by_system(evaluation.systems, evaluation.tables["summary"])
    wanted = list(dict.fromkeys(request.systems))
    return [
        PaperSystem(
            _name(name, system, request), system, _row(system, dict(rows[id(system)]), request)
        )
        for name, system in zip(wanted, evaluation.systems, strict=True)
    ]


def _row(system: PooledSystem, row: dict[str, Any], request: PaperRequest) -> dict[str, Any]:
    """The summary's row, and the measures that it does not have, by the same draws."""
    more = [name for name in request.measures if name not in row]
    if not more:
        return row
    drawn_values = bootstrap([system.repeats], more)[0]
    of_repeats = np.array([observed([rows], more) for rows in system.repeats])
    for name, values, draws in zip(more, of_repeats.T, drawn_values, strict=True):
        low, high = bounded_interval(draws, name, system.repeats)
        row |= {name: float(values.mean()), f"{name}_std": std_over_repeats(values)}
        row |= {f"{name}_ci_low": low, f"{name}_ci_high": high}
    return row


def _name(wanted: str, system: PooledSystem, request: PaperRequest) -> str:
    """The name asked for, or extractor and classifier; drawn weights are said in either case."""
    classifier = str(system.identity["classifier"]).replace("_", " ")
    own = f"{system.identity['extractor']} + {classifier}"
    named = request.names.get(wanted, own)
    return f"{named} (random weights)" if drawn(system) else named


def _caption(shown: Sequence[PaperSystem], subset: str, protocol: str, mark: str) -> str:
    rows = shown[0].row
    place = f"{subset}, {protocol}" + (f" ({mark})" if mark else "")
    repeats = max(int(one.row["n_runs"]) for one in shown)
    spread = f" ± is the standard deviation over {repeats} repeats." if repeats > 1 else ""
    return f"Systems on {place}: {int(rows['n_test'])} test crops.{spread}"


def _cited(text: str) -> str:
    r"""'[a, b]' of known keys as '\cite{a, b}'."""
    return re.sub(r"\[((?:[a-z]+\d{4}\w+(?:, )?)+)\]", r"\\cite{\1}", text)


def _document(request: PaperRequest, drawings: Sequence[Drawing]) -> str:
    figures = "\n".join(
        "\\begin{figure}[tb]\n\\centering\n"
        f"\\includegraphics[width={request.width:g}in]{{{drawing.slug}.pdf}}\n"
        f"\\caption{{{escape_latex(drawing.title)}.}}\n\\end{{figure}}"
        for drawing in drawings
    )
    return (
        "% Shows everything; a paper takes what it needs.\n"
        "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage[T1]{fontenc}\n"
        "\\usepackage{textcomp}\n\\usepackage{graphicx}\n"
        f"{RULES}\n\\sloppy\n\\begin{{document}}\n\\input{{table}}\n{figures}\n"
        "\\section*{Methods}\n\\input{methods}\n"
        "\\bibliographystyle{plain}\n\\bibliography{references}\n\\end{document}\n"
    )
