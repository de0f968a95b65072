"""Downloads a checkpoint into the cache in which its library would search for it, or a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from extractors.backbone import BackboneInfo
from extractors.errors import MissingWeights
from extractors.pretrained.connectivity import why_unreachable
from extractors.pretrained.provenance import HASH_IN_NAME
from extractors.pretrained.weights import torch_hub_file, url_file_name


def download_weights(info: BackboneInfo, into: Path | None = None) -> Path:
    """Fetch the published weights of a backbone, and the configuration that belongs to them.

    What is on the Hugging Face Hub comes into its cache, anything else into that of torch.hub.

    Parameters
    ----------
    info : BackboneInfo
        From `describe`.
    into : Path | None
        A folder in place of both caches; it can be given as `weights_dir` afterwards.

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
            cache = into or _hub_cache()
            for filenames in info.config_files:
                _first_of(info.source, filenames, cache)
            return _first_of(info.source, info.download_files, cache)
        place = into / url_file_name(info.source) if into else torch_hub_file(info.source)
        return fetch(info.source, place)
    except Exception as error:
        raise MissingWeights(f"{info.name}: {_reason(info, error)}; {info.hint}") from error


def copy_weights(info: BackboneInfo, into: Path) -> Path:
    """Copy weights that are on this machine, with their configuration, into a folder.

    Parameters
    ----------
    info : BackboneInfo
        From `describe`; its weights are cached.
    into : Path
        The folder. What is of the Hub lies there as in the Hub's own cache, so that it is known
        for what was published.

    Returns
    -------
    Path
        The copy of the checkpoint.
    """
    path = info.weights_path
    assert path is not None
    above = (folder for folder in path.parents if folder.parent.name == "snapshots")
    snapshot = next(above, None)
    if snapshot is None:
        return _copied(path, into / path.name)
    home = into / snapshot.parent.parent.name
    checkpoint = path.relative_to(snapshot)
    for name in (checkpoint, *_present(info, snapshot)):
        _copy_of_snapshot(snapshot, name, home)
    for ref in (snapshot.parent.parent / "refs").glob("*"):
        if ref.is_file() and ref.read_text(encoding="utf-8") == snapshot.name:
            _copied(ref, home / "refs" / ref.name)
    return home / "snapshots" / snapshot.name / checkpoint


def _present(info: BackboneInfo, snapshot: Path) -> Iterator[Path]:
    names = (name for names in info.config_files for name in names)
    return (Path(name) for name in names if (snapshot / name).is_file())


def _copy_of_snapshot(snapshot: Path, name: Path, home: Path) -> None:
    """A file of a snapshot as the Hub's client keeps it: a link to a blob, or a file itself."""
    file = snapshot / name
    link, blob = home / "snapshots" / snapshot.name / name, file.resolve()
    if blob.parent.name != "blobs":
        _copied(file, link)
        return
    kept = _copied(blob, home / "blobs" / blob.name)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(Path(*[".."] * (len(name.parts) + 1)) / "blobs" / blob.name)
        except OSError:  # a file system without links
            _copied(kept, link)


def _copied(source: Path, target: Path) -> Path:
    """Copied whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _reason(info: BackboneInfo, error: Exception) -> str:
    """Why a download failed, and what to do where the Hub says it."""
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{str(info.source).partition('@')[0]}"
    if isinstance(error, errors.GatedRepoError):
        return (
            f"access is gated: accept the terms at {page}, then log in with `hf auth login` or set "
            "HF_TOKEN"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no {page}, or it is private (log in with `hf auth login` or set HF_TOKEN)"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"{constants.ENDPOINT} did not answer while its files were fetched"
    if isinstance(error, errors.EntryNotFoundError):
        wanted = " or ".join((*(names[0] for names in info.config_files), info.download_files[-1]))
        return f"{page} holds no model that {info.kind}: can load (it wants {wanted})"
    reason = " ".join(str(error).split())[:200]
    return f"download failed ({type(error).__name__}: {reason})"


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


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


def _first_of(repository: str, filenames: tuple[str, ...], cache: Path) -> Path:
    """The first of the files that the repository holds."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for filename in filenames[:-1]:
        try:
            return fetch(f"{repository}:{filename}", cache)
        except LocalEntryNotFoundError:  # of its kind, but says that nothing answered
            raise
        except EntryNotFoundError:
            continue
    return fetch(f"{repository}:{filenames[-1]}", cache)
