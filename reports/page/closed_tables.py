"""The tables that a reader opens, as plain values: the script makes them when they are opened."""

from collections.abc import Mapping
from typing import Any

from reports.evaluation import Evaluation
from reports.page.cells import (
    TableCell,
    audit_layout,
    external_layout,
    plain_layout,
    protocols_layout,
    published_layout,
)
from reports.page.lead import counted
from reports.systems.hosts import hosts_note, hosts_of_table
from reports.tables.every_table import TABLES
from reports.tables.report_table import ReportTable

# Of a longer table the page has the link alone: nobody reads so much in a page.
MOST_ROWS = 250

# What the page shows of some tables is not cell by cell what stands in them.
_LAYOUTS = {
    "published": published_layout,
    "protocols_side_by_side": protocols_layout,
    "leakage_audit": audit_layout,
    "external": external_layout,
}


def closed_tables(
    evaluation: Evaluation, declared: tuple[ReportTable, ...] = TABLES
) -> dict[str, Any]:
    """What the page says of each table that it shows as one, by name.

    `columns` and `rows` are for the script; a long table has none.
    """
    tables = evaluation.tables
    return {
        one.name: _closed(one.in_words_of(evaluation, tables[one.name]), evaluation)
        for one in declared
        if one.place and one.name in tables
    }


def _closed(declared: ReportTable, evaluation: Evaluation) -> dict[str, Any]:
    table = evaluation.tables[declared.name]
    note = hosts_note(hosts_of_table(evaluation.run, table))
    told: dict[str, Any] = {
        "name": declared.name,
        "title": declared.title,
        "intro": f"{declared.intro} {note}".strip(),
        "counted": counted(len(table), "row"),
        "n": len(table),
        "rows": None,
    }
    if 0 < len(table) <= MOST_ROWS:
        layout = _LAYOUTS.get(declared.name, plain_layout)(declared, table, evaluation.run)
        told["columns"] = [[column.title, column.numeric] for column in layout["columns"]]
        told["rows"] = [[_cell(cell) for cell in row] for row in layout["rows"]]
    return told


def _cell(cell: TableCell) -> str | list[str]:
    """The text alone, or with what it sorts by and what stands below it in small print."""
    sort = "" if cell.sort == cell.text else cell.sort
    return [cell.text, sort, cell.detail] if sort or cell.detail else cell.text


def table_values(closed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of each table that the script makes, its columns and rows."""
    return {
        name: {part: one[part] for part in ("columns", "rows")}
        for name, one in closed.items()
        if one["rows"]
    }
