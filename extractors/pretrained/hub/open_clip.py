"""The image towers of open_clip's models: built in, or described by a repository on the Hub.

Features are what `encode_image` gives without normalisation. The text tower is never built, so that
neither its tokenizer nor its weights are needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from extractors.backbone import InputSpec, as_triple
from extractors.errors import BackboneError
from extractors.names import OPEN_CLIP, ExtractorName, is_repository
from extractors.pretrained.checkpoints import StateDict, explain_strict_error, read_state_dict
from extractors.pretrained.hub.inputs import interpolation_named
from extractors.pretrained.hub.snapshots import (
    INSTALL,
    LibraryOnHub,
    digest_of,
    find_snapshot,
    no_configuration,
    read_json,
    refuse_parts,
    revision_label,
)
from extractors.pretrained.library import Library, Published, unknown
from extractors.pretrained.weights import cached_in_hub, torch_hub_file, url_file_name

if TYPE_CHECKING:
    from torch import nn

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TOWER = "visual."


class OpenClip(LibraryOnHub):
    """`open_clip:NAME[.TAG]` and `open_clip:hf-hub:ORG/NAME`."""

    prefix = OPEN_CLIP
    package = "open_clip"
    takes_tags = True

    def names(self) -> Iterable[str]:
        """The models that are built in; none where open_clip is not installed."""
        with contextlib.suppress(BackboneError):
            return [f"{self.prefix}:{model}" for model in _library(self.prefix).list_models()]
        return ()

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """The configuration of the repository, or of the model that is built in."""
        if is_repository(name.model):
            return self._in_repository(name, weights_dir)
        return self._built_in(name)

    def _built_in(self, name: ExtractorName) -> Published | None:
        clip = _library(name.text)
        model = clip.get_model_config(name.model)
        if model is None:
            return None
        tags = clip.list_pretrained_tags_by_model(name.model)
        tag = name.tag or (tags[0] if tags else None)
        if tag is not None and tag not in tags:
            raise unknown(name.text, [f"{self.prefix}:{name.model}.{known}" for known in tags])
        weights = clip.get_pretrained_cfg(name.model, tag) if tag else {}
        repository, _, filename = (weights.get("hf_hub") or "").rpartition("/")
        return Published(
            name=name,
            library=self,
            architecture=name.model,
            tag=tag or "none",
            input=_input(name.text, model, weights),
            is_default_tag=not tags or tag == tags[0],
            url=weights.get("url") or None,
            repository=repository or None,
            filenames=((filename,) if filename else WEIGHTS) if repository else (),
            config_digest=digest_of((), self.version(), model, weights),
        )

    def _in_repository(self, name: ExtractorName, weights_dir: Path | None) -> Published:
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
        whole = read_json(folder / CONFIG)
        if not isinstance(whole.get("model_cfg"), Mapping):
            raise BackboneError(f"{name.text}: {folder / CONFIG} has no 'model_cfg'")
        refuse_parts(name.text, folder, WEIGHTS)
        return Published(
            name=name,
            library=self,
            architecture=name.model,
            tag=revision_label(folder),
            input=_input(name.text, whole["model_cfg"], whole.get("preprocess_cfg") or {}),
            config=folder / CONFIG,
            config_digest=digest_of([folder / CONFIG], self.version()),
            **files,
        )

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The image tower alone; every tensor of it must be in the checkpoint."""
        model, quick = _settings(published)
        tower = _tower(published.name.text, model, quick)
        if checkpoint is None:
            return tower
        state = _image_state(read_state_dict(checkpoint, tower.state_dict), tower)
        try:
            tower.load_state_dict(state)
        except RuntimeError as error:
            raise explain_strict_error(checkpoint, published.name.base, error) from error
        return tower

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """There is none: the projection into the space of image and text is part of the tower."""
        return network

    def cached(self, published: Published) -> Iterator[Path]:
        """Beside the configuration; of what is built in, in the caches of the Hub and open_clip."""
        if is_repository(published.name.model):
            yield from super().cached(published)
            return
        for filename in published.filenames:
            yield from cached_in_hub(published.repository, filename)
        if published.url is not None:
            yield Path("~/.cache/clip").expanduser() / url_file_name(published.url)
            yield torch_hub_file(published.url)

    def find_checkpoint(self, published: Published, weights_dir: Path | None) -> Path | None:
        """As for other libraries, where the model is built in."""
        if is_repository(published.name.model):
            return super().find_checkpoint(published, weights_dir)
        return Library.find_checkpoint(self, published, weights_dir)

    def version(self) -> str:
        """Of open_clip, and of timm, which builds many of its towers."""
        import timm

        return f"open_clip{_library(self.prefix).__version__}-timm{timm.__version__}"


def _library(name: str) -> Any:
    """open_clip, or an error that says how to install it."""
    try:
        import open_clip
    except ImportError as error:
        raise BackboneError(f"{name}: needs open_clip: {INSTALL}") from error
    return open_clip


def _settings(published: Published) -> tuple[dict[str, Any], bool]:
    """The model's configuration, and whether its activation is the fast GELU.

    That is a matter of the weights: a tag that was trained with it is run with it.
    """
    name = published.name
    if published.config is not None:
        model = dict(read_json(published.config)["model_cfg"])
        return model, bool(model.get("quick_gelu"))
    if is_repository(name.model):
        raise no_configuration(name, CONFIG)
    clip = _library(name.text)
    model = deepcopy(clip.get_model_config(name.model))
    weights = clip.get_pretrained_cfg(name.model, published.tag)
    return model, bool(weights.get("quick_gelu", model.get("quick_gelu")))


def _input(name: str, model: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> InputSpec:
    """Image size, mean, std and interpolation, with open_clip's defaults where nothing is said."""
    constants = _library(name).constants
    size = preprocessing.get("size") or (model.get("vision_cfg") or {}).get("image_size") or 224
    height, width = (size, size) if isinstance(size, int) else size
    return InputSpec(
        int(height),
        int(width),
        as_triple(preprocessing.get("mean") or constants.OPENAI_DATASET_MEAN),
        as_triple(preprocessing.get("std") or constants.OPENAI_DATASET_STD),
        interpolation_named(name, preprocessing.get("interpolation") or "bicubic"),
    )


def _tower(name: str, model: Mapping[str, Any], quick: bool) -> nn.Module:
    """The image tower with random weights; nothing is downloaded for it."""
    from open_clip.model import _build_vision_tower

    vision = dict(model.get("vision_cfg") or {})
    if "hf_model_name" in vision:
        raise BackboneError(f"{name}: its image tower is one of transformers; name that by hf:")
    vision["timm_model_pretrained"] = False
    try:
        tower: nn.Module = _build_vision_tower(model["embed_dim"], vision, quick)
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise BackboneError(
            f"{name}: open_clip cannot build its image tower ({type(error).__name__}: {reason})"
        ) from error
    if getattr(tower, "output_tokens", False):
        tower.output_tokens = False  # type: ignore[assignment]
    return tower


def _image_state(state: StateDict, tower: nn.Module) -> StateDict:
    """The tower's tensors of a whole model, in today's names and for the tower's own grid."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import resize_pos_embed

    model = SimpleNamespace(visual=tower)
    state = convert_state_dict(model, state)
    if not any(key.startswith(_TOWER) for key in state):
        state = {f"{_TOWER}{key}": tensor for key, tensor in state.items()}
    resize_pos_embed(state, model)
    return {k.removeprefix(_TOWER): v for k, v in state.items() if k.startswith(_TOWER)}
