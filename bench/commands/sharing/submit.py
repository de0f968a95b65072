"""`bench submit`: the small bundle of a run that can be shared and put on a board."""

import getpass
import platform
import re
from pathlib import Path
from typing import Annotated

import typer

from bench.atomic_files import whole_folder, write_atomically
from bench.errors import UnusableInput


def submit(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path, typer.Option(help="Folder in which runs/NAME is made.")],
    submitter: Annotated[
        str, typer.Option(help="Who submits it, as the board shows it; nobody is named by default.")
    ] = "",
) -> None:
    """Write the bundle of a run: manifest, units and predictions; no image, no path, no user.

    Published data sets keep their public ids. Everything else gets ids drawn for this bundle.
    """
    from reports.board.bundle import PUBLIC, NotShareable, make_bundle
    from reports.board.cleaning import has_path
    from reports.systems.run_folder import RunFolderError, read_scores, section

    # Before any work: `verify` would refuse the bundle for it.
    if has_path(" ".join(submitter.split())):
        raise UnusableInput(
            f"--submitter {submitter!a}: a word begins with / or reads like a path otherwise, "
            "which no bundle may hold; write it in another way"
        )
    try:
        found = read_scores(run)
        bundle = make_bundle(found, _names_of_this_machine(), submitter)
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    except NotShareable as error:
        raise UnusableInput(f"{run}: {error}") from error
    named = str(section(found.manifest, "run").get("name") or run.resolve().name)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", named).strip("-.") or "run"
    folder = out.expanduser() / "runs" / name
    if folder.exists():
        raise UnusableInput(f"{folder}: is there already; name another --out, or remove it")
    # Whole or not at all: what is there already is refused the next time.
    with whole_folder(folder) as temporary:
        for file, content in bundle.files.items():
            write_atomically(temporary / file, content)
    size = sum(map(len, bundle.files.values())) / 1e6
    ids = "public ids" if bundle.ids == PUBLIC else "ids drawn for this bundle"
    typer.echo(f"bundle: {folder} ({bundle.systems} systems, {size:.1f} MB, {ids})")
    title = section(found.manifest, "data").get("title", "")
    typer.echo(f"it names the data set as: {title}; no image is in it. Check it with")
    typer.echo(f"  python -m bench verify {folder}")


def _names_of_this_machine() -> set[str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        user = ""
    # The superuser's name is nobody's, and stands in many words.
    return {user, platform.node()} - {"", "root", "localhost"}
