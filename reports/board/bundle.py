"""Makes the bundle of a run that can be shared: three files, without images and without paths.

A published data set keeps its public ids, so that anybody can check them. Everything else gets ids
that are drawn anew for each bundle: no hash, because who knows an id could find its hash again, and
no key of the store, because it is the same in each bundle of the same data.
"""

import hashlib
import io
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.board.cleaning import cleaned, texts_of, users_in, without_paths
from reports.statistics.bootstrap import observed
from reports.statistics.measures import MEASURES
from reports.systems.pooling import is_whole, pool
from reports.systems.run_folder import Run, listing, manifest_records, section
from reports.systems.schema import CHOICE_COLUMNS, PREDICTION_COLUMNS, SYSTEM_COLUMNS, UNIT_COLUMNS
from reports.values import short

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
FILES = ("manifest.json", "units.parquet", "predictions.parquet")
PUBLIC, RANDOM = "public", "random"

# Published sets by the names of their loaders, with what all their patients and crops are called.
# A set whose ids look otherwise is somebody's own in the layout of a published one. Sets whose ids
# are bare numbers or digests are not here: those of any hospital look like them.
PUBLIC_IDS = {
    "cbis-ddsm": (r"P_\d{5}", r"(?:Mass|Calc)-(?:Training|Test)_P_\d{5}_(?:LEFT|RIGHT)_\w+"),
    "mias": (r"P\d{3}", r"mdb\d{3}(?:_\d{1,2})?"),
    "cmmd": (r"D[12]-\d{4}", r"D[12]-\d{4}_(?:LEFT|RIGHT)_\d{1,2}"),
}

_MANIFEST = ("schema", "suite", "configuration", "extractors", "protocols", "audits", "recipes")
_DATA = (
    *("dataset", "fingerprint", "title", "synthetic", "patient_ids", "organ", "licence"),
    *("citation", "derived_from", "changed", "published_figures", "subsets"),
)
_CONFIGURATION = (
    *("dataset", "fingerprint", "subset", "size", "fit", "region", "window", "preset"),
    *("extractors", "classifiers", "protocols", "repeats", "network_runs", "seed", "rules"),
    *("train_fraction", "margin"),
)
_ENVIRONMENT = ("device", "device_name", "cpu", "packages", "python", "threads")


class NotShareable(ValueError):
    """A run that cannot become a bundle; the message is the reason, one line."""


@dataclass(frozen=True)
class Bundle:
    """What is written of a run.

    Attributes
    ----------
    files : dict[str, bytes]
        Contents by file name.
    ids : str
        PUBLIC or RANDOM.
    systems : int
        How many systems it holds.
    """

    files: dict[str, bytes]
    ids: str
    systems: int


def make_bundle(run: Run, users: Collection[str] = (), submitter: str = "") -> Bundle:
    """Make the bundle of a run.

    Parameters
    ----------
    run : Run
        As from `read_scores`.
    users : Collection[str]
        Names of users and machines to be taken out besides those that its paths show.
    submitter : str
        Who submits it, as the board shows it.

    Returns
    -------
    Bundle
        The three files.

    Raises
    ------
    NotShareable
        For a synthetic run, and one without predictions.
    """
    if run.synthetic:
        raise NotShareable("the data are synthetic; the board takes no figures of synthetic data")
    units = run.units[[is_whole(share) for share in run.units["train_fraction"]]]
    scores = run.predictions[run.predictions["unit"].isin(units["unit"])]
    if not len(scores):
        raise NotShareable("it holds no predictions on all training patients")
    ids = PUBLIC if has_public_ids(run) else RANDOM
    users = {*users, *users_in(texts_of(run.manifest)), *_hosts(run)} - {""}
    columns = [name for name in (*UNIT_COLUMNS, *CHOICE_COLUMNS) if name in units]
    units = units[columns].assign(host="")
    for name in ("notes", "status"):
        units[name] = [without_paths(short(text), users) for text in units[name]]
    scores = scores[list(PREDICTION_COLUMNS)]
    manifest = _manifest(run, users)
    if ids == RANDOM:
        units, scores = _with_random_ids(units, scores)
        # Notes may name a crop.
        units["notes"] = ""
        units["status"] = ["ok" if text == "ok" else "did not run" for text in units["status"]]
        for place in (manifest["data"], manifest["configuration"]):
            place["fingerprint"] = secrets.token_hex(32)
    shared = Run(run.folder, manifest, units, scores, run.lesions, run.trainings, run.history)
    figures = stated_figures(shared)
    manifest["bundle"] = {
        "version": VERSION,
        "ids": ids,
        "figures": figures,
        "submitter": " ".join(submitter.split())[:80],
    }
    return Bundle(sealed(manifest, units, scores), ids, len(figures))


