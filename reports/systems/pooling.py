"""Pools units of work: folds to repeats, repeats to systems.

A unit is one system on one fold. The out-of-fold rows of one repeat are pooled, and measures are
computed on the pool; only the AUC, which ranks rows, compares within each fold. A row is called
positive by the threshold of its unit, because the classifiers of the folds may have different ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reports.systems.rows import ScoredRows
from reports.systems.run_folder import Run, RunFolderError, manifest_records
from reports.systems.schema import SYSTEM_COLUMNS
from reports.values import missing, short

if TYPE_CHECKING:
    import pandas as pd

# Systems that are compared have the same values here: test rows and share of training patients.
GROUP_COLUMNS = ("dataset", "subset", "region", "size", "protocol", "train_fraction")

# The training of a network that was not trained in the run.
FROZEN = "frozen"


def is_whole(train_fraction: Any) -> bool:
    """Whether this share of the training patients is all of them; a missing share means all."""
    return missing(train_fraction) or float(train_fraction) >= 1


@dataclass(frozen=True)
class PooledSystem:
    """One row of the comparison.

    Attributes
    ----------
    identity : dict[str, Any]
        The values of SYSTEM_COLUMNS.
    units : pd.DataFrame
        Its rows of units.parquet.
    repeats : tuple[ScoredRows, ...]
        The pooled test rows of each repeat, in order; empty where the system did not finish.
    status : str
        "ok", or the reason why there are no rows.
    places : tuple[NDArray[np.int64], ...], shape (n,) each
        For each repeat, the positions of its rows in predictions.parquet.
    extractor : Mapping[str, Any]
        What the manifest says of its extractor, which `reports.systems.kinds` reads; empty where
        it says nothing.
    """

    identity: dict[str, Any]
    units: "pd.DataFrame"
    repeats: tuple[ScoredRows, ...]
    status: str
    places: tuple[NDArray[np.int64], ...] = ()
    extractor: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ran(self) -> bool:
        """Whether every unit ran and has predictions."""
        return bool(self.repeats)

    @property
    def whole(self) -> bool:
        """Whether it was trained on all training patients; otherwise it is a point of a curve."""
        return is_whole(self.identity["train_fraction"])

    @property
    def trained(self) -> bool:
        """Whether its network was trained in this run."""
        return bool(set(words(self.extractor.get("training"))) - {FROZEN})

    @property
    def group(self) -> tuple[str, ...]:
        """The values of GROUP_COLUMNS as text."""
        return tuple(str(self.identity[name]) for name in GROUP_COLUMNS)

    @property
    def notes(self) -> str:
        """The distinct notes of its units."""
        return join_unique(self.units["notes"])

    def thresholds(self) -> list[NDArray[np.float64]]:
        """For each repeat the threshold of each row, (n,): that of the row's fold."""
        units = self.units.sort_values("repeat", kind="stable")
        found = []
        for (_, folds), rows in zip(units.groupby("repeat"), self.repeats, strict=True):
            of_fold = dict(zip(folds["fold"], folds["threshold"].astype("float64"), strict=True))
            found.append(np.array([of_fold[fold] for fold in rows.fold], dtype=np.float64))
        return found


def pool(run: Run) -> list[PooledSystem]:
    """Every system of a run, in the order in which units.parquet first names them.

    A system with a unit that failed or has no predictions has no pooled rows: some of the folds are
    not a result. Raises RunFolderError for labels other than 0 and 1, for scores that are not
    finite, and for a missing patient or threshold. A system whose extractor the manifest does not
    describe is of no kind; its name is not asked.
    """
    every_unit = run.units.drop_duplicates([*SYSTEM_COLUMNS, "repeat", "fold"], keep="last")
    rows_of_unit = _rows_by_unit(run.predictions)
    columns = _prediction_arrays(run)
    described = {str(row.get("name")): row for row in manifest_records(run.manifest, "extractors")}
    systems = []
    for _, units in every_unit.groupby(list(SYSTEM_COLUMNS), sort=False, dropna=False):
        status = _status(units, rows_of_unit)
        repeats = _repeats(units, rows_of_unit, columns) if status == "ok" else ()
        places = _places(units, rows_of_unit) if status == "ok" else ()
        identity = {name: units[name].iloc[0] for name in SYSTEM_COLUMNS}
        extractor = described.get(str(identity["extractor"]), {})
        systems.append(PooledSystem(identity, units, repeats, status, places, extractor))
    return systems


