"""What the columns of the tables are called where people read them: on the page and in LaTeX.

The CSV files keep the plain names of the columns, which programs rely on.
"""

from reports.values import spoken

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
    "reference_n_runs": "repeats of the reference",
    "n_systems": "systems",
    "n_support": "support vectors",
    "tp": "true positives",
    "fn": "false negatives",
    "fp": "false positives",
    "tn": "true negatives",
    "p": "p-value",
    "p_holm": "p-value (Holm)",
    "ci_low": "interval, low",
    "ci_high": "interval, high",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
    "specificity_at_90_sensitivity": "specificity at 90 % sensitivity",
    "train_fraction": "share of training patients",
    "training_time_s": "training (s)",
    "reference_training_time_s": "training of the reference (s)",
    "network_time_s": "network training (s)",
    "extraction_time_s": "extraction of training crops (s)",
    "extraction_s": "extraction (s)",
    "gram_time_s": "Gram matrix (s)",
    "fit_time_s": "fit (s)",
    "images_per_s": "images per s",
    "peak_device_gib": "peak GPU memory (GiB)",
    "peak_host_gib": "peak host memory (GiB)",
    "smallest_gpu_gb": "smallest GPU (GB)",
    "gflops_per_image": "GFLOPs per image",
    "epochs": "epochs",
    "kept_epoch": "epoch kept",
    "input": "input (px)",
    "input_size": "input (px)",
    "size": "crop size (px)",
    "chosen_C": "C chosen",
    "chosen_scale": "scale chosen",
    "inner_auc": "AUC on inner folds",
    "of_folds": "of folds",
    "min_cosine": "lowest cosine with float32",
    "weights_digest": "digest of the weights",
    "clip_norm": "gradient norm clipped at",
    "batch_size": "batch",
    "accumulation": "passes per batch",
    "localization": "localization loss",
    "layers": "layers trained",
    "inner_validation": "share for inner validation",
    "crop_id": "crop",
    "lesion_id": "lesion",
    "patient_id": "patient",
    "calc_type": "calcification type",
    "beyond_threshold": "beyond threshold",
    "times_wrong": "times wrong",
    "times_tested": "times tested",
    "systems_wrong": "systems wrong",
    "of_systems": "of systems",
    "asks_for": "asks for",
    "run_says": "this run says",
}

# What a column of one table needs instead: table -> column -> heading.
_IN_TABLE = {
    "source_tables": {"images": "full mammograms"},
    "overlaps": {"first": "table", "second": "other table", "patients": "patients in both"},
    "levels": {"n": "crops, lesions or breasts"},
    "comparisons": {"value": "AUC", "reference_value": "AUC of the reference"},
}

# What is put to a column's name for its parts.
_ENDINGS = {"_std": "std", "_ci_low": "interval, low", "_ci_high": "interval, high"}


def heading(table: str, column: str) -> str:
    """The heading of a column; what is in no list is its name in plain words."""
    known = _HEADINGS | _IN_TABLE.get(table, {})
    if column in known:
        return known[column]
    for ending, said in _ENDINGS.items():
        if column.endswith(ending):
            return f"{heading(table, column.removesuffix(ending))}, {said}"
    for side in ("published_", "measured_"):
        if column.startswith(side):
            return f"{heading(table, column.removeprefix(side))}, {side[:-1]}"
    return spoken(column)
