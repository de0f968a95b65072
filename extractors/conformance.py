"""Tests plugins against the contract of a backbone, and says in plain words what fails.

    from extractors.conformance import check_file
    for finding in check_file("mynet.py"):
        print(finding)

Nothing here is guarded as it is in a run: what a run puts back silently is seen, and said.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from extractors import registry
from extractors.backbone import Backbone, BackboneError, UnknownBackbone, state_digest
from extractors.extraction import prepare
from extractors.precision import LOWEST_COSINE, lowest_cosine, probe_images, running
from extractors.process_state import TORCH_GENERATOR, put_back
from extractors.registry import BrokenPlugin, Plugin, load_plugin_file

# By how much features of one image may differ, as a share of the largest: as in a run.
ALLOWED = 1e-3
# By how much they may after saving and loading; the same numbers then go the same way.
ALLOWED_LOADED = 1e-5
BATCHES = (1, 2, 5)
# Names of tensors that a line may list.
LISTED = 3

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One check: passed, worth knowing, or failed.

    Attributes
    ----------
    subject : the backbone's name; the file's for what concerns all of it.
    state : "ok", "note" or "bad".
    what : the check.
    found : what was seen.
    mend : what to do; empty where nothing is to be done.
    """

    subject: str
    state: State
    what: str
    found: str
    mend: str = ""


class NotKept(Exception):
    """A part of the contract that is not kept, or, as a note, one that deserves a word."""

    def __init__(self, found: str, mend: str, state: State = "bad") -> None:
        super().__init__(found)
        self.found, self.mend, self.state = found, mend, state


def check_file(path: str | Path) -> Iterator[Finding]:
    """Load a plugin file and check each backbone that it registers, one finding after the other.

    Raises
    ------
    BackboneError
        If the file cannot be read or imported, or registers nothing: one line with file and cause.
    """
    changed = _changed_by_import(Path(path).expanduser().resolve())
    with put_back():
        names = load_plugin_file(path)
    yield judge(str(path), "import", lambda: _leaves_alone({"importing it": changed}))
    for name in names:
        yield from check_backbone(name)


def check_backbone(name: str) -> Iterator[Finding]:
    """Check one registered backbone, one finding after the other.

    A backbone with a recipe is also trained, for a few steps on made-up images.

    Raises
    ------
    BackboneError
        If no plugin has that name, or its entry point is broken.
    """
    plugin = registry.find(name)
    if plugin is None:
        raise UnknownBackbone(f"{name}: no plugin of that name is registered")
    if isinstance(plugin, BrokenPlugin):
        raise BackboneError(f"{name}: {plugin.problem}")
    subject = Subject(plugin)
    for what, check in _CHECKS.items():
        finding = judge(name, what, lambda check=check: check(subject))  # type: ignore[misc]
        yield finding
        if finding.state == "bad" and what in ("builds", "shape"):
            yield Finding(name, "note", "all else", "not checked", "mend the line above first")
            return
    if plugin.recipe is not None:
        from extractors.training_conformance import TRAINING_CHECKS

        for what, trained in TRAINING_CHECKS.items():
            yield judge(name, what, lambda trained=trained: trained(subject))  # type: ignore[misc]
    yield judge(name, "process", lambda: _leaves_alone(subject.changed))


def judge(subject: str, what: str, check: Callable[[], str]) -> Finding:
    """What a check says, or what it raises, as a finding; the process is put back after it."""
    try:
        with put_back():
            return Finding(subject, "ok", what, check())
    except NotKept as broken:
        return Finding(subject, broken.state, what, broken.found, broken.mend)
    except BackboneError as error:
        return Finding(subject, "bad", what, str(error).removeprefix(f"{subject}: "))
    except SystemExit as error:
        return Finding(
            subject, "bad", what, f"ends the program (sys.exit({error.code!r}))", "raise an error"
        )
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        return Finding(subject, "bad", what, f"raises {type(error).__name__}: {text}")


class Watched(nn.Module):
    """A plugin's network; what a pass through it changes in the process is written down."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.changed: set[str] = set()
        self.left_eval = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Whatever the network makes of (B, 3, H, W)."""
        with put_back() as changed:
            features: torch.Tensor = self.network(images)
        # In training, dropout draws from torch's generator as it should.
        self.changed.update(set(changed) - ({TORCH_GENERATOR} if self.training else set()))
        if not self.training:
            self.left_eval |= any(module.training for module in self.network.modules())
        return features