def has_public_ids(run: Run) -> bool:
    """Whether all ids are those of a published set; only what is known to be public counts."""
    name = str(section(run.manifest, "data").get("dataset"))
    if name not in PUBLIC_IDS or set(run.units["dataset"].astype(str)) != {name}:
        return False
    patients, crops = PUBLIC_IDS[name]
    return all(
        re.fullmatch(pattern, str(one)) is not None
        for column, pattern in (("patient_id", patients), ("crop_id", crops))
        for one in run.predictions[column].unique()
    )


def sealed(
    manifest: dict[str, Any], units: "pd.DataFrame", scores: "pd.DataFrame"
) -> dict[str, bytes]:
    """The three files, the digests of the tables in the manifest."""
    files = {"units.parquet": _parquet(units), "predictions.parquet": _parquet(scores)}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = manifest | {"bundle": manifest["bundle"] | {"sha256": digests}}
    text = json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return {"manifest.json": (text + "\n").encode("utf-8", "replace")} | files


def stated_figures(run: Run) -> list[dict[str, Any]]:
    """Every measure of every system that ran, the mean over its repeats; None where undefined."""
    found = []
    for system in pool(run):
        if system.ran:
            each = np.array([observed([rows], MEASURES) for rows in system.repeats])
            values = dict(zip(MEASURES, each.mean(axis=0).tolist(), strict=True))
            identity = {name: short(system.identity[name]) for name in SYSTEM_COLUMNS}
            known = {name: value if value == value else None for name, value in values.items()}
            found.append(identity | {"repeats": len(each)} | known)
    return found


def _manifest(run: Run, users: Collection[str]) -> dict[str, Any]:
    """What is kept: only what is named here, because anything else may name a file or a patient."""
    whole = run.manifest
    kept = {name: whole[name] for name in _MANIFEST if name in whole}
    for name, keys in (("data", _DATA), ("configuration", _CONFIGURATION)):
        kept[name] = {key: one for key, one in section(whole, name).items() if key in keys}
    environment = section(whole, "environment")
    kept["environment"] = {key: environment[key] for key in _ENVIRONMENT if key in environment}
    made = section(whole, "run")
    kept["run"] = {key: made[key] for key in ("name", "created", "command") if key in made}
    kept["extractors"] = [
        {key: one for key, one in row.items() if key not in ("host", "notes")}
        for row in manifest_records(whole, "extractors")
    ]
    kept["audits"] = listing(whole, "audits")
    # A number that is not finite is no JSON.
    plain = json.loads(json.dumps(cleaned(kept, users)), parse_constant=lambda _: None)
    return dict(plain)


def _hosts(run: Run) -> set[str]:
    named = {str(row.get("host") or "") for row in manifest_records(run.manifest, "extractors")}
    hosts = run.units["host"].dropna().astype(str) if "host" in run.units else ()
    return {part for host in (*named, *hosts) for part in re.split(r"[,\s]+", host)}


def _with_random_ids(
    units: "pd.DataFrame", scores: "pd.DataFrame"
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Both tables with ids drawn for this bundle, and rows in an order of its own."""
    scores = scores.sample(frac=1, random_state=secrets.randbits(32)).reset_index(drop=True)
    for name in ("crop_id", "lesion_id", "patient_id"):
        scores[name] = scores[name].astype(str).map(_drawn_names(scores[name]))
    keys = _drawn_names(units["unit"])
    scores["unit"] = scores["unit"].astype(str).map(keys)
    return units.assign(unit=units["unit"].map(keys)), scores


def _drawn_names(values: "pd.Series") -> dict[str, str]:
    names = sorted(set(values.astype(str)))
    return {name: secrets.token_hex(12) for name in names}


def _parquet(table: "pd.DataFrame") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    # Without pandas' own notes, which say how the table was made.
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
    pq.write_table(arrow, stream, compression="zstd")
    return stream.getvalue()
