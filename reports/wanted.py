"""What a report asks of a run beside its tables: the crops to show and the systems to explain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reports.systems.kinds import KERNEL, OWN_HEAD, is_reference, judged, transformer
from reports.systems.pooled_run import PooledRun
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run, read_run
from reports.tables.mistakes import FALSE_NEGATIVE, FALSE_POSITIVE, hardest

TRUE_POSITIVE, TRUE_NEGATIVE = "true positive", "true negative"

# In the order of the page: of each verdict so many of the most confident.
VERDICTS = {FALSE_NEGATIVE: 4, FALSE_POSITIVE: 4, TRUE_POSITIVE: 2, TRUE_NEGATIVE: 2}

KINDS = ("CNN", "ViT")

SIDE = 128  # pixels of a picture


class ExplainedCrop(NamedTuple):
    """A test crop to explain. score, threshold : of the system, as stored."""

    crop_id: str
    verdict: str
    score: float
    threshold: float


class Explained(NamedTuple):
    """A system to explain, on one fold. unit : that fold's row of units.parquet.

    inner_auc : by which it was chosen; None where it was the first.
    """

    kind: str
    system: PooledSystem
    inner_auc: float | None
    unit: dict[str, Any]
    crops: tuple[ExplainedCrop, ...]


class Wanted(NamedTuple):
    """What a report asks of whoever ran the benchmark.

    Attributes
    ----------
    crops : list[str]
        The crop_ids whose pictures the figure of mistakes shows, each once.
    systems : list[Explained]
        One CNN and one ViT of each subset, where there is one.
    """

    crops: list[str]
    systems: list[Explained]


def read_wanted(folder: Path) -> Wanted:
    """What the report of a run folder asks for beside its tables.

    What runs a benchmark calls this when units, predictions, lesions and manifest of the folder
    stand. It writes a picture of each crop, to be listed in manifest["data"]["mistakes"] as
    {"file": ..., "crop_id": ...}, and saliency maps of each system, listed in
    manifest["saliency"].

    Raises
    ------
    RunFolderError
        As `read_run`.
    """
    pooled = PooledRun.of(read_run(folder))
    return Wanted(_crops_to_show(pooled), _to_explain(pooled))


def _crops_to_show(pooled: PooledRun) -> list[str]:
    groups = pooled.close.values()
    crops = (row["crop_id"] for systems in groups for row in hardest(pooled.run, systems))
    return list(dict.fromkeys(crops))


def _to_explain(pooled: PooledRun) -> list[Explained]:
    """Where the run has judged systems on inner folds, as for the row `selected`, that decides."""
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
    """By kind of network, in order: a network's own head, or the SVM where it has none."""
    by_network: dict[str, dict[str, PooledSystem]] = {}
    for system in systems:
        classifier = str(system.identity["classifier"])
        plain = not is_reference(system) and not _extractor(system).startswith("fusion:")
        if plain and classifier in (OWN_HEAD, KERNEL):
            by_network.setdefault(_extractor(system), {})[classifier] = system
    found: dict[str, list[PooledSystem]] = {kind: [] for kind in KINDS}
    for own in by_network.values():
        system = own.get(OWN_HEAD) or own[KERNEL]
        found[KINDS[transformer(system)]].append(system)
    return found


def choose(
    candidates: Mapping[str, Sequence[PooledSystem]], inner: Mapping[str, float]
) -> dict[str, PooledSystem]:
    """Of each kind the one with the highest figure; without figures the first, none at random.

    candidates : by kind, in the order of the configuration. inner : by extractor, a mean AUC on
    inner folds of the training rows; no figure of a test row may stand there. Where all of a kind
    have random weights, the first of them is taken.
    """
    chosen = {}
    for kind, systems in candidates.items():
        known = [system for system in systems if _extractor(system) in inner]
        real = [system for system in systems if str(system.identity["weights"]) != "random"]
        if known:
            chosen[kind] = max(known, key=lambda system: inner[_extractor(system)])
        elif systems:
            chosen[kind] = (real or systems)[0]
    return chosen


def _extractor(system: PooledSystem) -> str:
    return str(system.identity["extractor"])


def _first_fold(run: Run, system: PooledSystem) -> tuple[dict[str, Any], tuple[ExplainedCrop, ...]]:
    """Its first unit, and the test crops there of which it is most confident, rightly or not."""
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
    of = {
        FALSE_NEGATIVE: positive & ~called,
        FALSE_POSITIVE: ~positive & called,
        TRUE_POSITIVE: positive & called,
        TRUE_NEGATIVE: ~positive & ~called,
    }
    found = []
    for verdict, most in VERDICTS.items():
        own = rows[of[verdict]]
        furthest = own["away"].abs().sort_values(ascending=False, kind="stable").index[:most]
        found += [
            ExplainedCrop(row["crop_id"], verdict, float(row["score"]), float(unit["threshold"]))
            for row in own.loc[furthest].to_dict("records")
        ]
    return unit, tuple(found)
