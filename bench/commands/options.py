"""The options of a command out of the fields of a configuration, and its help in groups."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from bench.commands.completion import completes
from bench.planning.config import Configuration, option_of

# The argument of a command's function that is no option: the run that is repeated, if any.
REPEATED = "repeated"
# Letters of a sentence: more than any has.
_NO_LIMIT = 10_000


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


class WholeSentences(TyperGroup):
    """A group whose `--help` says of each command the first sentence, folded and never cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, each with its first sentence."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(_NO_LIMIT))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def with_options(
    work: Callable[..., None],
    fields: Sequence[str] = tuple(Configuration.model_fields),
    *,
    from_file: bool = False,
) -> Callable[..., None]:
    """A function that typer makes a command of, with an option for each field of Configuration.

    Parameters
    ----------
    work : Callable[..., None]
        What the command does with a configuration, and with options of its own that follow it; its
        docstring is the command's help.
    fields : Sequence[str]
        Those that the command takes; the others have their defaults.
    from_file : bool
        Whether they may stand in a file, named by `--config`. Where that is the manifest of a run,
        `work` has it as `repeated`.

    Returns
    -------
    Callable[..., None]
        Takes the options as keyword arguments, None where one is not given, and calls `work` with
        the checked configuration. It raises UnusableInput for an option that cannot be used.
    """

    _, *own = inspect.signature(work).parameters.values()
    own = [one for one in own if one.name != REPEATED]

    def command(context: typer.Context | None = None, **options: Any) -> None:
        of_command = {one.name: options.pop(one.name, one.default) for one in own}
        in_file = options.pop("config", None)
        given = {
            name: value
            for name, value in options.items()
            if value is not None and (context is None or _is_given(context, name))
        }
        if in_file is not None:
            from bench.planning.config_file import read_options
            from bench.record.repeated_run import find_repeated

            in_file_too = read_options(in_file)
            of_command[REPEATED] = find_repeated(in_file, given)
            given = in_file_too | given
        work(Configuration.checked(given), **of_command)

    parameters = [
        _CONTEXT,
        *([_CONFIG] if from_file else []),
        *(_parameter(name) for name in fields),
        *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = work.__doc__
    return command


# How a value came about tells a flag that was given from one that has its default.
_CONTEXT = inspect.Parameter(
    "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=typer.Context
)
_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="TOML file of these options, or the manifest of a run, which is repeated; "
            "what is given here wins. `init` writes one.",
            metavar="FILE",
            rich_help_panel="Configuration",
        ),
    ],
)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameter(name: str) -> inspect.Parameter:
    field = Configuration.model_fields[name]
    option = option_of(name)
    kind, metavar = _on_the_command_line(field.annotation)
    several = get_origin(kind) is list
    offered = typer.Option(
        _spelled(name, kind),
        help=option.help,
        metavar=option.shown or metavar,
        rich_help_panel=option.group,
        autocompletion=completes(name),
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if several else field.default,
        annotation=Annotated[kind | None if several or field.default is None else kind, offered],
    )


def _spelled(name: str, kind: Any) -> str:
    """An option's name; a flag that a file may set can be taken back."""
    option = name.replace("_", "-")
    return f"--{option}/--no-{option}" if kind is bool else f"--{option}"


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
