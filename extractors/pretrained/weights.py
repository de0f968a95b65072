"""Where checkpoints lie on this machine: found by name, without a network and without building one.

Searched in this order: the folder of weights the user names, the Hugging Face cache (where timm
keeps its own), the checkpoints folder of torch.hub (where torchvision does).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.pretrained.catalogue import PublishedWeights

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")

_digests: dict[tuple[str, int, int], str] = {}


def checkpoint_digest(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file; read again only when its size or time has changed.

    Raises
    ------
    BackboneError
        If it cannot be read.
    """
    try:
        status = path.stat()
        key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        if key not in _digests:
            with path.open("rb") as stream:
                _digests[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BackboneError(f"{path}: cannot be read ({error.strerror or error})") from error
    return _digests[key]


def find_checkpoint(
    name: ExtractorName, published: PublishedWeights, weights_dir: Path | None = None
) -> Path | None:
    """The checkpoint of a timm or torchvision backbone, or None if it is not on this machine.

    A file in `weights_dir` may be named as the backbone was asked for, with or without its tag, or
    as its library names it; subfolders `timm/` and `torchvision/` are looked into first, since both
    libraries have a `resnet18`. A file without a tag in its name counts for the default tag only.
    """
    places = [
        *(_in_folder(name, published, weights_dir) if weights_dir is not None else ()),
        *_in_hub_cache(published),
        *_in_torch_hub(published),
    ]
    return next((place for place in places if place.is_file()), None)


def hub_cache() -> Path:
    """The Hugging Face cache folder, by its own environment variables, read now."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return _user_cache() / "huggingface" / "hub"


def torch_checkpoints() -> Path:
    """The checkpoints folder of torch.hub, by its own environment variables, read now."""
    home = os.environ.get("TORCH_HOME")
    return (Path(home).expanduser() if home else _user_cache() / "torch") / "hub" / "checkpoints"


def url_file_name(url: str) -> str:
    """The file that torch.hub keeps a download under."""
    return Path(urlparse(url).path).name


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _in_folder(name: ExtractorName, published: PublishedWeights, folder: Path) -> Iterator[Path]:
    stems = [f"{name.model}.{published.tag}", f"{published.architecture}.{published.tag}"]
    if published.is_default_tag:
        stems += [name.model, published.architecture]
    stems = list(dict.fromkeys(stems))
    for place in (folder / published.kind, folder):
        for stem in stems:
            yield from (place / f"{stem}{suffix}" for suffix in SUFFIXES)
        if published.url:
            yield place / url_file_name(published.url)
            yield place / "checkpoints" / url_file_name(published.url)
            yield place / "hub" / "checkpoints" / url_file_name(published.url)
        for filename in published.filenames:
            yield from (place / stem / filename for stem in stems)
            yield from _snapshots(place, published.repository, filename)
            yield from _snapshots(place / "hub", published.repository, filename)


def _in_hub_cache(published: PublishedWeights) -> Iterator[Path]:
    for filename in published.filenames:
        yield from _snapshots(hub_cache(), published.repository, filename)


def _in_torch_hub(published: PublishedWeights) -> Iterator[Path]:
    if published.url:
        yield torch_checkpoints() / url_file_name(published.url)


def _snapshots(cache: Path, repository: str | None, filename: str) -> Iterator[Path]:
    """A file of a repository in a cache laid out as the Hub's client does, newest revision known.

    The revision that `refs/main` points at comes first; then, for a folder copied without its refs,
    whatever snapshot there is.
    """
    if repository is None:
        return
    owner_and_name, _, revision = repository.partition("@")
    folder = cache / f"models--{owner_and_name.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    if reference.is_file():
        known = reference.read_text(errors="replace").strip()
        yield folder / "snapshots" / known / filename
    elif revision:
        yield folder / "snapshots" / revision / filename
    if not revision:
        yield from sorted(folder.glob(f"snapshots/*/{filename}"))
