"""Cards of a run for other programs, as JSON-LD: its data set in Croissant, and its results.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html is what the first one keeps to. It
describes the run's table of crops, which lies beside it; images are not in a run folder.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.evaluation import Evaluation
from reports.systems.run_folder import Run, manifest_records, section
from reports.values import missing, short

if TYPE_CHECKING:
    import pandas as pd

DATA_CARD, RESULTS_CARD = "croissant.json", "results.json"
LESIONS = "lesions.parquet"
_CROISSANT = "http://mlcommons.org/croissant/1.0"
# The context that the specification wants in each file.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def data_card(run: Run, lesions_digest: str) -> dict[str, Any]:
    """What the crops of a run are: a Croissant description of its table.

    Parameters
    ----------
    run : Run
        From `read_run`.
    lesions_digest : str
        SHA-256 of its file lesions.parquet.

    Returns
    -------
    dict[str, Any]
        JSON-LD.
    """
    data = section(run.manifest, "data")
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CROISSANT,
        "name": str(data.get("dataset") or "data set"),
        "description": _description(run),
        **_known("license", data.get("licence")),
        **_known("citeAs", data.get("citation")),
        **_known("isBasedOn", data.get("derived_from")),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": LESIONS,
                "name": LESIONS,
                "description": "One row for each crop that was read.",
                "contentUrl": LESIONS,
                "encodingFormat": "application/x-parquet",
                "sha256": lesions_digest,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "crops",
                "name": "crops",
                "key": {"@id": "crops/crop_id"},
                "field": [_field(run.lesions, str(name)) for name in run.lesions.columns],
            }
        ],
    }


def _description(run: Run) -> str:
    """Title, what was changed, classes and counts, and what was noticed."""
    data = section(run.manifest, "data")
    sentences = [str(data.get("title") or data.get("dataset") or "")]
    if run.synthetic:
        sentences.append("synthetic: no figure says anything of mammography")
    if data.get("changed"):
        sentences.append(f"changed: {data['changed']}")
    for row in manifest_records(data, "counts"):
        counts = ", ".join(
            f"{short(row.get(name))} {name}" for name in ("crops", "lesions", "patients")
        )
        place = " ".join(short(row.get(name)) for name in ("subset", "split", "label"))
        sentences.append(f"{place}: {counts}")
    notices = data.get("notices")
    sentences += map(str, notices if isinstance(notices, list) else ())
    return "; ".join(filter(None, sentences)) + "."


_DOCUMENTED = {
    "crop_id": "Unique name of the crop.",
    "lesion_id": "Crops of one lesion share it.",
    "patient_id": "Whose the crop is; splits go by it.",
    "label": "1 is the positive class.",
    "split": "As published: train, test or none.",
    "pathology": "As the data set says it.",
    "path": "Of the image, relative to the root of the data set.",
}


def _field(table: "pd.DataFrame", name: str) -> dict[str, Any]:
    kinds = {"b": "sc:Boolean", "i": "sc:Integer", "u": "sc:Integer", "f": "sc:Float"}
    return {
        "@type": "cr:Field",
        "@id": f"crops/{name}",
        "name": name,
        **_known("description", _DOCUMENTED.get(name)),
        "dataType": kinds.get(getattr(table[name].dtype, "kind", "O"), "sc:Text"),
        "source": {"fileObject": {"@id": LESIONS}, "extract": {"column": name}},
    }


def results_card(evaluation: Evaluation) -> dict[str, Any]:
    """What a run has measured: the AUC of each system, with its interval and where it holds.

    Parameters
    ----------
    evaluation : Evaluation
        Of the run.

    Returns
    -------
    dict[str, Any]
        JSON-LD with the vocabulary of schema.org.
    """
    run = evaluation.run
    suite, about = section(run.manifest, "suite"), section(run.manifest, "run")
    audits = set(run.audits)
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": f"Results of the run {about.get('name', '')}".strip(),
        "description": "AUC of each system with its 95 % bootstrap interval over "
        f"{run.patients}; tables/summary.csv has all measures. "
        + ("The data are synthetic: no figure says anything of mammography." * run.synthetic),
        **_known("dateCreated", about.get("created")),
        "isBasedOn": DATA_CARD,
        "creator": {
            "@type": "SoftwareApplication",
            "name": str(suite.get("name", "")),
            "softwareVersion": str(suite.get("version", "")),
        },
        **_known("identifier", run.manifest.get("configuration_digest")),
        "variableMeasured": [
            _measured(row, str(row["protocol"]) in audits)
            for row in evaluation.summary.to_dict("records")
            if not missing(row["auc"])
        ],
    }


def _measured(row: Mapping[str, Any], audit: bool) -> dict[str, Any]:
    names = ("subset", "protocol", "extractor", "weights", "classifier")
    conditions = {name: short(row[name]) for name in names} | {
        "train_fraction": short(row["train_fraction"]),
        "n_test": short(row["n_test"]),
        "audit": "true" if audit else "",
    }
    return {
        "@type": "PropertyValue",
        "name": "AUC",
        "value": float(row["auc"]),
        **({} if missing(row["auc_ci_low"]) else _interval(row)),
        "additionalProperty": [
            {"@type": "PropertyValue", "name": name, "value": value}
            for name, value in conditions.items()
            if value
        ],
    }


def _interval(row: Mapping[str, Any]) -> dict[str, float]:
    return {"minValue": float(row["auc_ci_low"]), "maxValue": float(row["auc_ci_high"])}


def _known(name: str, value: Any) -> dict[str, str]:
    """The entry, where there is a value."""
    return {name: str(value)} if value else {}


def to_json_ld(card: Mapping[str, Any]) -> bytes:
    """A card as a file, the same bytes for the same card."""
    return (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
