"""`bench weights`: gets weights for machines without a network."""

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import WholeSentences
from bench.commands.printing import say
from bench.errors import UnusableInput

if TYPE_CHECKING:
    from extractors import BackboneInfo

app = typer.Typer(
    cls=WholeSentences, help="Get weights for machines without a network.", no_args_is_help=True
)


@app.callback()
def weights() -> None:
    """Get weights for machines without a network."""


@app.command("download")
def download(
    names: Annotated[list[str], typer.Argument(help="Extractors, as for --extractors.")],
    to: Annotated[Path, typer.Option("--to", help="Folder that --weights-dir shall name.")],
    offline: Annotated[bool, typer.Option(help="Only copy what caches hold.")] = False,
) -> None:
    """Put the published weights of extractors into a folder.

    What this machine's caches hold is copied, the rest is downloaded. A run takes them from there
    with --weights-dir DIR --offline.
    """
    from extractors import use_caches_only

    wanted = single_names(names)
    if not wanted:
        raise UnusableInput("no extractor is named, as for --extractors of `all`")
    use_caches_only(offline)
    folder = to.expanduser()
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        taken = isinstance(error, FileExistsError)
        reason = "is there already, and is no folder" if taken else error.strerror or error
        raise UnusableInput(f"--to {to}: {reason}") from error
    failed = [name for name in wanted if not fetch_into(name, folder)]
    if failed:
        if is_new:
            with contextlib.suppress(OSError):  # unless something has come
                folder.rmdir()
        say(f"{len(failed)} of {len(wanted)} are not in {folder}: {', '.join(failed)}")
        raise typer.Exit(1)
    chosen = ("--weights-dir", str(to), "--offline", "--extractors", ",".join(names))
    say(f"now: python -m bench all {shlex.join(chosen)}")


def single_names(names: list[str]) -> list[str]:
    """Each backbone once: names are separated by commas or given one by one, fusions are split."""
    from extractors.names import split_fusion

    given = (name.strip() for text in names for name in text.split(","))
    return list(dict.fromkeys(one for name in given if name for one in split_fusion(name)))


def fetch_into(name: str, folder: Path) -> bool:
    """Get one backbone's weights into a folder, and say how; False where that failed."""
    from extractors import BackboneError, copy_weights, describe, download_weights

    try:
        info, there = describe(name), describe(name, folder)
        if (reason := _nothing_to_get(info)) is not None:
            say(f"{name}: {reason}")
            return True
        path = there.weights_path
        if path is not None and path.resolve().is_relative_to(folder.resolve()):
            say(f"{name}: is there already")
            return True
        if info.cached:
            copy_weights(info, folder)
            said = "copied from this machine's cache"
        else:
            download_weights(there, into=folder)
            said = f"downloaded from {there.source}"
        if not describe(name, folder).cached:
            raise BackboneError(f"{name}: what came is not what it wants")
    except (BackboneError, OSError) as error:
        # The hint of a backbone without weights is this very command.
        say(str(error).partition("; where there is a network")[0])
        return False
    say(f"{name}: {said}")
    return True


def _nothing_to_get(info: "BackboneInfo") -> str | None:
    """Why a backbone has nothing to be fetched; None where it has."""
    if info.kind == "network":
        return "is trained in the run, from scratch"
    if info.kind == "plugin":
        return "brings its own weights"
    if info.kind == "bundled":
        return "comes with the Python package"
    if info.origin == "random":
        return "draws its weights" if info.cached else None
    return None
