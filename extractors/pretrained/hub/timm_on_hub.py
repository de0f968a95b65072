"""timm's models on the Hugging Face Hub: their `config.json` says architecture and input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.backbone import InputSpec, as_triple
from extractors.errors import BackboneError
from extractors.names import TIMM_ON_HUB, ExtractorName
from extractors.pretrained.hub.inputs import interpolation_named
from extractors.pretrained.hub.snapshots import (
    LibraryOnHub,
    digest_of,
    find_snapshot,
    no_configuration,
    read_json,
    refuse_parts,
    revision_label,
)
from extractors.pretrained.library import Published
from extractors.pretrained.timm import Timm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


# Where weights come from is not for a configuration to say; classes are counted in the weights.
_NOT_ITS_OWN = (
    *("model_name", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path"),
    *("cache_dir", "num_classes", "features_only", "scriptable", "exportable", "no_jit"),
)


class TimmOnHub(LibraryOnHub, Timm):
    """`hf-hub:ORG/NAME`."""

    prefix = TIMM_ON_HUB
    takes_tags = False

    def names(self) -> Iterable[str]:
        """None: the Hub is not searched."""
        return ()

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What the configuration says, if it is on this machine."""
        folder = find_snapshot(name.model, CONFIG, WEIGHTS, weights_dir)
        files: dict[str, Any] = {
            "repository": name.model,
            "filenames": WEIGHTS,
            "config_files": ((CONFIG,),),
        }
        if folder is None:
            return Published(
                name=name, library=self, architecture=name.model, tag="hub", input=None, **files
            )
        architecture, config, _ = _read(name.text, folder / CONFIG)
        refuse_parts(name.text, folder, WEIGHTS)
        heads = config.get("classifier") or ()
        return Published(
            name=name,
            library=self,
            architecture=architecture,
            tag=revision_label(folder),
            input=_input(name, config),
            classifier=(heads,) if isinstance(heads, str) else tuple(heads),
            img_size=name.pixels if config.get("fixed_input_size") else None,
            config=folder / CONFIG,
            config_digest=digest_of([folder / CONFIG], self.version()),
            **files,
        )

    def arguments(self, published: Published) -> dict[str, Any]:
        """Architecture and arguments, as the configuration has them."""
        if published.config is None:
            raise no_configuration(published.name, CONFIG)
        architecture, config, arguments = _read(published.name.text, published.config)
        config = {key: value for key, value in config.items() if key not in ("file", "source")}
        return {**arguments, "model_name": architecture, "pretrained_cfg": config}

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """timm's network; the channels of one that takes grey images alone are not repeated."""
        from extractors.layers import OneChannel

        network = super().build(published, checkpoint)
        return OneChannel(network) if _channels(self.arguments(published)) == 1 else network

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """timm's networks know their classifier."""
        from extractors.layers import OneChannel

        if isinstance(network, OneChannel):
            return OneChannel(super().remove_classifier(network.network))
        return super().remove_classifier(network)

    def cached(self, published: Published) -> Iterator[Path]:
        """Beside the configuration."""
        return LibraryOnHub.cached(self, published)

    def version(self) -> str:
        """Of timm."""
        return Timm.version(self)


def _read(name: str, path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Architecture, configuration of the weights and arguments, in timm's old form or its new."""
    import timm

    whole = read_json(path)
    architecture = whole.get("architecture")
    if not isinstance(architecture, str):
        other = f" (it is of {whole['model_type']}: try hf:)" if "model_type" in whole else ""
        raise BackboneError(f"{name}: {path} names no architecture of timm{other}")
    if not timm.is_model(architecture):
        raise BackboneError(
            f"{name}: timm {timm.__version__} has no architecture {architecture!r}; a newer one may"
        )
    config = dict(whole.get("pretrained_cfg") or whole)
    given = dict(whole.get("model_args") or {})
    arguments = {key: value for key, value in given.items() if key not in _NOT_ITS_OWN}
    return architecture, config, arguments


def _channels(arguments: Mapping[str, Any]) -> int:
    config = arguments["pretrained_cfg"]
    size = config.get("input_size") or (3,)
    return int(arguments.get("in_chans") or size[0])


def _input(name: ExtractorName, config: Mapping[str, Any]) -> InputSpec:
    channels, height, width = config.get("input_size") or (3, 224, 224)
    if channels not in (1, 3):
        raise BackboneError(f"{name.text}: wants images of {channels} channels, not of 1 or 3")
    if name.pixels is not None:
        height = width = name.pixels
    spec = InputSpec()
    mean, std = (
        as_triple(values * 3 if len(values) == 1 else values)
        for values in (config.get("mean") or spec.mean, config.get("std") or spec.std)
    )
    how = interpolation_named(name.text, config.get("interpolation") or "bicubic")
    return InputSpec(int(height), int(width), mean, std, how)
