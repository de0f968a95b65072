"""What a name stands for, and what is known of a backbone before it is built.

`resolve` parses a name and looks up what it stands for, once; `describe` says where the weights
lie, `available` does so for several names and all plugins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from extractors.backbone import BackboneInfo, InputSpec, Origin, Triple
from extractors.errors import BackboneError
from extractors.names import FINETUNED, LOCALIZED, ExtractorName, parse, renamed
from extractors.networks import NETWORKS, Network
from extractors.plugins import BACKBONES, Plugin
from extractors.pretrained import LIBRARIES, find_library, library_names
from extractors.pretrained.library import Library, Published, unknown
from extractors.pretrained.medical.checkpoint_files import MEDICAL
from extractors.pretrained.medical.registry import medical_models
from extractors.pretrained.own import OwnCheckpoint, find_own
from extractors.pretrained.provenance import is_published
from extractors.pretrained.weights import checkpoint_digest, url_file_name
from extractors.registration.registry import BrokenEntry, Registered

HOW_TO_TRAIN = "it is trained, by `all`, or in a notebook by extractors.training.loop.train"


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
    plugin : Registered[Plugin] | BrokenEntry
        How it is built, or why it cannot be.
    own : Path | None
        A checkpoint of the user's own for it.
    """

    name: ExtractorName
    plugin: Registered[Plugin] | BrokenEntry
    own: Path | None = None


# What a name stands for: a library's published backbone, a network of this package, or a plugin.
Resolved = Published | FromScratch | FromPlugin


def resolve(text: str, weights_dir: str | Path | None = None) -> Resolved:
    """Parse a name and look up what it stands for. Builds nothing and needs no network.

    Parameters
    ----------
    text : str
        The name.
    weights_dir : str | Path | None
        Where the configuration of a model on the Hub is looked for, before the Hub's cache.

    Returns
    -------
    Resolved
        A library's backbone, a network of this package or a plugin.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone; the message gives the nearest names.
    BackboneError
        If the name is not well formed, or has a part that its backbone does not take.
    """
    return _resolve(parse(text), weights_dir)


def _resolve(name: ExtractorName, weights_dir: str | Path | None) -> Resolved:
    """`resolve` for a name that was taken apart."""
    text = name.text
    library = find_library(name) if name.prefix else None
    network = NETWORKS.get(name.model) if library is None else None
    if name.prefix == MEDICAL and (model := medical_models().get(name.model)) and model.loads:
        return _resolve(renamed(parse(model.loads), name), weights_dir)
    own = find_own(name.model) if library is None else None
    if own is not None:
        return _resolve_own(name, own, weights_dir)
    _check_parts(name, library, network)
    if library is not None:
        published = library.look_up(name, _as_folder(weights_dir))
        if published is None:
            raise unknown(text, library_names())
        return published
    if network is not None:
        return FromScratch(name, network)
    plugin = BACKBONES.look_up(name.model)
    if plugin is None:
        raise unknown(text, [*(known.name for known in BACKBONES.everything()), *library_names()])
    return FromPlugin(name, plugin)


def _resolve_own(
    name: ExtractorName, own: OwnCheckpoint, weights_dir: str | Path | None
) -> Resolved:
    """The architecture of a checkpoint of the user's own, under the checkpoint's name."""
    built = parse(own.architecture)
    if built.random or built.steps or (not built.prefix and _is_no_plugin(built.model)):
        raise BackboneError(
            f"{own}: {own.architecture} is no architecture to load a checkpoint into; known are "
            f"names of {', '.join(LIBRARIES)} and plugins"
        )
    if name.tag is not None:
        raise BackboneError(f"{name.text}: {own.name} is a checkpoint, which takes no tag")
    # First by its own name, which is the one to be named where there is none such.
    resolve(own.architecture, weights_dir)
    found = _resolve(renamed(built, name), weights_dir)
    assert not isinstance(found, FromScratch)
    return replace(found, own=own.path)


def _is_no_plugin(model: str) -> bool:
    return model in NETWORKS or find_own(model) is not None


