"""What extraction, fitting and tuning took."""

from typing import TYPE_CHECKING

from reports.systems.hosts import distinct_hosts, join_hosts
from reports.systems.kinds import networks
from reports.systems.pooling import PooledSystem
from reports.systems.run_folder import Run
from reports.systems.schema import HOST, SYSTEM_COLUMNS
from reports.tables.frames import frame
from reports.tables.report_table import ReportTable
from reports.tables.summary import means, times

if TYPE_CHECKING:
    import pandas as pd

_COST_COLUMNS = (
    "extractor",
    "weights",
    "weights_digest",
    "pretrained_on",
    "precision",
    "input",
    "feature_width",
    "parameters",
    "images_per_s",
    "extraction_s",
    "min_cosine",
    "status",
    "notes",
)

_FIT_COLUMNS = (
    *("training_time_s", "network_time_s", "extraction_time_s", "gram_time_s", "fit_time_s"),
)


def costs(run: Run) -> "pd.DataFrame":
    """What each extractor is and costs, as measured in the run: times in s, images per s."""
    rows = [{**extractor, "extractor": extractor.get("name")} for extractor in networks(run)]
    several = len(distinct_hosts(row.get(HOST) for row in rows)) > 1
    columns = (*_COST_COLUMNS, *([HOST] if several else []))
    return frame(rows, columns, whole=("feature_width", "parameters"))


def fits(systems: list[PooledSystem]) -> "pd.DataFrame":
    """Times (s), solver iterations and support vectors of each system, means over its folds."""
    solver = ("iterations", "n_support")
    rows = [
        {
            **system.identity,
            **times(system, _FIT_COLUMNS),
            **means(system, solver),
            "converged": _converged(system),
            HOST: join_hosts(system.units[HOST]),
        }
        for system in systems
        if system.ran
    ]
    several = len(distinct_hosts(row[HOST] for row in rows)) > 1
    columns = (*SYSTEM_COLUMNS, *_FIT_COLUMNS, *solver, "converged", *([HOST] if several else []))
    return frame(rows, columns)


def tuning(systems: list[PooledSystem]) -> "pd.DataFrame":
    """What each tuned system chose: a row a choice, the most frequent first.

    `folds` of `of_folds` chose this C and this scale (a multiple of the preset); `inner_auc` is the
    mean AUC of the choice on the inner folds of the training rows. One choice in all folds is
    stable; many, each in a few folds, say that the data cannot tell them apart.
    """
    rows = []
    for system in systems:
        units = system.units
        if not system.ran or "chosen_C" not in units or units["chosen_C"].isna().all():
            continue
        # A linear probe chooses no scale.
        told = units[units["chosen_C"].notna()].groupby(["chosen_C", "chosen_scale"], dropna=False)
        chosen = told["inner_auc"].agg(["size", "mean"])
        ordered = chosen.reset_index().sort_values(
            ["size", "chosen_C", "chosen_scale"], ascending=[False, True, True]
        )
        for C, scale, folds, auc_inside in ordered.itertuples(index=False, name=None):
            found = {"chosen_C": C, "chosen_scale": scale, "inner_auc": auc_inside}
            rows.append({**system.identity, **found, "folds": folds, "of_folds": len(units)})
    names = ("dataset", "subset", "protocol", "extractor", "classifier")
    counted = ("folds", "of_folds")
    columns = (*names, "chosen_C", "chosen_scale", *counted, "inner_auc")
    return frame(rows, columns, whole=counted)


def _converged(system: PooledSystem) -> bool | None:
    """Whether every fit converged; None where that has no meaning."""
    known = system.units["converged"].dropna()
    return bool(known.astype(bool).all()) if len(known) else None


COSTS_TABLE = ReportTable(
    "costs",
    lambda pooled, _: costs(pooled.run),
    title="Cost of each extractor",
    place="costs",
    kept_empty=True,
    headings={
        "weights_digest": "digest of the weights",
        "pretrained_on": "pretrained on",
        "extraction_s": "extraction (s)",
        "min_cosine": "lowest cosine with float32",
    },
)

FITS_TABLE = ReportTable(
    "fits",
    lambda pooled, _: fits(pooled.whole),
    title="Cost of each fit",
    place="costs",
    intro="Means over folds, times in seconds.",
    folded=True,
    kept_empty=True,
    headings={
        "gram_time_s": "Gram matrix (s)",
        "n_support": "support vectors",
    },
)

TUNING_TABLE = ReportTable(
    "tuning",
    lambda pooled, _: tuning(pooled.whole),
    title="What tuning chose",
    place="costs",
    intro=lambda pooled, _: (
        "C and scale (a multiple of the kernel's preset) were chosen for each fold on inner folds"
        f"{pooled.run.by_patient} of its training rows. Folds that chose alike are counted; one "
        "choice in all "
        "folds is a stable one."
    ),
    headings={
        "chosen_C": "C chosen",
        "chosen_scale": "scale chosen",
        "of_folds": "of folds",
    },
)
