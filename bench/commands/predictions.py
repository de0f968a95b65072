"""`bench predictions`: the scores of a run as one CSV, for R and other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import UnusableInput

if TYPE_CHECKING:
    import pandas as pd

    from reports.systems.run_folder import Run

# Rows that are made text at one time.
PIECE = 100_000


def predictions(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    file: Annotated[Path, typer.Argument(help="CSV file to write; it is replaced.")],
) -> None:
    """Write the score of every test crop under every system into a CSV, for R.

    A row has the system, subset, protocol, repeat and fold, the ids of crop, lesion and patient,
    score and threshold, the label (1 is positive) and whether it was called positive.
    """
    from bench.record.folder import output_file
    from reports.systems.run_folder import RunFolderError, read_run

    file = output_file(file)
    if file.is_dir():
        raise UnusableInput(f"{file}: is a folder; name the CSV file to write")
    try:
        rows = write_predictions(read_run(run), file)
    except RunFolderError as error:
        raise UnusableInput(str(error)) from error
    typer.echo(f"{rows} rows: {file}")


def write_predictions(run: "Run", file: Path) -> int:
    """Write the predictions of a run, whole or not at all.

    Parameters
    ----------
    run : Run
        From `read_run`.
    file : Path
        The CSV.

    Returns
    -------
    int
        The number of its rows.
    """
    from reports.whole_files import whole_path

    scores = run.predictions
    with whole_path(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        for start in range(0, max(len(scores), 1), PIECE):
            part = _joined(run, scores.iloc[start : start + PIECE])
            part.to_csv(stream, index=False, header=start == 0, lineterminator="\n")
    return len(scores)


def _joined(run: "Run", scores: "pd.DataFrame") -> "pd.DataFrame":
    """Predictions with what their unit is; text that a spreadsheet would run is made harmless."""
    from reports.systems.schema import PREDICTION_COLUMNS, SYSTEM_COLUMNS
    from reports.tables.formats import csv_cell

    units = run.units.set_index("unit")[[*SYSTEM_COLUMNS, "threshold"]]
    rows = scores[list(PREDICTION_COLUMNS)].join(units, on="unit")
    rows["called"] = (rows["score"] > rows["threshold"]).astype(int)
    rows = rows[
        [
            *SYSTEM_COLUMNS,
            *(name for name in PREDICTION_COLUMNS if name not in ("unit", "score", "label")),
            *("score", "threshold", "label", "called"),
        ]
    ]
    texts = [name for name in rows if name in _TEXTS]
    return rows.assign(**{name: rows[name].astype(object).map(csv_cell) for name in texts})


_TEXTS = (
    *("dataset", "subset", "protocol", "extractor", "weights", "recipe", "classifier"),
    *("crop_id", "lesion_id", "patient_id"),
)
