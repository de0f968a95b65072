"""`bench board`: one page over many runs."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from bench.atomic_files import write_atomically
from bench.commands.printing import say
from bench.errors import UnusableInput, WorkStopped

if TYPE_CHECKING:
    from reports.systems.run_folder import Run

# What the board says of a run's figures.
RECOMPUTED, OWN_FOLDER = "recomputed", "from the run's folder"


def board(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, bundles, or what is kept of runs.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("board.html"),
) -> None:
    """Put many runs on one page: settings as columns, backbones as rows.

    Bundles are verified first. What is synthetic, damaged or of another version is left out with
    its reason, and audits are. Without a run the page says how to submit one.
    """
    from bench.record.folder import output_file
    from reports.board.page import render_board
    from reports.systems.run_folder import RunFolderError

    out = output_file(out)
    found: list[tuple[Run, str]] = []
    refused: list[str] = []
    for folder in dict.fromkeys(runs or []):
        try:
            found.append(_usable(folder))
        except (RunFolderError, UnusableInput) as error:
            refused.append(str(error))
    if refused and not found:
        for line in refused[:-1]:
            say(f"left out: {line}")
        raise UnusableInput(refused[-1])
    kept = [run for run, _ in found]
    try:
        page = render_board(
            kept,
            [_address(run.folder, out) for run in kept],
            [check for _, check in found],
            # The page is shared: a folder is told by its last name.
            [_without_parents(line, runs or []) for line in refused],
        )
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    write_atomically(out, page)
    for line in refused:
        say(f"left out: {line}")
    count = f"{len(found)} run{'' if len(found) == 1 else 's'}"
    say(f"board: {out} ({len(page.encode()) / 1e6:.2f} MB, {count})")
    if refused:
        raise WorkStopped(f"{len(refused)} of {len(refused) + len(found)} runs are left out")


def _usable(folder: Path) -> tuple["Run", str]:
    """A run with what is known of its figures; raises where it has no place on the board."""
    from bench.planning.protocols import PROTOCOLS
    from reports.board.verification import verify_bundle
    from reports.systems.run_folder import read_scores

    run = read_scores(folder)
    if run.synthetic:
        raise UnusableInput(f"{folder}: its data are synthetic; such a run has no place here")
    audits = frozenset(name for name, protocol in PROTOCOLS.items() if protocol.audit)
    if "bundle" not in run.manifest:
        # An audit is one whatever the folder says of it.
        named = sorted({*run.audits, *audits})
        return replace(run, manifest=run.manifest | {"audits": named}), OWN_FOLDER
    faults = verify_bundle(folder, audits).faults
    if faults:
        more = f" (and {len(faults) - 1} more, see `bench verify`)" * (len(faults) > 1)
        raise UnusableInput(f"{folder}: {faults[0]}{more}")
    return run, RECOMPUTED


def _without_parents(line: str, runs: list[Path]) -> str:
    for folder in sorted(runs, key=lambda one: len(str(one)), reverse=True):
        line = line.replace(str(folder), folder.resolve().name)
    return line


def _address(folder: Path, out: Path) -> str:
    """Where the report of a run lies as seen from the page; empty if it has none, or is far off."""
    page = folder / "report.html"
    if not page.is_file():
        return ""
    relative = os.path.relpath(page.resolve(), out.resolve().parent)
    # A page with the way through somebody's folders is not one to share.
    far = Path(relative).parts[:3] == ("..", "..", "..")
    return "" if far else quote(Path(relative).as_posix())
