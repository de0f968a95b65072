"""The columns of the tables that a run folder holds and that reports are made from.

A run folder is the only input of a report. `bench` writes these tables and `reports` reads them.
"""

# The version of manifest.json that is written and read. 2: it describes its protocols. 3: and what
# each of its extractors is.
MANIFEST_SCHEMA = 3

# manifest["extractors"]: what an extractor is in the comparison. A selection may stand for another
# one in each fold, a reference point has no network.
NETWORK, FUSION, SELECTION, REFERENCE = "network", "fusion", "selection", "reference point"

# The library of features that come from a file: no network here makes them.
IMPORTED = "features"

# What a row there says besides, decided where the extractor is built. A fusion has its parts' words
# joined by commas, and a row for each under "parts".
EXTRACTOR_FACTS = (
    "name",
    "role",  # one of the four above
    "weights",  # their label in tables
    "origin",  # of the weights: scratch, random, pretrained, plugin or file
    "training",  # frozen, fine-tuned, from scratch, or trained (by a plugin)
    "family",  # CNN, transformer, hybrid or other; missing where nothing could be built
    "library",  # that the network is from; "network" of this suite, "plugin" of a user, or IMPORTED
    "architecture",  # without tag, layer, size and training; with its library
    "network",  # the name without how it is trained
    "steps",  # how it is trained, as its name says: finetuned, drloc, ...
    "small_data",  # whether it is a network for small data, trained from scratch or drawn
    "localized",  # whether it is trained with the dense relative localization loss
    "pretrained_on",  # images that its weights were trained on before; "nothing", "not known"
    "cite",  # a citation, of what no architecture's paper stands for; empty without
)

# Identity of one row of the comparison: two units of work with the same values in all of these
# belong to the same system under the same conditions and are averaged over folds and repeats.
SYSTEM_COLUMNS = (
    "dataset",
    "subset",
    "region",
    "size",
    "protocol",
    "extractor",
    "weights",
    "recipe",
    "classifier",
    "C",
    "scale",
    "tuned",
    "train_fraction",
    "seed",
)

# Marks a protocol that leaks on purpose; in summary.csv the notes begin with it.
AUDIT_MARK = "audit: patients on both sides"

# The same where nothing says whose an image is.
AUDIT_MARK_WITHOUT_IDS = "audit: no estimate of performance"

# manifest["protocols"]: which test rows of a subset an audit and its twin are compared on.
ALL_ROWS, SHARED, UNSHARED = "all", "of patients in both splits", "of patients in test alone"

# The five measures of summary.csv, in its order.
SUMMARY_MEASURES = ("accuracy", "auc", "sensitivity", "specificity", "mcc")

# summary.csv, column for column.
SUMMARY_COLUMNS = (
    *SYSTEM_COLUMNS,
    "n_train",
    "n_test",
    "n_patients",
    "n_runs",
    *(
        f"{measure}{suffix}"
        for measure in SUMMARY_MEASURES
        for suffix in ("", "_std", "_ci_low", "_ci_high")
    ),
    "training_time_s",
    "extraction_time_s",
    "fit_time_s",
    "status",
    "notes",
)

# units.parquet: one row for each unit of work (a system on one fold of one repeat).
UNIT_COLUMNS = (
    "unit",  # the unit's key, a SHA-256 in hexadecimal
    *SYSTEM_COLUMNS,
    "repeat",  # from 0
    "fold",  # from 0
    "n_train",  # training crops
    "n_test",  # test crops
    "n_test_patients",
    "threshold",  # a score above it is called positive
    "training_time_s",  # everything before the first prediction, as if run alone
    "network_time_s",  # training of the network, part of it; missing for frozen features
    "extraction_time_s",  # features of the training crops
    "gram_time_s",
    "fit_time_s",  # Gram matrix and fit
    "iterations",  # of the SVM solver; missing for other classifiers
    "n_support",  # support vectors; missing for other classifiers
    "converged",  # missing where it does not apply
    "precision",  # of the feature extraction: float32 or bfloat16; empty without images
    "status",  # "ok" or the reason why not
    "notes",
)

