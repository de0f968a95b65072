"""Turns images into feature matrices with backbones that are known by name.

    from extractors import create_backbone, extract
    features = extract(create_backbone("random:timm:resnet18"), images)  # uint8 (N, H, W)

`describe` says where a backbone's weights lie without building it, `available` does so for several
names and all plugins, `register` adds a plugin. Torch, timm and torchvision are
imported when a function needs them, not before.
"""

from extractors.backbone import Backbone, BackboneInfo, InputSpec
from extractors.create import create_backbone
from extractors.describe import available, describe
from extractors.errors import BackboneError, MissingWeights, UnknownBackbone
from extractors.extraction import PrecisionChoice, choose_precision, extract
from extractors.plugins import load_plugin_file, register
from extractors.pretrained.connectivity import is_online, unreachable_services, why_unreachable
from extractors.pretrained.downloads import download_weights
from extractors.recipes import Augmentation, Recipe

__all__ = [
    "Augmentation",
    "Backbone",
    "BackboneError",
    "BackboneInfo",
    "InputSpec",
    "MissingWeights",
    "PrecisionChoice",
    "Recipe",
    "UnknownBackbone",
    "available",
    "choose_precision",
    "create_backbone",
    "describe",
    "download_weights",
    "extract",
    "is_online",
    "load_plugin_file",
    "register",
    "unreachable_services",
    "why_unreachable",
]
