"""The crops of a training: on the device, and those that an inner validation holds out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from extractors.backbone import InputSpec
from extractors.batches import grey_stack, resize
from extractors.errors import BackboneError, TrainingFailed
from extractors.recipes import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Images that are resized at once.
CHUNK = 64
# The share of a GPU's free memory that crops which stay there may take.
STACK_SHARE = 0.25


@dataclass(frozen=True)
class TrainingRows:
    """Crops, and what a training has to know of them.

    Attributes
    ----------
    images : NDArray[np.uint8], shape (n, h, w)
        An array, a memory map or a list of arrays of one size. Floats are refused, not rounded.
    labels : NDArray[np.int64], shape (n,)
        0 or 1.
    patients : NDArray[Any] | None, shape (n,)
        Whose crops they are; needed for an inner validation only.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    patients: NDArray[Any] | None = None

    def at(self, positions: NDArray[np.int64]) -> TrainingRows:
        """The rows at these positions.

        Parameters
        ----------
        positions : NDArray[np.int64], shape (k,)
            Which rows, in which order.

        Returns
        -------
        TrainingRows
            A copy of them.
        """
        patients = None if self.patients is None else self.patients[positions]
        return TrainingRows(self.images[positions], self.labels[positions], patients)


def checked(rows: TrainingRows, name: str) -> TrainingRows:
    """The rows as arrays.

    Raises
    ------
    TrainingFailed
        If the images are not 8-bit grey ones, a label is not 0 or 1, or their numbers differ;
        `name` names the network.
    """
    try:
        images = grey_stack(rows.images, name)
    except BackboneError as error:
        raise TrainingFailed(str(error)) from None
    labels = np.asarray(rows.labels)
    patients = None if rows.patients is None else np.asarray(rows.patients)
    for what, values in (("labels", labels), ("patients", patients)):
        if values is not None and values.shape != (len(images),):
            raise TrainingFailed(f"{name}: {len(images)} images but {what} {values.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise TrainingFailed(f"{name}: labels must be 0 and 1")
    return TrainingRows(images, labels.astype(np.int64), patients)


def stack_on_device(images: NDArray[np.uint8], spec: InputSpec, device: str) -> torch.Tensor:
    """uint8 (N, 1, h, w) at the network's input size, on the device where it fits.

    Values are rounded after resizing, and differ by at most half of 1/255 from those in extraction.
    """
    stack = torch.empty((len(images), 1, spec.height, spec.width), dtype=torch.uint8)
    for start in range(0, len(images), CHUNK):
        stack[start : start + CHUNK] = resize(images[start : start + CHUNK], spec, device).round_()
    return stack.to(device) if fits_on(device, stack) else stack


def fits_on(device: str, tensor: torch.Tensor) -> bool:
    """Whether a tensor takes no more than its share of what is free on a GPU; True elsewhere."""
    if not device.startswith("cuda"):
        return True
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return tensor.nbytes <= STACK_SHARE * free


def inner_rows(
    rows: TrainingRows, recipe: Recipe, seed: int, name: str
) -> tuple[TrainingRows, TrainingRows | None]:
    """Rows to train on, and those of the patients that an inner validation holds out.

    Raises
    ------
    TrainingFailed
        If a class is missing, or there are too few patients; `name` names the network.
    """
    if set(np.unique(rows.labels)) != {0, 1}:
        raise TrainingFailed(f"{name}: training wants crops of both classes")
    if not recipe.inner_validation:
        return rows, None
    from sklearn.model_selection import StratifiedGroupKFold

    if rows.patients is None:
        raise TrainingFailed(f"{name}: the recipe holds out patients, but none are named")
    folds = round(1 / recipe.inner_validation)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        fitted, inner = next(splitter.split(rows.labels, rows.labels, rows.patients))
    except ValueError as error:
        raise TrainingFailed(f"{name}: too few patients to hold some out ({error})") from error
    kept, held = rows.at(np.sort(fitted)), rows.at(np.sort(inner))
    if len(np.unique(kept.labels)) < 2 or not len(held.labels):
        raise TrainingFailed(f"{name}: too few patients of a class to hold some out")
    return kept, held
