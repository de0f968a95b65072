"""`bench init`: writes a file of options to begin with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.atomic_files import write_atomically
from bench.errors import UnusableInput


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("run.toml"),
) -> None:
    """Write a TOML file with every option of `all`, its help and its default, as comments."""
    from bench.planning.config_file import commented_file

    file = file.expanduser()
    if file.is_dir():
        file = file / "run.toml"
    if file.exists() or file.is_symlink():
        raise UnusableInput(f"{file}: is there already, and is not replaced")
    write_atomically(file, commented_file())
    typer.echo(f"written: {file}\n\nnext:")
    typer.echo(f"  python -m bench all --config {shlex.quote(str(file))} --dry-run")
