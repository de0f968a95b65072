"""Features that a user brings (`--features NAME=FILE`): read, matched with crops, and kept.

What is kept in the store are the rows of the run's crops, under a key of their content: workers
need no more than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import rotation_of
from bench.data.imported.columns import few
from bench.data.imported.matching import match_rows
from bench.data.imported.reading import FeatureFile, read_features
from bench.data.lesions import unusable
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.store import Store, array_digest, digest
from extractors import BackboneError, BackboneInfo, UnknownBackbone, describe
from extractors.names import FEATURES

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.lesions import Dataset

IMPORT_VERSION = 1
# What stands where a cost would.
NOT_MEASURED = "cost not measured here: features come from a file"
# From this many crops on a column that tells the classes apart is no chance.
_ENOUGH = 10


@dataclass(frozen=True)
class ImportedFeatures:
    """Features that were made elsewhere, as they are kept.

    Attributes
    ----------
    name : str
        The extractor's name, `features:NAME`.
    digest : str
        SHA-256 of the file.
    key : str
        Of the artifact that holds the rows.
    width : int
        The number of features.
    notice : str
        What was matched, and by what, in one line.
    """

    name: str
    digest: str
    key: str
    width: int
    notice: str

    @property
    def weights(self) -> str:
        """Their label in tables."""
        return f"file:{self.digest[:12]}"

    def matrix(
        self, table: "pd.DataFrame", positions: NDArray[np.int64], store: Store
    ) -> NDArray[np.float32]:
        """The features of some crops of a stack, (n, width); the others are not a number.

        Raises BackboneError where the store no longer has them, or has not all.
        """
        found = store.get("imports", self.key)
        if found is None:
            raise BackboneError(
                f"{self.name}: its rows are no longer in the store; the same command puts them "
                "there again"
            )
        row_of = {name: row for row, name in enumerate(found.meta["crop_ids"])}
        rows = np.array([row_of.get(str(name), -1) for name in table["crop_id"]], dtype=np.int64)
        rows[rotation_of(table) != 0] = -1
        wanted = rows[positions]
        if (wanted < 0).any():
            names = few(str(name) for name in table["crop_id"].to_numpy()[positions[wanted < 0]])
            raise BackboneError(f"{self.name}: there are no features of {names}")
        matrix = np.full((len(table), self.width), np.nan, dtype=np.float32)
        matrix[positions] = found.arrays["features"][wanted]
        return matrix


def import_features(
    configuration: Configuration, dataset: "Dataset", subsets: Sequence[str], store: Store
) -> tuple[ImportedFeatures, ...]:
    """Read the files of features that are requested, and keep the rows of the run's crops.

    Parameters
    ----------
    configuration : Configuration
        What is requested.
    dataset : Dataset
        Whose crops they are of.
    subsets : Sequence[str]
        The subsets of the run; other crops need no features.
    store : Store
        Where the rows are kept.

    Returns
    -------
    tuple[ImportedFeatures, ...]
        In the order requested.

    Raises
    ------
    UnusableInput
        If a file cannot be used, or a crop that can be decoded has no features.
    """
    if not configuration.features:
        return ()
    parts = {part for name in subsets for part in dataset.subsets[name].parts}
    table = dataset.table[dataset.table["subset"].isin(parts)].reset_index(drop=True)
    of_run = replace(dataset, table=table)
    return tuple(
        _imported(name, read_features(path), of_run, configuration, store)
        for name, path in configuration.feature_files().items()
    )


def _imported(
    name: str, file: FeatureFile, dataset: "Dataset", configuration: Configuration, store: Store
) -> ImportedFeatures:
    table = dataset.table
    matched = match_rows(file, table, dataset.source.root)
    there = matched.rows >= 0
    _check_missing(file, replace(dataset, table=table[~there]), len(table), configuration)
    values = file.matrix[matched.rows[there]]
    _check_no_label(file, values, table["label"].to_numpy()[there])
    crop_ids = [str(crop) for crop in table["crop_id"][there]]
    key = digest([IMPORT_VERSION, crop_ids, array_digest(values)])
    if ("imports", key) not in store:
        store.put("imports", key, {"features": values}, {"crop_ids": crop_ids})
    parts = [
        f"{name}: {values.shape[1]} features of {there.sum()} of {len(table)} crops from "
        f"{file.path.name}, matched by {matched.by}",
        f"{matched.unused} of its {len(file.ids)} ids belong to no crop of this run"
        if matched.unused
        else "",
        *file.remarks,
    ]
    notice = " ".join("; ".join(filter(None, parts)).split())
    return ImportedFeatures(name, file.digest, key, values.shape[1], notice)


def _check_missing(
    file: FeatureFile, missing: "Dataset", crops: int, configuration: Configuration
) -> None:
    """Raise UnusableInput if crops without features can be decoded; the others are left out."""
    if missing.table.empty:
        return
    from bench.data.crops.regions import plan_cuts
    from bench.data.crops.squares import file_stats, square_crops

    settings = configuration.crop_settings()
    rows = replace(missing, table=missing.table.reset_index(drop=True))
    cuts = plan_cuts(rows.table, settings.region, settings.margin)
    decoded = square_crops(rows, settings, cuts, file_stats(rows, cuts))
    # A picture of two values may prove to be a mask, which no run uses.
    if any(not isinstance(crop, str) and not crop.two_valued for _, crop in decoded):
        names = [str(name) for name in rows.table["crop_id"]]
        raise unusable(
            file.path, f"{len(names)} of {crops} crops have no features there: {few(names)}"
        )


def _check_no_label(
    file: FeatureFile, values: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    """Raise UnusableInput if a column of the features is the label itself."""
    if len(labels) < _ENOUGH or len(np.unique(labels)) < 2:
        return
    first, other = (values[labels == label] for label in (0, 1))
    constant = (first == first[0]).all(axis=0) & (other == other[0]).all(axis=0)
    telling = np.flatnonzero(constant & (first[0] != other[0]))
    if len(telling):
        raise unusable(
            file.path,
            f"feature {telling[0]} (counted from 0) has one value in one class and another in the "
            "other: it is the label",
        )


def find_import(name: str, imports: Sequence[ImportedFeatures]) -> ImportedFeatures:
    """The imported features of this name.

    Raises
    ------
    UnusableInput
        If there are none.
    """
    found = next((one for one in imports if one.name == name), None)
    if found is not None:
        return found
    given = ", ".join(one.name for one in imports)
    bare = name.removeprefix(FEATURES)
    if "+" in bare:
        raise UnusableInput(f"--extractors {name!r}: features from a file cannot be trained")
    raise UnusableInput(
        f"--extractors {name!r}: no such features"
        + (f"; given are {given}" if given else f": give the file with --features {bare}=FILE")
    )


def described(
    name: str, weights_dir: Path | None, imports: Sequence[ImportedFeatures]
) -> BackboneInfo:
    """What a name stands for, as `extractors.describe` says it.

    Raises
    ------
    UnknownBackbone
        If it stands for nothing; with the name of given features that may be meant, or the place
        where names are listed.
    """
    try:
        return describe(name, weights_dir)
    except UnknownBackbone as error:
        said = str(error)
        if any(one.name == FEATURES + name for one in imports):
            said = f"{name}: no such backbone; the features of that file are {FEATURES}{name}"
        elif said.endswith("no such backbone"):
            said += (
                "; `python -m bench list extractors` names those there are, --plugin FILE brings "
                "one of yours"
            )
        raise UnknownBackbone(said) from error
