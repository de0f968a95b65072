"""Reads a run folder; another folder is refused with a message of one line.

The manifest and the tables come from other programs and from plugins, so their contents are text to
show, never something to trust.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.systems.schema import (
    AUDIT_MARK,
    AUDIT_MARK_WITHOUT_IDS,
    EXTERNAL_COLUMNS,
    HISTORY_COLUMNS,
    HOST,
    MANIFEST_SCHEMA,
    NUMBER_COLUMNS,
    PREDICTION_COLUMNS,
    TRAINING_COLUMNS,
    UNIT_COLUMNS,
    WHOLE_NUMBER_COLUMNS,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Columns that folders do not have from before networks could be trained, or work spread over hosts.
_NEWER = ("network_time_s", HOST)
# The text columns in the tables on trainings; all others are numbers.
_TEXT_COLUMNS = {
    *("training", "dataset", "subset", "region", "size", "protocol", "extractor", "weights"),
    *("recipe", "input", "precision", "device", "notes", HOST),
}
# Repeated text is read as a dictionary, which takes a tenth of the memory.
_REPEATED = ["unit", "crop_id", "lesion_id", "patient_id"]


class RunFolderError(ValueError):
    """The folder is not a run folder, or lacks a file or a column.

    The message is one line and names the file.
    """


def with_manifest_below(folder: Path) -> str:
    """What to say of a folder above those with a manifest.json; empty if none lies in it."""
    below = sorted(file.parent.as_posix() for file in folder.glob("*/manifest.json"))
    named = ", ".join([*below[:2], *["..."] * (len(below) > 2)])
    return f"; there is one in {named}" if below else ""


def _check_run_folder(folder: Path) -> None:
    if folder.is_file():
        raise RunFolderError(f"{folder}: is a file; name the run folder in which it lies")
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such folder")
    if not (folder / "manifest.json").is_file():
        raise RunFolderError(
            f"{folder}: not a run folder (it holds no manifest.json{with_manifest_below(folder)})"
        )


def _no_lesions() -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=list(EXTERNAL_COLUMNS))


@dataclass(frozen=True)
class Run:
    """The contents of a run folder, the only input of every table, figure and page.

    Attributes
    ----------
    folder : Path
        The folder.
    manifest : dict[str, Any]
        From manifest.json.
    units, predictions, lesions : pd.DataFrame
        The tables of these names, with at least the columns of `reports.systems.schema`.
    trainings, history : pd.DataFrame
        The tables of these names; without rows where no network was trained.
    external : pd.DataFrame
        The lesions of external sets; without rows where there is none.
    """

    folder: Path
    manifest: dict[str, Any]
    units: "pd.DataFrame"
    predictions: "pd.DataFrame"
    lesions: "pd.DataFrame"
    trainings: "pd.DataFrame"
    history: "pd.DataFrame"
    external: "pd.DataFrame" = field(default_factory=_no_lesions)

    @property
    def synthetic(self) -> bool:
        """Whether the data are synthetic; every figure then has to say so."""
        return bool(section(self.manifest, "data").get("synthetic", False))

    @property
    def patient_ids(self) -> bool:
        """Whether the data say whose an image is; else each counts as a patient of its own."""
        return section(self.manifest, "data").get("patient_ids") is not False

    @property
    def patients(self) -> str:
        """What is drawn, split and counted as one, as sentences call it: patients or images."""
        return "patients" if self.patient_ids else "images"

    @property
    def by_patient(self) -> str:
        """' by patient' after what is split; empty where nothing says whose an image is."""
        return " by patient" if self.patient_ids else ""

    def of_rows(self, rows: str) -> str:
        """What sentences call ALL_ROWS, SHARED or UNSHARED rows."""
        return rows.replace("patients", self.patients)

    @property
    def lesion_ids(self) -> bool:
        """Whether the data say which crops show one lesion; else each crop has its own name."""
        crops = self.lesions.drop_duplicates("crop_id")
        return "lesion_id" in crops and crops["lesion_id"].nunique() < len(crops)

    @property
    def organ(self) -> str:
        """What the images show; empty where the data set does not say it."""
        return str(section(self.manifest, "data").get("organ") or "")

    @property
    def audit_mark(self) -> str:
        """What is put to the figures of audits."""
        return AUDIT_MARK if self.patient_ids else AUDIT_MARK_WITHOUT_IDS

    @property
    def has_published_figures(self) -> bool:
        """Whether published figures may stand beside these; not where the data were changed."""
        return section(self.manifest, "data").get("published_figures", True) is not False

    @property
    def audits(self) -> tuple[str, ...]:
        """The protocols that deliberately have patients on both sides."""
        return tuple(name for name in listing(self.manifest, "audits") if isinstance(name, str))


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Parameters
    ----------
    folder : Path
        With manifest.json, units.parquet, predictions.parquet and lesions.parquet, and, where
        networks were trained, trainings.parquet and history.parquet.

    Returns
    -------
    Run
        Its contents.

    Raises
    ------
    RunFolderError
        For a folder that is not a run folder, and for a file that is missing, cannot be read, has
        another schema, lacks a column, or has one that holds something else than a run writes.
    """
    folder = Path(folder)
    _check_run_folder(folder)
    external = folder / "external.parquet"
    return Run(
        folder=folder,
        manifest=_read_manifest(folder / "manifest.json"),
        units=_read_checked(folder / "units.parquet", UNIT_COLUMNS, newer=_NEWER),
        predictions=_read_checked(folder / "predictions.parquet", PREDICTION_COLUMNS),
        lesions=_read_table(folder / "lesions.parquet", ("crop_id", "patient_id")),
        trainings=_read_numbers(folder / "trainings.parquet", TRAINING_COLUMNS),
        history=_read_numbers(folder / "history.parquet", HISTORY_COLUMNS),
        external=_read_table(external, EXTERNAL_COLUMNS) if external.exists() else _no_lesions(),
    )


