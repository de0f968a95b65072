"""What the columns of the tables are called where people read them: on the page and in LaTeX.

The CSV files keep the plain names of the columns, which programs rely on. What a column means in
one table only is declared with that table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from reports.values import in_plain_words

# Column -> heading, with its unit.
_HEADINGS = {
    "auc": "AUC",
    "mcc": "MCC",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "n": "crops",
    "n_train": "training crops",
    "n_test": "test crops",
    "n_patients": "test patients",
    "n_positive": "positive",
    "n_runs": "repeats",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
    "train_fraction": "share of training patients",
    "training_time_s": "training (s)",
    "network_time_s": "network training (s)",
    "extraction_time_s": "extraction of training crops (s)",
    "fit_time_s": "fit (s)",
    "images_per_s": "images per s",
    "epochs": "epochs",
    "input": "input (px)",
    "size": "crop size (px)",
    "inner_auc": "AUC on inner folds",
    "batch_size": "batch",
    "crop_id": "crop",
    "lesion_id": "lesion",
    "patient_id": "patient",
}

# What is put to a column's name for its parts.
_ENDINGS = {"_std": "std", "_ci_low": "interval, low", "_ci_high": "interval, high"}


def headings_without_ids() -> dict[str, str]:
    """The headings that speak of patients, for data that do not say whose an image is."""
    return {
        column: text.replace("patients", "images")
        for column, text in _HEADINGS.items()
        if "patients" in text
    }


def heading(column: str, of_table: Mapping[str, str] = MappingProxyType({})) -> str:
    """The heading of a column; what is in no list is its name in plain words.

    of_table: the headings of one table, which come before those of all.
    """
    known = {**_HEADINGS, **of_table}
    if column in known:
        return known[column]
    for ending, words in _ENDINGS.items():
        if column.endswith(ending):
            return f"{heading(column.removesuffix(ending), of_table)}, {words}"
    for side in ("published_", "measured_", "twin_"):
        if column.startswith(side):
            return f"{heading(column.removeprefix(side), of_table)}, {side[:-1]}"
    return in_plain_words(column)
