"""A library of pretrained backbones: what it publishes, how it builds, where its checkpoints lie.

A further library is a subclass of `Library` in a file of its own here, and a line in `LIBRARIES` in
`extractors.pretrained`.
"""

from __future__ import annotations

import difflib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from extractors.backbone import InputSpec
from extractors.errors import UnknownBackbone
from extractors.names import RANDOM, ExtractorName
from extractors.pretrained.weights import SUFFIXES, cached_in_hub, url_file_name

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Published:
    """A backbone as its library publishes it.

    Attributes
    ----------
    name : ExtractorName
        The name under which it was looked up.
    library : Library
        Where it is from.
    architecture : str
        Its name in the library.
    tag : str
        Which of the published weights; their label in tables.
    input : InputSpec | None
        The image that these weights want; None where a model's configuration is not on this
        machine.
    is_default_tag : bool
        Whether these are the weights that the library takes where no tag is named.
    url : str | None
        Where the checkpoint can be downloaded.
    repository : str | None
        Its repository on the Hugging Face Hub, `owner/name[@revision]`; preferred to the URL.
    filenames : tuple[str, ...]
        Names that the checkpoint may have in the repository, the preferred one first.
    download_bytes : int | None
        Size of the download, where it is known.
    classifier : tuple[str, ...]
        Paths of the layers that turn features into classes, where the library names them.
    img_size : int | None
        Side for which the network has to be built, in pixels; None where any size fits.
    config : Path | None
        The configuration of a model on the Hub, in the folder of its weights.
    config_files : tuple[tuple[str, ...], ...]
        Names of that file, and of others that belong to it, in the repository.
    config_digest : str | None
        What identifies all that, and the library that reads it.
    own : Path | None
        A checkpoint of the user's own, whose weights these are in place of published ones.
    """

    name: ExtractorName
    library: Library = field(repr=False)
    architecture: str
    tag: str
    input: InputSpec | None
    is_default_tag: bool = True
    url: str | None = None
    repository: str | None = None
    filenames: tuple[str, ...] = ()
    download_bytes: int | None = None
    classifier: tuple[str, ...] = ()
    img_size: int | None = None
    config: Path | None = None
    config_files: tuple[tuple[str, ...], ...] = ()
    config_digest: str | None = None
    own: Path | None = None

    @property
    def source(self) -> str | None:
        """What it is downloaded from; None where no weights are published."""
        return self.repository or self.url if self.own is None else None


class Library(ABC):
    """A source of pretrained backbones.

    Attributes
    ----------
    prefix : str
        What its names have before the colon.
    package : str
        The Python package that draws random weights; its version is part of what identifies them.
    takes_tags : bool
        Whether a name may carry a tag: which of several published weights.
    takes_pixels : bool
        Whether a name may carry the side of the input.
    layer_aliases : Mapping[str, Mapping[str, str]]
        Of an architecture, other names of its layers, as the literature uses them.
    """

    prefix: str
    package: str
    takes_tags: bool = False
    takes_pixels: bool = False
    layer_aliases: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    @abstractmethod
    def names(self) -> Iterable[str]:
        """All names that it knows, without tags."""

    @abstractmethod
    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What is published under a name; None if there is no such architecture.

        A model on the Hub is described by files, which are looked for in `weights_dir` and in the
        cache. Builds nothing, and needs no network. Raises UnknownBackbone for an unknown tag, and
        BackboneError for what cannot be used.
        """

    @abstractmethod
    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The whole network, with the weights of a checkpoint, or random ones without.

        Random weights come from torch's global generator. Raises BackboneError where the checkpoint
        does not fit.
        """

    @abstractmethod
    def cached(self, published: Published) -> Iterator[Path]:
        """Where the library keeps the checkpoint on this machine, whether it is there or not."""

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """A network that `build` has built, which now returns features in place of classes."""
        from extractors.layers import remove_classifier

        remove_classifier(network)
        return network

    def find_checkpoint(self, published: Published, weights_dir: Path | None) -> Path | None:
        """The checkpoint of a backbone; None if it is not on this machine.

        In `weights_dir`, which is searched first, a file may have the name of the backbone, with or
        without its tag, or the one that its library gave it. A subfolder with the library's prefix
        comes first, since two libraries may have an architecture of one name. A file without a tag
        in its name counts for the default tag only.
        """
        in_folder = _in_folder(published, weights_dir) if weights_dir is not None else ()
        places = (*in_folder, *self.cached(published))
        return next((place for place in places if place.is_file()), None)

    def version(self) -> str:
        """Name and version of the package that draws random weights."""
        return f"{self.package}{importlib.import_module(self.package).__version__}"


def unknown(text: str, candidates: Iterable[str]) -> UnknownBackbone:
    """The error for a name that does not exist, with the names nearest to it."""
    near = nearest_names(text, candidates)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return UnknownBackbone(f"{text}: no such backbone{hint}")


def nearest_names(text: str, candidates: Iterable[str]) -> list[str]:
    """At most three names like `text`. A name that lacks only its prefix comes first."""
    text = text.removeprefix(RANDOM).partition("@")[0]
    names = list(dict.fromkeys(candidates))
    same = [name for name in names if name.partition(":")[2] == text]
    close = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    return list(dict.fromkeys([*same, *close]))[:3]


def _in_folder(published: Published, folder: Path) -> Iterator[Path]:
    """Where the checkpoint may lie in a user's folder of weights."""
    model, architecture, tag = published.name.model, published.architecture, published.tag
    stems = [f"{model}.{tag}", f"{architecture}.{tag}"]
    if published.is_default_tag:
        stems += [model, architecture]
    stems = list(dict.fromkeys(stems))
    for place in (folder / published.library.prefix, folder):
        for stem in stems:
            yield from (place / f"{stem}{suffix}" for suffix in SUFFIXES)
        if published.url:
            yield place / url_file_name(published.url)
            yield place / "checkpoints" / url_file_name(published.url)
            yield place / "hub" / "checkpoints" / url_file_name(published.url)
        for filename in published.filenames:
            yield from (place / stem / filename for stem in stems)
            yield from cached_in_hub(published.repository, filename, place)
            yield from cached_in_hub(published.repository, filename, place / "hub")
