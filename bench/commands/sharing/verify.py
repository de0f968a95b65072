"""`bench verify`: checks a bundle that was made by `bench submit`, and says what it cannot see."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.printing import say
from bench.errors import UnusableInput, WorkStopped

if TYPE_CHECKING:
    from reports.board.verification import Verdict

# Faults that are printed; of a damaged table there may be one for each system.
SHOWN = 20


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder, runs/NAME.")],
    data: Annotated[
        Path | None, typer.Option(help="The published data set, to check labels, ids and folds.")
    ] = None,
) -> None:
    """Check a bundle: schema, digests, rows and folds, and every figure from its predictions.

    The figures are computed with scikit-learn. Ends with status 1 if anything is wrong.
    """
    from bench.planning.protocols import PROTOCOLS
    from reports.board.verification import verify_bundle

    if not bundle.is_dir():
        raise UnusableInput(f"{bundle}: no such folder")
    _check_kind(bundle)
    audits = frozenset(name for name, protocol in PROTOCOLS.items() if protocol.audit)
    verdict = verify_bundle(bundle, audits)
    if not verdict.faults:
        _check_against_data(verdict, data)
    for line in verdict.checked:
        say(f"checked: {line}")
    for line in verdict.unchecked:
        say(f"not checked: {line}")
    for line in verdict.faults[:SHOWN]:
        say(f"wrong: {line}")
    if len(verdict.faults) > SHOWN:
        say(f"wrong: and {len(verdict.faults) - SHOWN} more")
    if verdict.faults:
        count = len(verdict.faults)
        raise WorkStopped(f"{bundle}: {count} fault{'s' if count > 1 else ''}, see above")
    say(f"{bundle}: nothing wrong was found")


def _check_kind(folder: Path) -> None:
    """Raise UnusableInput for a folder that is not meant to be a bundle, with what is."""
    from reports.systems.run_folder import with_manifest_below

    if (folder / "lesions.parquet").exists():
        raise UnusableInput(
            f"{folder}: a run folder, not a bundle; python -m bench submit {folder} --out FOLDER "
            "makes one of it"
        )
    nearer = folder / "runs" if (folder / "runs").is_dir() else folder
    below = with_manifest_below(nearer)
    if below and not (folder / "manifest.json").exists():
        raise UnusableInput(f"{folder}: holds no manifest.json{below}")


def _check_against_data(verdict: "Verdict", data: Path | None) -> None:
    from bench.commands.sharing.published_rows import rows_that_differ
    from bench.data import load_lesions

    ids = verdict.manifest["bundle"]["ids"]
    name = str(verdict.manifest["data"].get("dataset"))
    if ids != "public":
        verdict.unchecked.append("labels, ids and folds: the ids were drawn for this bundle")
        return
    if data is None:
        verdict.unchecked.append(f"labels, ids and folds of {name}: name its folder with --data")
        return
    dataset = load_lesions(data, name)
    assert verdict.units is not None
    assert verdict.predictions is not None
    faults, checked, unchecked = rows_that_differ(dataset, verdict.units, verdict.predictions)
    verdict.faults += faults
    verdict.checked += checked
    verdict.unchecked += unchecked
