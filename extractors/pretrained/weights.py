"""The caches where libraries keep checkpoints, read without a network; and digests of files."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from extractors.errors import BackboneError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")

# Where a cache of the Hub keeps its files, and which of them are current.
_IN_HUB = ("models--*/snapshots/*/*", "models--*/snapshots/*/*/*", "models--*/refs/*")

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


def url_file_name(url: str) -> str:
    """The file that torch.hub keeps a download under."""
    return Path(urlparse(url).path).name


def torch_hub_file(url: str) -> Path:
    """Where torch.hub keeps what it downloads from a URL."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / url_file_name(url)


def cached_checkpoints(weights_dir: Path | None = None) -> list[tuple[str, int, int]]:
    """What lies in the places where checkpoints are looked for; imports no library of networks.

    Parameters
    ----------
    weights_dir : Path | None
        A folder that is searched first.

    Returns
    -------
    list[tuple[str, int, int]]
        Path, size in bytes and time of change in nanoseconds of each file.
    """
    from huggingface_hub import constants

    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or f"{caches}/torch").expanduser()
    found = [*(home / "hub" / "checkpoints").glob("*")]
    found += (file for part in _IN_HUB for file in Path(constants.HF_HUB_CACHE).glob(part))
    if weights_dir is not None:
        folder = weights_dir.expanduser()
        for pattern in ("*", "*/*", "*/*/*", *_IN_HUB, *(f"hub/{part}" for part in _IN_HUB)):
            found += folder.glob(pattern)
    listed = []
    for path in sorted(set(found)):
        with contextlib.suppress(OSError):  # a link to nothing, or gone by now
            status = path.stat()
            listed.append((str(path), status.st_size, status.st_mtime_ns))
    return listed


def cached_in_hub(
    repository: str | None, filename: str, cache: Path | None = None
) -> Iterator[Path]:
    """Where a file of a repository, `owner/name[@revision]`, lies in a cache of the Hub's client.

    What the client itself would take comes first; then, for a folder copied without its references
    and where no revision is named, the file of any snapshot. `cache` None is the client's own.
    """
    if repository is None:
        return
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name

    folder = cache or Path(constants.HF_HUB_CACHE)
    name, _, revision = repository.partition("@")
    found = try_to_load_from_cache(name, filename, folder, revision or None)
    if isinstance(found, str):
        yield Path(found)
    if not revision:
        snapshots = folder / repo_folder_name(repo_id=name, repo_type="model") / "snapshots"
        yield from sorted(snapshots.glob(f"*/{filename}"))
