"""The tables on networks that were trained: their recipes, their cost, and learning curves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.systems.hosts import distinct_hosts, join_hosts
from reports.systems.pooling import GROUP_COLUMNS, is_whole, join_unique
from reports.systems.run_folder import Run, manifest_records
from reports.systems.schema import HOST, RECIPE_COLUMNS, SUMMARY_MEASURES, SYSTEM_COLUMNS
from reports.tables.report_table import ReportTable
from reports.values import missing, short

if TYPE_CHECKING:
    import pandas as pd

_GIB = 2**30
# Trainings of one network under the same conditions: their costs are put together.
TRAINED_COLUMNS = (
    *("dataset", "subset", "region", "size", "protocol"),
    *("extractor", "weights", "recipe", "seed"),
)
_COST_COLUMNS = (
    *TRAINED_COLUMNS,
    *("trainings", "n_train", "epochs", "kept_epoch"),
    *("network_time_s", "images_per_s"),
    *("peak_device_gib", "peak_host_gib", "smallest_gpu_gb"),
    *("parameters", "trainable_parameters", "gflops_per_image"),
    *("input", "batch_size", "accumulation", "precision", "device", "notes", HOST),
)
_MEANS = ("n_train", "epochs", "kept_epoch", "network_time_s", "images_per_s")
_LARGEST = ("batch_size", "accumulation", "parameters", "trainable_parameters")
# What makes a learning curve: the same system on different shares of the training patients.
_CURVE_MEASURES = tuple(
    f"{name}{suffix}"
    for name in SUMMARY_MEASURES
    for suffix in (("", "_std", "_ci_low", "_ci_high") if name == "auc" else ("", "_std"))
)
CURVE_COLUMNS = (
    *SYSTEM_COLUMNS,
    *("n_train", "n_runs"),
    *_CURVE_MEASURES,
    *("training_time_s", "status", "notes"),
)


def recipes(run: Run) -> "pd.DataFrame":
    """How each network was trained: a row a trained extractor, as the manifest has it."""
    import pandas as pd

    rows = [
        [_cell(row.get(name)) for name in RECIPE_COLUMNS]
        for row in manifest_records(run.manifest, "recipes")
    ]
    return pd.DataFrame(rows, columns=list(RECIPE_COLUMNS))


def _cell(value: Any) -> Any:
    """Text, a number or nothing: what a table can hold."""
    return value if isinstance(value, (str, int, float)) or value is None else str(value)


def trainings(run: Run) -> "pd.DataFrame":
    """What training each network took, on all training patients.

    Means over folds and repeats of n_train, epochs, kept_epoch, network_time_s and images_per_s;
    the largest of the peaks (GiB; on the host that of the whole process) and of what depends on the
    fold. gflops_per_image is one forward pass, a multiplication and an addition counting as two.
    smallest_gpu_gb is the smallest of the usual sizes that fits every one of the trainings, marked
    where it is estimated (no GPU), and says "over 80" where none does.
    """
    import pandas as pd

    table = run.trainings
    table = table[table["train_fraction"].map(is_whole).astype(bool)]
    rows = []
    for key, of_network in table.groupby(list(TRAINED_COLUMNS), sort=False, dropna=False):
        rows.append(dict(zip(TRAINED_COLUMNS, key, strict=True)) | _costs(of_network))
    frame = pd.DataFrame([[row.get(name) for name in _COST_COLUMNS] for row in rows])
    frame = frame.reindex(columns=range(len(_COST_COLUMNS))).set_axis(list(_COST_COLUMNS), axis=1)
    for name in ("size", "seed", "trainings", *_LARGEST):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("Int64")
    return frame if len(distinct_hosts(frame[HOST])) > 1 else frame.drop(columns=HOST)


def _costs(of_network: "pd.DataFrame") -> dict[str, Any]:
    return {
        "trainings": len(of_network),
        **{name: of_network[name].mean() for name in _MEANS},
        **{name: of_network[name].max() for name in _LARGEST},
        **{
            name: join_unique(of_network[name])
            for name in ("input", "precision", "device", "notes")
        },
        "gflops_per_image": of_network["flops_per_image"].max() / 1e9,
        "peak_device_gib": of_network["peak_device_bytes"].max() / _GIB,
        "peak_host_gib": of_network["peak_host_bytes"].max() / _GIB,
        "smallest_gpu_gb": _smallest_gpu(of_network),
        HOST: join_hosts(of_network[HOST]),
    }


def _smallest_gpu(of_network: "pd.DataFrame") -> str:
    """'8', '8 (estimated)', 'over 80'; empty where no memory was measured."""
    peaks = of_network[["peak_device_bytes", "peak_host_bytes"]]
    if peaks.isna().all(axis=None):
        return ""
    sizes = of_network["smallest_gpu_gb"]
    size = "over 80" if sizes.isna().any() else short(sizes.max())
    return f"{size} (estimated)" if (of_network["gpu_estimated"] == 1).any() else size


def learning_curves(summary: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of every comparison in which some were trained on a part of the training patients.

    Ordered by comparison, then system, then share; the row on all patients closes each system.
    """
    part = ~summary["train_fraction"].map(is_whole).astype(bool)
    comparison = [name for name in GROUP_COLUMNS if name != "train_fraction"]
    system = [name for name in SYSTEM_COLUMNS if name not in ("train_fraction", *comparison)]
    places = summary.groupby(comparison, sort=False, dropna=False).ngroup()
    rows = summary[places.isin(places[part])]
    keys = [
        rows.groupby(columns, sort=False, dropna=False).ngroup() for columns in (comparison, system)
    ]
    order = sorted(
        range(len(rows)),
        key=lambda place: (keys[0].iloc[place], keys[1].iloc[place], _share(rows.iloc[place])),
    )
    return rows.iloc[order][list(CURVE_COLUMNS)].reset_index(drop=True)


def _share(row: Mapping[str, Any]) -> float:
    value = row["train_fraction"]
    return 1.0 if missing(value) else float(value)


LEARNING_CURVES_TABLE = ReportTable(
    "learning_curves",
    lambda _, tables: learning_curves(tables["summary"]),
    title="Learning curves in figures",
    place="learning",
    intro=lambda pooled, _: f"All systems on each share of the training {pooled.run.patients}.",
    folded=True,
)

RECIPES_TABLE = ReportTable(
    "recipes",
    lambda pooled, _: recipes(pooled.run),
    title="How each network was trained",
    place="training",
    intro=(
        "The loss is cross-entropy, with the localization loss besides where one is named. Nothing "
        "in a recipe was chosen by test rows."
    ),
    headings={
        "input_size": "input (px)",
        "clip_norm": "gradient norm clipped at",
        "localization": "localization loss",
        "layers": "layers trained",
        "inner_validation": "share for inner validation",
    },
)

TRAININGS_TABLE = ReportTable(
    "trainings",
    lambda pooled, _: trainings(pooled.run),
    title="Cost of each training",
    place="training",
    intro=lambda pooled, _: (
        f"Means over folds and repeats, on all training {pooled.run.patients}; memory is the "
        "largest peak in GiB, on the host that of the whole process. Where there was no GPU its "
        "size is estimated from the tensors of one batch."
    ),
    headings={
        "kept_epoch": "epoch kept",
        "accumulation": "passes per batch",
        "peak_device_gib": "peak GPU memory (GiB)",
        "peak_host_gib": "peak host memory (GiB)",
        "smallest_gpu_gb": "smallest GPU (GB)",
        "gflops_per_image": "GFLOPs per image",
    },
)
