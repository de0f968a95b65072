"""Builds a backbone: library, weights, input and feature layer, as its name says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.backbone import Backbone, BackboneInfo, place, state_digest
from extractors.costs import forward_flops
from extractors.describe import (
    HOW_TO_TRAIN,
    FromPlugin,
    FromScratch,
    Resolved,
    describe_resolved,
    resolve,
)
from extractors.errors import BackboneError, MissingWeights
from extractors.isolation import isolated
from extractors.names import Family
from extractors.networks.family import network_family
from extractors.out_of_memory import first_line, is_out_of_memory
from extractors.pretrained.checkpoints import load_strictly, notes_of
from extractors.pretrained.connectivity import unreachable_hub_fails_at_once
from extractors.pretrained.library import Published
from extractors.registration.registry import Registered

if TYPE_CHECKING:
    from torch import nn


def create_backbone(
    name: str,
    weights: str | Path = "auto",
    weights_dir: str | Path | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Backbone:
    """Build a backbone by its name.

    Parameters
    ----------
    name : str
        Its name; see `extractors.names` for the grammar.
    weights : str | Path
        "auto" takes the published weights from this machine (never from the network; see
        `download_weights`), "random" draws seeded ones, anything else is the path of a checkpoint.
    weights_dir : str | Path | None
        A folder of checkpoints that is searched before the libraries' caches.
    device : str
        Where the network shall lie: "cpu", "cuda", "cuda:1", "mps".
    seed : int
        Of random weights. The global generators are left as they were.

    Returns
    -------
    Backbone
        Ready for `extract`.

    Raises
    ------
    UnknownBackbone
        If there is no such backbone.
    MissingWeights
        If its weights are not on this machine; the message says how to get them.
    BackboneError
        If a checkpoint is refused or does not fit, if a plugin fails, or if the network does not
        return (B, D).
    """
    resolved = resolve(name, weights_dir)
    info = describe_resolved(resolved, weights_dir, weights=weights, seed=seed)
    if info.problem is not None:
        raise BackboneError(f"{name}: {info.problem}")
    if not info.cached:
        raise MissingWeights(f"{name}: weights {info.weights} are not cached; {info.hint}")
    if resolved.name.steps and weights in ("auto", "random"):
        raise MissingWeights(
            f"{name}: {HOW_TO_TRAIN}; {resolved.name.network} takes the weights it starts from"
        )
    with seeded(seed):
        return build_backbone(resolved, info, device)


def build_backbone(resolved: Resolved, info: BackboneInfo, device: str = "cpu") -> Backbone:
    """Build what has been described; random weights come from torch's generator as it is."""
    return finish_backbone(info, _feature_network(resolved, info), device)


def _feature_network(resolved: Resolved, info: BackboneInfo) -> nn.Module:
    """The network with its weights, which returns features instead of classes."""
    from extractors.layers import remove_classifier

    match resolved:
        case Published(library=library):
            network = library.build(resolved, info.weights_path)
            aliases = library.layer_aliases.get(resolved.architecture, {})
            if resolved.name.layer is None:
                network = library.remove_classifier(network)
            return _at_layer(network, resolved, info, aliases)
        case FromPlugin():
            return _at_layer(_build_plugin(resolved, info), resolved, info, {})
        case FromScratch(network=known):
            network = known.build(known.input_size)
            remove_classifier(network)
            return network


def _at_layer(
    network: nn.Module, resolved: Resolved, info: BackboneInfo, aliases: Mapping[str, str]
) -> nn.Module:
    """The network as it is, or what its layer gives whose name follows "@"."""
    from extractors.layers import LayerFeatures, resolve_layer

    layer = resolved.name.layer
    if layer is None:
        return network
    title = f"{info.kind}:{info.architecture}"
    return LayerFeatures(network, resolve_layer(network, title, layer, aliases))


