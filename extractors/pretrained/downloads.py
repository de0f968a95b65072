"""Downloads a checkpoint into the cache in which its library would search for it."""

from __future__ import annotations

from pathlib import Path

from extractors.backbone import BackboneInfo
from extractors.errors import MissingWeights
from extractors.pretrained.connectivity import why_unreachable
from extractors.pretrained.provenance import HASH_IN_NAME
from extractors.pretrained.weights import torch_hub_file


def download_weights(info: BackboneInfo) -> Path:
    """Fetch the published weights of a backbone.

    What is on the Hugging Face Hub comes into its cache, anything else into that of torch.hub.

    Parameters
    ----------
    info : BackboneInfo
        From `describe`.

    Returns
    -------
    Path
        Where the checkpoint lies now.

    Raises
    ------
    MissingWeights
        If none are published, if what serves them cannot be reached, or if the download fails: one
        line.
    """
    if info.source is None:
        raise MissingWeights(f"{info.name}: there is nothing to download")
    if reason := why_unreachable(info.source):
        raise MissingWeights(f"{info.name}: {reason}; {info.hint}")
    try:
        if info.download_files:
            return _first_of(info.source, info.download_files)
        return fetch(info.source, torch_hub_file(info.source))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingWeights(
            f"{info.name}: download failed ({type(error).__name__}: {reason}); {info.hint}"
        ) from error


def fetch(source: str, destination: Path) -> Path:
    """The one function that touches the network.

    `source` is a URL, saved as `destination`, or `owner/name[@revision]:filename` on the Hugging
    Face Hub, saved in the cache folder `destination`. Both are written whole or not at all.
    """
    if source.startswith(("https://", "http://")):
        import torch

        expected = HASH_IN_NAME.search(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            source, str(destination), expected[1] if expected else None, progress=False
        )
        return destination
    from huggingface_hub import hf_hub_download

    repository, _, filename = source.rpartition(":")
    repository, _, revision = repository.partition("@")
    path = hf_hub_download(
        repository, filename, revision=revision or None, cache_dir=str(destination)
    )
    return Path(path)


def _first_of(repository: str, filenames: tuple[str, ...]) -> Path:
    """The first of the files that the repository holds."""
    from huggingface_hub import constants
    from huggingface_hub.errors import EntryNotFoundError

    cache = Path(constants.HF_HUB_CACHE)
    for filename in filenames[:-1]:
        try:
            return fetch(f"{repository}:{filename}", cache)
        except EntryNotFoundError:
            continue
    return fetch(f"{repository}:{filenames[-1]}", cache)
