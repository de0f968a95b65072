"""Puts the systems of many runs into columns: only equal settings share one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from reports.systems.kinds import (
    KERNEL,
    MAJORITY,
    OWN_HEAD,
    drawn,
    is_reference,
)
from reports.systems.pooling import PooledSystem, pool
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run, section
from reports.two_runs import other_crops
from reports.values import short

# What two columns must have in common; their test rows besides. In the words of a reason.
_WORDS = {
    "dataset": "data set",
    "fingerprint": "pictures (their fingerprint)",
    "subset": "subset",
    "region": "region",
    "size": "size",
    "protocol": "protocol",
    "seed": "seed",
}
SIZE_ALONE = "shortcut:size"
# The crop, its label and patient, and its fold, sorted by crop.
Tested: TypeAlias = pd.DataFrame


@dataclass(frozen=True)
class BoardEntry:
    """A system of one run in one setting.

    Attributes
    ----------
    run : Run
        Its run.
    number : int
        The place of the run in the list of runs.
    system : PooledSystem
        The system.
    """

    run: Run
    number: int
    system: PooledSystem

    @property
    def row(self) -> tuple[str, str, str]:
        """Extractor, weights and recipe."""
        named = (short(self.system.identity[name]) for name in ("extractor", "weights", "recipe"))
        extractor, weights, recipe = named
        return extractor, weights, recipe

    @property
    def created(self) -> str:
        """When the run was made."""
        return str(section(self.run.manifest, "run").get("created") or "")


@dataclass
class Setting:
    """A column of the board.

    Attributes
    ----------
    key : dict[str, str]
        The values that its systems have in common.
    tested : dict[int, Tested]
        The test rows of each repeat.
    entries : dict[tuple[str, str, str], list[BoardEntry]]
        By row, the newest run first.
    reasons : list[str]
        Why it is no column with one that looks like it; empty for the first of its kind.
    beside : str
        Which that is, by its region and size.
    """

    key: dict[str, str]
    tested: dict[int, Tested] = field(default_factory=dict)
    entries: dict[tuple[str, str, str], list[BoardEntry]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    beside: str = ""

    @property
    def region(self) -> str:
        """Its region and size, as its heading says them."""
        return f"{self.key['region']}, {self.key['size']} px"

    def newest(self) -> list[BoardEntry]:
        """The entry that is drawn of each row."""
        return [entries[0] for entries in self.entries.values()]

    def rows_of(self, entry: BoardEntry) -> list[ScoredRows]:
        """The test rows of an entry, patients numbered alike for all entries of the column."""
        names = sorted({name for rows in self.tested.values() for name in rows["patient_id"]})
        ids = entry.run.predictions["patient_id"].astype(str).to_numpy()
        return [
            rows._replace(patient=np.searchsorted(names, ids[place]).astype(np.int64))
            for rows, place in zip(entry.system.repeats, entry.system.places, strict=True)
        ]


def settings_of(runs: Sequence[Run]) -> tuple[list[Setting], list[tuple[int, str]]]:
    """The columns of these runs, and what is left out with its reason.

    Parameters
    ----------
    runs : Sequence[Run]
        As from `read_scores`.

    Returns
    -------
    tuple[list[Setting], list[tuple[int, str]]]
        Columns in order of appearance, those that look alike side by side; and the number of a
        run with what of it is not on the board.
    """
    found: list[Setting] = []
    left_out: list[tuple[int, str]] = []
    for number, run in enumerate(runs):
        if run.synthetic:
            left_out.append((number, "its data are synthetic"))
            continue
        systems = pool(run)
        audits = {str(s.identity["protocol"]) for s in systems} & set(run.audits)
        left_out += [(number, f"{name} is an audit") for name in sorted(audits)]
        honest = [
            s for s in systems if s.ran and s.whole and str(s.identity["protocol"]) not in audits
        ]
        for system in _declared(honest):
            _place(found, BoardEntry(run, number, system))
    for setting in found:
        for entries in setting.entries.values():
            entries.sort(key=lambda entry: (entry.created, entry.number), reverse=True)
    ordered = _side_by_side(found)
    _explain(ordered)
    return ordered, left_out


def _declared(systems: Sequence[PooledSystem]) -> list[PooledSystem]:
    """One system for each extractor of a comparison: its Gaussian SVM, else its head, else any."""
    of: dict[tuple[str, ...], dict[str, PooledSystem]] = {}
    for system in systems:
        classifier = str(system.identity["classifier"])
        if classifier == MAJORITY or (drawn(system) and not is_reference(system)):
            continue
        names = (
            *system.group,
            *(short(system.identity[n]) for n in ("extractor", "weights", "recipe", "seed")),
        )
        of.setdefault(names, {}).setdefault(classifier, system)
    return [
        next(
            (found[name] for name in (KERNEL, OWN_HEAD) if name in found),
            next(iter(found.values())),
        )
        for found in of.values()
    ]


def _place(found: list[Setting], entry: BoardEntry) -> None:
    identity = entry.system.identity
    data = section(entry.run.manifest, "data")
    key = {name: short(identity.get(name)) for name in _WORDS if name != "fingerprint"}
    key["fingerprint"] = str(data.get("fingerprint"))
    tested = _tested(entry)
    for setting in found:
        if setting.key == key and _same(setting.tested, tested):
            break
    else:
        setting = Setting(key)
        found.append(setting)
    setting.tested = tested | setting.tested
    setting.entries.setdefault(entry.row, []).append(entry)


def _tested(entry: BoardEntry) -> dict[int, Tested]:
    system, found = entry.system, {}
    columns = ["crop_id", "rotation", "label", "patient_id", "fold"]
    for place in system.places:
        rows = entry.run.predictions.iloc[place]
        table = rows[columns].astype({"crop_id": str, "patient_id": str}).reset_index(drop=True)
        table = table.sort_values(["crop_id", "rotation"]).reset_index(drop=True)
        found[int(rows["repeat"].iloc[0])] = table
    return found


def _same(one: Mapping[int, Tested], other: Mapping[int, Tested]) -> bool:
    common = set(one) & set(other)
    return bool(common) and all(_equal(one[repeat], other[repeat]) for repeat in common)


def _equal(one: Tested, other: Tested) -> bool:
    return len(one) == len(other) and bool((one.to_numpy() == other.to_numpy()).all())


def _looks_like(setting: Setting) -> tuple[str, ...]:
    return tuple(setting.key[name] for name in ("dataset", "subset"))


def _side_by_side(found: Sequence[Setting]) -> list[Setting]:
    order: dict[tuple[str, ...], list[Setting]] = {}
    for setting in found:
        order.setdefault(_looks_like(setting), []).append(setting)
    return [
        setting
        for group in order.values()
        for setting in sorted(group, key=lambda one: (one.key["protocol"], one.key["region"]))
    ]


def _explain(ordered: Sequence[Setting]) -> None:
    """Say of each column in what it differs from the first that has its name and protocol."""
    first: dict[tuple[str, ...], Setting] = {}
    for setting in ordered:
        name = (*_looks_like(setting), setting.key["protocol"])
        other = first.setdefault(name, setting)
        if other is setting:
            continue
        setting.beside = other.region
        setting.reasons = [
            f"other {words}"
            + (f": {setting.key[part]}, not {other.key[part]}" * (len(setting.key[part]) < 30))
            for part, words in _WORDS.items()
            if setting.key[part] != other.key[part]
        ]
        reason = _other_rows(other.tested, setting.tested)
        setting.reasons += [reason] if reason else []


def _other_rows(one: Mapping[int, Tested], other: Mapping[int, Tested]) -> str:
    """Why the test rows are not the same, in the words of `compare`."""
    common = sorted(set(one) & set(other))
    if not common:
        return "no repeat in common"
    for repeat in common:
        joint = pd.concat([one[repeat], other[repeat]], ignore_index=True)
        crop = joint.groupby(["patient_id", "crop_id", "rotation", "label"], sort=False).ngroup()
        rows = np.stack([crop.to_numpy(), joint["fold"].to_numpy()]).astype(np.int64)
        sides = [rows[:, : len(one[repeat])], rows[:, len(one[repeat]) :]]
        if reason := other_crops(*(side[:, np.argsort(side[0], kind="stable")] for side in sides)):
            return reason
    return ""


def labels_of(settings: Sequence[Setting]) -> list[str]:
    """A short name of each column: of data set and subset what is not the same in all."""
    names = [name for name in ("dataset", "subset") if len({one.key[name] for one in settings}) > 1]
    return [
        ", ".join([*(one.key[name] for name in names), one.key["protocol"], one.region])
        for one in settings
    ]


def facts_of(run: Run) -> dict[str, Any]:
    """What the board says of a run."""
    data, made = section(run.manifest, "data"), section(run.manifest, "run")
    environment = section(run.manifest, "environment")
    return {
        "name": str(made.get("name") or run.folder.resolve().name),
        "created": str(made.get("created") or "")[:10],
        "submitter": str(section(run.manifest, "bundle").get("submitter") or ""),
        "version": str(section(run.manifest, "suite").get("version") or ""),
        "data": str(data.get("title") or data.get("dataset") or ""),
        "licence": str(data.get("licence") or ""),
        "device": str(environment.get("device_name") or environment.get("device") or ""),
        "seed": short(section(run.manifest, "configuration").get("seed")),
        "repeats": short(section(run.manifest, "configuration").get("repeats")),
    }