def family_of(name: str, weights_dir: str | Path | None = None) -> Family | None:
    """The family of a backbone that may lack its weights: declared, or found from its modules.

    Parameters
    ----------
    name : str
        As for `create_backbone`.
    weights_dir : str | Path | None
        As for `create_backbone`.

    Returns
    -------
    Family | None
        None for a plugin that does not declare it, and for what cannot be built.
    """
    import torch

    resolved = resolve(name, weights_dir)
    if not isinstance(resolved, Published):
        return describe_resolved(resolved).family
    try:
        with torch.device("meta"):
            return network_family(resolved.library.build(resolved, None))
    except Exception:
        # A library's builder may raise anything; whoever needs the network is told.
        return None


def check_suffix(name: str, weights_dir: str | Path | None = None) -> None:
    """Check what follows "@" in a name: that there is such a layer, or that the input size fits.

    A library's network is built on torch's device `meta`, without memory and without weights, and
    a batch is run through it there. What does not work there is tried once more with random
    weights, which alone decide. Other names are not looked at, nor a plugin that cannot be built:
    the run says why.

    Parameters
    ----------
    name : str
        Its name; see `extractors.names` for the grammar.
    weights_dir : str | Path | None
        As for `create_backbone`.

    Raises
    ------
    BackboneError
        If there is no such layer, the network does not take that size, or does not return (B, D).
    """
    resolved = resolve(name, weights_dir)
    if resolved.name.layer is None and resolved.name.pixels is None:
        return
    info = describe_resolved(resolved, weights="random")
    if isinstance(resolved, Published) and resolved.input is None:
        return
    if isinstance(resolved, Published) and _runs_without_memory(resolved, info):
        return
    with seeded(0):
        if isinstance(resolved, FromPlugin):
            try:
                _build_plugin(resolved, info)
            except BackboneError:
                return
        build_backbone(resolved, info)


def _runs_without_memory(resolved: Resolved, info: BackboneInfo) -> bool:
    """Whether the network can be built and run on torch's device `meta`. Not all can that work."""
    import torch

    assert info.input is not None
    try:
        with torch.device("meta"), torch.no_grad(), seeded(0):
            network = _feature_network(resolved, info).eval()
            features = network(torch.zeros(2, 3, info.input.height, info.input.width))
        return isinstance(features, torch.Tensor) and features.ndim == 2 and len(features) == 2
    except Exception:
        return False


@dataclass(frozen=True)
class NetworkSize:
    """How large a network is.

    Attributes
    ----------
    parameters : int
        Their number, without the classifier that is removed.
    width : int
        The number of features.
    flops : int | None
        Floating-point operations of one image's forward pass; None where torch cannot count them.
    """

    parameters: int
    width: int
    flops: int | None = None


def size_of(
    name: str, input_size: int | None = None, weights_dir: str | Path | None = None
) -> NetworkSize | None:
    """The size of a network that may lack its weights, found on torch's device without memory.

    Parameters
    ----------
    name : str
        As for `create_backbone`.
    input_size : int | None
        Side of the input of a network of this package, instead of its own.
    weights_dir : str | Path | None
        As for `create_backbone`.

    Returns
    -------
    NetworkSize | None
        None for a plugin, which may load weights where it builds, and for what cannot be built.
    """
    resolved = resolve(name, weights_dir)
    if isinstance(resolved, FromPlugin):
        return None
    import torch

    if isinstance(resolved, FromScratch) and input_size is not None:
        resolved = replace(resolved, network=replace(resolved.network, input_size=input_size))
    info = replace(describe_resolved(resolved, weights="random"), weights_path=None)
    if info.input is None:
        return None
    spec = replace(info.input, height=input_size, width=input_size) if input_size else info.input
    # Some networks read values when they are built, for which there must be some.
    for device in ("meta", "cpu"):
        try:
            with seeded(0), torch.device(device), torch.no_grad():
                network = _feature_network(resolved, info).eval()
                width = network(torch.zeros(1, 3, spec.height, spec.width)).shape[1]
        except Exception:
            # A library's builder may raise anything; whoever needs the network is told.
            continue
        parameters = sum(p.numel() for p in network.parameters())
        return NetworkSize(parameters, int(width), forward_flops(network, spec, device))
    return None


