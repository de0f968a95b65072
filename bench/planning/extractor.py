"""What a run works with: its device, and its extractors with their weights looked up or drawn."""

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.imports import ImportedFeatures, described, find_import
from bench.planning.presets import PRESETS, SELECTED
from bench.planning.reference_points import NO_FEATURES, READERS, SHORTCUTS
from bench.plugins.references import REFERENCE_PREFIX
from extractors import BackboneInfo
from extractors.names import FEATURES, FUSION, RANDOM, parse, split_fusion
from extractors.networks import NETWORKS
from extractors.pretrained.medical.checkpoint_files import MEDICAL
from extractors.pretrained.medical.pretraining import UNKNOWN, how_to_cite, pretraining
from extractors.recipes import Recipe
from reports.systems import schema

# One draw of random weights for all: a system's name says `random`, not which draw.
RANDOM_SEED = 0


def choose_device(requested: str) -> str:
    """The device to run on: "auto" is the first GPU, else the processor.

    Raises
    ------
    UnusableInput
        If the device requested is not there.
    """
    kind, _, number = requested.partition(":")
    if requested == "cpu" or (requested == "auto" and not _has_cuda_driver()):
        return "cpu"
    import torch

    if requested == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if requested == "mps":
        if torch.backends.mps.is_available():
            return "mps"
        raise UnusableInput("--device mps: this machine has no GPU of Apple's that torch can use")
    if kind == "cuda" and re.fullmatch("[0-9]*", number):
        if int(number or 0) < torch.cuda.device_count():
            return requested
        raise UnusableInput(
            f"--device {requested}: this machine has {torch.cuda.device_count()} CUDA devices"
        )
    raise UnusableInput(f"--device {requested!r} is not one of auto, cpu, cuda, cuda:N, mps")


