"""Vision models of transformers on the Hub, by their own configuration and processor.

`@pooled`, `@cls` and `@mean` say what stands for an image. Code of a repository is never run.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from extractors.errors import BackboneError
from extractors.names import TRANSFORMERS, ExtractorName, Pooling
from extractors.pretrained.checkpoints import (
    StateDict,
    explain_mismatch,
    left_out_of,
    note_left_out,
    read_state_dict,
)
from extractors.pretrained.hub.inputs import processor_input
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
from extractors.pretrained.library import Published

if TYPE_CHECKING:
    from torch import nn

CONFIG = "config.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")

# Steps of processors that are followed, or that leave a square crop as it is; and others.
_KNOWN_STEPS = (
    *("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "do_pad"),
    *("do_reduce_labels", "do_convert_annotations"),
)
_OTHER_STEPS = ("rescale_offset", "include_top")

# What stands for an image where the name does not say it. Of these families few checkpoints hold a
# pooler that was trained; of all others it is the pooled output.
DEFAULT_POOLING: Mapping[str, Pooling] = MappingProxyType(
    {
        "vit": "cls",
        "deit": "cls",
        "vit_msn": "cls",
        "vit_mae": "mean",
        "beit": "mean",
        "data2vec-vision": "mean",
        "ijepa": "mean",
    }
)


class Transformers(LibraryOnHub):
    """`hf:ORG/NAME`."""

    prefix = TRANSFORMERS
    package = "transformers"

    def look_up(self, name: ExtractorName, weights_dir: Path | None = None) -> Published | None:
        """What configuration and processor say, if they are on this machine."""
        folder = find_snapshot(name.model, CONFIG, WEIGHTS, weights_dir)
        files: dict[str, Any] = {
            "repository": name.model,
            "filenames": WEIGHTS,
            "config_files": ((CONFIG,), PROCESSORS),
        }
        if folder is None:
            return Published(
                name=name, library=self, architecture=name.model, tag="hub", input=None, **files
            )
        config = _configuration(name.text, folder)
        processor = _processor(name.text, folder)
        refuse_parts(name.text, folder, WEIGHTS)
        vision = getattr(config, "vision_config", config)
        present = [folder / file for file in (CONFIG, *PROCESSORS) if (folder / file).is_file()]
        return Published(
            name=name,
            library=self,
            architecture=name.model,
            tag=revision_label(folder),
            input=processor_input(name.text, processor, getattr(vision, "image_size", None)),
            config=folder / CONFIG,
            config_digest=digest_of(present, self.version(), pooling_of(name, config)),
            **files,
        )

    def build(self, published: Published, checkpoint: Path | None) -> nn.Module:
        """The model without its text tower and its heads, with one row for each image."""
        from extractors.pretrained.hub.pooling import PooledFeatures, without_text

        name = published.name
        if published.config is None:
            raise no_configuration(name, CONFIG)
        config = _configuration(name.text, published.config.parent)
        pooling = pooling_of(name, config)
        with _silent():
            if checkpoint is None:
                return PooledFeatures(name.text, without_text(_drawn(name.text, config)), pooling)
            # Of a file of another making, transformers does not know every prefix.
            mine = checkpoint.parent != published.config.parent
            state = read_state_dict(
                checkpoint, partial(_names, name.text, config) if mine else None
            )
            model, missing, wrong, more = _loaded(name.text, config, state, checkpoint)
        model = without_text(model)
        if mine:
            note_left_out(model, checkpoint, [*left_out_of(state), *more])
        kept = set(model.state_dict())
        # Weights that the checkpoint lacks were drawn: only a pooler that is not used may be so.
        lost = sorted(missing & kept)
        if wrong or (lost and (pooling == "pooled" or not _only_pooler(lost))):
            error = explain_mismatch(checkpoint, name.base, lost, more, wrong)
            if not wrong and _only_pooler(lost):
                raise BackboneError(f"{error}; it has no trained pooler: use @cls or @mean")
            raise error
        return PooledFeatures(name.text, model, pooling)

    def remove_classifier(self, network: nn.Module) -> nn.Module:
        """There is none: heads are not built."""
        return network

    def version(self) -> str:
        """Of transformers."""
        return f"transformers{_library(self.prefix).__version__}"


def pooling_of(name: ExtractorName, config: Any) -> Pooling:
    """What stands for an image: as the name says, else the default of the model's family."""
    return name.pooling or DEFAULT_POOLING.get(config.model_type, "pooled")


