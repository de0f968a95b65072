"""Turns images into feature matrices with backbones that are known by name.

    from extractors import create_backbone, extract
    features = extract(create_backbone("random:timm:resnet18"), images)  # uint8 (N, H, W)

`describe` says where a backbone's weights lie without building it, `available` does so for several
names and all plugins, `register` adds a plugin, `train` trains what `create_trainable` builds, and
`saliency` shows where in an image a score comes from. Torch, timm and torchvision are imported when
a function needs them, not before.
"""

from typing import TYPE_CHECKING, Any

from extractors.backbone import Backbone, BackboneInfo, InputSpec
from extractors.create import create_backbone
from extractors.describe import available, describe
from extractors.errors import BackboneError, MissingWeights, TrainingFailed, UnknownBackbone
from extractors.extraction import PrecisionChoice, choose_precision, extract
from extractors.plugins import load_plugin_file, register
from extractors.pretrained.connectivity import (
    is_online,
    unreachable_services,
    use_caches_only,
    why_unreachable,
)
from extractors.pretrained.downloads import copy_weights, download_weights
from extractors.pretrained.own import declare_checkpoints, read_declaration
from extractors.recipes import Augmentation, Localization, Recipe

if TYPE_CHECKING:
    from extractors.saliency_maps import Saliency, saliency
    from extractors.training.loop import train
    from extractors.training.rows import TrainingRows
    from extractors.training.state import Checkpoint, Training
    from extractors.training.trainable import Trainable, create_trainable, recipe_for

__all__ = [
    "Augmentation",
    "Backbone",
    "BackboneError",
    "BackboneInfo",
    "Checkpoint",
    "InputSpec",
    "Localization",
    "MissingWeights",
    "PrecisionChoice",
    "Recipe",
    "Saliency",
    "Trainable",
    "Training",
    "TrainingFailed",
    "TrainingRows",
    "UnknownBackbone",
    "available",
    "choose_precision",
    "copy_weights",
    "create_backbone",
    "create_trainable",
    "declare_checkpoints",
    "describe",
    "download_weights",
    "extract",
    "is_online",
    "load_plugin_file",
    "read_declaration",
    "recipe_for",
    "register",
    "saliency",
    "train",
    "unreachable_services",
    "use_caches_only",
    "why_unreachable",
]

# These modules import torch.
_LAZY = {
    name: f"extractors.{module}"
    for module, names in {
        "saliency_maps": ("Saliency", "saliency"),
        "training.loop": ("train",),
        "training.rows": ("TrainingRows",),
        "training.state": ("Checkpoint", "Training"),
        "training.trainable": ("Trainable", "create_trainable", "recipe_for"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'extractors' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