def _check_parts(name: ExtractorName, library: Library | None, network: Network | None) -> None:
    """Refuse parts of a name that its kind of backbone does not take."""
    text = name.text
    if name.tag is not None and not (library is not None and library.takes_tags):
        able = ", ".join(prefix for prefix, known in LIBRARIES.items() if known.takes_tags)
        raise BackboneError(f"{text}: only names of {able} carry a tag")
    if network is not None and (name.layer is not None or name.pixels is not None):
        raise BackboneError(f"{text}: a network that is trained here takes nothing after '@'")
    if name.pixels is not None and not (library is not None and library.takes_pixels):
        able = ", ".join(prefix for prefix, known in LIBRARIES.items() if known.takes_pixels)
        raise BackboneError(f"{text}: only names of {able} take an input size after '@'")
    if network is not None and set(name.steps) & set(FINETUNED):
        raise BackboneError(
            f"{text}: {network.id} is trained from scratch; it has no weights to go on"
        )
    if set(name.steps) & set(LOCALIZED):
        localized = [n.id for n in NETWORKS.values() if n.localization_weight is not None]
        if name.random or network is None or network.id not in localized:
            raise BackboneError(f"{text}: +{name.steps[0]} is for {', '.join(localized)}")


def describe(
    name: str,
    weights_dir: str | Path | None = None,
    *,
    weights: str | Path = "auto",
    seed: int = 0,
) -> BackboneInfo:
    """Say what a backbone is and where its weights lie. Builds nothing and needs no network.

    What it says (label, digest) is what `create_backbone` gives for the same arguments, so that
    results can be looked up before anything is built.

    Parameters
    ----------
    name : str
        Its name; see `extractors.names` for the grammar.
    weights_dir : str | Path | None
        A folder of checkpoints that is searched before the libraries' caches.
    weights : str | Path
        "auto", "random" or the path of a checkpoint, as for `create_backbone`.
    seed : int
        Of random weights.

    Returns
    -------
    BackboneInfo
        What is known of it.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone; the message gives the nearest names.
    BackboneError
        If the name is not well formed, `weights` names a file that cannot be read, or `weights_dir`
        is no folder.
    """
    resolved = resolve(name, weights_dir)
    return describe_resolved(resolved, weights_dir, weights=weights, seed=seed)


def describe_resolved(
    resolved: Resolved,
    weights_dir: str | Path | None = None,
    *,
    weights: str | Path = "auto",
    seed: int = 0,
) -> BackboneInfo:
    """`describe` for a name that has been looked up."""
    if resolved.name.random and weights not in ("auto", "random"):
        raise BackboneError(f"{resolved.name.text}: its weights are drawn; it takes no checkpoint")
    match resolved:
        case FromScratch():
            return _describe_network(resolved, weights, seed)
        case FromPlugin():
            return _describe_plugin(resolved, weights)
        case Published():
            return _describe_published(resolved, weights_dir, weights, seed)


def available(names: Iterable[str], weights_dir: str | Path | None = None) -> list[BackboneInfo]:
    """Describe the backbones of some names, then those of all plugins.

    Parameters
    ----------
    names : Iterable[str]
        Names as for `describe`.
    weights_dir : str | Path | None
        A folder of checkpoints that is searched before the libraries' caches.

    Returns
    -------
    list[BackboneInfo]
        One for each name and each plugin. A plugin that cannot be imported has its `problem`.

    Raises
    ------
    BackboneError
        As `describe`.
    """
    infos = [describe(name, weights_dir) for name in names]
    for plugin in BACKBONES.everything():
        # Not by its name, which may be why it cannot be used.
        name = ExtractorName(text=plugin.name, prefix="", model=plugin.name)
        infos.append(_describe_plugin(FromPlugin(name, plugin), "auto"))
    return infos


