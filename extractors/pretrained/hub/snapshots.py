"""Repositories of the Hugging Face Hub as they lie on this machine; nothing is asked of a network.

A repository is looked for in a user's folder of weights, as the Hub's client lays it out or as
plain files under `ORG/NAME`, and then in the client's own cache.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.pretrained.library import Library, Published
from extractors.pretrained.weights import cached_in_hub

INSTALL = "pip install 'vit-svm-bench[hub]'"


class LibraryOnHub(Library):
    """A library whose models are repositories: the configuration lies beside the weights."""

    def names(self) -> Iterable[str]:
        """None: the Hub is not searched."""
        return ()

    def cached(self, published: Published) -> Iterator[Path]:
        """Beside the configuration, and nowhere else: both are of one revision."""
        if published.config is not None:
            yield from (published.config.parent / name for name in published.filenames)

    def find_checkpoint(self, published: Published, weights_dir: Path | None) -> Path | None:
        """The weights of the snapshot that the configuration is of."""
        return next((path for path in self.cached(published) if path.is_file()), None)

    @abstractmethod
    def version(self) -> str:
        """Name and version of the package that builds the network."""


def find_snapshot(
    repository: str, config: str, weights: Sequence[str], weights_dir: Path | None
) -> Path | None:
    """The folder of a repository on this machine; one with weights comes before one without.

    Parameters
    ----------
    repository : str
        `ORG/NAME`.
    config : str
        The name of the file that says what the model is.
    weights : Sequence[str]
        Names that its weights may have.
    weights_dir : Path | None
        A user's folder of weights, searched before the client's cache.

    Returns
    -------
    Path | None
        None where the configuration is on no place of this machine.
    """
    places = [*cached_in_hub(repository, config)]
    if weights_dir is not None:
        copies = [weights_dir, weights_dir / "hub"]
        listed = [path for copy in copies for path in cached_in_hub(repository, config, copy)]
        places = [*listed, weights_dir / repository / config, *places]
    folders = [path.parent for path in dict.fromkeys(places) if path.is_file()]
    whole = (folder for folder in folders if any((folder / name).is_file() for name in weights))
    return next(whole, folders[0] if folders else None)


def revision_label(folder: Path) -> str:
    """What tables call the weights of a snapshot: its revision, as far as it is known."""
    return f"hub:{folder.name[:12]}" if folder.parent.name == "snapshots" else "hub"


def read_json(path: Path) -> dict[str, Any]:
    """A configuration; BackboneError, with its path, where it is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BackboneError(f"{path}: cannot be read ({reason})") from error
    if not isinstance(found, dict):
        raise BackboneError(f"{path}: not the configuration of a model")
    return found


def no_configuration(name: ExtractorName, config: str) -> BackboneError:
    """The error for a network that cannot be built, since its configuration is missing."""
    return BackboneError(
        f"{name.text}: its {config} is not on this machine; python -m bench weights download "
        f"{name.base} --to DIR gets it where there is a network; then give --weights-dir DIR"
    )


def digest_of(files: Iterable[Path], version: str, *more: object) -> str:
    """SHA-256 (hexadecimal) of configurations and of what else features depend on."""
    summary = hashlib.sha256(json.dumps([version, *map(str, more)]).encode())
    for file in files:
        summary.update(f"\n{file.name}\n".encode() + file.read_bytes())
    return summary.hexdigest()


def refuse_parts(name: str, folder: Path, filenames: Sequence[str]) -> None:
    """Refuse weights that are split over several files."""
    if any((folder / filename).is_file() for filename in filenames):
        return
    for filename in filenames:
        if (folder / f"{filename}.index.json").is_file():
            raise BackboneError(
                f"{name}: its weights are split over several files, which is not supported; join "
                f"them into one {filenames[0]}, or write a plugin (docs/plugins.md)"
            )
