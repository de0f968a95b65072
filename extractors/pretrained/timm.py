"""timm's networks, with weights from the Hugging Face Hub or a direct URL."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.backbone import InputSpec, as_triple
from extractors.errors import BackboneError
from extractors.names import ExtractorName
from extractors.pretrained.checkpoints import (
    StateDict,
    explain_mismatch,
    explain_strict_error,
    left_out_of,
    note_head,
    note_left_out,
    read_state_dict,
)
from extractors.pretrained.library import Library, Published, unknown
from extractors.pretrained.weights import cached_in_hub, torch_hub_file

if TYPE_CHECKING:
    from torch import nn

# timm's tables hold no file sizes; for some usual backbones they are the number of published
# parameters times four bytes (a test counts them).
_DOWNLOAD_BYTES = {
    "vit_tiny_patch16_224": 22_869_664,
    "vit_small_patch16_224": 88_202_656,
    "vit_base_patch16_224": 346_270_624,
    "deit_small_patch16_224": 88_202_656,
    "swin_tiny_patch4_window7_224": 113_153_416,
    "convnext_tiny": 114_356_512,
    "vit_small_patch14_dinov2": 88_224_768,
}


class Timm(Library):
    """The models of timm."""

    prefix = "timm"
    package = "timm"
    takes_tags = True
    takes_pixels = True

    def names(self) -> Iterable[str]:
        """All models, without tags."""
        import timm

        return [f"{self.prefix}:{model}" for model in timm.list_models()]

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What timm's tables say; an old name stands for the new one."""
        import timm
        from timm.models import get_deprecated_models

        architecture, tag = name.model, name.tag
        # Old names map to new ones, or to None where a model was withdrawn.
        deprecated = get_deprecated_models()
        renamed = deprecated.get(architecture)
        if renamed:
            architecture, _, old_tag = renamed.partition(".")
            tag = tag or old_tag or None
        withdrawn = renamed is None and architecture in deprecated
        if withdrawn or not timm.is_model(architecture):
            return None
        try:
            config = timm.get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
        except RuntimeError:  # what timm raises for an unknown tag
            known = timm.models.get_arch_pretrained_cfgs(architecture)
            raise unknown(name.text, [f"{self.prefix}:{one}" for one in known]) from None
        if config is None and tag:
            raise unknown(name.text, [f"{self.prefix}:{architecture}"])
        return self._published(name, architecture, config)

    def _published(self, name: ExtractorName, architecture: str, config: Any) -> Published:
        """From timm's configuration of one set of weights, None where it publishes none."""
        import timm

        pixels = name.pixels
        if pixels is None and "dinov2" in architecture:
            pixels = 224  # 518 px cost five times as much; `@518` requests them
        size = (224, 224) if config is None else tuple(config.input_size[1:])
        if pixels is not None:
            size = (pixels, pixels)
        if config is None:
            return Published(
                name=name,
                library=self,
                architecture=architecture,
                tag="none",
                input=InputSpec(*size),
            )
        default = timm.get_pretrained_cfg(architecture)
        is_default = default is not None and config.tag == default.tag
        heads = config.classifier or ()
        return Published(
            name=name,
            library=self,
            architecture=architecture,
            tag=config.tag or "none",
            input=InputSpec(size[0], size[1], as_triple(config.mean), as_triple(config.std)),
            is_default_tag=is_default,
            url=config.url or None,
            repository=config.hf_hub_id or None,
            filenames=_hub_filenames(config.hf_hub_filename),
            download_bytes=_DOWNLOAD_BYTES.get(architecture) if is_default else None,
            classifier=(heads,) if isinstance(heads, str) else tuple(heads),
            img_size=pixels if config.fixed_input_size else None,
        )

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The network, built for the input size; a checkpoint is loaded by timm itself."""
        arguments = self.arguments(published)
        if published.img_size is not None:
            arguments["img_size"] = published.img_size
        if checkpoint is None:
            network = _with_random_weights(published, arguments)
        else:
            network = _loaded(published, checkpoint, arguments)
        _check_patches(network, published)
        return network

    def arguments(self, published: Published) -> dict[str, Any]:
        """What timm builds the network from, but for the input size."""
        return {
            "model_name": published.architecture,
            "pretrained_cfg": None if published.tag == "none" else published.tag,
        }

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """timm's networks know their classifier; its encoders have none, and give a map."""
        from extractors.layers import AveragedOutput

        if not hasattr(network, "reset_classifier"):
            return AveragedOutput(network)
        network.reset_classifier(0)  # type: ignore[operator]
        return network

    def cached(self, published: Published) -> Iterator[Path]:
        """The caches of the Hugging Face Hub, then of torch.hub."""
        for filename in published.filenames:
            yield from cached_in_hub(published.repository, filename)
        if published.url is not None:
            yield torch_hub_file(published.url)