def _describe_published(
    published: Published, weights_dir: str | Path | None, weights: str | Path, seed: int
) -> BackboneInfo:
    label, path, digest = published.tag, None, None
    origin: Origin = "pretrained"
    if weights == "auto" and published.own is not None:
        weights = published.own
    if published.name.random or weights == "random":
        label, origin = "random", "random"
        # What is to be drawn is not known without its configuration.
        digest = _random_digest(published, seed) if published.input is not None else None
    elif weights != "auto":
        path = Path(weights).expanduser()
        digest = checkpoint_digest(path)
        label, origin = f"file:{digest[:12]}", "file"
    else:
        path = published.library.find_checkpoint(published, _as_folder(weights_dir))
        digest = checkpoint_digest(path) if path is not None else None
        if path is not None and digest is not None and not is_published(published, path, digest):
            label, origin = f"file:{digest[:12]}", "file"
    return BackboneInfo(
        name=published.name.text,
        kind=published.library.prefix,
        architecture=published.architecture,
        weights=label,
        origin=origin,
        weights_path=path,
        weights_digest=digest,
        cached=digest is not None,
        downloadable=published.source is not None,
        source=published.source,
        download_files=published.filenames if published.repository else (),
        config_files=published.config_files,
        download_bytes=published.download_bytes,
        input=published.input,
        config_digest=published.config_digest,
        hint="" if digest is not None else _hint(published),
    )


def _random_digest(published: Published, seed: int) -> str:
    """What identifies seeded random weights: the draw, and the libraries that make it."""
    import torch

    library = published.library
    return (
        f"random-seed{seed}-{library.prefix}:{published.architecture}"
        f"-torch{torch.__version__}-{library.version()}"
    )


def _hint(published: Published) -> str:
    """How to get a checkpoint that is not cached."""
    if published.config_digest is not None or published.config_files:
        return (
            f"where there is a network, python -m bench weights download {published.name.base} "
            "--to DIR gets them; then give --weights-dir DIR"
        )
    if published.repository is not None:
        page = f"https://huggingface.co/{published.repository.partition('@')[0]}"
        file = f"{published.architecture}.{published.tag}.safetensors"
        return (
            f"get {published.filenames[0]} from {page}, save it as {file} in the folder of "
            "--weights-dir"
        )
    if published.url is not None:
        return (
            f"get {published.url}, save it as {url_file_name(published.url)} in the folder of "
            "--weights-dir"
        )
    return (
        "no weights are published; give a checkpoint of your own, or use "
        f"random:{published.name.base}"
    )


def _as_folder(folder: str | Path | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise BackboneError(f"{folder}: no such folder of weights")
    return path


def _describe_network(scratch: FromScratch, weights: str | Path, seed: int) -> BackboneInfo:
    """A network of this suite: trained from scratch, or with random weights as they are drawn."""
    import torch

    name, network = scratch.name, scratch.network
    drawn = name.random or weights == "random"
    draw = f"random-seed{seed}-{network.id}-torch{torch.__version__}"
    half: Triple = (0.5, 0.5, 0.5)
    return BackboneInfo(
        name=name.text,
        kind="network",
        architecture=network.id,
        weights="random" if drawn else "scratch",
        origin="random" if drawn else "scratch",
        family=network.family,
        weights_digest=draw if drawn else None,
        cached=drawn,
        input=InputSpec(network.input_size, network.input_size, half, half),
        hint="" if drawn else f"{HOW_TO_TRAIN}; random:{network.id} takes it as it is drawn",
    )


def _describe_plugin(resolved: FromPlugin, weights: str | Path) -> BackboneInfo:
    name, plugin = resolved.name, resolved.plugin
    if isinstance(plugin, BrokenEntry):
        return BackboneInfo(
            name=name.text,
            kind="plugin",
            architecture=plugin.name,
            weights="plugin",
            origin="plugin",
            problem=plugin.problem,
            hint=f"repair or uninstall {plugin.origin}",
        )
    label, digest, path = "plugin", None, None
    origin: Origin = "plugin"
    if weights == "auto" and resolved.own is not None:
        weights = resolved.own
    if name.random or weights == "random":
        label, origin = "random", "random"
    elif weights != "auto":
        path = Path(weights).expanduser()
        digest = checkpoint_digest(path)
        label, origin = f"file:{digest[:12]}", "file"
    return BackboneInfo(
        name=name.text,
        kind="plugin",
        architecture=plugin.name,
        weights=label,
        origin=origin,
        family=plugin.value.family,
        weights_path=path,
        weights_digest=digest,
        cached=True,
        input=plugin.value.input,
        source_digest=plugin.digest,
    )
