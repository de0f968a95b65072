"""torchvision's classification networks, with weights from download.pytorch.org."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from extractors.backbone import InputSpec, as_triple
from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.pretrained.checkpoints import (
    StateDict,
    explain_mismatch,
    left_out_of,
    note_left_out,
    read_state_dict,
)
from extractors.pretrained.library import Library, Published, unknown
from extractors.pretrained.weights import torch_hub_file

if TYPE_CHECKING:
    from torch import nn

# DenseNet's published checkpoints still carry module names that PyTorch no longer allows.
_OLD_DENSENET_KEY = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
# Heads of GoogLeNet and Inception that only training uses.
_AUXILIARY = re.compile(r"aux\d*\.|AuxLogits\.")


class Torchvision(Library):
    """The models of torchvision."""

    prefix = "torchvision"
    package = "torchvision"
    takes_tags = True
    # The activations after ReLU.
    layer_aliases = MappingProxyType({"alexnet": {"fc6": "classifier.2", "fc7": "classifier.5"}})

    def names(self) -> Iterable[str]:
        """All classification models, without tags."""
        import torchvision.models as zoo

        return [f"{self.prefix}:{model}" for model in zoo.list_models(module=zoo)]

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What torchvision's enumeration of weights says."""
        import torchvision.models as zoo

        if name.model not in zoo.list_models(module=zoo):
            return None
        tags = zoo.get_model_weights(name.model)
        if name.tag is not None and name.tag not in tags.__members__:
            known = [f"{self.prefix}:{name.model}.{tag}" for tag in tags.__members__]
            raise unknown(name.text, known)
        chosen = tags[name.tag] if name.tag is not None else tags.DEFAULT
        preset = chosen.transforms()
        size = int(preset.crop_size[0])
        megabytes = chosen.meta.get("_file_size")
        return Published(
            name=name,
            library=self,
            architecture=name.model,
            tag=chosen.name,
            input=InputSpec(size, size, as_triple(preset.mean), as_triple(preset.std)),
            is_default_tag=chosen.name == tags.DEFAULT.name,
            url=chosen.url,
            download_bytes=round(megabytes * 2**20) if megabytes else None,
            img_size=size,
        )

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The network; a checkpoint's classifier may be missing or have other classes."""
        import torchvision.models as zoo

        arguments = _builder_arguments(published)
        network: nn.Module = zoo.get_model_builder(published.architecture)(
            weights=None, **arguments
        )
        if checkpoint is not None:
            _load(network, published, checkpoint)
        return network

    def cached(self, published: Published) -> Iterator[Path]:
        """The cache of torch.hub."""
        assert published.url is not None
        yield torch_hub_file(published.url)


def _builder_arguments(published: Published) -> dict[str, Any]:
    """What a builder needs without its weights, so that they fit.

    The published GoogLeNet and Inception were trained on images on [-1, 1] and turn ImageNet's
    normalisation into that by themselves; their auxiliary heads serve training only.
    """
    if published.architecture in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "transform_input": True, "init_weights": True}
    if published.architecture.startswith("vit_"):
        return {"image_size": published.img_size}
    return {}


def _load(network: nn.Module, published: Published, checkpoint: Path) -> None:
    """Load a checkpoint whole; only the classifier may lack or have other classes."""
    from extractors.layers import find_classifier

    name = published.name
    read = read_state_dict(checkpoint, network.state_dict)
    state = _renamed(read)
    note_left_out(network, checkpoint, left_out_of(read))
    head = f"{find_classifier(network)}."
    expected = network.state_dict()

    def fits(key: str) -> bool:
        return bool(state[key].shape == expected[key].shape)

    # A classifier may have other classes, or be another module in the same place.
    place = f"{head.partition('.')[0]}."
    other = {key for key in state if key.startswith(place) and key not in expected}
    wrong_head = [k for k in expected if k.startswith(head) and k in state and not fits(k)]
    if other or wrong_head:
        dropped = {key for key in state if key in other or key.startswith(head)}
        state = {key: value for key, value in state.items() if key not in dropped}
        note_left_out(network, checkpoint, sorted(dropped))
    wrong = [key for key in expected if key in state and not fits(key)]
    missing = [k for k in expected if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in expected]
    headless = bool(missing) and all(key.startswith(head) for key in missing)
    if wrong or unexpected or (missing and not headless):
        raise explain_mismatch(checkpoint, name.base, missing, unexpected, wrong)
    if headless and name.layer is not None and head.startswith(f"{name.layer}."):
        raise BackboneError(f"{name.text}: {checkpoint} has no weights for layer {name.layer}")
    network.load_state_dict(state, strict=False)


def _renamed(state: StateDict) -> StateDict:
    """A published state dict with today's names of modules, without auxiliary heads."""
    return {
        "".join(old.groups()) if (old := _OLD_DENSENET_KEY.match(key)) else key: value
        for key, value in state.items()
        if not _AUXILIARY.match(key)
    }