# Further columns of units.parquet, missing where they do not apply.
CHOICE_COLUMNS = (
    "chosen_C",  # what a tuned SVM chose on the inner folds of its training rows
    "chosen_scale",  # as a multiple of the kernel's preset
    "inner_auc",  # mean AUC on the inner folds, of that choice or of a candidate for `selected`
    "components",  # number of principal components
    "chosen_extractor",  # what the row `selected` chose on such folds
    "chosen_classifier",
)

# The last column of units.parquet and trainings.parquet: the machines that times are of, see
# `reports.systems.hosts`. Folders from before work was spread over machines lack it.
HOST = "host"

# predictions.parquet: one row for each test crop of a unit.
PREDICTION_COLUMNS = (
    "unit",
    "repeat",
    "fold",
    "crop_id",
    "lesion_id",
    "patient_id",
    "rotation",  # degrees; 0 where the protocol rotates nothing
    "score",  # higher means more likely positive
    "label",  # 1 is the positive class
)

# external.parquet: one row for each crop of the external sets, by the names that predictions have;
# only where there is one. It has the columns of a lesion table besides.
EXTERNAL_COLUMNS = ("crop_id", "patient_id", "subset", "label", "external")

# What these columns of units.parquet and predictions.parquet hold. All others are single values of
# any kind, shown as text.
WHOLE_NUMBER_COLUMNS = ("repeat", "fold")  # and never missing
NUMBER_COLUMNS = (
    *("train_fraction", "n_train", "n_test", "n_test_patients", "threshold", "iterations"),
    *("n_support", "chosen_C", "chosen_scale", "inner_auc", "components", "rotation", "score"),
    *("label", "training_time_s", "network_time_s", "extraction_time_s", "gram_time_s"),
    "fit_time_s",
)

# The training of a network to which a row belongs.
_TRAINING_IDENTITY = (
    "training",  # the training's key, a SHA-256 in hexadecimal
    # It serves every classifier on its features.
    *(name for name in SYSTEM_COLUMNS if name not in ("classifier", "C", "scale", "tuned")),
    "repeat",
    "fold",
)

# trainings.parquet: one row for each trained network; only where there is one.
TRAINING_COLUMNS = (
    *_TRAINING_IDENTITY,
    "n_train",
    "epochs",
    "kept_epoch",  # the epoch whose weights were kept
    "input",
    "batch_size",
    "accumulation",  # accumulation steps of a batch; 1 where it fitted into memory
    "parameters",
    "trainable_parameters",
    "flops_per_image",  # forward, a multiplication and an addition counting as two
    "network_time_s",
    "images_per_s",  # training images, after the first epoch
    "peak_device_bytes",  # missing without a GPU
    "peak_host_bytes",  # of the whole process
    "smallest_gpu_gb",  # missing where no common size is enough
    "gpu_estimated",  # from the sizes of the tensors of one batch, without a GPU
    "precision",
    "device",
    "notes",
    HOST,
)

# history.parquet: one row for each epoch of a training.
HISTORY_COLUMNS = (
    *_TRAINING_IDENTITY,
    "epoch",  # from 1
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "localization_loss",  # the last four are missing where they were not computed
    "test_loss",
    "test_accuracy",
    "inner_loss",
)

# manifest["recipes"]: one mapping for each trained extractor, with the fields of its recipe.
RECIPE_COLUMNS = (
    "extractor",
    "recipe",
    "optimizer",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "decayed",  # what the weight decay falls on: all, or matrices
    "schedule",
    "warmup_epochs",
    "label_smoothing",
    "clip_norm",  # missing: gradients are not clipped
    "augmentation",  # in short text; empty without
    "localization",  # in short text; empty without
    "input_size",  # in pixels; missing: the network's default
    "layers",
    "inner_validation",
)
