"""The options of a command out of the fields of a configuration, and its help in groups."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand

from bench.planning.config import Configuration, Option


class GroupedCommand(TyperCommand):
    """A command whose `--help` lists the options under the headings of `rich_help_panel`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options group by group; those without a group come last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = getattr(parameter, "rich_help_panel", None) or "Help"
                groups.setdefault(name, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


def with_options(
    work: Callable[..., None], fields: Sequence[str] = tuple(Configuration.model_fields)
) -> Callable[..., None]:
    """A function that typer makes a command of, with an option for each field of Configuration.

    Parameters
    ----------
    work : Callable[..., None]
        What the command does with a configuration, and with options of its own that follow it; its
        docstring is the command's help.
    fields : Sequence[str]
        Those that the command takes; the others have their defaults.

    Returns
    -------
    Callable[..., None]
        Takes the options as keyword arguments, None where one is not given, and calls `work` with
        the checked configuration. It raises UnusableInput for an option that cannot be used.
    """

    _, *own = inspect.signature(work).parameters.values()

    def command(**options: Any) -> None:
        of_command = {one.name: options.pop(one.name, one.default) for one in own}
        given = {name: value for name, value in options.items() if value is not None}
        work(Configuration.checked(given), **of_command)

    parameters = [
        *(_parameter(name) for name in fields),
        *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = work.__doc__
    return command


def _parameter(name: str) -> inspect.Parameter:
    field = Configuration.model_fields[name]
    option = next(one for one in field.metadata if isinstance(one, Option))
    kind, metavar = _on_the_command_line(field.annotation)
    several = get_origin(kind) is list
    offered = typer.Option(
        f"--{name.replace('_', '-')}",
        help=option.help,
        metavar=option.shown or metavar,
        rich_help_panel=option.group,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if several else field.default,
        annotation=Annotated[kind | None if several or field.default is None else kind, offered],
    )


def _on_the_command_line(annotation: Any) -> tuple[Any, str | None]:
    """How a field's type is read, and what stands for its value in the help; None for a flag."""
    kind = next((part for part in _alternatives(annotation) if part is not NoneType), annotation)
    if get_origin(kind) is Literal:
        return str, "|".join(get_args(kind))
    if get_origin(kind) is tuple:
        # Text that the configuration splits at commas; paths may hold commas.
        return (list[Path], "FILE") if get_args(kind)[0] is Path else (list[str], "A,B,...")
    names = {Path: "PATH", int: "NUMBER", float: "NUMBER", str: "NAME"}
    return kind, names.get(kind)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The parts of a union; of any other type that type alone."""
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
