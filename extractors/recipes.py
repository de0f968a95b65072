"""How networks are trained, as data: every recipe is named, and printed whole in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Literal

from extractors.errors import BackboneError

# Of every recipe; `extractors.training.loop` builds it.
OPTIMIZER = "AdamW"

LocalizationForm = Literal["paper", "released"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are varied, afresh for each image and epoch.

    Attributes
    ----------
    flip_horizontal, flip_vertical : bool
        Mirror every second image.
    brightness : float
        ± what is added to values on [0, 1].
    contrast : float
        ± share by which differences from the image's mean grow or shrink.
    rotation : float
        ± part of a turn.
    zoom : float
        ± share by which height and, independently, width shrink or grow.
    shift : float
        ± share of the image's side.
    erase : float
        Probability that a rectangle of 2 to 20 % of the area is blanked.
    strength : float
        Factor on all of them; at 0 images stay as they are.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    erase: float = 0.0
    strength: float = 1.0


@dataclass(frozen=True)
class Localization:
    """The dense relative localization loss; see `extractors.training.localization_loss`.

    Attributes
    ----------
    form : LocalizationForm
        "paper", or "released" as in the authors' code.
    weight : float
        λ, the weight of the loss.
    """

    form: LocalizationForm
    weight: float


@dataclass(frozen=True)
class Recipe:
    """One way to train a network with AdamW on cross-entropy.

    Attributes
    ----------
    name : str
        As in every table.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Images a step.
    learning_rate : float
        Of AdamW, at its highest.
    weight_decay : float
        Of AdamW.
    decayed : Literal["all", "matrices"]
        What the weight decay falls on: "all" parameters, as in Keras, or all but biases and tensors
        of one dimension, such as those of norms, as in timm.
    schedule : Literal["constant", "cosine"]
        "constant", or "cosine" down to zero at the last step.
    warmup_epochs : int
        Epochs in which the learning rate rises linearly from zero.
    label_smoothing : float
        Share of a label that is given to the other class.
    clip_norm : float | None
        Largest norm of all gradients together; None leaves them as they are.
    augmentation : Augmentation | None
        How training images are varied; None leaves them as they are.
    localization : Localization | None
        An auxiliary loss; None where there is none.
    input_size : int | None
        Side of the input in pixels, instead of the network's own; None keeps that.
    layers : Literal["all", "last"]
        "all" trains every layer, "last" only the last quarter of those that have parameters (and
        the head); the frozen part is in eval mode: without dropout and stochastic depth, and with
        the statistics of its batch norms as they were.
    inner_validation : float
        Share of the training patients, in steps of 1/2, 1/3, 1/4 …, that is held out inside the
        training rows; the weights kept are those of the epoch with the lowest loss on them. 0 keeps
        the last epoch's.

    Raises
    ------
    BackboneError
        If a field has another type, or a value that makes no sense.
    """

    name: str
    _: KW_ONLY
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    decayed: Literal["all", "matrices"] = "all"
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: int = 0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    augmentation: Augmentation | None = None
    localization: Localization | None = None
    input_size: int | None = None
    layers: Literal["all", "last"] = "all"
    inner_validation: float = 0.0

    def __post_init__(self) -> None:
        _check_types(self)
        wants = {
            "a name other than frozen": self.name.strip() not in ("", "frozen"),
            "epochs of at least 1": self.epochs >= 1,
            "a batch_size of at least 2": self.batch_size >= 2,
            "a learning_rate above 0": self.learning_rate > 0,
            "a weight_decay of at least 0": self.weight_decay >= 0,
            "decayed that is all or matrices": self.decayed in ("all", "matrices"),
            "a schedule that is constant or cosine": self.schedule in ("constant", "cosine"),
            "fewer warmup_epochs than epochs": 0 <= self.warmup_epochs < self.epochs,
            "a label_smoothing from 0 to 1": 0 <= self.label_smoothing <= 1,
            "a clip_norm above 0": self.clip_norm is None or self.clip_norm > 0,
            "layers that are all or last": self.layers in ("all", "last"),
            "an inner_validation from 0 to 0.5": 0 <= self.inner_validation <= 0.5,
        }
        broken = [want for want, kept in wants.items() if not kept]
        if broken:
            raise BackboneError(f"the recipe {self.name!r} wants {'; '.join(broken)}")

    def with_epochs(self, epochs: int) -> Recipe:
        """The same for another number of epochs, the warm-up taking the same share of them.

        Parameters
        ----------
        epochs : int
            At least 1.

        Returns
        -------
        Recipe
            Its name says the number: no table can take it for the recipe that it comes from.
        """
        if epochs == self.epochs:
            return self
        warmup = min(round(self.warmup_epochs * epochs / self.epochs), epochs - 1)
        name = f"{self.name} ({epochs} epoch{'s' * (epochs != 1)})"
        return replace(self, name=name, epochs=epochs, warmup_epochs=warmup)


def _check_types(recipe: Recipe) -> None:
    """Raise BackboneError where a field is not what it is declared to be, or not finite."""
    kinds: dict[type | tuple[type, ...], tuple[str, ...]] = {
        str: ("name", "decayed", "schedule", "layers"),
        int: ("epochs", "batch_size", "warmup_epochs", "input_size"),
        (int, float): (
            *("learning_rate", "weight_decay", "label_smoothing", "clip_norm"),
            "inner_validation",
        ),
        Augmentation: ("augmentation",),
        Localization: ("localization",),
    }
    optional = ("input_size", "clip_norm", "augmentation", "localization")
    for kind, names in kinds.items():
        for name in names:
            value = getattr(recipe, name)
            fits = type(value) in (kind if isinstance(kind, tuple) else (kind,))
            if isinstance(value, float):
                fits = fits and math.isfinite(value)
            if not fits and not (value is None and name in optional):
                raise BackboneError(f"a recipe's {name} cannot be {value!r:.60}")


# As the thesis lists it; the seventh experiment's layers in Keras' terms.
THESIS_AUGMENTATION = Augmentation(flip_horizontal=True, brightness=0.1, rotation=0.02, zoom=0.2)
# A lesion has no upright position, and films differ in exposure.
STRONG_AUGMENTATION = Augmentation(
    flip_horizontal=True,
    flip_vertical=True,
    brightness=0.2,
    contrast=0.2,
    rotation=0.5,
    zoom=0.2,
    shift=0.1,
    erase=0.25,
)

QUICK, THESIS, FULL = "quick", "thesis", "full"

# From scratch: the thesis' CNN and ViTs (A), small-data hybrids (B); fine-tuning (C).
Section = Literal["A", "B", "C"]

RECIPES: Mapping[tuple[str, Section], Recipe] = MappingProxyType(
    {
        # Minutes on two cores: it shows that everything runs, not what a network can do.
        (QUICK, "A"): Recipe(
            QUICK,
            epochs=10,
            batch_size=16,
            learning_rate=5e-4,
            weight_decay=1e-4,
            warmup_epochs=1,
            clip_norm=1.0,
        ),
        (QUICK, "B"): Recipe(
            QUICK,
            epochs=10,
            batch_size=16,
            learning_rate=5e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=1,
            clip_norm=1.0,
            input_size=112,
        ),
        (QUICK, "C"): Recipe(
            QUICK,
            epochs=5,
            batch_size=16,
            learning_rate=1e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=1,
            clip_norm=1.0,
        ),
        # As the thesis has it. It gives no settings for its CNN, which gets those of its ViTs.
        (THESIS, "A"): Recipe(
            THESIS,
            epochs=50,
            batch_size=256,
            learning_rate=1e-3,
            weight_decay=1e-4,
            schedule="constant",
        ),
        # Liu et al. (2021), section 5: 100 epochs with AdamW and a cosine, no decay of norms and
        # biases. The rest is our choice, as is all of fine-tuning: theirs has a warm-up of 20
        # epochs, drop path 0.2, RandAugment, mixup 0.8, cutmix 1.0 and random erasing 0.25.
        (THESIS, "B"): Recipe(
            THESIS,
            epochs=100,
            batch_size=64,
            learning_rate=5e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=10,
            clip_norm=5.0,
        ),
        (THESIS, "C"): Recipe(
            THESIS,
            epochs=30,
            batch_size=32,
            learning_rate=1e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=2,
            clip_norm=1.0,
        ),
        # What small data want: more epochs, stronger augmentation.
        (FULL, "A"): Recipe(
            FULL,
            epochs=300,
            batch_size=64,
            learning_rate=5e-4,
            weight_decay=0.05,
            warmup_epochs=20,
            label_smoothing=0.1,
            clip_norm=1.0,
            augmentation=STRONG_AUGMENTATION,
        ),
        (FULL, "B"): Recipe(
            FULL,
            epochs=300,
            batch_size=64,
            learning_rate=5e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=20,
            label_smoothing=0.1,
            clip_norm=5.0,
            augmentation=STRONG_AUGMENTATION,
        ),
        (FULL, "C"): Recipe(
            FULL,
            epochs=40,
            batch_size=32,
            learning_rate=1e-4,
            weight_decay=0.05,
            decayed="matrices",
            warmup_epochs=4,
            label_smoothing=0.1,
            clip_norm=1.0,
            augmentation=STRONG_AUGMENTATION,
            inner_validation=0.2,
        ),
    }
)
