"""The caches where libraries keep checkpoints, read without a network; and digests of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from extractors.errors import BackboneError

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


def cached_in_torch_hub(url: str | None) -> Iterator[Path]:
    """Where torch.hub keeps what it downloads from a URL."""
    if url:
        yield torch_checkpoints() / url_file_name(url)


def cached_in_hub(
    repository: str | None, filename: str, cache: Path | None = None
) -> Iterator[Path]:
    """A file of a repository in a cache laid out as the Hub's client does, newest revision known.

    The revision that `refs/main` points at comes first; then, for a folder copied without its refs,
    whatever snapshot there is.
    """
    if repository is None:
        return
    owner_and_name, _, revision = repository.partition("@")
    folder = (cache or hub_cache()) / f"models--{owner_and_name.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    if reference.is_file():
        known = reference.read_text(errors="replace").strip()
        yield folder / "snapshots" / known / filename
    elif revision:
        yield folder / "snapshots" / revision / filename
    if not revision:
        yield from sorted(folder.glob(f"snapshots/*/{filename}"))


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
