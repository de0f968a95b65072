"""The pages of tables, files and the manifest: names from the code, meanings from TOML files."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from filled_from_options import cell, code

from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.every_table import TABLES
from reports.tables.headings import heading

HERE = Path(__file__).parent

# What is put to a column's name for its parts, and what stands before it for a side.
_ENDINGS = {
    "_std": "standard deviation over repeats",
    "_ci_low": "95 % interval, low",
    "_ci_high": "95 % interval, high",
    "_difference": "audit less twin",
    "_drop": "internal less external",
}
_SIDES = {
    "published_": "published",
    "measured_": "measured",
    "twin_": "under the twin",
    "internal_": "in the internal test",
}


@cache
def known() -> dict[str, Any]:
    """What is written of columns."""
    return tomllib.loads((HERE / "columns.toml").read_text("utf-8"))


def columns(entries: list[str]) -> list[str]:
    """The columns of a table; a name with a colon is a constant of the code."""
    found: list[str] = []
    for entry in entries:
        module, colon, name = entry.partition(":")
        found += getattr(import_module(module), name) if colon else [entry]
    return list(dict.fromkeys(found))


def meaning(column: str, table: str = "") -> str:
    """What a column says; a part such as `auc_ci_low` is told by its whole.

    Raises
    ------
    KeyError
        If nothing is written of it.
    """
    told = known()
    of_table = told["of_table"].get(table, {})
    if column in of_table:
        return str(of_table[column])
    if column in told["columns"]:
        return str(told["columns"][column])
    for ending, words in _ENDINGS.items():
        if column.endswith(ending):
            return f"{meaning(column.removesuffix(ending), table)}: {words}"
    for side, words in _SIDES.items():
        if column.startswith(side):
            return f"{meaning(column.removeprefix(side), table)}, {words}"
    raise KeyError(f"docs/site/columns.toml says nothing of {column} in {table}")


def tables() -> str:
    """Every table of a report, in the order of the page, with its columns."""
    told = known()
    parts = []
    for table in TABLES:
        rows = _rows(columns(told["tables"][table.name]), table.name, table.headings)
        says = told["says"][table.name]
        parts.append(f"## {table.name}\n\n{says}\n\n{rows}")
    return "\n\n".join(parts)


def run_files() -> str:
    """The Parquet files of a run folder with their columns."""
    told = known()
    parts = []
    for name, entries in told["run_files"].items():
        says = told["says"].get(f"{name}_file", told["says"].get(name))
        parts.append(f"## {name}.parquet\n\n{says}\n\n{_rows(columns(entries), name, None)}")
    return "\n\n".join(parts)


def _rows(names: list[str], table: str, headings: Any) -> str:
    """A row a column; where there are headings, what the page calls it."""
    lines = []
    if table != "summary" and headings is not None and set(SYSTEM_COLUMNS) <= set(names):
        names = [name for name in names if name not in SYSTEM_COLUMNS]
        lines.append("| `dataset` to `seed` | | what tells a system, as in [summary](#summary) |")
    for name in names:
        # `auc`, `auc_std` and the ends of its interval stand in one row.
        whole = next((name.removesuffix(end) for end in _PARTS if name.endswith(end)), None)
        if whole in names:
            continue
        parts = [one for one in (name + end for end in _PARTS) if one in names]
        spelled = ", ".join(map(code, (name, *parts)))
        called = [] if headings is None else [cell(heading(name, headings))]
        lines.append(f"| {' | '.join([spelled, *called, cell(meaning(name, table))])} |")
    if headings is None:
        return "| column | what it is |\n|---|---|\n" + "\n".join(lines)
    return "| column | on the page | what it is |\n|---|---|---|\n" + "\n".join(lines)


_PARTS = ("_std", "_ci_low", "_ci_high")


def manifest() -> str:
    """Every key of the manifest with its type and meaning."""
    told = tomllib.loads((HERE / "manifest.toml").read_text("utf-8"))
    parts = []
    for section in told.values():
        rows = "\n".join(_of_section(section["keys"]))
        parts.append(
            f"## {section['title']}\n\n| key | value | what it is |\n|---|---|---|\n{rows}"
        )
    return "\n\n".join(parts)


def _of_section(keys: dict[str, list[str]]) -> Iterator[str]:
    for key, (kind, text) in keys.items():
        yield f"| {code(key)} | {cell(kind)} | {cell(text)} |"


def manifest_keys() -> list[str]:
    """What is written of keys, as patterns: `*` is any name, and all below it."""
    told = tomllib.loads((HERE / "manifest.toml").read_text("utf-8"))
    keys = [key for section in told.values() for key in section["keys"]]
    return [re.escape(key).replace(r"\*", "[^.]+") + "(.*)?" * key.endswith("*") for key in keys]


def keys_of(value: Any, place: str = "") -> Iterator[str]:
    """The keys of a manifest, a `[]` for each row of a list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from keys_of(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for row in value:
            yield from keys_of(row, f"{place}[]")
    elif place and value not in ({}, []):
        yield place
