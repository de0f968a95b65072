"""Reads CSV files in any of the usual encodings, with any of the usual line ends and delimiters."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.data.lesions import unusable


def records(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not blank, the header first.

    Raises
    ------
    UnusableInput
        At the first row that is not CSV.
    """
    text = _decode(file.read_bytes())
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, **_dialect(text.splitlines()))
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise unusable(file, f"line {start} is not CSV ({error})") from error
        if any(cell.strip() for cell in cells):
            yield start, cells


def first_record(file: Path) -> list[str]:
    """The cells of the first line; none if it cannot be read as CSV."""
    with file.open("rb") as stream:
        first = _decode(stream.read(65536)).splitlines()
    try:
        return next(csv.reader(first[:1], **_dialect(first)), [])
    except csv.Error:
        return []


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    # Without a mark at its begin: letters of a header, each with an empty byte beside it.
    for begin, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) >= 4 and not any(data[begin:4:2]) and all(data[1 - begin : 4 : 2]):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _dialect(lines: list[str]) -> dict[str, Any]:
    """The delimiter: semicolons in some countries, tabs in a copied table, bars of databases."""
    first = lines[0] if lines else ""
    others = (mark for mark in ";\t|" if mark in first and "," not in first)
    return {"delimiter": next(others, ",")}
