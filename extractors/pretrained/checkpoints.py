"""Reads checkpoints without running anything they hold, and says in one line what does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import nn

StateDict = dict[str, "torch.Tensor"]


class PartOfFile(StateDict):
    """The tensors of one network in a file that holds others too; `left_out` are their names."""

    left_out: tuple[str, ...] = ()


# What training scripts call the weights. Averaged ones come first where a checkpoint holds both, as
# timm does it.
_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "params_ema", "ema"),
    *("state_dict", "model_state_dict", "model_state", "model_weights", "model"),
    *("net_state_dict", "net", "network", "module", "backbone", "encoder", "params", "weights"),
    *("shadow", "state", "checkpoint"),
)
_DEEPEST = 4
_WAY_OUT = (
    "name the architecture that it is of, save that network's own state_dict, or build it in a "
    "plugin (docs/plugins.md)"
)
# Where what was left out of a checkpoint is kept on the network that was built from it.
_NOTES = "loading_notes"
_PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")


def read_state_dict(path: Path, expected: Callable[[], Collection[str]] | None = None) -> StateDict:
    """Tensors by name, from a safetensors file or a PyTorch checkpoint that holds only tensors.

    A state dict wrapped as `{"state_dict": ...}`, `{"model": ...}` or the like is unwrapped; the
    prefixes of parallel and compiled modules are taken off. So is one prefix that all names have,
    such as "model." or "backbone.", where more of the names are then among the expected ones, and
    one prefix under which alone the whole network lies; what lies outside it is left out.

    Parameters
    ----------
    path : Path
        The file.
    expected : Callable[[], Collection[str]] | None, optional
        Gives the names of the network's tensors; called only where names may have a prefix.

    Returns
    -------
    StateDict
        In the file's order.

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
    if expected is None:
        return state
    names = expected()
    return _only_part(path, _without_common_prefix(state, names), names)


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
    return BackboneError(
        f"{path}: not a checkpoint of {architecture}: {', '.join(parts)}; {_WAY_OUT}"
    )


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
        state = read_state_dict(checkpoint, network.state_dict)
        network.load_state_dict(state)
        note_left_out(network, checkpoint, left_out_of(state))
    except RuntimeError as error:
        raise explain_strict_error(checkpoint, architecture, error) from error


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    tensors: Mapping[str, Any] = load_file(str(path), device="cpu")
    return tensors


def _load_torch(path: Path) -> object:
    import warnings

    import torch

    from extractors.pretrained.unread_values import UNREAD

    with torch.serialization.safe_globals(UNREAD), warnings.catch_warnings():
        # Of other pickle protocols, which fail or do not.
        warnings.simplefilter("ignore")
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


def _reason(error: Exception) -> str:
    import pickle

    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = " ".join(str(error).split())
    if "TorchScript" in text:
        return "a TorchScript archive, which holds code; save the network's state_dict instead"
    if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in text:
        blocked = re.search(r"GLOBAL (\S+)", text)
        what = f" ({blocked[1]})" if blocked else ""
        return (
            f"refused: it would run code when read{what}; only plain tensors are accepted; save "
            "the network's state_dict"
        )
    if "Unsupported operand" in text:
        return (
            "not a readable checkpoint: it has a pickle protocol above 2, or is damaged; save it "
            "again with torch.save and its usual protocol"
        )
    if found := re.search(r"WeightsUnpickler error: (.+?)(?: Check the documentation|$)", text):
        text = found[1]
    return f"not a readable checkpoint, or cut short ({type(error).__name__}: {text[:120]})"


def _unwrap(loaded: object) -> StateDict:
    tensors = _tensors(_innermost(loaded, _DEEPEST))
    for prefix in _PREFIXES:
        # An averaged model counts beside its module.
        counted = {k: v for k, v in tensors.items() if k != "n_averaged"}
        if counted and all(k.startswith(prefix) for k in counted):
            tensors = {k.removeprefix(prefix): v for k, v in counted.items()}
    return tensors


def _innermost(loaded: object, deepest: int) -> object:
    """The mapping with the weights: below a known name, or the only one that holds tensors."""
    if not isinstance(loaded, Mapping) or not deepest:
        return loaded
    for key in _WRAPPERS:
        inner = _innermost(loaded.get(key), deepest - 1)
        if _tensors(inner):
            return inner
    if _tensors(loaded):
        return loaded
    holding = [value for value in loaded.values() if _tensors(value)]
    return holding[0] if len(holding) == 1 else loaded


def _tensors(loaded: object) -> StateDict:
    import torch

    if not isinstance(loaded, Mapping):
        return {}
    return {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor)}


def note_on(network: nn.Module, *notes: str) -> None:
    """Keep notes on a network about what of a checkpoint has found no place in it."""
    network.__dict__.setdefault(_NOTES, []).extend(notes)


def notes_of(network: nn.Module) -> list[str]:
    """What was noted on a network or a part of it."""
    found = (note for part in network.modules() for note in part.__dict__.get(_NOTES, ()))
    return list(dict.fromkeys(found))


def note_left_out(network: nn.Module, path: Path, keys: Iterable[str]) -> None:
    """Note tensors of a checkpoint that the network has no place for: how many, with examples."""
    names = list(keys)
    if names:
        examples = f"{', '.join(names[:2])}{', …' if len(names) > 2 else ''}"
        note_on(network, f"left out of {path.name}: {len(names)} tensors ({examples})")


def note_head(network: nn.Module, path: Path, classes: int, usual: int) -> None:
    """Note that a checkpoint's head of another size is dropped."""
    if classes and classes != usual:
        note_on(network, f"head of {classes} classes in {path.name} left out (usual: {usual})")


def _only_part(path: Path, state: StateDict, expected: Collection[str]) -> StateDict:
    """The tensors under the one prefix under which the whole network lies, if not all of them do.

    Its last layer, the classifier, may be absent: pretraining without labels has none.
    """
    names = list(expected)
    head = names[-1].rpartition(".")[0] if names else ""
    wanted = {
        name
        for name in names
        if name.rpartition(".")[0] != head and not name.endswith("num_batches_tracked")
    }
    if not wanted or wanted <= state.keys():
        return state
    prefixes = {
        name[: dot + 1] for name in state for dot, letter in enumerate(name) if letter == "."
    }
    holding = sorted(
        prefix for prefix in prefixes if all(f"{prefix}{name}" in state for name in wanted)
    )
    if len(holding) > 1:
        raise BackboneError(
            f"{path}: not a checkpoint of one network: it is there under {', '.join(holding)}; "
            "save the one that is meant in a file of its own"
        )
    if not holding:
        return state
    part = PartOfFile(
        (name.removeprefix(holding[0]), tensor)
        for name, tensor in state.items()
        if name.startswith(holding[0])
    )
    part.left_out = tuple(name for name in state if not name.startswith(holding[0]))
    return part


def left_out_of(state: StateDict) -> tuple[str, ...]:
    """What of a file is no part of the network whose tensors these are."""
    return state.left_out if isinstance(state, PartOfFile) else ()


def _without_common_prefix(state: StateDict, expected: Collection[str]) -> StateDict:
    """The tensors without the prefix that all names have, if so more of them are expected."""
    parts = [name.split(".")[:-1] for name in state]
    shared = 0
    while all(len(part) > shared and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    if not shared:
        return state
    known = set(expected)
    lengths = [sum(len(part) + 1 for part in parts[0][:count]) for count in range(shared + 1)]
    # Of equally good ones the shortest: a network may be one part of itself.
    length = max(lengths, key=lambda cut: sum(name[cut:] in known for name in state))
    return {name[length:]: tensor for name, tensor in state.items()}
