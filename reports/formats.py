"""How figures are written down: CSV and LaTeX, the same bytes for the same table.

Names of extractors and classifiers can come from a plugin, hence the two defences: a CSV cell that
a spreadsheet would run as a formula gets an apostrophe in front, and LaTeX specials are escaped.
"""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.schema import SUMMARY_MEASURES

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
_LATEX_IDENTITY = ("subset", "protocol", "extractor", "weights", "recipe", "classifier", "C")


def missing(value: Any) -> bool:
    """None, NaN or pandas' NA: what a table shows as an empty cell."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA has no truth value
        return True


def number(value: Any) -> str:
    """Three decimals; empty where missing, and 0 never comes out as -0."""
    if missing(value):
        return ""
    text = f"{float(value):.3f}"
    return "0.000" if text == "-0.000" else text


def short(value: Any) -> str:
    """Six significant digits for floats, plain text for the rest, empty where missing."""
    if missing(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    # numpy's scalars have item(); their float64 is a float already, their bool is not a bool.
    return short(value.item()) if hasattr(value, "item") else str(value)


def estimate(row: Any, name: str) -> str:
    """'0.812 ± 0.010 [0.760, 0.861]'; the parts that are missing are left out."""
    mean, std = number(row[name]), number(row[f"{name}_std"])
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    text = f"{mean} ± {std}" if mean and std else mean
    return f"{text} [{low}, {high}]" if text and low else text


def csv_cell(value: Any) -> str:
    """The cell's text; a string that a spreadsheet would evaluate is made harmless."""
    text = short(value)
    if isinstance(value, str) and text.startswith(_FORMULA_STARTS) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def to_csv(table: "pd.DataFrame") -> str:
    """RFC 4180 quoting, line feeds, no index."""
    import pandas as pd

    cells = pd.DataFrame(
        {name: [csv_cell(value) for value in table[name]] for name in table.columns}, dtype=object
    )
    return str(cells.to_csv(index=False, lineterminator="\n"))


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; line breaks and control characters become spaces."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).translate(_LATEX)


def to_latex(name: str, table: "pd.DataFrame") -> str:
    """A booktabs table (tabular, or longtable from 41 rows); `name` heads it as a comment."""
    if name == "summary":
        table = _summary_for_print(table)
    cells = table.map(lambda value: escape_latex(short(value))).astype(object)
    cells.columns = [escape_latex(str(column).replace("_", " ")) for column in table.columns]
    long = len(table) > _LONG_TABLE
    packages = "booktabs, longtable" if long else "booktabs"
    body = cells.to_latex(
        index=False, escape=False, longtable=long, column_format="l" * len(cells.columns)
    )
    return f"% {name}: needs the packages {packages}\n{body}"


def _summary_for_print(table: "pd.DataFrame") -> "pd.DataFrame":
    """Mean ± std and [interval] in one cell for each measure; constant settings are left out."""
    shown = table[list(_LATEX_IDENTITY)].copy()
    for name in SUMMARY_MEASURES:
        shown[name] = [estimate(row, name) for _, row in table.iterrows()]
    shown["status"] = table["status"]
    return shown


def write_whole(path: Path, content: bytes) -> None:
    """Write all of a file or none of it: a temporary file beside it, then a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        # What a full disk raises names no file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