def _has_cuda_driver() -> bool:
    """Whether the system has NVIDIA's driver, without which torch finds no GPU.

    Torch takes seconds to import, and a run whose results stand in the store needs it for nothing
    else.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Extractor:
    """An extractor with its weights looked up, or the reason why it cannot run.

    Attributes
    ----------
    name : str
        As in every table.
    info : BackboneInfo | None
        What `extractors.describe` says; None for features that need no image.
    weights : str
        Label for tables.
    source : str
        What `create_backbone` takes for weights: "auto", or "random" where seeded random ones stand
        in for those that are not cached.
    weights_dir : Path | None
        Where `create_backbone` looks for checkpoints first.
    status : str
        "ok", or why it cannot run and what to do.
    recipe : Recipe | None
        How it is trained; None where its features are used as they come.
    parts : tuple[Extractor, ...]
        The backbones of a fusion; `info` is None then.
    imported : ImportedFeatures | None
        Its features, where they come from a file; `info` is None then.
    declared : str
        Of a checkpoint of the user's own, `NAME=PATH:ARCHITECTURE`.
    """

    name: str
    info: BackboneInfo | None
    weights: str
    source: str = "auto"
    weights_dir: Path | None = None
    status: str = "ok"
    recipe: Recipe | None = None
    parts: "tuple[Extractor, ...]" = ()
    imported: ImportedFeatures | None = None
    declared: str = ""

    @property
    def sees_images(self) -> bool:
        """Whether its features come from images, not from the lesion table."""
        return self.info is not None or bool(self.parts) or self.imported is not None

    @property
    def runs_network(self) -> bool:
        """Whether a network makes its features here."""
        return self.info is not None or any(part.runs_network for part in self.parts)

    @property
    def imports(self) -> bool:
        """Whether its features, or those of a part of it, come from a file."""
        return self.imported is not None or any(part.imports for part in self.parts)

    @property
    def trained(self) -> bool:
        """Whether it, or a part of it, is trained on the training rows of each fold."""
        return self.recipe is not None or any(part.trained for part in self.parts)

    @property
    def role(self) -> str:
        """What it is in the comparison, in the words of `reports.systems.schema`."""
        if self.parts:
            return schema.FUSION
        if self.info is not None or self.imported is not None:
            return schema.NETWORK
        return schema.SELECTION if self.name == SELECTED else schema.REFERENCE

    def facts(self) -> dict[str, Any]:
        """What it is, for the manifest; the family only where it is declared.

        As `reports.systems.schema.EXTRACTOR_FACTS` says.
        """
        found = {
            "name": self.name,
            "role": self.role,
            "weights": self.weights,
            "origin": self.origin or None,
            "training": self.training or None,
        }
        if self.parts:
            parts = [part.facts() for part in self.parts]
            seen = "; ".join(dict.fromkeys(str(part["pretrained_on"]) for part in parts))
            return found | {"network": self.name, "parts": parts, "pretrained_on": seen}
        if self.imported is not None:
            of_file = {"library": schema.IMPORTED, "architecture": self.name, "network": self.name}
            return found | of_file | {"family": None, "steps": [], "pretrained_on": UNKNOWN}
        if self.info is None:
            return found
        name = parse(self.name)
        network = NETWORKS.get(self.info.architecture) if self.info.kind == "network" else None
        return found | {
            "family": self.info.family,
            "library": self.info.kind,
            # The name of a checkpoint, or a short one, says nothing of its architecture.
            "architecture": f"{self.info.kind}:{self.info.architecture}"
            if (self.declared or name.prefix == MEDICAL)
            and self.info.kind not in ("plugin", MEDICAL)
            else name.architecture,
            "network": name.network,
            "steps": list(name.steps),
            "small_data": network is not None and network.section == "B",
            "localized": self.recipe is not None and self.recipe.localization is not None,
            "pretrained_on": pretraining(self.info),
            "cite": how_to_cite(self.info),
        }

    @property
    def recipe_name(self) -> str:
        """What the tables say of its training: `frozen` where there is none."""
        if self.parts:
            return ", ".join(dict.fromkeys(part.recipe_name for part in self.parts))
        if self.recipe is not None:
            return self.recipe.name
        return "frozen" if self.sees_images else ""

    @property
    def origin(self) -> str:
        """Where its weights come from, as `extractors.backbone.Origin` names it."""
        if self.parts:
            return ", ".join(dict.fromkeys(part.origin for part in self.parts))
        if self.imported is not None:
            return "file"
        return self.info.origin if self.info is not None else ""

    @property
    def training(self) -> str:
        """`frozen`, `fine-tuned` or `from scratch`; `trained` where only a plugin knows which."""
        if self.parts:
            return ", ".join(dict.fromkeys(part.training for part in self.parts))
        if self.recipe is None:
            return "frozen" if self.sees_images else ""
        if self.origin == "plugin":
            return "trained"
        return "from scratch" if self.origin in ("scratch", "random") else "fine-tuned"


def choose_extractors(
    configuration: Configuration, synthetic: bool, imports: Sequence[ImportedFeatures] = ()
) -> tuple[Extractor, ...]:
    """Look up every extractor that is requested, and its weights; `imports` are the given features.

    On synthetic data seeded random weights stand in for missing ones, and nothing is downloaded.
    On real data an extractor without weights keeps its place with the reason for its status, unless
    they can be downloaded.

    Raises
    ------
    UnusableInput
        If a name is unknown, or a plugin file cannot be used.
    """
    from extractors import BackboneError
    from extractors.plugins import backbones_of_file

    try:
        registered = [name for file in configuration.plugin for name in backbones_of_file(file)]
        own = declare_own(configuration.checkpoint)
        names = configuration.extractors or (*PRESETS[configuration.preset].extractors, *registered)
        # A file that nobody names is given to be used.
        used = {part for name in names for part in split_fusion(name)}
        bare = {re.split("[@+]", part.removeprefix(RANDOM))[0] for part in used}
        names = (*names, *(one for one in own if one not in bare))
        names = (*names, *(one.name for one in imports if one.name not in used))
        for name in names:
            if names.count(name) > 1:
                raise UnusableInput(f"--extractors: {name!r} is named more than once")
        return tuple(_look_up(name, configuration, synthetic, imports) for name in names)
    except BackboneError as error:
        raise UnusableInput(str(error)) from error


def declare_own(declarations: Sequence[str]) -> list[str]:
    """Know the user's own checkpoints by their names, and no others; gives the names.

    Raises
    ------
    BackboneError
        If one cannot be read, or takes a name that stands for something else.
    """
    from extractors import BackboneError, declare_checkpoints, read_declaration
    from extractors.plugins import BACKBONES
    from extractors.pretrained.weights import checkpoint_digest

    found = [read_declaration(text) for text in declarations]
    names = [one.name for one in found]
    for one in found:
        BACKBONES.check_name(one.name)
        if names.count(one.name) > 1 or BACKBONES.look_up(one.name) is not None:
            raise BackboneError(f"--checkpoint {one}: the name {one.name} is taken already")
        checkpoint_digest(one.path)
    declare_checkpoints(found)
    return names


def _declaration(name: str, weights_dir: Path | None) -> str:
    """Of a checkpoint of the user's own, how it was declared. That it fits is tried now.

    Raises
    ------
    BackboneError
        If the checkpoint is not one of the architecture that is named.
    """
    from extractors import create_backbone
    from extractors.pretrained.own import find_own

    parsed = parse(name)
    own = find_own(parsed.model) if not parsed.prefix else None
    if own is None:
        return ""
    if not parsed.random:
        create_backbone(parsed.network, weights_dir=weights_dir)
    return str(own)


def _fusion(name: str, parts: Sequence[Extractor]) -> Extractor:
    """Several backbones as one extractor; it can run if all of them can."""
    failing = [f"{part.name}: {part.status}" for part in parts if part.status != "ok"]
    weights = ", ".join(dict.fromkeys(part.weights for part in parts))
    status = failing[0] if failing else "ok"
    return Extractor(name, None, weights, status=status, parts=tuple(parts))


def _names_to_fuse(name: str) -> list[str]:
    names = split_fusion(name)
    if len(names) < 2 or len(set(names)) < len(names):
        raise UnusableInput(
            f"--extractors {name!r}: a fusion names two or more different backbones: {FUSION}A+B"
        )
    if SELECTED in names:
        raise UnusableInput(f"--extractors {name!r}: {SELECTED!r} is no backbone to fuse")
    return names


def _look_up(
    name: str,
    configuration: Configuration,
    synthetic: bool,
    imports: Sequence[ImportedFeatures],
) -> Extractor:
    from extractors import describe
    from extractors.create import check_suffix

    weights_dir = configuration.weights_dir
    if name.startswith(FUSION):
        names = _names_to_fuse(name)
        return _fusion(name, [_look_up(one, configuration, synthetic, imports) for one in names])

    if name == SELECTED:
        return Extractor(name, None, "")
    if name.startswith(FEATURES):
        imported = find_import(name, imports)
        return Extractor(name, None, imported.weights, imported=imported)
    if name in (*SHORTCUTS, *READERS, NO_FEATURES) or name.startswith(REFERENCE_PREFIX):
        raise UnusableInput(f"--extractors {name!r}: reference points are always in the table")
    info = described(name, weights_dir, imports)
    if info.problem is None:
        check_suffix(name, weights_dir)
    recipe = _recipe(name, configuration)
    declared = _declaration(name, weights_dir) if info.problem is None else ""
    found = Extractor(
        name, info, info.weights, weights_dir=weights_dir, recipe=recipe, declared=declared
    )
    if info.problem is not None:
        return replace(found, status=f"{info.problem}; {info.hint}")
    if info.cached or (recipe is not None and info.kind == "network"):
        return found
    if synthetic and info.input is not None:
        drawn = describe(name, weights_dir, weights="random", seed=RANDOM_SEED)
        return replace(found, info=drawn, weights=drawn.weights, source="random")
    return replace(found, status=_missing(info.hint))


def _recipe(name: str, configuration: Configuration) -> Recipe | None:
    """How a network is trained; None for one that is not."""
    from extractors.training.trainable import recipe_for, trains

    if not trains(name):
        return None
    recipe = recipe_for(name, configuration.preset)
    return recipe if configuration.epochs is None else recipe.with_epochs(configuration.epochs)


def _missing(hint: str) -> str:
    return f"weights not cached: {hint}"


def fetch_weights(
    extractors: Sequence[Extractor], say: Callable[[str], None]
) -> tuple[Extractor, ...]:
    """Download what is missing and published, from services that answer: each is asked once."""
    from extractors import BackboneError, describe, download_weights, why_unreachable

    fetched = []
    for extractor in extractors:
        if extractor.parts:
            fetched.append(_fusion(extractor.name, fetch_weights(extractor.parts, say)))
            continue
        info = extractor.info
        wanted = info is not None and not info.cached and info.downloadable
        if not wanted or extractor.source == "random":
            fetched.append(extractor)
            continue
        assert info is not None
        assert info.source is not None
        if reason := why_unreachable(info.source):
            # No part of the status, which shall be the same wherever the run is made.
            say(f"the weights of {extractor.name} are not downloaded: {reason}")
            fetched.append(extractor)
            continue
        size = f", {info.download_bytes / 2**20:.0f} MiB" if info.download_bytes else ""
        say(f"downloading the weights of {extractor.name} from {info.source}{size}")
        try:
            download_weights(info)
            now = describe(extractor.name, extractor.weights_dir)
        except BackboneError as error:
            # Not fetched; or what has come cannot be used.
            fetched.append(replace(extractor, status=str(error)))
            continue
        status = "ok" if now.cached else _missing(now.hint)
        fetched.append(replace(extractor, info=now, weights=now.weights, status=status))
    return tuple(fetched)


def check_strict(extractors: Sequence[Extractor]) -> None:
    """Raise UnusableInput where an extractor cannot run; for `--strict`, before any work."""
    failing = [e for e in extractors if e.status != "ok"]
    if failing:
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        raise UnusableInput(f"--strict: {failing[0].name}: {failing[0].status}{more}")
