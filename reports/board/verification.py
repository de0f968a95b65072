"""Checks a bundle that came from elsewhere: its files, its rows, and every figure that it states.

Nothing of it is trusted: sizes are looked at before a file is read, nothing in it is executed, and
what is wrong becomes one line. A forger who invents scores and computes figures from them passes.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.board.bundle import FILES, PUBLIC, RANDOM, VERSION
from reports.board.cleaning import has_path, texts_of
from reports.board.recomputed import recompute
from reports.board.row_checks import check_rows_of
from reports.statistics.measures import MEASURES
from reports.systems.schema import (
    MANIFEST_SCHEMA,
    NUMBER_COLUMNS,
    PREDICTION_COLUMNS,
    SYSTEM_COLUMNS,
    UNIT_COLUMNS,
)
from reports.values import short

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 5e-7
FORGERY = (
    "it cannot detect a forger: scores that were made up, with figures computed from them, "
    "pass every check; only a run by others can tell"
)
_MOST_JSON, _MOST_TABLE, _MOST_ROWS, _MOST_CELLS = 16 << 20, 512 << 20, 50_000_000, 4 << 30
_TEXTS = ("unit", "crop_id", "lesion_id", "patient_id")


@dataclass
class Verdict:
    """What was found of a bundle.

    Attributes
    ----------
    faults : list[str]
        What is wrong, a line each; none if nothing was found.
    checked, unchecked : list[str]
        What was checked, and what could not be.
    manifest : dict[str, Any]
        From manifest.json, as far as it could be read.
    units, predictions : pd.DataFrame | None
        The tables, where they could be read.
    """

    faults: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    units: "pd.DataFrame | None" = None
    predictions: "pd.DataFrame | None" = None


def verify_bundle(folder: Path, known_audits: frozenset[str] = frozenset()) -> Verdict:
    """Check a bundle.

    Parameters
    ----------
    folder : Path
        With the three files of `submit`.
    known_audits : frozenset[str]
        Protocols that are audits whatever the bundle says of them.

    Returns
    -------
    Verdict
        Everything that was found; a fault that hides others ends the search.
    """
    verdict = Verdict()
    _check_files(Path(folder), verdict)
    if not verdict.faults:
        _read_manifest(Path(folder) / "manifest.json", verdict)
    if not verdict.faults:
        _read_tables(Path(folder), verdict)
    if verdict.faults or verdict.units is None or verdict.predictions is None:
        return verdict
    verdict.checked.append("files, schema and digests")
    faults = check_rows_of(verdict.manifest, verdict.units, verdict.predictions, known_audits)
    verdict.faults += faults
    if faults:
        return verdict
    verdict.checked.append("that no patient stands in two folds of a repeat, audits aside")
    _check_figures(verdict)
    verdict.unchecked.append("training rows, pictures, weights and times, which are not in it")
    verdict.unchecked.append(FORGERY)
    return verdict


def _check_files(folder: Path, verdict: Verdict) -> None:
    if not folder.is_dir():
        verdict.faults.append(f"{folder}: no such folder")
        return
    names = sorted(one.name for one in folder.iterdir())
    for name in names:
        if name not in FILES:
            verdict.faults.append(f"{name!a}: does not belong in a bundle")
    for name in FILES:
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            verdict.faults.append(f"{name}: is not a plain file")
        elif not path.exists():
            verdict.faults.append(f"{name}: is missing")
        else:
            most = _MOST_JSON if name.endswith(".json") else _MOST_TABLE
            if (size := path.stat().st_size) > most:
                verdict.faults.append(f"{name}: {size} bytes, more than {most}")


def _read_manifest(path: Path, verdict: Verdict) -> None:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number of JSON")

    try:
        manifest = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, ValueError, RecursionError) as error:
        verdict.faults.append(f"manifest.json: cannot be read as JSON ({_line(error)})")
        return
    if not isinstance(manifest, dict):
        verdict.faults.append("manifest.json: must hold one JSON object")
        return
    bundle = manifest.get("bundle")
    if manifest.get("schema") != MANIFEST_SCHEMA:
        verdict.faults.append(f"manifest.json: schema is not {MANIFEST_SCHEMA}")
    elif not isinstance(bundle, dict) or bundle.get("version") != VERSION:
        verdict.faults.append(f"manifest.json: not a bundle of version {VERSION}")
    elif bundle.get("ids") not in (PUBLIC, RANDOM):
        verdict.faults.append("manifest.json: does not say whether its ids are public or random")
    elif not all(isinstance(bundle.get(key), kind) for key, kind in _BUNDLE.items()):
        verdict.faults.append("manifest.json: lacks its figures or digests")
    elif wrong := [
        key for key, kind in _SECTIONS.items() if not isinstance(manifest.get(key), kind)
    ]:
        verdict.faults.append(f"manifest.json: lacks {', '.join(wrong)}")
    elif manifest["data"].get("synthetic") is not False:
        verdict.faults.append("manifest.json: the data are synthetic, or it does not say")
    else:
        found = [text for text in texts_of(manifest) if has_path(text)]
        verdict.faults += [f"manifest.json: holds a path: {found[0][:60]!a}"] if found else []
    verdict.manifest = manifest


_BUNDLE = {"figures": list, "sha256": dict}
_SECTIONS = {"data": dict, "run": dict, "configuration": dict, "extractors": list, "audits": list}


def _read_tables(folder: Path, verdict: Verdict) -> None:
    digests = verdict.manifest["bundle"]["sha256"]
    tables = []
    for name, needed in (("units", UNIT_COLUMNS), ("predictions", PREDICTION_COLUMNS)):
        file = f"{name}.parquet"
        with (folder / file).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != digests.get(file):
            verdict.faults.append(f"{file}: its digest is not that of the manifest")
            return
        table = _table(folder / file, needed)
        if isinstance(table, str):
            verdict.faults.append(f"{file}: {table}")
            return
        tables.append(table)
    verdict.units, verdict.predictions = tables


def _table(path: Path, needed: tuple[str, ...]) -> "pd.DataFrame | str":
    """The table, or what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        if metadata.num_rows > _MOST_ROWS or sum(g.total_byte_size for g in groups) > _MOST_CELLS:
            return f"{metadata.num_rows} rows, more than a bundle may hold"
        schema = pq.read_schema(path)
        reason = _wrong_schema(schema, needed)
        if reason:
            return reason
        return pq.read_table(path, columns=schema.names).to_pandas(ignore_metadata=True)
    except (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        return f"cannot be read as Parquet ({_line(error)})"


def _wrong_schema(schema: Any, needed: tuple[str, ...]) -> str:
    import pyarrow as pa

    names = list(schema.names)
    missing = [name for name in needed if name not in names]
    if missing:
        return f"lacks the column {', '.join(missing)}"
    if len(set(names)) < len(names):
        return "two columns have one name"
    for one in schema:
        numeric = pa.types.is_integer(one.type) or pa.types.is_floating(one.type)
        if pa.types.is_nested(one.type) or pa.types.is_binary(one.type):
            return f"the column {one.name!a} holds {one.type}"
        if one.name in ("repeat", "fold", "label", "score") and not numeric:
            return f"the column {one.name} must hold numbers, not {one.type}"
        if one.name in NUMBER_COLUMNS and not numeric and not pa.types.is_null(one.type):
            return f"the column {one.name} must hold numbers, not {one.type}"
        if one.name in _TEXTS and numeric:
            return f"the column {one.name} must hold text, not {one.type}"
    return ""


def _check_figures(verdict: Verdict) -> None:
    """Compare every figure that the manifest states with one computed from the predictions."""
    units, scores = verdict.units, verdict.predictions
    assert units is not None
    assert scores is not None
    ran = units[units["status"] == "ok"]
    joined = scores.merge(ran[["unit", "threshold"]], on="unit")
    stated = {
        tuple(short(row.get(name)) for name in SYSTEM_COLUMNS): row
        for row in verdict.manifest["bundle"]["figures"]
        if isinstance(row, dict)
    }
    seen = set()
    compared = 0
    for _, members in units.groupby(list(SYSTEM_COLUMNS), sort=False, dropna=False):
        if (members["status"] != "ok").any():
            continue
        key = tuple(short(members[name].iloc[0]) for name in SYSTEM_COLUMNS)
        name = f"{members['extractor'].iloc[0]} + {members['classifier'].iloc[0]}"
        seen.add(key)
        if key not in stated:
            verdict.faults.append(f"manifest.json: states no figures of {name!a}")
            continue
        found = recompute(joined[joined["unit"].isin(members["unit"])])
        for measure in MEASURES:
            compared += 1
            if not _same(stated[key].get(measure), found[measure]):
                verdict.faults.append(
                    f"manifest.json: {measure} of {name!a} is stated as "
                    f"{str(stated[key].get(measure))[:20]!a} and computed as {found[measure]:.6f}"
                )
    for key in sorted(set(stated) - seen):
        verdict.faults.append(f"manifest.json: states figures of {key[5]!a}, which did not run")
    verdict.checked.append(
        f"{compared} figures of {len(seen)} systems, computed again with scikit-learn"
    )


def _same(stated: Any, found: float) -> bool:
    if stated is None or found != found:
        return stated is None and found != found
    number = isinstance(stated, int | float) and not isinstance(stated, bool)
    return number and abs(stated - found) <= TOLERANCE


def _line(error: object) -> str:
    return " ".join(str(error).split())[:120]
