"""Pools units of work: folds to repeats, repeats to systems.

A unit is one system on one fold. The out-of-fold rows of one repeat are pooled, and measures are
computed on the pool; only the AUC, which ranks rows, compares within each fold. A row is called
positive by the threshold of its unit, because the classifiers of the folds may have different ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

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
        repeat, fold = (self.units[name].to_numpy() for name in ("repeat", "fold"))
        threshold = self.units["threshold"].to_numpy(dtype=np.float64, na_value=np.nan)
        found = []
        for number, rows in zip(np.unique(repeat), self.repeats, strict=True):
            own = repeat == number
            of_fold = dict(zip(fold[own].tolist(), threshold[own].tolist(), strict=True))
            folds, places = np.unique(rows.fold, return_inverse=True)
            limits = np.array([of_fold[one] for one in folds.tolist()], dtype=np.float64)
            found.append(limits[places])
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
    # Looked up in arrays: a cell of a data frame takes longer than all rows of a system there.
    named = {name: every_unit[name].array for name in SYSTEM_COLUMNS}
    parts = _UnitParts.of(every_unit)
    systems = []
    for members in _by_system(every_unit):
        units = every_unit.iloc[members]
        status = _status(units, rows_of_unit, parts, members)
        repeats, places = (
            _repeats(members, rows_of_unit, columns, parts) if status == "ok" else ((), ())
        )
        identity = {name: column[members[0]] for name, column in named.items()}
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


class _UnitParts(NamedTuple):
    """Columns of units.parquet that pooling looks at, (n,) each."""

    unit: NDArray[Any]
    repeat: NDArray[Any]
    threshold: NDArray[np.float64]
    ok: NDArray[np.bool_]

    @classmethod
    def of(cls, units: "pd.DataFrame") -> "_UnitParts":
        return cls(
            np.asarray(units["unit"], dtype=object),
            units["repeat"].to_numpy(),
            units["threshold"].astype("float64").to_numpy(),
            np.asarray(units["status"] == "ok", dtype=bool),
        )


def _by_system(units: "pd.DataFrame") -> list[NDArray[np.intp]]:
    """The positions of the rows of each system, in order of appearance."""
    if not len(units):
        return []
    numbers = units.groupby(list(SYSTEM_COLUMNS), sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _status(
    units: "pd.DataFrame",
    rows_of_unit: dict[str, Any],
    parts: _UnitParts,
    members: NDArray[np.intp],
) -> str:
    if not parts.ok[members].all():
        failed = units[~parts.ok[members]]
        reasons = join_unique(failed["status"])
        if reasons:
            return reasons + _in_folds(len(failed), len(units))
        if failed["status"].isna().any():
            return "no status recorded"
    lacking = sum(unit not in rows_of_unit for unit in parts.unit[members])
    return f"no predictions for {lacking} of {len(units)} units" if lacking else "ok"


def _in_folds(failed: int, of: int) -> str:
    return "" if failed == of else f" (in {failed} of {of} folds)"


def _repeats(
    members: NDArray[np.intp],
    rows_of_unit: dict[str, Any],
    columns: dict[str, Any],
    parts: _UnitParts,
) -> tuple[tuple[ScoredRows, ...], tuple[NDArray[np.int64], ...]]:
    """The pooled rows of each repeat, in order, and their positions in predictions.parquet."""
    of_repeat: dict[Any, list[int]] = {}
    for member in members.tolist():
        if not np.isfinite(parts.threshold[member]):
            unit = parts.unit[member]
            raise RunFolderError(f"units.parquet: the unit {unit} is ok but has no threshold")
        of_repeat.setdefault(parts.repeat[member], []).append(member)
    repeats, places = [], []
    for _, units in sorted(of_repeat.items()):
        taken = [rows_of_unit[parts.unit[unit]] for unit in units]
        rows = np.concatenate(taken)
        limits = np.repeat(parts.threshold[units], [len(one) for one in taken])
        positive, score, patient, fold = (
            columns[name][rows] for name in ("positive", "score", "patient", "fold")
        )
        repeats.append(ScoredRows(positive, score, score > limits, patient, fold))
        places.append(rows)
    return tuple(repeats), tuple(places)
