"""The table of a paper in LaTeX, with booktabs where it is installed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reports.tables.formats import escape_latex
from reports.tables.headings import heading
from reports.values import number

# Lines for a document whose LaTeX has no booktabs.
RULES = r"""\IfFileExists{booktabs.sty}{\usepackage{booktabs}}{%
  \newcommand{\toprule}{\hline}\newcommand{\midrule}{\hline}\newcommand{\bottomrule}{\hline}}"""


def latex_table(
    named: Sequence[tuple[str, Mapping[str, Any]]],
    measures: Sequence[str],
    caption: str,
    decimal: str,
) -> str:
    """A table environment of systems by their names: a row each, a column a measure.

    Parameters
    ----------
    named : Sequence[tuple[str, Mapping[str, Any]]]
        What each system is called, and its estimates as in the summary.
    measures : Sequence[str]
        The columns.
    caption : str
        In plain text.
    decimal : str
        A point or a comma.

    Returns
    -------
    str
        The source; an interval stands below its estimate.
    """
    head = " & ".join(["System", *(_capital(escape_latex(heading(name))) for name in measures)])
    lines = [
        " & ".join([escape_latex(name), *(_cell(row, measure, decimal) for measure in measures)])
        for name, row in named
    ]
    body = " \\\\[2pt]\n".join(lines)
    return (
        "% needs booktabs, or these lines in the preamble:\n"
        + "".join(f"%   {line}\n" for line in RULES.splitlines())
        + "\\begin{table}[tb]\n\\centering\n"
        f"\\caption{{{escape_latex(caption)}}}\n\\label{{tab:systems}}\n"
        "\\footnotesize\\setlength{\\tabcolsep}{4pt}\n"
        f"\\begin{{tabular}}{{l{'c' * len(measures)}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
        f"{body} \\\\\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def estimate_text(row: Mapping[str, Any], measure: str, decimal: str) -> tuple[str, str]:
    """'0.812 ± 0.010' and '[0.760, 0.861]'; with a comma, numbers are parted by a semicolon."""
    value, spread = number(row[measure]), number(row[f"{measure}_std"])
    low, high = (number(row[f"{measure}_ci_{end}"]) for end in ("low", "high"))
    above = f"{value} ± {spread}" if value and spread else value or "–"
    between = "; " if decimal == "," else ", "
    below = f"[{low}{between}{high}]" if low and high else ""
    return localised(above, decimal), localised(below, decimal)


def localised(text: str, decimal: str) -> str:
    """The text with this decimal separator in its numbers."""
    return re.sub(r"(?<=\d)\.(?=\d)", decimal, text)


def _cell(row: Mapping[str, Any], measure: str, decimal: str) -> str:
    above, below = (
        re.sub(r"-(?=\d)", "$-$", text).replace("±", r"$\pm$").replace("–", "--")
        for text in estimate_text(row, measure, decimal)
    )
    return f"\\shortstack{{{above}\\\\{{}}{below}}}" if below else above


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
