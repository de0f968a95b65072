"""What a name stands for: parsed once, looked up once, and handed on as one value."""

from __future__ import annotations

from dataclasses import dataclass

from extractors.errors import BackboneError
from extractors.names import FINETUNED, LOCALIZED, ExtractorName, parse
from extractors.networks import NETWORKS, Network
from extractors.plugins import BrokenPlugin, Plugin, find_plugin, plugins
from extractors.pretrained import LIBRARIES, find_library, library_names
from extractors.pretrained.library import Library, Published, unknown


@dataclass(frozen=True)
class FromScratch:
    """A network of this package, and the name that was resolved.

    Attributes
    ----------
    name : ExtractorName
        The parts of the name.
    network : Network
        How it is built.
    """

    name: ExtractorName
    network: Network


@dataclass(frozen=True)
class FromPlugin:
    """A plugin's backbone, and the name that was resolved.

    Attributes
    ----------
    name : ExtractorName
        The parts of the name.
    plugin : Plugin | BrokenPlugin
        How it is built, or why it cannot be.
    """

    name: ExtractorName
    plugin: Plugin | BrokenPlugin


# What a name stands for: a library's published backbone, a network of this package, or a plugin.
Resolved = Published | FromScratch | FromPlugin


def resolve(text: str) -> Resolved:
    """Parse a name and look up what it stands for. Builds nothing and needs no network.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone; the message gives the nearest names.
    BackboneError
        If the name is not well formed, or has a part that its backbone does not take.
    """
    name = parse(text)
    library = find_library(name) if name.prefix else None
    network = NETWORKS.get(name.model) if library is None else None
    _check_parts(name, library, network)
    if library is not None:
        published = library.look_up(name)
        if published is None:
            raise unknown(text, library_names())
        return published
    if network is not None:
        return FromScratch(name, network)
    plugin = find_plugin(name.model)
    if plugin is None:
        raise unknown(text, [*(known.name for known in plugins()), *library_names()])
    return FromPlugin(name, plugin)


def _check_parts(name: ExtractorName, library: Library | None, network: Network | None) -> None:
    """Refuse parts of a name that its kind of backbone does not take."""
    text = name.text
    if name.tag is not None and not (library is not None and library.takes_tags):
        able = [prefix for prefix, known in LIBRARIES.items() if known.takes_tags]
        raise BackboneError(f"{text}: only {' and '.join(able)} names carry a tag")
    if network is not None and (name.layer is not None or name.pixels is not None):
        raise BackboneError(f"{text}: a network that is trained here takes nothing after '@'")
    if name.pixels is not None and not (library is not None and library.takes_pixels):
        able = [prefix for prefix, known in LIBRARIES.items() if known.takes_pixels]
        raise BackboneError(f"{text}: only {' and '.join(able)} names take an input size after '@'")
    if network is not None and set(name.steps) & set(FINETUNED):
        raise BackboneError(
            f"{text}: {network.id} is trained from scratch; it has no weights to go on"
        )
    if set(name.steps) & set(LOCALIZED):
        able = [known.id for known in NETWORKS.values() if known.localization_weight is not None]
        if name.random or network is None or network.id not in able:
            raise BackboneError(f"{text}: +{name.steps[0]} is for {', '.join(able)}")
