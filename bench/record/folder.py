"""The folder of one run: whose it is, and what is written into it.

The folder belongs to one configuration from its first moment. Everything in it is written whole or
not at all, the manifest last.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.atomic_files import holds_nothing, remove_stale, write_atomically
from bench.errors import UnusableInput
from bench.store import Address
from reports.whole_files import whole_path

if TYPE_CHECKING:
    import pandas as pd


# The store's artifacts that a run has used, a line each: kind and key.
ARTIFACTS = "artifacts.txt"
MANIFEST = "manifest.json"
# What stands in a run folder itself, beside its folders.
RUN_FILES = frozenset(
    {MANIFEST, "report.html", "report.json", "results.json", "croissant.json"}
    | {ARTIFACTS, "log.txt"}
    | {
        f"{table}.parquet"
        for table in ("units", "predictions", "lesions", "external", "trainings", "history")
    }
)


class RunFolder:
    """One run's folder, e.g. `runs/phantom-quick`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest_file = path / MANIFEST
        self._noted: set[Address] | None = None

    def claim(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Take the folder for a configuration, or go on where the same configuration left off.

        Parameters
        ----------
        manifest : dict[str, Any]
            With every section but the results.

        Returns
        -------
        dict[str, Any]
            The manifest, with the time of creation of the first run of this configuration.

        Raises
        ------
        UnusableInput
            If the folder holds the run of another configuration, or something else, or cannot be
            written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UnusableInput(f"{self.path}: is a file, not a folder for a run")
        earlier = self._earlier()
        if earlier is not None:
            _refuse_other(self.path, earlier, manifest)
            manifest["run"]["created"] = earlier["run"]["created"]
            # The manifest that stands there is left until there are results to replace it with.
            remove_stale(self.path)
            return manifest
        if self.path.is_dir() and not holds_nothing(self.path):
            raise UnusableInput(
                f"{self.path}: holds files but no run; name a new or empty folder with --out"
            )
        remove_stale(self.path)
        self.write_manifest(manifest)
        return manifest

    def _earlier(self) -> dict[str, Any] | None:
        if not self.manifest_file.is_file():
            return None
        try:
            earlier = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            earlier["run"]["created"], earlier["configuration"].keys()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UnusableInput(
                f"{self.manifest_file}: is not the manifest of a run; name a new folder with --out"
            ) from None
        return dict(earlier)

    def standing(self, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
        """The manifest with the pictures of an earlier run, if that run's report still stands.

        Which pictures there are follows from all the rest, which is then the same.

        Parameters
        ----------
        manifest : Mapping[str, Any]
            With the results of this run, which stand in the folder's tables.

        Returns
        -------
        dict[str, Any] | None
            None where the report has to be written: where anything that it is made from has
            changed, or a file of it, and where a system could not be explained, which may now do.
        """
        from reports.unchanged import report_stands

        earlier = self._earlier()
        if earlier is None or not isinstance(earlier.get("data"), dict):
            return None
        mistakes, saliency = earlier["data"].get("mistakes"), earlier.get("saliency")
        if not isinstance(mistakes, list) or not isinstance(saliency, list):
            return None
        if any(not isinstance(one, dict) or one.get("problem") for one in saliency):
            return None
        data = {**manifest["data"], "mistakes": mistakes}
        whole = {**manifest, "data": data, "saliency": saliency}
        return whole if report_stands(self.path, whole) else None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write manifest.json."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(self.manifest_file, text + "\n")

    def note_artifacts(self, used: Iterable[Address]) -> None:
        """Add to the list of what the run needs of the store.

        Lines are added as work goes on, so that a run that is cut short has its list.
        """
        file = self.path / ARTIFACTS
        if self._noted is None:
            self._noted = _listed(file) if file.exists() else set()
        new = sorted(set(used) - self._noted)
        if new:
            # A line that was cut short ends before the next one begins.
            lines = "".join(f"\n{kind} {key}" for kind, key in new)
            try:
                with file.open("a", encoding="ascii") as stream:
                    stream.write(lines)
            except OSError as error:
                # What a full disk raises names no file.
                raise OSError(error.errno, error.strerror or str(error), str(file)) from error
            self._noted.update(new)

    def write_table(self, name: str, table: "pd.DataFrame") -> None:
        """Write one Parquet file."""
        with whole_path(self.path / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)


def output_file(named: Path) -> Path:
    """The file that a person has named to be written and replaced.

    Parameters
    ----------
    named : Path
        It may begin with `~`, and may be a link to the file.

    Returns
    -------
    Path
        The file itself, so that a link to it stays one.

    Raises
    ------
    UnusableInput
        If it is a file of a run, which cannot be had again or would no longer be what it is called.
    """
    file = named.expanduser()
    # A link that leads in a circle stays one, and is told as what it is.
    file = Path(os.path.realpath(file)) if file.is_symlink() else file
    if file.is_symlink():
        raise UnusableInput(f"{named}: is a link that leads to itself")
    if file.name in RUN_FILES and (file.parent / MANIFEST).is_file():
        raise UnusableInput(f"{named}: is a file of a run; name another file to write")
    return file


def artifacts_of(run: Path) -> set[Address]:
    """What a run has used of the store, as its folder says; networks go with their trainings.

    Raises
    ------
    UnusableInput
        If the folder does not say it.
    """
    file = run / ARTIFACTS
    try:
        found = _listed(file)
    except OSError as error:
        reason = error.strerror or error
        if not (run / MANIFEST).is_file():
            raise UnusableInput(f"{run}: holds no run") from error
        raise UnusableInput(
            f"{file}: does not say what the run needs of the store ({reason}); the command that "
            "made the run writes it"
        ) from error
    if not found:
        raise UnusableInput(
            f"{file}: names nothing, as a full disk leaves it; the command that made the run "
            "writes it"
        )
    return found


def _listed(file: Path) -> set[Address]:
    """The artifacts that a list names; a line that was cut short names none."""
    found = set[Address]()
    for line in file.read_text(encoding="ascii", errors="replace").splitlines():
        kind, _, key = line.partition(" ")
        if key:
            found.add((kind, key))
        # A report is made without the network, saliency maps and a lost chunk of features are not.
        if kind == "trainings":
            found |= {("networks", key), ("checkpoints", key)}
    return found


def _refuse_other(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # Through JSON and back, so that a tuple is compared as the list that it was written as.
    wanted = _flat(json.loads(json.dumps(now["configuration"])))
    kept = _flat(earlier["configuration"])
    # Options come before the crops that they lead to.
    for option in sorted({**kept, **wanted}, key=lambda name: name == "fingerprint"):
        if option == "fingerprint" and kept.get(option) != wanted.get(option):
            raise UnusableInput(
                f"{path}: holds a run on other crops of {kept.get('dataset')} than those of now; "
                "name a new folder with --out"
            )
        if kept.get(option) != wanted.get(option):
            raise UnusableInput(
                f"{path}: holds a run with {option} {_shown(kept.get(option))}, this one has "
                f"{_shown(wanted.get(option))}; name a new folder with --out"
            )


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with each rule beside the options: the one that differs is named."""
    rest = {name: value for name, value in configuration.items() if name != "rules"}
    return {**rest, **configuration.get("rules", {})}


def _shown(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
