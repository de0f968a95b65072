"""Reads checkpoints without running anything they hold, and says in one line what does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import nn

StateDict = dict[str, "torch.Tensor"]

# Averaged weights come first where a training checkpoint holds both, as timm does it.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")


def read_state_dict(path: Path) -> StateDict:
    """Tensors by name, from a safetensors file or a PyTorch checkpoint that holds only tensors.

    A state dict wrapped as `{"state_dict": ...}` or `{"model": ...}` is unwrapped; the prefixes of
    parallel and compiled modules are taken off.

    Raises
    ------
    BackboneError
        If the file is missing, empty, cut short, no checkpoint, or would run code when read.
    """
    try:
        if path.stat().st_size == 0:
            raise BackboneError(f"{path}: not a checkpoint (the file is empty)")
        loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    except BackboneError:
        raise
    except Exception as error:
        raise BackboneError(f"{path}: {_reason(error)}") from error
    state = _unwrap(loaded)
    if not state:
        raise BackboneError(f"{path}: not a checkpoint (holds no state dict)")
    return state


def explain_mismatch(
    path: Path,
    architecture: str,
    missing: Iterable[str],
    unexpected: Iterable[str],
    wrong_shape: Iterable[str] = (),
) -> BackboneError:
    """The error for a checkpoint of another architecture: counts, with examples."""
    parts = [
        f"{len(keys)} {what} ({', '.join(keys[:2])}{', …' if len(keys) > 2 else ''})"
        for what, keys in (
            ("missing", list(missing)),
            ("unexpected", list(unexpected)),
            ("of another shape", list(wrong_shape)),
        )
        if keys
    ]
    return BackboneError(f"{path}: not a checkpoint of {architecture}: {', '.join(parts)}")


def explain_strict_error(path: Path, architecture: str, error: Exception) -> BackboneError:
    """The same, from the message of a strict `load_state_dict`."""
    text = str(error)

    def keys_after(heading: str) -> list[str]:
        found = re.search(rf"{heading} key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", text, re.DOTALL)
        return re.findall(r'"([^"]+)"', found[1]) if found else []

    shapes = re.findall(r"size mismatch for (\S+?):", text)
    missing, unexpected = keys_after("Missing"), keys_after("Unexpected")
    if missing or unexpected or shapes:
        return explain_mismatch(path, architecture, missing, unexpected, shapes)
    reason = " ".join(text.split())[:160]
    return BackboneError(
        f"{path}: not a checkpoint of {architecture} ({type(error).__name__}: {reason})"
    )


def load_strictly(network: nn.Module, checkpoint: Path, architecture: str) -> None:
    """Load a checkpoint in which every tensor must find its place; BackboneError otherwise."""
    try:
        network.load_state_dict(read_state_dict(checkpoint))
    except RuntimeError as error:
        raise explain_strict_error(checkpoint, architecture, error) from error


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    tensors: Mapping[str, Any] = load_file(str(path), device="cpu")
    return tensors


def _load_torch(path: Path) -> object:
    import argparse

    import torch

    # Training scripts like to leave their parsed arguments in a checkpoint; they are plain values.
    with torch.serialization.safe_globals([argparse.Namespace]):
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


def _reason(error: Exception) -> str:
    import pickle

    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = " ".join(str(error).split())
    if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in text:
        blocked = re.search(r"GLOBAL (\S+)", text)
        what = f" ({blocked[1]})" if blocked else ""
        return f"refused: it would run code when read{what}; only plain tensors are accepted"
    return f"not a readable checkpoint, or cut short ({type(error).__name__}: {text[:120]})"


def _unwrap(loaded: object) -> StateDict:
    import torch

    if not isinstance(loaded, Mapping):
        return {}
    inner = (loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping))
    state: Mapping[str, object] = next(inner, loaded)
    tensors = {str(k): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    for prefix in _PREFIXES:
        if tensors and all(k.startswith(prefix) for k in tensors):
            tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
    return tensors
