"""The reference pages of the command line and of a configuration file, from the program itself."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from bench.cli import app
from bench.planning.config import Configuration, option_of
from bench.planning.config_file import commented_file


def commands() -> str:
    """Every command with its arguments and options."""
    root = typer.main.get_command(app)
    return "\n".join(_of_command(root, typer.Context(root, info_name="python -m bench")))


def _of_command(command: Any, context: typer.Context) -> Iterator[str]:
    if context.parent is not None or not hasattr(command, "commands"):
        yield f"\n## {context.command_path.removeprefix('python -m ')}\n"
    text = inspect.cleandoc(command.help or "")
    if text:
        yield f"{text}\n"
    if not hasattr(command, "commands"):
        yield f"```\n{' '.join(command.get_usage(context).removeprefix('Usage:').split())}\n```\n"
    yield from _parameters(command, context)
    for name, part in getattr(command, "commands", {}).items():
        yield from _of_command(part, typer.Context(part, info_name=name, parent=context))


def _parameters(command: Any, context: typer.Context) -> Iterator[str]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for one in command.get_params(context):
        record = one.get_help_record(context)
        if record is None or one.name == "help":
            continue
        if one.param_type_name == "argument":
            group = "Arguments"
        else:
            group = getattr(one, "rich_help_panel", None) or "Options"
        groups.setdefault(group, []).append(record)
    for group, records in groups.items():
        first = "argument" if group == "Arguments" else "option"
        heading = f"**{group}**" if group not in ("Arguments", "Options") else ""
        yield f"{heading}\n\n| {first} | what it does |\n|---|---|"
        for spelled, text in records:
            yield f"| {code(spelled)} | {cell(text)} |"
        yield ""


def keys() -> str:
    """Every key of a configuration file, group by group, and the file that `init` writes."""
    groups: dict[str, list[str]] = {}
    for name, field in Configuration.model_fields.items():
        option, schema = option_of(name), _schema()[name]
        row = (code(name.replace("_", "-")), *_kind(schema), _default(field.default), option.help)
        groups.setdefault(option.group, []).append(f"| {' | '.join(map(cell, row))} |")
    parts = []
    for group, rows in groups.items():
        parts += [f"## {group}", "| key | value | default | what it does |\n|---|---|---|---|"]
        parts[-1] += "\n" + "\n".join(rows)
    parts += ["## The file that `init` writes", f"```toml\n{commented_file()}```"]
    return "\n\n".join(parts)


def _schema() -> dict[str, Any]:
    return dict(Configuration.model_json_schema()["properties"])


def _kind(schema: dict[str, Any]) -> tuple[str]:
    """What a value is, in words."""
    known = next(
        (one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"), schema
    )
    if "enum" in known:
        return (", ".join(code(f'"{one}"') for one in known["enum"]),)
    if known.get("type") == "array":
        inner = known.get("items", known.get("prefixItems", [{}]))
        number = isinstance(inner, dict) and inner.get("type") == "number"
        return ("list of numbers" if number else "list of text",)
    words = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number"}
    kind = words.get(known.get("type", ""), "path" if known.get("format") == "path" else "text")
    low = known.get("minimum", known.get("exclusiveMinimum"))
    if low is None:
        return (kind,)
    above = "above " if "exclusiveMinimum" in known else ""
    return (f"{kind}, {above}{low} to {known['maximum']}",)


def _default(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return code(str(list(value)))
    return code(f'"{value}"' if isinstance(value, str) else str(value))


def code(text: str) -> str:
    """As code, whatever is in it."""
    return f"`{text}`"


def cell(text: str) -> str:
    """Text as it may stand in a cell of a table; code is left as it is."""
    parts = " ".join(text.split()).split("`")
    for i in range(0, len(parts), 2):
        for mark, safe in (
            ("|", "&#124;"),
            ("<", "&lt;"),
            ("*", "\\*"),
            ("[", "\\["),
            ("_", "\\_"),
        ):
            parts[i] = parts[i].replace(mark, safe)
    return "`".join(parts)
