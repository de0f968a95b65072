"""What timm and torchvision publish for a name: architecture, tag, input, and where weights lie.

Only their tables are looked up here; no network is built and nothing is fetched.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from extractors.backbone import InputSpec, Triple
from extractors.errors import UnknownBackbone
from extractors.names import ExtractorName

BUNDLED = "efficientnet_lite0"
# The architecture in timm that the bundled weights belong to.
BUNDLED_ARCHITECTURE = "tf_efficientnet_lite0"

# timm's tables hold no file sizes; for the backbones of the default comparison they are the number
# of published parameters times four bytes (a test counts them).
_DOWNLOAD_BYTES = {
    "vit_tiny_patch16_224": 22_869_664,
    "vit_small_patch16_224": 88_202_656,
    "vit_base_patch16_224": 346_270_624,
    "deit_small_patch16_224": 88_202_656,
    "swin_tiny_patch4_window7_224": 113_153_416,
    "convnext_tiny": 114_356_512,
    "vit_small_patch14_dinov2": 88_224_768,
}


@dataclass(frozen=True)
class PublishedWeights:
    """A backbone in its library's own terms.

    `url` is a direct download, `repository` a Hugging Face repository (`owner/name[@revision]`,
    preferred where there are both); `filenames` are the names the repository may hold it under.
    """

    kind: str
    architecture: str
    tag: str
    input: InputSpec
    is_default_tag: bool = True
    url: str | None = None
    repository: str | None = None
    filenames: tuple[str, ...] = ()
    download_bytes: int | None = None
    classifier: tuple[str, ...] = ()
    img_size: int | None = None


def look_up(name: ExtractorName) -> PublishedWeights:
    """What the library publishes under `name`.

    Raises
    ------
    UnknownBackbone
        If it knows no such architecture or tag; the nearest names are given.
    """
    if name.kind == "timm":
        return _look_up_timm(name)
    if name.kind == "torchvision":
        return _look_up_torchvision(name)
    if name.kind == "bundled":
        return _look_up_bundled(name)
    raise unknown(name.text, [])


def unknown(text: str, candidates: Iterable[str]) -> UnknownBackbone:
    """The error for a name that does not exist, with those nearest to it."""
    near = nearest_names(text, candidates)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return UnknownBackbone(f"{text}: no such backbone{hint}")


def nearest_names(text: str, candidates: Iterable[str]) -> list[str]:
    """At most three names like `text`. A name that lacks only its prefix comes first."""
    text = text.removeprefix("random:").partition("@")[0]
    names = dict.fromkeys(candidates)
    same = [n for n in names if n.partition(":")[2] == text]
    close = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    return list(dict.fromkeys([*same, *close]))[:3]


def every_library_name() -> list[str]:
    """All names of timm, torchvision and the bundled one, without tags."""
    import timm
    import torchvision.models as zoo

    return [
        *(f"timm:{n}" for n in timm.list_models()),
        *(f"torchvision:{n}" for n in zoo.list_models(module=zoo)),
        f"bundled:{BUNDLED}",
    ]


def _look_up_bundled(name: ExtractorName) -> PublishedWeights:
    if name.model != BUNDLED:
        raise unknown(name.text, [f"bundled:{BUNDLED}"])
    half: Triple = (0.5, 0.5, 0.5)
    return PublishedWeights(
        "bundled", BUNDLED_ARCHITECTURE, "imagenet", InputSpec(224, 224, half, half)
    )


def _look_up_timm(name: ExtractorName) -> PublishedWeights:
    import timm
    from timm.models import get_deprecated_models

    architecture, tag = name.model, name.tag
    renamed = get_deprecated_models().get(architecture)
    if renamed:
        architecture, _, old_tag = renamed.partition(".")
        tag = tag or old_tag or None
    if not timm.is_model(architecture) or (renamed is None and architecture in _withdrawn()):
        raise unknown(name.text, every_library_name())
    asked = f"{architecture}.{tag}" if tag else architecture
    try:
        config = timm.get_pretrained_cfg(asked)
    except RuntimeError:  # timm's word for a tag it does not know
        known = [f"timm:{n}" for n in timm.models.get_arch_pretrained_cfgs(architecture)]
        raise unknown(name.text, known) from None
    if config is None and tag:
        raise unknown(name.text, [f"timm:{architecture}"])
    return _from_timm(name, architecture, config)


def _withdrawn() -> set[str]:
    from timm.models import get_deprecated_models

    return {old for old, new in get_deprecated_models().items() if new is None}


def _from_timm(name: ExtractorName, architecture: str, config: Any) -> PublishedWeights:
    """timm's configuration of one set of weights; `config` is None where it publishes none."""
    import timm

    default = timm.get_pretrained_cfg(architecture)
    is_default = config is not None and default is not None and config.tag == default.tag
    size = tuple(config.input_size[1:]) if config is not None else (224, 224)
    fixed = bool(config is not None and config.fixed_input_size)
    pixels = name.pixels
    if pixels is None and "dinov2" in architecture:
        pixels = 224  # 518 px cost five times as much; `@518` asks for them
    if pixels is not None:
        size = (pixels, pixels)
    if config is None:
        return PublishedWeights("timm", architecture, "none", InputSpec(*size))
    heads = config.classifier or ()
    return PublishedWeights(
        kind="timm",
        architecture=architecture,
        tag=config.tag or "none",
        input=InputSpec(size[0], size[1], _triple(config.mean), _triple(config.std)),
        is_default_tag=is_default,
        url=config.url or None,
        repository=config.hf_hub_id or None,
        filenames=_hub_filenames(config.hf_hub_filename),
        download_bytes=_DOWNLOAD_BYTES.get(architecture) if is_default else None,
        classifier=(heads,) if isinstance(heads, str) else tuple(heads),
        img_size=pixels if fixed else None,
    )


def _hub_filenames(own: str | None) -> tuple[str, ...]:
    """Safetensors before anything else."""
    if own is None:
        return ("model.safetensors", "pytorch_model.bin")
    safe = own.rpartition(".")[0] + ".safetensors"
    return (own,) if own == safe else (safe, own)


def _look_up_torchvision(name: ExtractorName) -> PublishedWeights:
    import torchvision.models as zoo

    if name.model not in zoo.list_models(module=zoo):
        raise unknown(name.text, every_library_name())
    tags = zoo.get_model_weights(name.model)
    if name.tag is not None and name.tag not in tags.__members__:
        raise unknown(name.text, [f"torchvision:{name.model}.{t}" for t in tags.__members__])
    chosen = tags[name.tag] if name.tag is not None else tags.DEFAULT
    preset = chosen.transforms()
    size = int(preset.crop_size[0])
    megabytes = chosen.meta.get("_file_size")
    return PublishedWeights(
        kind="torchvision",
        architecture=name.model,
        tag=chosen.name,
        input=InputSpec(size, size, _triple(preset.mean), _triple(preset.std)),
        is_default_tag=chosen.name == tags.DEFAULT.name,
        url=chosen.url,
        download_bytes=round(megabytes * 2**20) if megabytes else None,
        img_size=size,
    )


def _triple(values: Iterable[float]) -> Triple:
    first, second, third = (float(v) for v in values)
    return first, second, third
