"""The board as one self-contained HTML file that loads nothing and is whole without its script."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from reports.board.drawings import COLOURS, REFERENCE, bar, cost_panels
from reports.board.matrix import SELECTED, BoardCell, Matrix, RowKey, matrix_of, scale_of
from reports.board.settings import Setting, facts_of, labels_of, settings_of
from reports.page.static_forest import StaticLine, static_forest
from reports.statistics.ranks import FEWEST_SETTINGS
from reports.systems.run_folder import Run, section
from reports.values import number, short

# The widths of the classes of the tint, in AUC.
_TINTS = ((-0.05, "below"), (0.0, "under"), (0.05, "over"), (0.1, "above"))
FACETS = ("modality", "region", "protocol", "family", "weights", "version", "device")


def render_board(
    runs: Sequence[Run],
    places: Sequence[str],
    checks: Sequence[str],
    refused: Sequence[str] = (),
) -> str:
    """The page.

    Parameters
    ----------
    runs : Sequence[Run]
        As from `read_scores`.
    places : Sequence[str]
        For each run the address of its report; empty without one.
    checks : Sequence[str]
        For each run what is known of its figures.
    refused : Sequence[str]
        A line for each folder that is not on the board, with the reason.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    settings, left_out = settings_of(runs)
    matrix = matrix_of(settings)
    scale = scale_of(list(matrix.cells.values()))
    environment = Environment(
        loader=PackageLoader("reports.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groupby_run"] = _side_by_side
    script = _asset("reports.board", "board.js")
    columns = [_column(setting, place, matrix) for place, setting in enumerate(settings)]
    for column, label in zip(columns, labels_of(settings), strict=True):
        column["label"] = label
    page = environment.get_template("board.html.j2").render(
        # Colours, marks and bars as on the page of a run.
        style=Markup(_asset("reports.page", "forest.css") + _asset("reports.board", "board.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        columns=columns,
        bodies=_bodies(matrix, scale),
        scale=scale,
        ranks=_ranks(matrix),
        fewest=FEWEST_SETTINGS,
        panels=cost_panels(matrix, scale),
        runs=[
            facts_of(run)
            | {"place": place, "checked": check}
            | {"left_out": [why for number, why in left_out if number == at]}
            for at, (run, place, check) in enumerate(zip(runs, places, checks, strict=True))
        ],
        refused=refused,
        facets=_facets(matrix),
    )
    return page.encode("utf-8", "replace").decode()


def _asset(package: str, name: str) -> str:
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def _side_by_side(columns: Sequence[dict[str, Any]], *names: str) -> list[tuple[str, list[int]]]:
    """Neighbours with the same values, for headings over several columns: value and places."""
    found: list[tuple[str, list[int]]] = []
    before = None
    for place, column in enumerate(columns):
        values = [column[name] for name in names]
        if values != before:
            found.append((values[-1], []))
        found[-1][1].append(place)
        before = values
    return found


def _column(setting: Setting, place: int, matrix: Matrix) -> dict[str, Any]:
    entry = setting.newest()[0]
    data = section(entry.run.manifest, "data")
    rows = setting.tested[min(setting.tested)]
    lacking = [row[0] for row in matrix.backbones if (row, place) not in matrix.cells]
    name = f"{data.get('title') or setting.key['dataset']}: {setting.key['subset']}"
    return {
        "name": name,
        "protocol": setting.key["protocol"],
        "region": setting.region,
        "facts": f"{setting.key['protocol']}, {setting.region}",
        "rows": f"{len(rows):,} crops, {rows['patient_id'].nunique():,} {entry.run.patients}",
        "reasons": setting.reasons,
        "beside": setting.beside,
        "values": {
            "modality": _modality(entry.run),
            "region": setting.key["region"],
            "protocol": setting.key["protocol"],
        },
        "command": _command(setting, lacking) if lacking else "",
    }


def _bodies(matrix: Matrix, scale: tuple[float, float]) -> list[dict[str, Any]]:
    """The rows by family, in the order of the matrix."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row, family in matrix.families.items():
        found.setdefault(family, []).append(_row(row, matrix, scale))
    return [
        {
            "title": {REFERENCE: "reference points"}.get(family, family),
            # Facets of backbones leave what stands for comparison in view.
            "always": family in (REFERENCE, SELECTED),
            "rows": rows,
        }
        for family, rows in found.items()
    ]


def _modality(run: Run) -> str:
    """The kind of picture where the data set says it, else the organ, else the set's name."""
    data = section(run.manifest, "data")
    return str(data.get("modality") or data.get("organ") or data.get("dataset") or "")


def _command(setting: Setting, lacking: list[str]) -> str:
    key = setting.key
    region, _, margin = key["region"].partition(":")
    return (
        f"python -m bench all --data PATH --subset {key['subset']} --region {region} "
        f"{f'--margin {margin} ' * bool(margin)}--size {key['size']} "
        f"--protocols {key['protocol']} --seed {key['seed']} "
        f"--extractors {','.join(dict.fromkeys(lacking))}"
    )


def _row(row: RowKey, matrix: Matrix, scale: tuple[float, float]) -> dict[str, Any]:
    family = matrix.families[row]
    cells = [matrix.cells.get((row, place)) for place in range(len(matrix.settings))]
    extractor, weights, recipe = row
    said = [text for text in (weights, recipe) if text and text != "frozen"]
    return {
        "name": extractor,
        "said": ", ".join(said),
        "values": {"family": family, "weights": weights},
        "cells": [None if cell is None else _cell(cell, family, scale) for cell in cells],
        "picture": _over_settings(row, matrix),
    }


def _over_settings(row: RowKey, matrix: Matrix) -> Any:
    """A line for each setting of one row, in the order of the columns."""
    labels = labels_of(matrix.settings)
    lines = []
    for place in range(len(matrix.settings)):
        cell = matrix.cells.get((row, place))
        if cell is not None and cell.value == cell.value:
            low, high = (cell.low, cell.high) if cell.low == cell.low else (None, None)
            colour = COLOURS[matrix.families[row]]
            lines.append(StaticLine(labels[place], cell.value, low, high, colour, cell.filled))
    return static_forest(row[0], lines, [], "settings") if lines else ""


def _cell(cell: BoardCell, family: str, scale: tuple[float, float]) -> dict[str, Any]:
    facts = facts_of(cell.entry.run)
    limits = f"[{number(cell.low)}, {number(cell.high)}]" if cell.low == cell.low else ""
    beyond = number(cell.beyond_size)
    older = ", ".join(f"{number(one)} ({one - cell.value:+.3f})" for one in cell.older)
    repeats = len(cell.entry.system.repeats)
    return {
        "value": number(cell.value),
        "limits": limits,
        "bar": bar(cell, family, scale),
        # Reference points are what backbones are compared with.
        "tint": "unknown" if family == REFERENCE else _tint(cell.beyond_size),
        "older": older if any(abs(one - cell.value) >= 5e-4 for one in cell.older) else "",
        "others": len(cell.older),
        "said": "; ".join(
            filter(
                None,
                (
                    f"AUC {number(cell.value)} {limits}".strip(),
                    str(cell.entry.system.identity["classifier"]).replace("_", " "),
                    _beyond(beyond, family),
                    f"{repeats} repeat{'s' * (repeats > 1)}",
                    f"run {facts['name']}, {facts['created']}",
                    f"other runs: {older}" if older else "",
                ),
            )
        ),
        "values": {"version": facts["version"], "device": facts["device"]},
    }


def _beyond(beyond: str, family: str) -> str:
    if family == REFERENCE:
        return ""
    return f"{beyond} beyond size alone" if beyond else "no size alone in this setting"


def _tint(beyond: float) -> str:
    if beyond != beyond:
        return "unknown"
    return next((name for limit, name in _TINTS if beyond < limit), "far")


def _ranks(matrix: Matrix) -> dict[str, Any] | None:
    found = matrix.ranks
    if found is None:
        return None
    rows = zip(matrix.ranked, found.mean, found.low, found.high, strict=True)
    sets = {
        setting.key["dataset"]
        for place, setting in enumerate(matrix.settings)
        if all((row, place) in matrix.cells for row in matrix.ranked)
    }
    return {
        "settings": found.settings,
        "sets": len(sets),
        "critical": f"{found.critical:.2f}",
        "rows": [
            (", ".join(filter(None, (row[0], row[1]))), f"{mean:.2f}", f"[{low:.2f}, {high:.2f}]")
            for row, mean, low, high in rows
        ],
    }


def _facets(matrix: Matrix) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {name: set() for name in FACETS}
    for (row, _), cell in matrix.cells.items():
        facts, system = facts_of(cell.entry.run), cell.entry.system
        values = {
            "modality": _modality(cell.entry.run),
            "region": short(system.identity["region"]),
            "protocol": short(system.identity["protocol"]),
            "family": matrix.families[row] if row in matrix.backbones else "",
            "weights": short(system.identity["weights"]) if row in matrix.backbones else "",
            "version": facts["version"],
            "device": facts["device"],
        }
        for name, value in values.items():
            found[name].add(value)
    return {name: sorted(values - {""}) for name, values in found.items() if len(values) > 1}
