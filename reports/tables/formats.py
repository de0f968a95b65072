"""How figures are written down: CSV and LaTeX, the same bytes for the same table.

Names of extractors and classifiers can come from a plugin, hence the two defences: a CSV cell that
a spreadsheet would run as a formula gets an apostrophe in front, and LaTeX specials are escaped.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.headings import heading
from reports.tables.report_table import ReportTable
from reports.values import is_number, short

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"$\pm$",
        "×": r"$\times$",
    }
)

# A longer table has to be able to break over pages.
_LONG_TABLE = 40


def csv_cell(value: Any) -> str:
    """The cell's text; a string that a spreadsheet would evaluate is made harmless."""
    text = short(value)
    if isinstance(value, str) and text.startswith(_FORMULA_STARTS) and not is_number(text):
        return f"'{text}"
    return text


def to_csv(table: "pd.DataFrame") -> str:
    """RFC 4180 quoting, line feeds, no index."""
    import pandas as pd

    cells = pd.DataFrame(
        {name: [csv_cell(value) for value in table[name]] for name in table.columns}, dtype=object
    )
    # Some columns are named by the data.
    cells.columns = [csv_cell(name) for name in table.columns]
    return str(cells.to_csv(index=False, lineterminator="\n"))


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; line breaks and control characters become spaces."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).translate(_LATEX)


def to_latex(declared: ReportTable, table: "pd.DataFrame") -> str:
    """A table for print: booktabs, as wide as the text at most, a longtable from 41 rows.

    Settings and states that all rows share stand once, in a comment above the table. A longtable
    cannot be scaled; where it is too wide it wants a landscape page, which the comment says.
    """
    if declared.for_print is not None:
        table = declared.for_print(table)
    if "weights_digest" in table:
        table = table.assign(weights_digest=[short(d)[:12] for d in table["weights_digest"]])
    shown, shared = _without_shared(table)
    columns = [[short(value) for value in shown[column]] for column in shown]
    numeric = [all(map(_is_figure, column)) for column in columns]
    heads = [escape_latex(heading(str(column), declared.headings)) for column in shown.columns]
    cells = [[_latex_cell(text) for text in column] for column in columns]
    long = len(table) > _LONG_TABLE
    align = "".join("r" if is_figure else "l" for is_figure in numeric)
    body = _body(heads, list(zip(*cells, strict=True)), align, long)
    packages = "booktabs, longtable" if long else "booktabs, graphicx"
    notes = [f"% {declared.name}: needs the packages {packages}"]
    if shared:
        notes.append(f"% all rows: {escape_latex(', '.join(shared))}")
    if long:
        notes.append("% if it is too wide, put it on a landscape page (package pdflscape)")
        body = f"{{\\scriptsize\\setlength{{\\tabcolsep}}{{3pt}}\n{body}}}\n"
    else:
        # Scaled down to the text's width where it is wider, left as it is where not.
        width = r"\ifdim\width>\textwidth\textwidth\else\width\fi"
        body = f"\\resizebox{{{width}}}{{!}}{{%\n{body}}}\n"
    return "\n".join([*notes, body])


def _body(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str, long: bool) -> str:
    """The table itself, as pandas writes it, which takes fifty times as long."""
    head = ["\\toprule", f"{' & '.join(heads)} \\\\", "\\midrule"]
    lines = [f"{' & '.join(row)} \\\\" for row in rows]
    if not long:
        parts = [f"\\begin{{tabular}}{{{align}}}", *head, *lines, "\\bottomrule", "\\end{tabular}"]
        return "\n".join(parts) + "\n"
    below = f"\\multicolumn{{{len(heads)}}}{{r}}{{Continued on next page}} \\\\"
    parts = [f"\\begin{{longtable}}{{{align}}}", *head, "\\endfirsthead", *head, "\\endhead"]
    parts += ["\\midrule", below, "\\midrule", "\\endfoot", "\\bottomrule", "\\endlastfoot"]
    return "\n".join([*parts, *lines, "\\end{longtable}"]) + "\n"


def _without_shared(table: "pd.DataFrame") -> "tuple[pd.DataFrame, list[str]]":
    """The table without the settings that all its rows share, and those as 'name value'."""
    # Which weights a figure comes from has to stand beside it: they may be random ones.
    always = ("extractor", "weights", "classifier")
    settings = [c for c in table if c in (*SYSTEM_COLUMNS, "status") and c not in always]
    shared = {
        column: [text for text in dict.fromkeys(map(short, table[column])) if text]
        for column in settings
    }
    # A reference point has no recipe and no C: an empty cell is no other value.
    shared = {column: values for column, values in shared.items() if len(values) <= 1}
    notes = [f"{column} {value}" for column, values in shared.items() for value in values]
    return table.drop(columns=list(shared)), notes


@lru_cache(maxsize=100_000)
def _is_figure(text: str) -> bool:
    return not text or is_number(text.partition(" ")[0])


# Most cells of a long table have occurred before.
@lru_cache(maxsize=100_000)
def _latex_cell(text: str) -> str:
    """Escaped; a minus as a minus, and an interval below its estimate."""
    cell = escape_latex(text)
    if not _is_figure(text):
        return cell
    cell = re.sub(r"-(?=\d)", "$-$", cell)
    above, bracket, below = cell.partition(" [")
    return f"\\shortstack[r]{{{above}\\\\{{}}[{below}}}" if bracket else cell