def draws_weights(name: str) -> bool:
    """Whether a plugin's network begins with drawn weights: most of them differ from seed to seed.

    Parameters
    ----------
    name : str
        Of a plugin. Anything else is answered, too, by what it builds.

    Returns
    -------
    bool
        False where it loads weights, even if a new layer on them is drawn.
    """
    resolved = resolve(name)
    info = describe_resolved(resolved)
    states = []
    for seed in (0, 1):
        with seeded(seed):
            states.append(dict(_feature_network(resolved, info).named_parameters()))
    first, second = states
    # Norms and biases begin at constants in a drawn network as well.
    weights = [name for name, tensor in first.items() if tensor.ndim > 1] or list(first)
    drawn = sum(first[n].numel() for n in weights if not bool((first[n] == second[n]).all()))
    return drawn * 2 > sum(first[n].numel() for n in weights)


def _build_plugin(resolved: FromPlugin, info: BackboneInfo) -> nn.Module:
    from torch import nn

    text, plugin = resolved.name.text, resolved.plugin
    assert isinstance(plugin, Registered)
    try:
        with isolated(text), unreachable_hub_fails_at_once():
            network = plugin.value.build()
    except BackboneError:
        raise
    except Exception as error:
        raise BackboneError(
            f"{text}: {plugin.origin} cannot build it "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error
    if not isinstance(network, nn.Module):
        raise BackboneError(
            f"{text}: {plugin.origin} must return a torch.nn.Module, not {type(network).__name__}"
        )
    if info.origin == "random":
        _randomise(network)
    elif info.weights_path is not None:
        load_strictly(network, info.weights_path, plugin.name)
    return network


def _randomise(network: nn.Module) -> None:
    """Draw all weights anew: by each layer's own rule, else from a normal of std 0.02."""
    from torch import nn

    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            for parameter in module.parameters(recurse=False):
                nn.init.normal_(parameter, std=0.02)


def finish_backbone(info: BackboneInfo, module: nn.Module, device: str) -> Backbone:
    """Place the network, find its width, and put together what is known of it."""
    import torch

    assert info.input is not None
    try:
        torch.empty(0, device=torch.device(device))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise BackboneError(
            f"{info.name}: device {device} cannot be used ({first_line(error)})"
        ) from error
    try:
        place(module.eval(), device, info.name)
        backbone = Backbone(
            name=info.name,
            module=module,
            input=info.input,
            weights=info.weights,
            weights_digest=info.weights_digest or state_digest(module),
            origin=info.origin,
            family=info.family or network_family(module),
            device=device,
            parameters=sum(p.numel() for p in module.parameters()),
            source_digest=info.source_digest,
        )
        backbone.notes += notes_of(module)
        if info.input.height != info.input.width:
            size = f"{info.input.height} × {info.input.width}"
            backbone.notes.append(f"square crops are stretched to {size} pixels (height × width)")
        width = backbone.probe()
        if info.source_digest is not None:  # a plugin
            backbone.check_crops_alone()
        return replace(backbone, feature_width=width)
    except BackboneError as error:
        if str(error).startswith(info.name):
            raise
        raise BackboneError(f"{info.name}: {error}") from error
    except Exception as error:
        if is_out_of_memory(error):
            raise BackboneError(
                f"{info.name}: does not fit into the memory of {device} ({first_line(error)})"
            ) from error
        size = f"{info.input.height} × {info.input.width}"
        raise BackboneError(
            f"{info.name}: fails on an image of {size} pixels "
            f"({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        ) from error


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generator seeded inside the block and as it was afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