def _library(name: str) -> Any:
    """transformers, or an error that says how to install it."""
    try:
        import transformers
    except ImportError as error:
        raise BackboneError(f"{name}: needs transformers: {INSTALL}") from error
    return transformers


def _configuration(name: str, folder: Path) -> Any:
    """The model's configuration, as transformers reads it; refused where it wants code to be run.

    A type that transformers knows by itself is read by its own class, whatever else is offered.
    """
    library, whole = _library(name), read_json(folder / CONFIG)
    kind = whole.get("model_type")
    if kind not in library.models.auto.configuration_auto.CONFIG_MAPPING:
        if whole.get("auto_map"):
            raise BackboneError(
                f"{name}: runs code of its repository, which is refused; load it in a plugin of "
                "yours (docs/plugins.md)"
            )
        other = " (it is one of timm: try hf-hub:)" if "architecture" in whole else ""
        raise BackboneError(
            f"{name}: transformers {library.__version__} has no model type {kind!r}{other}"
        )
    try:
        with _silent():
            config = library.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        raise _cannot(name, f"configuration {folder / CONFIG}", error) from error
    # It may name a kernel in a repository, which is code.
    config._attn_implementation = None
    return config


def _processor(name: str, folder: Path) -> Mapping[str, Any]:
    """The settings of the model's image processor, with its class's defaults."""
    if not any((folder / file).is_file() for file in PROCESSORS):
        raise BackboneError(
            f"{name}: has no {PROCESSORS[0]}, which says the size and the mean of its images"
        )
    try:
        with _silent():
            processor = _library(name).AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        settings: Mapping[str, Any] = processor.to_dict()
    except Exception as error:
        raise _cannot(name, f"image processor in {folder}", error) from error
    if settings.get("do_flip_channel_order"):
        raise BackboneError(f"{name}: wants blue first, which is not supported; write a plugin")
    more = sorted(
        step for step, value in settings.items() if value is True and _changes_pixels(step)
    )
    if more:
        raise BackboneError(
            f"{name}: its processor does more than resize and normalise ({', '.join(more)}), which "
            "is not supported; write a plugin (docs/plugins.md)"
        )
    return settings


def _changes_pixels(setting: str) -> bool:
    """Whether a step of a processor makes of a crop what an input does not say."""
    return setting in _OTHER_STEPS or (setting.startswith("do_") and setting not in _KNOWN_STEPS)


def _cannot(name: str, what: str, error: Exception) -> BackboneError:
    text = " ".join(str(error).split())
    if "trust_remote_code" in text:
        return BackboneError(
            f"{name}: runs code of its repository, which is refused; load it in a plugin of yours "
            "(docs/plugins.md)"
        )
    return BackboneError(f"{name}: {what} cannot be used ({type(error).__name__}: {text[:160]})")


def _drawn(name: str, config: Any) -> nn.Module:
    """The model that belongs to a configuration, with random weights."""
    import torch

    try:
        model: nn.Module = _library(name).AutoModel.from_config(
            config, trust_remote_code=False, dtype=torch.float32
        )
    except Exception as error:
        raise _cannot(name, "model", error) from error
    if not hasattr(model, "get_image_features") and model.main_input_name != "pixel_values":
        raise BackboneError(f"{name}: {type(model).__name__} is no model of images")
    return model


def _names(name: str, config: Any) -> Collection[str]:
    import torch

    with torch.device("meta"):
        return list(_drawn(name, config).state_dict())


def _loaded(
    name: str, config: Any, state: StateDict, checkpoint: Path
) -> tuple[nn.Module, set[str], list[str], list[str]]:
    """The model with a checkpoint's weights, by transformers' own rules for names.

    Also the names of what the checkpoint lacks, of what has another shape, and of what has no
    place.
    """
    import torch

    with torch.device("meta"):
        kind: Any = type(_drawn(name, config))
    try:
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:
        raise _cannot(name, f"checkpoint {checkpoint}", error) from error
    wrong = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    missing = set(report["missing_keys"]) - set(wrong)
    return model, missing, sorted(wrong), sorted(report["unexpected_keys"])


def _only_pooler(keys: list[str]) -> bool:
    return all("pooler." in key for key in keys)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without transformers' bars and reports: what matters of them becomes an error."""
    from transformers.utils import logging as reports

    bars, level = reports.is_progress_bar_enabled(), reports.get_verbosity()
    reports.disable_progress_bar()
    reports.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()