class Subject:
    """A plugin on the test bench.

    Attributes
    ----------
    plugin : what was registered.
    backbone : the network as it was built first; there once "builds" has passed.
    images : five textures, (5, 1, h, w) on [0, 255], all different.
    changed : what the plugin changes in the process, by what it was doing.
    """

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.backbone: Backbone
        self.images = prepare(probe_images()[: max(BATCHES)], plugin.input)
        self.changed: dict[str, set[str]] = {}
        self._builds = 0

    def build(self, seed: int) -> Backbone:
        """The network, built once more: torch's generator seeded, all others somewhere else."""
        self._builds += 1
        unsettle(self._builds)
        torch.manual_seed(seed)
        with put_back() as changed:
            network = self.plugin.build()
        # Weights are drawn from torch's generator, as they should be.
        self.watch("building it", set(changed) - {TORCH_GENERATOR})
        if not isinstance(network, nn.Module):
            raise NotKept(
                f"the decorated function returns {type(network).__name__}",
                "return a torch.nn.Module",
            )
        network = network.eval().to(memory_format=torch.channels_last)
        return Backbone(
            name=self.plugin.name,
            module=Watched(network),
            input=self.plugin.input,
            weights="plugin",
            weights_digest="",
            parameters=sum(p.numel() for p in network.parameters()),
        )

    def features(self, pixels: torch.Tensor, backbone: Backbone | None = None) -> torch.Tensor:
        """Features (B, D) of images (B, 1, h, w) on [0, 255], as extraction gets them."""
        backbone = backbone or self.backbone
        features = backbone.features(pixels)
        assert isinstance(backbone.module, Watched)
        self.watch("a forward pass", backbone.module.changed)
        return features

    def watch(self, doing: str, changed: set[str]) -> None:
        """Keep what the plugin has changed in the process while it did something."""
        self.changed.setdefault(doing, set()).update(changed)


def unsettle(number: int) -> None:
    """Put the generators that the suite does not seed somewhere else."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - the one that a plugin might draw from


def listed(names: list[str]) -> str:
    """The first few of some names."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _changed_by_import(file: Path) -> set[str]:
    """What importing a file changes in the process; whether it can be imported is not said here."""
    before = dict(registry._plugins)
    registry._restore({})
    try:
        with put_back() as changed, contextlib.suppress(Exception, SystemExit):
            registry._execute(file, f"bench_plugin_{file.stem}_watched")
    finally:
        registry._restore(before)
    return set(changed)


def _leaves_alone(changed: dict[str, set[str]]) -> str:
    told = [
        f"{doing} changes {', '.join(sorted(parts))}" for doing, parts in changed.items() if parts
    ]
    if told:
        raise NotKept(
            "; ".join(told),
            "leave the process as it is, or put back what was changed; "
            "draw weights from torch's generator, inside the decorated function",
        )
    return "left as it was"


def _builds(subject: Subject) -> str:
    subject.backbone = subject.build(0)
    return f"{subject.backbone.parameters:,} parameters"


def _shape(subject: Subject) -> str:
    spec, widths = subject.plugin.input, set()
    for count in BATCHES:
        try:
            widths.add(subject.features(subject.images[:count]).shape[1])
        except BackboneError as error:
            raise NotKept(
                str(error).removeprefix(f"{subject.plugin.name}: "),
                "return one row of features an image, e.g. with torch.flatten(x, 1)",
            ) from error
        except Exception as error:
            raise NotKept(
                f"a batch of {count} images ({count}, 3, {spec.height}, {spec.width}) raises "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                "forward must take any number of images of the registered input_size; they lie "
                "channels-last in memory, where reshape works and view may not",
            ) from error
    if len(widths) > 1 or 0 in widths:
        raise NotKept(
            f"batches of {BATCHES} images have features of width {sorted(widths)}",
            "return the same number of features, at least one, for every batch",
        )
    return f"(B, {widths.pop()}) for B = {', '.join(map(str, BATCHES))} at {spec.height} px"


def _finite(subject: Subject) -> str:
    spec = subject.plugin.input
    noise = 255 * torch.rand(1, 1, spec.height, spec.width, generator=torch.Generator())
    kinds = {"noise": noise, "black": torch.zeros_like(noise), "white": 0 * noise + 255}
    bad = [k for k, image in kinds.items() if not subject.features(image).isfinite().all()]
    if bad:
        raise NotKept(
            f"features of an image that is {' or '.join(bad)} are not finite",
            "look for divisions by a spread that may be zero, logarithms, overflow",
        )
    return "for noise, black and white images"


def _alone(subject: Subject) -> str:
    images = subject.images
    together = subject.features(images)
    alone = torch.cat([subject.features(image[None]) for image in images])
    apart = _distance(together, alone)
    if not apart <= ALLOWED:
        raise NotKept(
            f"an image's features change with the other images of its batch (by {apart:.0%} of "
            "the largest)",
            "that carries test images into training: take no mean or norm over the batch; "
            "BatchNorm must keep running statistics",
        )
    return "features are the same in a batch as for a single image"


