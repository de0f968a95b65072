"""`bench plugin`: writes a plugin that works, with its test, and checks the backbones of one."""

import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.atomic_files import write_atomically
from bench.commands.options import WholeSentences
from bench.errors import UnusableInput
from bench.file_names import is_reserved
from extractors.errors import BackboneError
from extractors.plugins import BACKBONES

if TYPE_CHECKING:
    from extractors.conformance.findings import Finding

app = typer.Typer(
    cls=WholeSentences, help="Write a backbone of your own, or test one.", no_args_is_help=True
)

# A plugin that works as it is, under the name `mynet`, and its test.
SKELETON = Path(__file__).with_name("skeleton")
LONGEST_NAME = 100


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Letters, digits, _ and -.")],
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path(),
) -> None:
    """Write a working plugin NAME.py and its test.

    It brings a network whose features are used as they come, and the same one trained by a recipe.
    """
    plugin, test = write_skeleton(name, out)
    typer.echo(f"written: {plugin}, {test}\n\nnext:")
    for command in next_commands(name, plugin, test):
        typer.echo(f"  {command}")


@app.command("check")
def check(
    file: Annotated[
        Path, typer.Argument(help="Python file that registers backbones, classifiers, data sets.")
    ],
) -> None:
    """Test what a plugin file registers: backbones, classifiers, data sets, reference points.

    What fails is said in plain words; the exit status then is 1.
    """
    from extractors import BackboneError
    from extractors.conformance.report import check_file

    try:
        passed = print_findings(itertools.chain(check_file(file), _others(file)))
    except BackboneError as error:
        raise UnusableInput(str(error)) from error
    if not passed:
        raise typer.Exit(1)


def _others(file: Path) -> "Iterator[Finding]":
    """The checks of what a file has registered besides backbones, once it is loaded."""
    from bench.plugins.classifier_checks import check_classifier
    from bench.plugins.files import names_in_plugins
    from extractors.conformance.findings import Finding

    for name in names_in_plugins("classifier", [file]):
        yield from check_classifier(name)
    for name in names_in_plugins("data set", [file]):
        yield _looked_at(name)
        command = f"python -m bench data info PATH --dataset {name} --plugin {file}"
        yield Finding(name, "note", "data", "a data set, not read here", f"read it with {command}")
    for name in names_in_plugins("reference point", [file]):
        yield Finding(name, "ok", "reference", "stands in every run on data with its columns")


def _looked_at(name: str) -> "Finding":
    """Whether the `find` of a data set leaves alone what is none of its kind."""
    from tempfile import TemporaryDirectory

    from bench.data.loaders.registered import finds
    from extractors.conformance.findings import Finding

    with TemporaryDirectory() as empty:
        try:
            found = finds(name, Path(empty))
        except UnusableInput as error:
            reason = str(error).removeprefix(f"{empty}: ")
            return Finding(
                name, "bad", "find", f"in an empty folder: {reason}", "return False there"
            )
    if found:
        return Finding(name, "bad", "find", "an empty folder is one, too", "look for its own files")
    return Finding(name, "ok", "find", "no such data set in an empty folder")


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write `NAME.py` and `test_NAME.py`: two backbones, one of them trained, and their test.

    In the files' names "-" becomes "_", so that they can be imported.

    Parameters
    ----------
    name : str
        Of the plugin.
    folder : Path
        Where the files go.

    Returns
    -------
    list[Path]
        The paths of the plugin and of its test.

    Raises
    ------
    UnusableInput
        If the name cannot be that of a plugin, would hide an installed module, or one of the files
        is there already. Nothing is written then.
    """
    try:
        BACKBONES.check_name(name)
    except BackboneError as error:
        raise UnusableInput(str(error)) from error
    if len(name) > LONGEST_NAME:
        raise UnusableInput(f"{name[:20]}...: a name has at most {LONGEST_NAME} characters")
    stem = name.replace("-", "_")
    if is_reserved(stem):
        raise UnusableInput(f"{name}: no file can be called so on Windows; take another name")
    contents = {
        folder / file.name.replace("mynet", stem): re.sub(
            r"mynet(\.py)?",
            lambda found: f"{stem}.py" if found[1] else name,
            file.read_text(encoding="utf-8"),
        )
        for file in (SKELETON / "mynet.py", SKELETON / "test_mynet.py")
    }
    for path in contents:
        if path.exists() or path.is_symlink():
            raise UnusableInput(f"{path}: is there already, and is not replaced")
    if importlib.util.find_spec(stem) is not None:
        raise UnusableInput(f"{name}: {stem}.py would hide the module {stem}; take another name")
    written: list[Path] = []
    try:
        for path, text in contents.items():
            write_atomically(path, text)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink()
        raise
    return written


def next_commands(name: str, plugin: Path, test: Path) -> list[str]:
    """What to do with a new plugin, one command a line."""
    file = shlex.quote(str(plugin))
    return [
        f"python -m bench plugin check {file}",
        f"python -m pytest {shlex.quote(str(test))}",
        f"python -m bench all --plugin {file} --extractors {name},{name}-trained --out runs/{name}",
    ]


def print_findings(findings: Iterable["Finding"]) -> bool:
    """Print findings as they come, a line each, and a summary; whether none is bad."""
    subject, states = None, []
    for finding in findings:
        if finding.subject != subject:
            subject = finding.subject
            typer.echo(subject)
        typer.echo(f"  {finding.state:<4}  {finding.what:<15}  {finding.found}")
        if finding.hint:
            typer.echo(f"{'':25}-> {finding.hint}")
        states.append(finding.state)
    failed, notes = states.count("bad"), states.count("note")
    noted = f", {notes} worth knowing" if notes else ""
    typer.echo(f"\n{len(states)} checks: {f'{failed} failed' if failed else 'none failed'}{noted}")
    return not failed