def _with_random_weights(published: Published, arguments: dict[str, Any]) -> nn.Module:
    import timm

    try:
        network: nn.Module = timm.create_model(**arguments)
    except Exception as error:
        spec = published.input
        size = f"{spec.height} × {spec.width}" if spec else "this"
        raise BackboneError(
            f"{published.name.text}: cannot be built for images of {size} pixels "
            f"({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        ) from error
    return network


def _hub_filenames(filename: str | None) -> tuple[str, ...]:
    """Safetensors before anything else."""
    if filename is None:
        return ("model.safetensors", "pytorch_model.bin")
    safe = filename.rpartition(".")[0] + ".safetensors"
    return (filename,) if filename == safe else (safe, filename)


def _loaded(published: Published, checkpoint: Path, arguments: dict[str, Any]) -> nn.Module:
    """The network with a checkpoint in which every tensor has found its place.

    The state dict goes through timm's own loader, which converts old names and resamples position
    embeddings. With the class count of the checkpoint itself that loader is strict.
    """
    import timm
    import torch

    name = published.name

    def expected() -> StateDict:
        # Without memory where that is possible: only the names count.
        for device in ("meta", "cpu"):
            with contextlib.suppress(Exception), torch.device(device), torch.random.fork_rng([]):
                return dict(timm.create_model(pretrained=False, **arguments).state_dict())
        return {}

    read = read_state_dict(checkpoint, expected)
    state, other_head = _without_other_head(read, published.classifier, expected)
    classes = _head_width(state, published.classifier)
    source: dict[str, Any] = {"state_dict": state, "num_classes": classes, "custom_load": False}
    try:
        with _missing_keys_reported() as missing:
            network: nn.Module = timm.create_model(
                pretrained=True, pretrained_cfg_overlay=source, num_classes=classes, **arguments
            )
    except Exception as error:
        # Not the checkpoint's fault where the network cannot be built for that size at all.
        with torch.device("meta"):
            _with_random_weights(published, arguments)
        raise explain_strict_error(checkpoint, name.base, error) from error
    heads = tuple(f"{stem}." for stem in published.classifier)
    lost = [key for key in missing if not key.startswith(heads)]
    if lost:
        raise explain_mismatch(checkpoint, name.base, lost, [])
    network.pretrained_cfg.pop("state_dict", None)  # type: ignore[union-attr, operator]
    note_left_out(network, checkpoint, [*left_out_of(read), *other_head])
    note_head(network, checkpoint, classes, _usual_classes(arguments))
    return network


def _without_other_head(
    state: StateDict, classifier: tuple[str, ...], expected: Callable[[], StateDict]
) -> tuple[StateDict, list[str]]:
    """The tensors without a classifier that is another module in the same place; its names."""
    places = tuple(f"{stem.partition('.')[0]}." for stem in classifier)
    there = [key for key in state if key.startswith(places)] if places else []
    if not there or all(f"{stem}.weight" in state for stem in classifier):
        return state, []
    known = expected()
    other = [key for key in there if key not in known]
    return {key: value for key, value in state.items() if key not in other}, other


def _usual_classes(arguments: dict[str, Any]) -> int:
    """How many classes the published weights of an architecture have."""
    import timm

    config = arguments["pretrained_cfg"]
    if isinstance(config, dict):
        return int(config.get("num_classes") or 0)
    name = f"{arguments['model_name']}.{config}" if config else arguments["model_name"]
    found = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return int(found.num_classes) if found is not None else 1000


def _check_patches(network: nn.Module, published: Published) -> None:
    """Refuse an input of which a whole number of patches would leave a border out."""
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    sides = (patch, patch) if isinstance(patch, int) else patch
    assert published.input is not None
    size = (published.input.height, published.input.width)
    if sides and any(side % p for side, p in zip(size, sides, strict=True)):
        raise BackboneError(
            f"{published.name.text}: input size must be a multiple of {sides[0]} pixels"
        )


def _head_width(state: StateDict, classifier: tuple[str, ...]) -> int:
    """Number of classes of a checkpoint's classifier; 0 if it has none."""
    for stem in (*classifier, "head", "head.fc", "fc", "classifier"):
        weight = state.get(f"{stem}.weight")
        if weight is not None and weight.ndim in (2, 4):
            return int(weight.shape[0])
    return 0


@contextlib.contextmanager
def _missing_keys_reported() -> Iterator[list[str]]:
    """Collects the keys that timm's loader only logs as missing.

    A few architectures are loaded without strictness by timm itself; there the log is the only
    place that says what is missing.
    """
    keys: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found = re.match(r"Missing keys \((.*)\) discovered", record.getMessage())
            if found:
                keys.extend(found[1].split(", "))

    logger = logging.getLogger("timm.models._builder")
    listener, level, propagate = Listener(), logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield keys
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        logger.propagate = propagate
