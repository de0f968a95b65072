"""Checkpoints of medical models with names of their own, loaded by what the registry says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.backbone import InputSpec
from extractors.errors import BackboneError
from extractors.names import ExtractorName, parse
from extractors.pretrained.checkpoints import StateDict, explain_mismatch, read_state_dict
from extractors.pretrained.hub.snapshots import digest_of
from extractors.pretrained.library import Library, Published
from extractors.pretrained.medical.registry import CheckpointFile, medical_models
from extractors.pretrained.weights import cached_in_hub

if TYPE_CHECKING:
    from torch import nn

MEDICAL = "medical"


class MedicalFiles(Library):
    """`medical:ID`, where the registry describes a file. Other ids are other extractors.

    Parameters
    ----------
    builders : tuple[Library, ...]
        The libraries that build the networks.
    """

    prefix = MEDICAL
    package = "timm"

    def __init__(self, builders: tuple[Library, ...]) -> None:
        self._builders = {library.prefix: library for library in builders}

    def names(self) -> Iterable[str]:
        """All models of the registry."""
        return [f"{self.prefix}:{model}" for model in medical_models()]

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What the registry says of the file."""
        model = medical_models().get(name.model)
        if model is None:
            return None
        file = model.file
        if file is None:
            raise BackboneError(f"{name.text}: {model.note}; see {model.page}")
        built = self._built(file)
        mean, std = (file.mean,) * 3, (file.std,) * 3
        return replace(
            built,
            name=name,
            library=self,
            tag=model.id,
            input=InputSpec(*file.size, mean, std),
            url=None,
            repository=file.repository,
            filenames=(file.name,),
            download_bytes=None,
            is_default_tag=True,
            config_digest=digest_of((), built.library.version(), file),
        )

    def find_checkpoint(self, published: Published, weights_dir: Path | None) -> Path | None:
        """As the Hub's client lays it out, or as a file of its own name in the folder."""
        places = [*self.cached(published)]
        if weights_dir is not None:
            (name,) = published.filenames
            copies = [weights_dir, weights_dir / "hub"]
            listed = [p for copy in copies for p in cached_in_hub(published.repository, name, copy)]
            places = [*listed, weights_dir / Path(name).name, *places]
        return next((place for place in places if place.is_file()), None)

    def _built(self, file: CheckpointFile) -> Published:
        architecture = parse(file.architecture)
        published = self._builders[architecture.prefix].look_up(architecture)
        assert published is not None
        return published

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The network of the architecture without its classifier."""
        file = medical_models()[published.name.model].file
        assert file is not None
        built = self._built(file)
        network = built.library.remove_classifier(built.library.build(built, None))
        if checkpoint is None:
            return network
        expected = dict(network.state_dict())
        state = translated(read_state_dict(checkpoint), file, expected)
        missing = [key for key in expected if key not in state]
        wrong = [k for k, t in state.items() if k in expected and t.shape != expected[k].shape]
        unexpected = [key for key in state if key not in expected]
        if wrong or unexpected or any(not k.endswith("num_batches_tracked") for k in missing):
            raise explain_mismatch(checkpoint, published.name.base, missing, unexpected, wrong)
        network.load_state_dict(state, strict=False)
        return network

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """It is not there any more."""
        return network

    def cached(self, published: Published) -> Iterator[Path]:
        """The Hub's cache."""
        for filename in published.filenames:
            yield from cached_in_hub(published.repository, filename)


def translated(state: StateDict, file: CheckpointFile, expected: StateDict) -> StateDict:
    """The tensors of the network in the file, under the architecture's names.

    Parameters
    ----------
    state : StateDict
        All tensors of the file.
    file : CheckpointFile
        What the registry says of it.
    expected : StateDict
        The network's own.

    Returns
    -------
    StateDict
        As far as their names, or their order, can be translated.
    """
    if any(name.startswith(file.prefix) for name in state):
        state = {
            name.removeprefix(file.prefix): tensor
            for name, tensor in state.items()
            if name.startswith(file.prefix)
        }
    if file.in_order:
        # The classifier, where there is one, stands last.
        if len(state) < len(expected):
            return state
        pairs = zip(expected, state.values(), strict=False)
        return dict(pairs)
    found = {}
    for name, tensor in state.items():
        pairs_of = ((old, new) for old, new in file.rename if name.startswith(old))
        old, new = next(pairs_of, ("", ""))
        found[new + name.removeprefix(old)] = tensor
    # What an architecture's own classifier is called.
    return {k: t for k, t in found.items() if k in expected or not k.startswith("fc.")}
