"""What the cells of the page's tables say, and what they sort by."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.statistics.logistic_calibration import NAMES as CALIBRATION
from reports.systems.run_folder import Run
from reports.systems.schema import SYSTEM_COLUMNS
from reports.tables.external import MEASURES as EXTERNAL_MEASURES
from reports.tables.headings import heading
from reports.tables.report_table import ReportTable
from reports.values import missing, number, short

if TYPE_CHECKING:
    import pandas as pd

MEASURE_TITLES = {
    "auc": "AUC",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "mcc": "MCC",
}


class TableCell(NamedTuple):
    """A cell of a table on the page.

    Attributes
    ----------
    text : str
        What is shown.
    sort : str
        What the column sorts by.
    kind : str
        A CSS class, often empty.
    detail : str
        What is shown below it in small print.
    """

    text: str
    sort: str = ""
    kind: str = ""
    detail: str = ""


class Column(NamedTuple):
    """A column of a table on the page: its heading, and whether it holds numbers."""

    title: str
    numeric: bool = False


def _capital(text: str) -> str:
    """With a capital in front, the rest as it is."""
    return text[:1].upper() + text[1:]


def _seconds(value: Any) -> str:
    """Three significant digits: a time is not known better."""
    if missing(value):
        return ""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _estimate(row: Any, name: str) -> TableCell:
    """Mean ± std above, [low, high] below."""
    mean, std = number(row[name]), number(row[f"{name}_std"])
    if not mean:
        return TableCell("")
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    return TableCell(
        f"{mean} ± {std}" if std else mean,
        sort=short(row[name]),
        kind="estimate",
        detail=f"[{low}, {high}]" if low else "",
    )


def published_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """Published and measured figures column by column: (p) and (m); the file has more columns."""
    measures = {**MEASURE_TITLES, "training_time_s": "Training (s)"}
    columns = [Column("Published"), Column("Measured, nearest")]
    columns += [
        Column(f"{text} ({side})", numeric=True) for text in measures.values() for side in "pm"
    ]
    rows = []
    for row in table.to_dict("records"):
        cells = [
            TableCell(row["published_system"], detail=f"{row['source']}; {row['published_data']}")
        ]
        measured = ("extractor", "classifier", "weights", "recipe", "data", "protocol")
        parts = [short(row[f"measured_{name}"]).replace("_", " ") for name in measured[1:]]
        named = ", ".join((short(row["measured_extractor"]), parts[0]))
        cells.append(
            TableCell(named, detail=", ".join(filter(None, parts[1:])))
            if parts[0]
            else TableCell("")
        )
        for name in measures:
            show = _seconds if name == "training_time_s" else number
            values = [row[f"{side}_{name}"] for side in ("published", "measured")]
            cells += [TableCell(show(value), short(value)) for value in values]
        rows.append(cells)
    return {"columns": columns, "rows": rows}


def protocols_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """Each system under each protocol: the estimate above, its interval below."""
    settings = _telling(table)
    start = list(table.columns).index("measure") + 1
    protocols = [name for name in table.columns[start:] if name not in _PUBLISHED]
    columns = [Column("Extractor"), *(Column(name.replace("_", " ")) for name in settings)]
    columns += [Column("Classifier"), Column("Measure")]
    columns += [Column(name, numeric=True) for name in protocols]
    columns += [Column("Published", numeric=True)] if "published" in table else []
    rows = []
    for row in table.to_dict("records"):
        cells = [TableCell(short(row["extractor"]), kind="name")]
        cells += [TableCell(short(row[name])) for name in settings]
        cells += [TableCell(short(row["classifier"]).replace("_", " "))]
        cells += [TableCell(MEASURE_TITLES[row["measure"]])]
        for name in protocols:
            value, _, limits = str(row[name]).partition(" [")
            detail = f"[{limits}" if limits else ""
            cells.append(TableCell(value, sort=value.partition(" ")[0], detail=detail))
        if "published" in table:
            parts = [short(row[name]) for name in _PUBLISHED[1:]]
            cells.append(
                TableCell(
                    number(row["published"]),
                    sort=short(row["published"]),
                    detail="; ".join(filter(None, parts)),
                )
            )
        rows.append(cells)
    starts = [place > 0 and place % 2 == 0 for place in range(len(rows))]
    return {"columns": columns, "rows": rows, "starts": starts}


# What may differ between two rows of one extractor and classifier, shown where it does.
_BESIDE = (
    "dataset",
    "subset",
    "region",
    "size",
    "weights",
    "recipe",
    "C",
    "scale",
    "tuned",
    "seed",
)
_PUBLISHED = ("published", "published_system", "published_data", "published_protocol")


def _telling(table: "pd.DataFrame") -> list[str]:
    """Those of _BESIDE that differ; an empty value, as of a reference point, is no other one."""
    return [name for name in _BESIDE if len(set(map(short, table[name])) - {""}) > 1]


def audit_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """A row a system and comparison: both values, their difference and its interval."""
    settings, audits = _telling(table), run.audits
    columns = [Column("Extractor"), *(Column(name.replace("_", " ")) for name in settings)]
    columns += [Column("Classifier"), Column("Audit"), Column("Beside it")]
    for text in ("AUC", "Accuracy"):
        columns += [
            Column(f"{text}{end}", numeric=True) for end in ("", " beside it", " difference")
        ]
    columns += [Column("n train", numeric=True), Column("n test", numeric=True)]
    columns += [Column(run.patients, numeric=True), Column("Differs besides")]
    rows = []
    for row in table.to_dict("records"):
        cells = [TableCell(short(row["extractor"]), kind="name")]
        cells += [TableCell(short(row[name])) for name in settings]
        cells += [TableCell(short(row["classifier"]).replace("_", " "))]
        cells += [
            TableCell(
                _text("protocol", row[side], audits), detail=_part_named(run.of_rows(row[rows_of]))
            )
            for side, rows_of in (("audit", "rows"), ("twin", "twin_rows"))
        ]
        for name in ("auc", "accuracy"):
            cells += [
                TableCell(number(row[side]), short(row[side])) for side in (name, f"twin_{name}")
            ]
            cells.append(_difference(row, f"{name}_difference"))
        cells += [
            TableCell(
                " | ".join(_figure(row[side]) for side in (name, f"twin_{name}")), short(row[name])
            )
            for name in ("n_train", "n_test", "n_patients")
        ]
        rows.append([*cells, TableCell(row["besides"])])
    return {"columns": columns, "rows": rows}


def _part_named(rows: str) -> str:
    return "" if rows == "all" else f"test rows {rows}"


def _difference(row: Any, name: str) -> TableCell:
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    return TableCell(number(row[name]), short(row[name]), detail=f"[{low}, {high}]" if low else "")


def plain_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """Any other table, cell by cell, without the identity columns that hold one value only.

    Under the audits of the run the cells say that it is an audit.
    """
    audits = run.audits
    table = table[list(declared.shown)] if declared.shown else table
    constant = [
        column
        for column in SYSTEM_COLUMNS
        if column in table and column != "extractor" and len(set(map(short, table[column]))) <= 1
    ]
    # Columns that nothing was measured for say nothing.
    empty = [column for column in table if len(table) and table[column].map(missing).all()]
    # Beside its protocol an audit is called one anyway.
    empty += ["audit"] if "audit" in table and "protocol" not in constant else []
    # An estimate, its std and its interval stand in one cell.
    estimates = [
        column for column in table if {f"{column}_ci_low", f"{column}_std"} <= set(table.columns)
    ]
    folded = [f"{column}{end}" for column in estimates for end in ("_std", "_ci_low", "_ci_high")]
    shown = table.drop(columns=list(dict.fromkeys([*constant, *empty, *folded])))
    # The name of a row heads it, and stays in view when the table is moved.
    leading = "extractor" if "extractor" in shown else next(iter(shown.columns), "")
    shown = shown[[leading, *shown.columns.drop(leading)]] if len(shown.columns) else shown
    # pandas' own test for numbers takes True and False for numbers.
    numeric = {column: _is_numeric(shown[column]) for column in shown}
    whole = {column: _folded(table, column) for column in estimates if column in shown}
    return {
        "columns": [
            Column(_capital(heading(str(column), declared.headings)), numeric[column])
            for column in shown
        ],
        "rows": [
            [
                whole[column][place]
                if column in whole
                else TableCell(
                    _figure(value) if numeric[column] else _text(column, value, audits),
                    sort=short(value),
                    kind="name" if column == leading else "",
                )
                for column, value in zip(shown.columns, row, strict=True)
            ]
            for place, row in enumerate(shown.itertuples(index=False, name=None))
        ],
    }


def _folded(table: "pd.DataFrame", name: str) -> list[TableCell]:
    columns = [name, f"{name}_std", f"{name}_ci_low", f"{name}_ci_high"]
    return [_estimate(row, name) for row in table[columns].to_dict("records")]


def _text(column: str, value: Any, audits: Sequence[str]) -> str:
    text = short(value)
    if column.endswith("classifier"):
        return text.replace("_", " ")
    return f"{text} (audit)" if column == "protocol" and text in audits else text


def _is_numeric(values: "pd.Series") -> bool:
    known = [value for value in values if not missing(value)]
    return bool(known) and all(
        hasattr(value, "__float__") and not isinstance(value, (bool, str)) for value in known
    )


def _figure(value: Any) -> str:
    """Counts in full, other figures to four significant digits."""
    if missing(value):
        return ""
    if isinstance(value, int):  # which may be larger than any float
        return f"{value:,}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


_EXTERNAL_SETTINGS = (
    "subset",
    "region",
    "size",
    "weights",
    "recipe",
    "C",
    "scale",
    "tuned",
    "seed",
)


def external_layout(declared: ReportTable, table: "pd.DataFrame", run: Run) -> dict[str, Any]:
    """A row a system and set: external, internal, drop; then calibration, where anything has it."""
    settings = [name for name in _EXTERNAL_SETTINGS if len(set(map(short, table[name])) - {""}) > 1]
    calibration = [name for name in CALIBRATION if table[name].notna().any()]
    columns = [Column("Extractor"), *(Column(heading(name)) for name in settings)]
    columns += [Column("Classifier"), Column("Set"), Column("Internal test")]
    for name in EXTERNAL_MEASURES:
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
        for name in EXTERNAL_MEASURES:
            cells += [_bracketed(row, f"{side}{name}") for side in ("", "internal_")]
            cells += [_bracketed(row, f"{name}_drop")]
        cells += [_bracketed(row, name) for name in calibration]
        cells += [_two_counts(row, name) for name in ("n_train", "n_test", "n_patients")]
        rows.append(cells)
    return {"columns": columns, "rows": rows}


def _bracketed(row: Any, name: str) -> TableCell:
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    return TableCell(number(row[name]), short(row[name]), detail=f"[{low}, {high}]" if low else "")


def _two_counts(row: Any, name: str) -> TableCell:
    """External | internal."""
    inside = row[f"internal_{name}"]
    parts = [f"{int(value):,}" for value in (row[name], inside) if not missing(value)]
    return TableCell(" | ".join(parts), short(row[name]))
