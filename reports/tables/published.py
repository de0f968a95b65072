"""What others published for systems that are measured here, and a table of both side by side.

Each published figure stands in this file only, with where it comes from and what is not known of
it. A published figure and a measured one never share a column: the data, the rows and the software
differ, and the table is there to show by how much, not to rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.systems.pooling import is_whole
from reports.systems.run_folder import Run, section
from reports.systems.schema import SUMMARY_MEASURES
from reports.tables.report_table import ReportTable
from reports.values import missing, short

if TYPE_CHECKING:
    import pandas as pd

_MINUTE, _HOUR = 60.0, 3600.0
_THESIS = "thesis, CNN from scratch"
_RAGAB = "Ragab et al. 2021"
# Rows of its table of data; rotated copies of crops may be among them.
_RAGAB_TEST = 1581

# source -> its citation, and what is not known or differs.
SOURCES = {
    _THESIS: (
        "The thesis whose experiments this suite repeats. Its author, title and year are not "
        "known here, and no publication of it: its figures cannot be cited, only named. A CNN of "
        "four convolutions on the mass crops of CBIS-DDSM, official split. Optimiser, epochs and "
        "batch size are not given. The rates are those of 54 true positives, 93 false negatives, "
        "181 true negatives and 50 false positives; always answering benign would give an "
        "accuracy of 0.611 on these crops."
    ),
    _RAGAB: (
        "Ragab et al., A framework for breast cancer classification using multi-DCNNs, Computers "
        "in Biology and Medicine (2021), as quoted with its data table. That table counts 5,272 "
        "images of CBIS-DDSM (3,691 for training, 1,581 for testing), four times the 1,318 crops "
        "of the official mass training set, and it is not said whether rotated copies of one crop "
        "stand on both sides. Nor is it said whether the features came from a fine-tuned network, "
        "or what the std is over. Its AlexNet is MATLAB's; torchvision's, which is measured here, "
        "is another network of that name with other weights. If its kernels are MATLAB's presets, "
        "the scales of the linear, quadratic and cubic one came from an unseeded heuristic, which "
        "nobody can repeat."
    ),
}


@dataclass(frozen=True)
class PublishedResult:
    """One published row, and what it may be compared with.

    Attributes
    ----------
    source : str
        Where it was published.
    system, data, protocol : str
        What was measured, on what, and how, in the source's words.
    figures : Mapping[str, float]
        By measure, as fractions; training_time_s in seconds. What was not given is absent.
    extractors : tuple[str, ...]
        The measured systems that are nearest to it, by name.
    classifier : str
        Their classifier.
    unit : str
        What was classified: crop, image, two views or case; empty where it is not known.
    n_test : int | None
        How many of them were tested.
    split : str
        official, own by patient, own by image, or unknown.
    verified : bool
        Whether the figures were read in the source itself.
    remark : str
        What the figures leave open.
    """

    source: str
    system: str
    data: str
    protocol: str
    figures: Mapping[str, float]
    extractors: tuple[str, ...]
    classifier: str
    unit: str = ""
    n_test: int | None = None
    split: str = "unknown"
    verified: bool = False
    remark: str = ""


def _fine_tuned(name: str, extractor: str, accuracy: float, hours: float) -> PublishedResult:
    return PublishedResult(
        _RAGAB,
        f"{name}, fine-tuned, own head",
        "CBIS-DDSM, mass crops",
        "not known; see the source",
        {"accuracy": accuracy, "training_time_s": hours * _HOUR},
        (f"{extractor}+finetuned", f"{extractor}+finetuned-last"),
        "softmax",
        unit="image",
        n_test=_RAGAB_TEST,
        remark="torchvision's AlexNet is not MATLAB's" if name == "AlexNet" else "",
    )


# Kernel; then accuracy, AUC, sensitivity, specificity, MCC; then the std of each.
_Five = tuple[float, float, float, float, float]
_ALEXNET_SVM: tuple[tuple[str, _Five, _Five], ...] = (
    ("linear", (0.913, 0.97, 0.918, 0.911, 0.829), (0.001, 0, 0.005, 0.001, 0.005)),
    ("quadratic", (0.910, 0.96, 0.909, 0.911, 0.819), (0.002, 0.004, 0.006, 0.001, 0.007)),
    ("cubic", (0.909, 0.96, 0.904, 0.913, 0.816), (0.002, 0.001, 0.004, 0.005, 0.007)),
    ("medium_gaussian", (0.911, 0.97, 0.910, 0.910, 0.820), (0.001, 0, 0.001, 0.001, 0.001)),
    ("coarse_gaussian", (0.892, 0.96, 0.884, 0.899, 0.782), (0.001, 0.001, 0.003, 0.001, 0.004)),
)


def _alexnet_svm(kernel: str, figures: _Five, std: _Five) -> PublishedResult:
    extractor = "torchvision:alexnet"
    spread = ", ".join(
        f"{name} {value:g}" for name, value in zip(SUMMARY_MEASURES, std, strict=True)
    )
    return PublishedResult(
        _RAGAB,
        f"AlexNet features + SVM, {kernel.replace('_', ' ')}",
        "CBIS-DDSM, 5,272 images (see the source)",
        "not known; see the source",
        dict(zip(SUMMARY_MEASURES, figures, strict=True)),
        (extractor, f"{extractor}+finetuned", f"{extractor}+finetuned-last"),
        kernel,
        unit="image",
        n_test=_RAGAB_TEST,
        remark=f"published std (over what is not said): {spread}; torchvision's AlexNet is not "
        "MATLAB's",
    )


PUBLISHED = (
    PublishedResult(
        _THESIS,
        "CNN from scratch, own head",
        "CBIS-DDSM, mass crops",
        "official",
        {
            "accuracy": 0.6217,
            "sensitivity": 0.3673,
            "specificity": 0.7835,
            "training_time_s": 30 * _MINUTE,
        },
        ("cnn_baseline",),
        "softmax",
        unit="crop",
        n_test=378,
        split="official",
    ),
    _fine_tuned("AlexNet", "torchvision:alexnet", 0.7468, 6.5),
    _fine_tuned("GoogLeNet", "torchvision:googlenet", 0.7601, 12),
    _fine_tuned("ResNet-18", "torchvision:resnet18", 0.7223, 14),
    _fine_tuned("ResNet-50", "torchvision:resnet50", 0.7109, 33),
    _fine_tuned("ResNet-101", "torchvision:resnet101", 0.7147, 62),
    *(_alexnet_svm(*row) for row in _ALEXNET_SVM),
)

# The data that the published figures are of.
_DATASET, _SUBSET, _REGION = "cbis-ddsm", "mass", "crop"
_COMPARED = (*SUMMARY_MEASURES, "training_time_s")
_MEASURED_NAMES = ("extractor", "classifier", "weights", "recipe", "data", "subset", "protocol")
COLUMNS = (
    "source",
    "published_system",
    "published_data",
    "published_protocol",
    *("unit", "n_test", "split", "verified"),
    *(f"published_{name}" for name in _COMPARED),
    *(f"measured_{name}" for name in (*_MEASURED_NAMES, *_COMPARED)),
    "remark",
)


def beside_published(run: Run, summary: "pd.DataFrame") -> "pd.DataFrame":
    """A row for each published figure and measured system that is near it, under any protocol.

    Measured are mass crops of CBIS-DDSM, all training patients, a box constraint of 1. A published
    row that the run has nothing for stands alone. No row at all for other data; of a copy that was
    changed the measured data say so.
    """
    import pandas as pd

    near = [row for row in summary.to_dict("records") if _comparable(row)]
    rows = []
    for published in PUBLISHED if of_published_data(run, summary) else ():
        matches = [row for row in near if _matches(published, row)]
        ordered = sorted(matches, key=lambda row: published.extractors.index(row["extractor"]))
        for measured in ordered or [None]:
            rows.append(_side_by_side(run, published, measured))
    return pd.DataFrame([[row.get(name) for name in COLUMNS] for row in rows], columns=COLUMNS)


def of_published_data(run: Run, summary: "pd.DataFrame") -> bool:
    """Whether these are mass crops of CBIS-DDSM, changed or not: a table may hold both figures."""
    there = (
        (summary["dataset"] == _DATASET)
        & (summary["subset"] == _SUBSET)
        & (summary["region"] == _REGION)
    )
    return not run.synthetic and bool(there.any())


def may_be_marked(run: Run, summary: "pd.DataFrame") -> bool:
    """Whether published figures may be marks in a figure: only where nothing was changed."""
    return run.has_published_figures and of_published_data(run, summary)


def note_on_copy(run: Run) -> str:
    """What was changed of the data; empty where nothing was."""
    if run.has_published_figures:
        return ""
    data = section(run.manifest, "data")
    named = (("derived from", "derived_from"), ("changed:", "changed"))
    said = "; ".join(f"{words} {data[name]}" for words, name in named if data.get(name))
    return (
        "The data set is a changed copy"
        f"{f' ({said})' if said else ''}: published figures do not belong to it, and stand here to "
        "be read beside it, not compared."
    )


def nearest_published(row: Mapping[str, Any]) -> PublishedResult | None:
    """The published figure that this row of the summary is nearest to, under whatever protocol."""
    if not _comparable(row):
        return None
    return next((published for published in PUBLISHED if _matches(published, row)), None)


def _comparable(row: Mapping[str, Any]) -> bool:
    return (
        row["status"] == "ok"
        and (row["dataset"], row["subset"], row["region"]) == (_DATASET, _SUBSET, _REGION)
        and (missing(row["C"]) or row["C"] == 1)
        and is_whole(row["train_fraction"])
    )


def _matches(published: PublishedResult, row: Mapping[str, Any]) -> bool:
    return row["extractor"] in published.extractors and row["classifier"] == published.classifier


def _side_by_side(
    run: Run, published: PublishedResult, measured: Mapping[str, Any] | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "source": published.source,
        "published_system": published.system,
        "published_data": published.data,
        "published_protocol": published.protocol,
        "unit": published.unit,
        "n_test": published.n_test,
        "split": published.split,
        "verified": "yes" if published.verified else "no",
        **{f"published_{name}": published.figures.get(name) for name in _COMPARED},
        "remark": published.remark,
    }
    if measured is None:
        return row
    protocol = short(measured["protocol"])
    found = {
        **measured,
        "data": measured["dataset"] + ("" if run.has_published_figures else ", changed copy"),
        "protocol": f"{protocol} (audit)" if protocol in run.audits else protocol,
    }
    return row | {f"measured_{name}": found[name] for name in (*_MEASURED_NAMES, *_COMPARED)}


PUBLISHED_TABLE = ReportTable(
    "published",
    lambda pooled, tables: beside_published(pooled.run, tables["summary"]),
    title="Published figures beside measured ones",
    place="published",
    intro=lambda pooled, _: (
        "(p) published, (m) measured in this run: mass crops, all training patients; below its "
        "name the weights, the recipe, the data and the protocol. The files also hold the "
        "published protocols, what was counted (unit, n of the test), whether the source was "
        f"verified, and remarks. {note_on_copy(pooled.run)}".strip()
    ),
    folded=lambda table: bool(table["measured_extractor"].isna().all()),
    kept_empty=True,
)
