"""How the page shows the tests on external sets: each figure with its interval in one cell."""

from typing import TYPE_CHECKING, Any

from reports.page.cells import MEASURE_TITLES, Column, TableCell
from reports.statistics.logistic_calibration import NAMES
from reports.systems.run_folder import Run
from reports.tables.external import MEASURES
from reports.tables.headings import heading
from reports.tables.report_table import ReportTable
from reports.values import missing, number, short

if TYPE_CHECKING:
    import pandas as pd

_SETTINGS = ("subset", "region", "size", "weights", "recipe", "C", "scale", "tuned", "seed")


def external_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """A row a system and set: external, internal, drop; then calibration, where anything has it."""
    settings = [name for name in _SETTINGS if len(set(map(short, table[name])) - {""}) > 1]
    calibration = [name for name in NAMES if table[name].notna().any()]
    columns = [Column("Extractor"), *(Column(heading(name)) for name in settings)]
    columns += [Column("Classifier"), Column("Set"), Column("Internal test")]
    for name in MEASURES:
        title = MEASURE_TITLES[name]
        columns += [Column(f"{title}{end}", numeric=True) for end in ("", ", internal", ", drop")]
    columns += [Column(heading(name, declared.headings), numeric=True) for name in calibration]
    columns += [
        Column(title, numeric=True) for title in ("Training crops", "Test crops", run.patients)
    ]
    rows = []
    for row in table.to_dict("records"):
        cells = [TableCell(short(row["extractor"]), kind="name")]
        cells += [TableCell(short(row[name])) for name in settings]
        cells += [TableCell(short(row["classifier"]).replace("_", " "))]
        cells += [TableCell(short(row[name])) for name in ("external", "internal")]
        for name in MEASURES:
            cells += [_figure(row, f"{side}{name}") for side in ("", "internal_")]
            cells += [_figure(row, f"{name}_drop")]
        cells += [_figure(row, name) for name in calibration]
        cells += [_count(row, name) for name in ("n_train", "n_test", "n_patients")]
        rows.append(cells)
    return {"columns": columns, "rows": rows}


def _figure(row: Any, name: str) -> TableCell:
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    return TableCell(number(row[name]), short(row[name]), detail=f"[{low}, {high}]" if low else "")


def _count(row: Any, name: str) -> TableCell:
    """External | internal."""
    inside = row[f"internal_{name}"]
    parts = [f"{int(value):,}" for value in (row[name], inside) if not missing(value)]
    return TableCell(" | ".join(parts), short(row[name]))