def read_scores(folder: Path) -> Run:
    """Read what every measure is computed from, and no more.

    Parameters
    ----------
    folder : Path
        A run folder, or what is kept or shared of one: manifest.json, units.parquet and
        predictions.parquet.

    Returns
    -------
    Run
        Its contents; the other tables have no rows.

    Raises
    ------
    RunFolderError
        As `read_run` does.
    """
    import pandas as pd

    folder = Path(folder)
    _check_run_folder(folder)
    return Run(
        folder=folder,
        manifest=_read_manifest(folder / "manifest.json"),
        units=_read_checked(folder / "units.parquet", UNIT_COLUMNS, newer=_NEWER),
        predictions=_read_checked(folder / "predictions.parquet", PREDICTION_COLUMNS),
        lesions=_no_lesions(),
        trainings=pd.DataFrame(columns=list(TRAINING_COLUMNS)),
        history=pd.DataFrame(columns=list(HISTORY_COLUMNS)),
    )


def section(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """A value of the manifest that should be a mapping; empty where it is not one."""
    value = manifest.get(name)
    return value if isinstance(value, dict) else {}


def listing(parent: dict[str, Any], name: str) -> list[Any]:
    """A value that should be a list; empty where it is not one."""
    value = parent.get(name)
    return value if isinstance(value, list) else []


def manifest_records(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A value that should be a list of mappings; its other items are left out."""
    return [row for row in listing(parent, name) if isinstance(row, dict)]


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        # A lone surrogate, as in an odd file name, is valid in JSON but not in tables and pages.
        whole = json.dumps(manifest, ensure_ascii=False).encode("utf-8", "replace")
        manifest = json.loads(whole)
    except (OSError, ValueError, RecursionError) as error:
        raise RunFolderError(f"{path}: cannot be read as JSON ({_one_line(error)})") from None
    if not isinstance(manifest, dict):
        raise RunFolderError(f"{path}: must hold one JSON object")
    schema = manifest.get("schema", MANIFEST_SCHEMA)
    if schema != MANIFEST_SCHEMA:
        older = isinstance(schema, int) and schema < MANIFEST_SCHEMA
        hint = "; the same `bench all` command renews the folder" if older else ""
        raise RunFolderError(
            f"{path}: written with schema {schema}, this version reads {MANIFEST_SCHEMA}{hint}"
        )
    return manifest


def _read_numbers(path: Path, columns: Iterable[str]) -> "pd.DataFrame":
    """A table on trainings, empty where there is none; numbers that are not finite are missing."""
    import numpy as np
    import pandas as pd

    if not path.exists():
        return pd.DataFrame(columns=list(columns))
    table = _read_table(path, columns, newer=[HOST] if HOST in columns else [])
    for name in columns:
        if name not in _TEXT_COLUMNS:
            numbers = pd.to_numeric(table[name], errors="coerce").astype("float64")
            table[name] = numbers.where(np.isfinite(numbers))
    return table


def _read_checked(path: Path, needed: Iterable[str], newer: Iterable[str] = ()) -> "pd.DataFrame":
    """A table whose numbers are numbers, so that nothing later has to doubt it."""
    from pandas.api import types

    table = _read_table(path, needed, newer)
    for name in (*NUMBER_COLUMNS, *WHOLE_NUMBER_COLUMNS):
        if name not in table:
            continue
        column = table[name]
        known = column.dropna()
        if len(known) and not types.is_numeric_dtype(known.dtype):
            first = _one_line(str(known.iloc[0]))[:40]
            raise RunFolderError(f"{path}: the column {name} must hold numbers, got {first!r}")
        if name in WHOLE_NUMBER_COLUMNS and (
            len(known) < len(column) or not (known.astype("float64") % 1 == 0).all()
        ):
            raise RunFolderError(f"{path}: the column {name} must hold whole numbers")
    return table


def _read_table(path: Path, needed: Iterable[str], newer: Iterable[str] = ()) -> "pd.DataFrame":
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise RunFolderError(
            f"{path.parent}: not a whole run folder (it holds no {path.name}); where its run was "
            "interrupted, the same command goes on from what is done"
        )
    try:
        schema = pq.read_schema(path)
        names = set(schema.names)
        _check_single_values(path, schema)
        repeated = [name for name in _REPEATED if name in names]
        frame = pq.read_table(path, read_dictionary=repeated).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(f"{path}: cannot be read as Parquet ({_one_line(error)})") from None
    missing = [name for name in needed if name not in names and name not in newer]
    if missing:
        raise RunFolderError(f"{path}: lacks the column {', '.join(missing)}")
    return frame.assign(**{name: None for name in newer if name not in names})


def _check_single_values(path: Path, schema: "pa.Schema") -> None:
    """Refuse columns of lists and the like, and two columns of one name."""
    import pyarrow as pa

    for one in schema:
        if pa.types.is_nested(one.type) or pa.types.is_binary(one.type):
            raise RunFolderError(f"{path}: the column {one.name} holds {one.type}")
        if schema.names.count(one.name) > 1:
            raise RunFolderError(f"{path}: two columns have the name {one.name}")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
