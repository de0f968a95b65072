"""The image that a model wants, from the configuration of its own processor.

A crop is resized whole to the size that enters the network. Where a processor would resize to a
larger size and cut out the middle, nothing is cut out here: a lesion may lie at the border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from extractors.backbone import InputSpec, Interpolation, Triple, as_triple
from extractors.errors import BackboneError

# Pillow's numbers, which processors store, and the names that others use. Lanczos is computed as
# bicubic, as the processors of transformers do on tensors.
_INTERPOLATIONS: Mapping[object, Interpolation] = {
    0: "nearest",
    1: "bicubic",
    2: "bilinear",
    3: "bicubic",
    "nearest": "nearest",
    "lanczos": "bicubic",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    # A choice of training; what is measured is resized as most models are.
    "random": "bicubic",
}


def interpolation_named(name: str, how: object) -> Interpolation:
    """How images are resized; BackboneError, with the model's name, where it cannot be done."""
    found = _INTERPOLATIONS.get(how.lower() if isinstance(how, str) else how)
    if found is None:
        known = ", ".join(dict.fromkeys(_INTERPOLATIONS.values()))
        raise BackboneError(f"{name}: resizes images by {how!r}; known are {known}")
    return found


def processor_input(name: str, processor: Mapping[str, Any], image_size: object) -> InputSpec:
    """What a processor of transformers makes of an image, as an input.

    Parameters
    ----------
    name : str
        The model's, for an error.
    processor : Mapping[str, Any]
        Its processor's settings.
    image_size : object
        What the model's own configuration says of the size.

    Returns
    -------
    InputSpec
        Where the processor does not divide by 255, mean and std are those of [0, 1] all the same.

    Raises
    ------
    BackboneError
        If it says no size, or does more than resizing and normalising.
    """
    crop = processor.get("crop_size") if processor.get("do_center_crop") else None
    resized = processor.get("size") if processor.get("do_resize", True) else None
    height, width = _sides(name, crop or resized or image_size)
    largest = 255.0 * float(processor.get("rescale_factor") or 1 / 255)
    if not processor.get("do_rescale", True):
        largest = 255.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.get("do_normalize", True):
        mean = _three(name, processor.get("image_mean"))
        std = _three(name, processor.get("image_std"))
    how = processor.get("resample")
    return InputSpec(
        height,
        width,
        as_triple(value / largest for value in mean),
        as_triple(value / largest for value in std),
        interpolation_named(name, getattr(how, "value", 3 if how is None else how)),
    )


def _three(name: str, values: object) -> Triple:
    if isinstance(values, int | float):
        values = [values]
    if isinstance(values, Sequence) and len(values) in (1, 3):
        return as_triple([*values] * (3 // len(values)))
    raise BackboneError(f"{name}: mean and std of its processor are for one or three channels")


def _sides(name: str, size: object) -> tuple[int, int]:
    """Height and width. Crops are square here, so that one side says both."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, Sequence) and len(size) == 2 and not isinstance(size, str):
        return int(size[0]), int(size[1])
    if isinstance(size, Mapping):
        if size.get("height") and size.get("width"):
            return int(size["height"]), int(size["width"])
        side = size.get("shortest_edge") or size.get("longest_edge")
        if side:
            return int(side), int(side)
    raise BackboneError(f"{name}: neither its processor nor its configuration says an input size")