def _again(subject: Subject) -> str:
    images = subject.images
    torch.manual_seed(1)
    first = subject.features(images)
    torch.manual_seed(2)
    apart = _distance(first, subject.features(images))
    if not apart <= ALLOWED:
        raise NotKept(
            f"a second pass gives other features for the same images (by {apart:.0%} of the "
            "largest)",
            "drop out or draw only in training: torch.nn.Dropout, or dropout(x, training="
            "self.training)",
        )
    return "a second pass gives the same features"


def _eval(subject: Subject) -> str:
    watched = subject.backbone.module
    assert isinstance(watched, Watched)
    before = state_digest(watched)
    watched.left_eval = False
    subject.features(subject.images)
    if watched.left_eval:
        raise NotKept(
            "parts of the network are in training mode during extraction",
            "do not call train() in forward; a train() or eval() of your own must reach all parts",
        )
    if state_digest(watched) != before:
        raise NotKept(
            "extraction changes weights or buffers",
            "change buffers only where self.training is true",
        )
    return "kept, and weights and buffers stay as they are"


def _apart(subject: Subject) -> str:
    features = subject.features(subject.images)
    if _distance(features, features[:1]) <= 1e-6:
        raise NotKept(
            "five different images have the same features",
            "no classifier can learn from these; were the weights loaded?",
            "note",
        )
    return "different images have different features"


def _bfloat16(subject: Subject) -> str:
    mend = "mend it, or it fails in a run where the device computes in bfloat16"
    full = subject.features(subject.images)
    try:
        with running("cpu", "bfloat16"):
            half = subject.features(subject.images)
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise NotKept(f"fails under autocast ({text})", mend, "note") from error
    cosine = lowest_cosine(full.numpy(), half.numpy())
    if not cosine > LOWEST_COSINE:
        raise NotKept(
            f"disagrees with float32 (lowest cosine {cosine:.4f})",
            "nothing to do: a run then computes in float32",
            "note",
        )
    return f"agrees with float32 (lowest cosine {cosine:.5f})"


def _seeded(subject: Subject) -> str:
    first, again = subject.build(0), subject.build(0)
    if not first.module.state_dict():
        return "there are no weights"
    if _storages(first.module) & _storages(again.module):
        raise NotKept(
            "two builds share weights: training one would change the other",
            "make the network and load its weights inside the decorated function",
        )
    if state_digest(first.module) != state_digest(again.module):
        raise NotKept(
            "the same seed gives other weights",
            "draw weights from torch's generator only, not from numpy, random or the time",
        )
    return "the same seed gives the same weights"


def _saved(subject: Subject) -> str:
    saved: dict[str, Any] = {}
    for name, value in subject.backbone.module.state_dict().items():
        try:
            saved[name] = value.detach().cpu().numpy().copy()
        except (AttributeError, TypeError) as error:
            raise NotKept(
                f"state_dict entry {name.removeprefix('network.')} cannot be kept "
                f"({' '.join(str(error).split())})",
                "keep weights as tensors of a type that numpy has, e.g. float32",
            ) from error
    other = subject.build(1)
    try:
        other.module.load_state_dict({k: torch.from_numpy(v) for k, v in saved.items()})
    except RuntimeError as error:
        raise NotKept(
            f"its state_dict does not fit a second build ({' '.join(str(error).split())[:200]})",
            "build the same layers each time",
        ) from error
    images = subject.images
    apart = _distance(subject.features(images), subject.features(images, other))
    if not apart <= ALLOWED_LOADED:
        raise NotKept(
            f"features change after saving and loading (by {apart:.0%} of the largest)",
            "what they depend on must be in state_dict: nn.Parameter, register_buffer, "
            "nn.ModuleList instead of a list",
        )
    return "features are the same after saving and loading"


def _distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Largest difference, as a share of the largest feature; 0 for equal ones, else NaN stays."""
    apart = float((first - second).abs().max())
    return apart / float(first.abs().max()) if apart else 0.0


def _storages(module: nn.Module) -> set[int]:
    tensors = [*module.parameters(), *module.buffers()]
    return {t.untyped_storage().data_ptr() for t in tensors} - {0}


_CHECKS: dict[str, Callable[[Subject], str]] = {
    "builds": _builds,
    "shape": _shape,
    "finite": _finite,
    "single or batch": _alone,
    "second pass": _again,
    "eval mode": _eval,
    "tells apart": _apart,
    "bfloat16": _bfloat16,
    "seeded": _seeded,
    "save and load": _saved,
}
