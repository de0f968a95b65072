"""One row for each image, out of what a model of transformers gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from extractors.errors import BackboneError
from extractors.names import Pooling

# Parameters that stand for one token each, before the tokens of patches.
_TOKENS = ("cls_token", "class_embedding", "class_token", "distillation_token")
# What a model of images and texts has besides the former.
_TEXT = ("text_model", "text_projection", "text_embed", "text_encoder", "language_model")


def without_text(model: nn.Module) -> nn.Module:
    """The model without the parts that read text, which take memory and are never run."""
    if hasattr(model, "get_image_features"):
        for name, _ in list(model.named_children()):
            if name in _TEXT:
                setattr(model, name, None)
    return model


class PooledFeatures(nn.Module):
    """Runs a vision model and returns its pooled output, class token or mean of patch tokens.

    Parameters
    ----------
    name : str
        The model's, for errors.
    model : nn.Module
        A model of transformers.
    pooling : Pooling
        Of a model of images and texts, "pooled" is what it compares with texts.
    """

    def __init__(self, name: str, model: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.name = name
        self.model = model
        self.pooling = pooling
        config: Any = model.config
        if config.model_type == "vit_mae":
            # It would hide a random part of each image, which only its own training wants.
            config.mask_ratio = 0.0
        # Models of images alone give tokens themselves; others have a tower that does.
        self._joint = hasattr(model, "get_image_features")
        self._first = _leading_tokens(self._tower())

    def _tower(self) -> nn.Module:
        tower = getattr(self.model, "vision_model", None) if self._joint else self.model
        if not isinstance(tower, nn.Module):
            raise BackboneError(
                f"{self.name}: {type(self.model).__name__} has no image tower that is known here; "
                "write a plugin (docs/plugins.md)"
            )
        return tower

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, D)."""
        channels = getattr(_vision_config(self.model), "num_channels", 3)
        pixels = images[:, :1] if channels == 1 else images
        if self.pooling == "pooled":
            return self._pooled(pixels)
        tokens = self._run(pixels).last_hidden_state
        if self.pooling == "mean":
            # A CNN gives a map, not tokens.
            whole: torch.Tensor = tokens if tokens.ndim == 4 else tokens[:, self._first :]
            return whole.mean((2, 3) if tokens.ndim == 4 else 1)
        if tokens.ndim != 3 or not self._first:
            raise BackboneError(f"{self.name}: has no class token; use @pooled or @mean")
        first: torch.Tensor = tokens[:, 0]
        return first

    def _run(self, pixels: torch.Tensor) -> Any:
        more = {}
        if _vision_config(self.model).model_type == "vit_mae":
            patch = int(_vision_config(self.model).patch_size)
            size = (pixels.shape[2] // patch) * (pixels.shape[3] // patch)
            # In order, so that the patches are not shuffled.
            more["noise"] = torch.arange(size, device=pixels.device).repeat(len(pixels), 1)
        return self._tower()(pixel_values=pixels, **more)

    def _pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        if self._joint:
            out: Any = self.model.get_image_features(pixel_values=pixels)  # type: ignore[operator]
        else:
            out = self._run(pixels)
        pooled = out if isinstance(out, torch.Tensor) else getattr(out, "pooler_output", None)
        if pooled is None:
            raise BackboneError(f"{self.name}: has no pooled output; use @cls or @mean")
        return pooled.flatten(1)


def _vision_config(model: nn.Module) -> Any:
    config: Any = model.config
    return getattr(config, "vision_config", config)


def _leading_tokens(tower: nn.Module) -> int:
    """How many tokens stand before those of the patches: class, distillation and registers."""
    count = 0
    for path, tensor in tower.named_parameters():
        last = path.rpartition(".")[2]
        if last in _TOKENS:
            count += 1
        elif last == "register_tokens":
            count += tensor.shape[1]
    return count