def words(value: Any) -> tuple[str, ...]:
    """The words of a fact in the manifest; a fusion has several, joined by commas."""
    return tuple(filter(None, short(value).split(", ")))


def join_unique(values: "pd.Series") -> str:
    """The distinct non-empty texts, in order, joined by '; '."""
    texts = (str(value).strip() for value in values.dropna())
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _rows_by_unit(predictions: "pd.DataFrame") -> dict[str, Any]:
    return dict(predictions.groupby("unit", observed=True, sort=False).indices)


def _prediction_arrays(run: Run) -> dict[str, Any]:
    """Label, score, patient number and fold of every prediction, checked."""
    import pandas as pd

    frame = run.predictions
    path = run.folder / "predictions.parquet"
    labels = frame["label"].to_numpy()
    if not np.isin(labels, (0, 1)).all():
        raise RunFolderError(f"{path}: the column label must hold 0 and 1 only")
    scores = frame["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(scores).all():
        first = frame["unit"].iloc[int(np.argmin(np.isfinite(scores)))]
        raise RunFolderError(f"{path}: the unit {first} has a score that is not finite")
    if frame["patient_id"].isna().any():
        raise RunFolderError(f"{path}: a row has no patient_id")
    numbers, _ = pd.factorize(frame["patient_id"].astype(str), sort=True)
    folds = frame["fold"].to_numpy(dtype=np.int64)
    return {"positive": labels.astype(bool), "score": scores, "patient": numbers, "fold": folds}


def _status(units: "pd.DataFrame", rows_of_unit: dict[str, Any]) -> str:
    failed = units[units["status"] != "ok"]
    reasons = join_unique(failed["status"])
    if reasons:
        return reasons + _in_folds(len(failed), len(units))
    if units["status"].isna().any():
        return "no status recorded"
    lacking = sum(unit not in rows_of_unit for unit in units["unit"])
    return f"no predictions for {lacking} of {len(units)} units" if lacking else "ok"


def _in_folds(failed: int, of: int) -> str:
    return "" if failed == of else f" (in {failed} of {of} folds)"


def _places(units: "pd.DataFrame", rows_of_unit: dict[str, Any]) -> tuple[NDArray[np.int64], ...]:
    """Positions in predictions.parquet of each repeat's rows, in the order of `_repeats`."""
    folds: dict[int, list[NDArray[np.int64]]] = {}
    for repeat, unit in zip(units["repeat"], units["unit"], strict=True):
        folds.setdefault(repeat, []).append(rows_of_unit[unit])
    return tuple(np.concatenate(folds[repeat]) for repeat in sorted(folds))


def _repeats(
    units: "pd.DataFrame", rows_of_unit: dict[str, Any], columns: dict[str, Any]
) -> tuple[ScoredRows, ...]:
    folds: dict[int, list[ScoredRows]] = {}
    thresholds = units["threshold"].astype("float64")
    for repeat, unit, threshold in zip(units["repeat"], units["unit"], thresholds, strict=True):
        if not np.isfinite(threshold):
            raise RunFolderError(f"units.parquet: the unit {unit} is ok but has no threshold")
        rows = rows_of_unit[unit]
        score = columns["score"][rows]
        positive, patient, fold = (columns[name][rows] for name in ("positive", "patient", "fold"))
        pooled = ScoredRows(positive, score, score > threshold, patient, fold)
        folds.setdefault(repeat, []).append(pooled)
    return tuple(
        ScoredRows(*(np.concatenate(part) for part in zip(*folds[repeat], strict=True)))
        for repeat in sorted(folds)
    )
