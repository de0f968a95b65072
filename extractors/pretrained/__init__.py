"""Backbones of other libraries: what they publish, where weights lie, and how each is built."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from extractors.errors import UnknownBackbone
from extractors.names import ExtractorName
from extractors.pretrained.bundled import Bundled
from extractors.pretrained.hub.open_clip import OpenClip
from extractors.pretrained.hub.timm_on_hub import TimmOnHub
from extractors.pretrained.hub.transformers import Transformers
from extractors.pretrained.library import Library
from extractors.pretrained.medical.checkpoint_files import MedicalFiles
from extractors.pretrained.timm import Timm
from extractors.pretrained.torchvision import Torchvision

LIBRARIES: Mapping[str, Library] = MappingProxyType(
    {
        library.prefix: library
        for library in (
            *(Timm(), Torchvision(), Bundled()),
            *(TimmOnHub(), Transformers(), OpenClip()),
            MedicalFiles((Timm(), Torchvision())),
        )
    }
)


def library_names() -> list[str]:
    """All names of all libraries, without tags."""
    return [name for library in LIBRARIES.values() for name in library.names()]


def find_library(name: ExtractorName) -> Library:
    """The library whose prefix a name has.

    Raises
    ------
    UnknownBackbone
        If there is none; the known prefixes are given.
    """
    if name.prefix not in LIBRARIES:
        known = ", ".join(f"{prefix}:" for prefix in LIBRARIES)
        raise UnknownBackbone(
            f"{name.text}: unknown prefix '{name.prefix}:'; known are {known} and random:"
        )
    return LIBRARIES[name.prefix]
