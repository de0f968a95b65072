"""What is known of a backbone before it is built: `describe` for one, `available` for a list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from extractors import plugins
from extractors.backbone import BackboneInfo, InputSpec, Triple
from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.plugins import BrokenPlugin
from extractors.pretrained.library import Published
from extractors.pretrained.weights import checkpoint_digest, url_file_name
from extractors.resolve import FromPlugin, FromScratch, Resolved, resolve

HOW_TO_TRAIN = "it is trained, by `all`, or in a notebook by extractors.training.loop.train"


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
    return describe_resolved(resolve(name), weights_dir, weights=weights, seed=seed)


def describe_resolved(
    resolved: Resolved,
    weights_dir: str | Path | None = None,
    *,
    weights: str | Path = "auto",
    seed: int = 0,
) -> BackboneInfo:
    """`describe` for a name that has been looked up."""
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
    for plugin in plugins.plugins():
        # Not by its name, which may be why it cannot be used.
        name = ExtractorName(text=plugin.name, prefix="", model=plugin.name)
        infos.append(_describe_plugin(FromPlugin(name, plugin), "auto"))
    return infos


def _describe_published(
    published: Published, weights_dir: str | Path | None, weights: str | Path, seed: int
) -> BackboneInfo:
    label, path, digest = published.tag, None, None
    if published.name.random or weights == "random":
        label, digest = "random", _random_digest(published, seed)
    elif weights != "auto":
        path = Path(weights).expanduser()
        digest = checkpoint_digest(path)
        label = f"file:{digest[:12]}"
    else:
        path = published.library.find_checkpoint(published, _as_folder(weights_dir))
        digest = checkpoint_digest(path) if path is not None else None
    return BackboneInfo(
        name=published.name.text,
        kind=published.library.prefix,
        architecture=published.architecture,
        weights=label,
        weights_path=path,
        weights_digest=digest,
        cached=digest is not None,
        downloadable=published.source is not None,
        source=published.source,
        download_files=published.filenames if published.repository else (),
        download_bytes=published.download_bytes,
        input=published.input,
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
    if published.repository is not None:
        page = f"https://huggingface.co/{published.repository.partition('@')[0]}"
        file = f"{published.architecture}.{published.tag}.safetensors"
        return f"get {published.filenames[0]} from {page}, save it as {file} in the weights folder"
    if published.url is not None:
        return (
            f"get {published.url}, save it as {url_file_name(published.url)} in the weights folder"
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
        weights_digest=draw if drawn else None,
        cached=drawn,
        input=InputSpec(network.input_size, network.input_size, half, half),
        hint="" if drawn else f"{HOW_TO_TRAIN}; random:{network.id} takes it as it is drawn",
    )


def _describe_plugin(resolved: FromPlugin, weights: str | Path) -> BackboneInfo:
    name, plugin = resolved.name, resolved.plugin
    if isinstance(plugin, BrokenPlugin):
        return BackboneInfo(
            name=name.text,
            kind="plugin",
            architecture=plugin.name,
            weights="plugin",
            problem=plugin.problem,
            hint=f"repair or uninstall {plugin.origin}",
        )
    label, digest, path = "plugin", None, None
    if name.random or weights == "random":
        label = "random"
    elif weights != "auto":
        path = Path(weights).expanduser()
        digest = checkpoint_digest(path)
        label = f"file:{digest[:12]}"
    return BackboneInfo(
        name=name.text,
        kind="plugin",
        architecture=plugin.name,
        weights=label,
        weights_path=path,
        weights_digest=digest,
        cached=True,
        input=plugin.input,
        source_digest=plugin.digest,
    )
