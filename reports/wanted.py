"""What a report needs of a run besides its tables: crops to show and systems to explain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reports.systems.kinds import KERNEL, OWN_HEAD, drawn, family, imported, is_network, judged
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, read_run
from reports.tables.mistakes import FALSE_NEGATIVE, FALSE_POSITIVE, hardest

TRUE_POSITIVE, TRUE_NEGATIVE = "true positive", "true negative"

# In the order of the page: for each verdict how many of the most confident crops.
VERDICTS = {FALSE_NEGATIVE: 4, FALSE_POSITIVE: 4, TRUE_POSITIVE: 2, TRUE_NEGATIVE: 2}

_OTHER, _IMPORTED = "other network", "imported features"
# Family of a network -> what the page calls it. One of each is explained.
_KIND_OF = {"CNN": "CNN", "transformer": "ViT", "hybrid": "hybrid", "other": _OTHER}
KINDS = (*_KIND_OF.values(), _IMPORTED)

SIDE = 128  # pixels of a picture


class ExplainedCrop(NamedTuple):
    """A test crop to explain.

    Attributes
    ----------
    crop_id, verdict : str
        The crop; one of VERDICTS.
    score, threshold : float
        Of the system, as stored.
    """

    crop_id: str
    verdict: str
    score: float
    threshold: float


class Explained(NamedTuple):
    """A system to explain, on one fold.

    Attributes
    ----------
    kind : str
        One of KINDS.
    system : PooledSystem
        The system.
    inner_auc : float | None
        The AUC on inner folds by which it was chosen; None where it was the first.
    unit : dict[str, Any]
        The row of units.parquet of that fold.
    crops : tuple[ExplainedCrop, ...]
        The test crops to explain.
    """

    kind: str
    system: PooledSystem
    inner_auc: float | None
    unit: dict[str, Any]
    crops: tuple[ExplainedCrop, ...]


class Wanted(NamedTuple):
    """What a report needs from the program that ran the benchmark.

    Attributes
    ----------
    crops : list[str]
        The distinct crop_ids that the figure of mistakes shows.
    systems : list[Explained]
        One of each of KINDS for each subset, where there is one.
    """

    crops: list[str]
    systems: list[Explained]


def read_wanted(folder: Path) -> Wanted:
    """What the report of a run folder needs besides its tables.

    The program that runs a benchmark calls this once units, predictions, lesions and manifest of
    the folder are written. It then writes a picture of each crop, listed in
    manifest["data"]["mistakes"] as {"file": ..., "crop_id": ...}, and saliency maps of each system,
    listed in manifest["saliency"].

    Parameters
    ----------
    folder : Path
        The run folder.

    Returns
    -------
    Wanted
        Crops to show and systems to explain.

    Raises
    ------
    RunFolderError
        As `read_run` does.
    """
    pooled = PooledRun.of(read_run(folder))
    return Wanted(_crops_to_show(pooled), _to_explain(pooled))


def _crops_to_show(pooled: PooledRun) -> list[str]:
    groups = pooled.close.values()
    crops = (row["crop_id"] for systems in groups for row in hardest(pooled.run, systems))
    return list(dict.fromkeys(crops))


def _to_explain(pooled: PooledRun) -> list[Explained]:
    """By the AUC on inner folds where the run has it, as for the row `selected`."""
    found = []
    for systems in pooled.close.values():
        candidates = candidates_to_explain(systems)
        inner_auc = {
            _extractor(system): float(system.units["inner_auc"].astype("float64").mean())
            for system in (one for of_kind in candidates.values() for one in of_kind)
            if judged(system)
        }
        for kind, system in choose(candidates, inner_auc).items():
            unit, crops = _first_fold(pooled.run, system)
            judgement = inner_auc.get(_extractor(system))
            found.append(Explained(kind, system, judgement, unit, crops))
    return found


def candidates_to_explain(systems: Sequence[PooledSystem]) -> dict[str, list[PooledSystem]]:
    """By kind of network, in order: the softmax head of each network, else its SVM."""
    by_network: dict[str, dict[str, PooledSystem]] = {}
    for system in systems:
        classifier = str(system.identity["classifier"])
        if is_network(system) and classifier in (OWN_HEAD, KERNEL):
            by_network.setdefault(_extractor(system), {})[classifier] = system
    found: dict[str, list[PooledSystem]] = {kind: [] for kind in KINDS}
    for by_classifier in by_network.values():
        system = by_classifier.get(OWN_HEAD) or by_classifier[KERNEL]
        kind = _IMPORTED if imported(system) else _KIND_OF.get(family(system), _OTHER)
        found[kind].append(system)
    return found


def choose(
    candidates: Mapping[str, Sequence[PooledSystem]], inner: Mapping[str, float]
) -> dict[str, PooledSystem]:
    """Of each kind the system with the highest AUC on inner folds, else the first.

    Parameters
    ----------
    candidates : Mapping[str, Sequence[PooledSystem]]
        By kind, in the order of the configuration.
    inner : Mapping[str, float]
        By extractor, the mean AUC on inner folds of the training rows; never a result on test rows.

    Returns
    -------
    dict[str, PooledSystem]
        By kind. Without AUCs the first system whose weights are not random, or the first where all
        are.
    """
    chosen = {}
    for kind, systems in candidates.items():
        known = [system for system in systems if _extractor(system) in inner]
        real = [system for system in systems if not drawn(system)]
        if known:
            chosen[kind] = max(known, key=lambda system: inner[_extractor(system)])
        elif systems:
            chosen[kind] = (real or systems)[0]
    return chosen


def _extractor(system: PooledSystem) -> str:
    return str(system.identity["extractor"])


def _first_fold(run: Run, system: PooledSystem) -> tuple[dict[str, Any], tuple[ExplainedCrop, ...]]:
    """Its first unit, and the test crops there with the most confident verdicts."""
    unit = system.units.sort_values(["repeat", "fold"], kind="stable").iloc[0].to_dict()
    rows = run.predictions
    rows = rows[rows["unit"].astype(str) == str(unit["unit"])]
    rows = rows[(rows["repeat"] == unit["repeat"]) & (rows["fold"] == unit["fold"])]
    rows = rows[rows["rotation"] == 0] if "rotation" in rows else rows
    rows = rows.assign(
        away=rows["score"].astype("float64") - float(unit["threshold"]),
        crop_id=rows["crop_id"].astype(str),
    )
    rows = rows.sort_values("crop_id", kind="stable")
    called, positive = rows["away"] > 0, rows["label"] == 1
    with_verdict = {
        FALSE_NEGATIVE: positive & ~called,
        FALSE_POSITIVE: ~positive & called,
        TRUE_POSITIVE: positive & called,
        TRUE_NEGATIVE: ~positive & ~called,
    }
    found = []
    for verdict, most in VERDICTS.items():
        members = rows[with_verdict[verdict]]
        furthest = members["away"].abs().sort_values(ascending=False, kind="stable").index[:most]
        found += [
            ExplainedCrop(row["crop_id"], verdict, float(row["score"]), float(unit["threshold"]))
            for row in members.loc[furthest].to_dict("records")
        ]
    return unit, tuple(found)
