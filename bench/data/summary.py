"""The content of a data set in a few small tables, for `data info` and for the report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.data.crops.copies_found import no_copies
from bench.data.lesions import Dataset, select, shared_patients
from bench.data.patients import groups_of

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack

SIZE_COLUMNS = ("subset", "class", "smallest", "median", "largest")
# The number of reasons that a notice names.
NAMED_REASONS = 3
TOTAL_COLUMNS = ("of", "in_tables", "used", "published")
COUNT_COLUMNS = ("subset", "split", "label", "class", "crops", "lesions", "patients")


def summarise(dataset: Dataset, stack: "CropStack | None" = None) -> "dict[str, pd.DataFrame]":
    """Count a data set, in small tables of plain strings and integers.

    Parameters
    ----------
    dataset : Dataset
        From `load_lesions`.
    stack : CropStack | None, optional
        If given, its rows (those that could be decoded) are counted in place of the data set's.

    Returns
    -------
    dict[str, pd.DataFrame]
        "totals": of (rows, lesions, patients, images), in_tables and published where the data set
        says it, used; "counts": subset, split, label, class, crops, lesions, patients;
        "pathology": subset, split, pathology, crops; "shared_patients": subset, patients in both
        train and test, and their crops; "copies" as in `count_copies` (empty without a stack);
        "sizes": subset, class, smallest, median and largest longest side of the native crops in
        pixels (empty without a stack); "left_out": reason, rows; and
        `dataset.source_tables`.
    """
    import pandas as pd

    table = dataset.table if stack is None else stack.table
    left_out = dataset.left_out if stack is None else stack.left_out
    counts, pathology, shared = [], [], []
    for subset in dataset.subsets:
        rows = select(table, dataset.subsets, subset)
        counts += _counts(dataset, subset, rows)
        counts += [
            (subset, "", label, _word(dataset, subset, label), 0, 0, 0)
            for label in _lost_labels(dataset, subset, rows)
        ]
        grouped = rows.groupby(["split", "pathology"]).size()
        pathology += [(subset, *group, int(crops)) for group, crops in grouped.items()]
        shared.append((subset, *_shared(rows)))
    reasons = left_out["reason"].value_counts()
    return {
        **dataset.source_tables,
        "totals": _totals(dataset, table),
        "counts": pd.DataFrame(counts, columns=list(COUNT_COLUMNS)),
        "pathology": pd.DataFrame(pathology, columns=["subset", "split", "pathology", "crops"]),
        "copies": no_copies() if stack is None else stack.copies,
        "shared_patients": pd.DataFrame(shared, columns=["subset", "patients", "crops"]),
        "sizes": pd.DataFrame(_sizes(dataset, stack), columns=list(SIZE_COLUMNS)),
        "left_out": pd.DataFrame(
            {"reason": list(reasons.index), "rows": [int(count) for count in reasons]}
        ),
    }


def lost_classes(
    dataset: Dataset, stack: "CropStack", subsets: Sequence[str] | None = None
) -> list[str]:
    """A line for every class of a subset whose crops all proved unreadable, with a reason.

    Parameters
    ----------
    dataset : Dataset
        As it was loaded.
    stack : CropStack
        What could be decoded of it.
    subsets : Sequence[str] | None, optional
        Those to look at; by default all.

    Returns
    -------
    list[str]
        The lines; none where every class has a crop.
    """
    reasons = dict(zip(stack.left_out["crop_id"], stack.left_out["reason"], strict=True))
    lines = []
    for subset in subsets or dataset.subsets:
        before = dataset.rows(subset)
        for label in _lost_labels(dataset, subset, select(stack.table, dataset.subsets, subset)):
            lost = before.loc[before["label"] == label, "crop_id"]
            lines.append(
                f"subset {subset}: none of the {len(lost)} crops of class "
                f"{_word(dataset, subset, label)!r} can be used; the first one, {lost.iloc[0]}: "
                f"{reasons.get(lost.iloc[0], 'unknown')}"
            )
    return lines


def _lost_labels(dataset: Dataset, subset: str, readable: "pd.DataFrame") -> list[int]:
    return sorted({int(n) for n in dataset.rows(subset)["label"]} - set(readable["label"]))


def _word(dataset: Dataset, subset: str, label: int) -> str:
    info = dataset.subsets[subset]
    return info.positive if label else info.negative


def left_out_notice(left_out: "pd.DataFrame", used: int) -> list[str]:
    """One line on the rows left out, with the most frequent reasons; none if no row is left out."""
    if left_out.empty:
        return []
    reasons = left_out["reason"].value_counts()
    parts = [f"{count} ({reason})" for reason, count in reasons.head(NAMED_REASONS).items()]
    more = len(reasons) - NAMED_REASONS
    if more > 0:
        parts.append(f"the others for {more} more {'reason' if more == 1 else 'reasons'}")
    verb = "is" if len(left_out) == 1 else "are"
    return [f"{len(left_out)} of {len(left_out) + used} rows {verb} left out: {', '.join(parts)}"]


def one_class_notices(stack: "CropStack") -> list[str]:
    """A notice for each subset whose own test rows, of which there are some, hold one class."""
    notices = []
    for name, info in stack.subsets.items():
        rows = select(stack.table, stack.subsets, name)
        labels = set(rows.loc[rows["split"] == "test", "label"])
        if len(labels) == 1 and (rows["split"] == "train").any():
            word = info.positive if labels == {1} else info.negative
            crops = int((rows["split"] == "test").sum())
            notices.append(
                f"subset {name}: the {crops} test crops hold one class only ({word}): AUC, "
                "and what takes both classes, cannot be measured"
            )
    return notices


def rare_first(left_out: "pd.DataFrame") -> "pd.DataFrame":
    """The rows left out, those with the rarest reasons first: they are worth a look."""
    sizes = left_out.groupby("reason")["reason"].transform("size")
    return left_out.iloc[sizes.argsort(kind="stable")]


def _totals(dataset: Dataset, table: "pd.DataFrame") -> "pd.DataFrame":
    """What the data set's own tables hold, what of it is used, and what was published of it.

    Images are files: a full mammogram where there is one, else what a crop is cut from.
    """
    import pandas as pd

    films = table["film_path"].where(table["film_path"] != "") if "film_path" in table else None
    images = table["path"] if films is None else films.fillna(table["path"])
    # Beside crops of lesions, whole images are no lesions of their own.
    crops = table[table["half_side"].notna()] if "half_side" in table else table[:0]
    used = {
        "rows": len(table),
        "lesions": int((table if crops.empty else crops)["lesion_id"].nunique()),
        "patients": int(table["patient_id"].nunique()),
        "images": int(images.nunique()),
    }
    said = dataset.source_tables.get("totals")
    known = {} if said is None else said.set_index("of").to_dict("index")
    cells = []
    for name, count in used.items():
        of_tables = known.get(name, {})
        cells.append((name, of_tables.get("in_tables"), count, of_tables.get("published")))
    return pd.DataFrame(cells, columns=list(TOTAL_COLUMNS), dtype=object)


def _counts(dataset: Dataset, subset: str, rows: "pd.DataFrame") -> list[tuple[str | int, ...]]:
    info = dataset.subsets[subset]
    return [
        (
            subset,
            str(split),
            int(label),
            info.positive if label else info.negative,
            len(group),
            int(group["lesion_id"].nunique()),
            int(group["patient_id"].nunique()),
        )
        for (split, label), group in rows.groupby(["split", "label"])
    ]


def _sizes(dataset: Dataset, stack: "CropStack | None") -> list[tuple[str | int, ...]]:
    if stack is None:
        return []
    rows = stack.table.assign(side=stack.table[["crop_height", "crop_width"]].max(axis=1))
    sizes: list[tuple[str | int, ...]] = []
    for subset, info in dataset.subsets.items():
        for label, group in select(rows, dataset.subsets, subset).groupby("label")["side"]:
            word = info.positive if label else info.negative
            sizes.append((subset, word, int(group.min()), int(group.median()), int(group.max())))
    return sizes


def _shared(rows: "pd.DataFrame") -> tuple[int, int]:
    both = shared_patients(rows)
    return len(both), int(groups_of(rows).isin(both).sum())
