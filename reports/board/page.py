"""The board as one self-contained HTML file that loads nothing and is whole without its script."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from reports.board.drawings import bar, cost_panels
from reports.board.matrix import BoardCell, Matrix, RowKey, matrix_of, scale_of
from reports.board.settings import Setting, facts_of, settings_of
from reports.statistics.ranks import FEWEST_SETTINGS
from reports.systems.run_folder import Run, section
from reports.values import number, short

# The widths of the classes of the tint, in AUC.
_TINTS = ((-0.05, "below"), (0.0, "under"), (0.05, "over"), (0.1, "above"))
FACETS = ("modality", "region", "protocol", "family", "weights", "version", "device")


def render_board(runs: Sequence[Run], places: Sequence[str]) -> str:
    """The page.

    Parameters
    ----------
    runs : Sequence[Run]
        As from `read_scores`.
    places : Sequence[str]
        For each run the address of its report; empty without one.

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
    script = _asset("board.js")
    page = environment.get_template("board.html.j2").render(
        style=Markup(_asset("board.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        columns=[_column(setting, place, matrix) for place, setting in enumerate(settings)],
        bodies=[
            ("Backbones", [_row(row, matrix, scale, runs) for row in matrix.backbones]),
            ("Reference points", [_row(row, matrix, scale, runs) for row in matrix.references]),
        ],
        scale=scale,
        ranks=_ranks(matrix),
        fewest=FEWEST_SETTINGS,
        panels=cost_panels(matrix, scale),
        runs=[
            facts_of(run) | {"place": place, "left_out": [why for n, why in left_out if n == at]}
            for at, (run, place) in enumerate(zip(runs, places, strict=True))
        ],
        facets=_facets(matrix),
    )
    return page.encode("utf-8", "replace").decode()


def _asset(name: str) -> str:
    return (files("reports.board") / "templates" / name).read_text(encoding="utf-8")


def _column(setting: Setting, place: int, matrix: Matrix) -> dict[str, Any]:
    entry = setting.newest()[0]
    data = section(entry.run.manifest, "data")
    rows = setting.tested[min(setting.tested)]
    lacking = [row[0] for row in matrix.backbones if (row, place) not in matrix.cells]
    return {
        "name": f"{data.get('title') or setting.key['dataset']}: {setting.key['subset']}",
        "facts": f"{setting.key['protocol']}, {setting.key['region']}, {setting.key['size']} px",
        "rows": f"{len(rows)} crops, {rows['patient_id'].nunique()} {entry.run.patients}",
        "reasons": setting.reasons,
        "values": {
            "modality": _modality(entry.run),
            "region": setting.key["region"],
            "protocol": setting.key["protocol"],
        },
        "command": _command(setting, lacking) if lacking else "",
    }


def _modality(run: Run) -> str:
    """The kind of picture where the data set says it, else the organ, else the set's name."""
    data = section(run.manifest, "data")
    return str(data.get("modality") or data.get("organ") or data.get("dataset") or "")


def _command(setting: Setting, lacking: list[str]) -> str:
    key = setting.key
    return (
        f"python -m bench all --data PATH --subset {key['subset']} --region {key['region']} "
        f"--size {key['size']} --protocols {key['protocol']} --seed {key['seed']} "
        f"--extractors {','.join(dict.fromkeys(lacking))}"
    )


def _row(
    row: RowKey, matrix: Matrix, scale: tuple[float, float], runs: Sequence[Run]
) -> dict[str, Any]:
    cells = [matrix.cells.get((row, place)) for place in range(len(matrix.settings))]
    first = next(cell for cell in cells if cell is not None)
    extractor, weights, recipe = row
    said = [text for text in (weights, recipe) if text and text != "frozen"]
    return {
        "name": extractor,
        "said": ", ".join(said),
        "values": {
            "family": str(first.entry.system.extractor.get("family") or ""),
            "weights": weights,
        },
        "cells": [None if cell is None else _cell(cell, scale) for cell in cells],
    }


def _cell(cell: BoardCell, scale: tuple[float, float]) -> dict[str, Any]:
    facts = facts_of(cell.entry.run)
    limits = f"[{number(cell.low)}, {number(cell.high)}]" if cell.low == cell.low else ""
    beyond = number(cell.beyond_size)
    older = ", ".join(f"{number(one)} ({one - cell.value:+.3f})" for one in cell.older)
    repeats = len(cell.entry.system.repeats)
    return {
        "value": number(cell.value),
        "limits": limits,
        "bar": bar(cell, scale),
        "tint": _tint(cell.beyond_size),
        "filled": cell.filled,
        "older": older,
        "said": "; ".join(
            filter(
                None,
                (
                    f"AUC {number(cell.value)} {limits}".strip(),
                    str(cell.entry.system.identity["classifier"]).replace("_", " "),
                    f"{beyond} beyond size alone" if beyond else "no size alone in this setting",
                    f"{repeats} repeat{'s' * (repeats > 1)}",
                    f"run {facts['name']}, {facts['created']}",
                    f"older runs: {older}" if older else "",
                ),
            )
        ),
        "values": {"version": facts["version"], "device": facts["device"]},
    }


def _tint(beyond: float) -> str:
    if beyond != beyond:
        return "unknown"
    return next((name for limit, name in _TINTS if beyond < limit), "far")


def _ranks(matrix: Matrix) -> dict[str, Any] | None:
    found = matrix.ranks
    if found is None:
        return None
    rows = zip(matrix.ranked, found.mean, found.low, found.high, strict=True)
    return {
        "settings": found.settings,
        "critical": f"{found.critical:.2f}",
        "rows": [
            (", ".join(filter(None, (row[0], row[1]))), f"{mean:.2f}", f"[{low:.2f}, {high:.2f}]")
            for row, mean, low, high in rows
        ],
    }


def _facets(matrix: Matrix) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {name: set() for name in FACETS}
    for cell in matrix.cells.values():
        facts, system = facts_of(cell.entry.run), cell.entry.system
        values = {
            "modality": _modality(cell.entry.run),
            "region": short(system.identity["region"]),
            "protocol": short(system.identity["protocol"]),
            "family": str(system.extractor.get("family") or ""),
            "weights": short(system.identity["weights"]),
            "version": facts["version"],
            "device": facts["device"],
        }
        for name, value in values.items():
            found[name].add(value)
    return {name: sorted(values - {""}) for name, values in found.items() if len(values) > 1}
