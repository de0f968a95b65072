"""Backbones of users: the `register` decorator, plugin files and entry points."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from extractors.backbone import IMAGENET_MEAN, IMAGENET_STD, InputSpec, Triple, square_input
from extractors.errors import BackboneError
from extractors.isolation import isolated
from extractors.names import FAMILIES, NO_EXTRACTORS, Family
from extractors.networks import NETWORKS
from extractors.pretrained import LIBRARIES
from extractors.pretrained.connectivity import unreachable_hub_fails_at_once
from extractors.recipes import Recipe
from extractors.registration.registry import (
    Registry,
    forget_source,
    one_line,
    redigest_source,
    registered_from,
    restore,
    saved,
)
from extractors.registration.sources import PluginSource, importing, with_neighbours

if TYPE_CHECKING:
    import torch

Builder = Callable[[], "torch.nn.Module"]
AnyBuilder = TypeVar("AnyBuilder", bound=Callable[[], object])


@dataclass(frozen=True)
class Plugin:
    """How a registered backbone is built, and trained.

    Attributes
    ----------
    build : Builder
        Returns the network, with its weights.
    input : InputSpec
        The image it wants.
    recipe : Recipe | None
        How the suite trains it; None where its features are used as they come.
    family : Family | None
        As declared; None leaves it to the built network.
    """

    build: Builder
    input: InputSpec
    recipe: Recipe | None = None
    family: Family | None = None


BACKBONES: Registry[Plugin] = Registry(
    "backbone",
    "extractors.register",
    "bench.extractors",
    # What the grammar of names, or a table, would take for something else.
    {*LIBRARIES, "random", "fusion", *NO_EXTRACTORS, *NETWORKS},
)


def register(
    name: str,
    *,
    input_size: int = 224,
    mean: Triple = IMAGENET_MEAN,
    std: Triple = IMAGENET_STD,
    recipe: Recipe | None = None,
    family: Family | None = None,
) -> Callable[[AnyBuilder], AnyBuilder]:
    """Decorator: add a backbone under a name.

    The decorated callable takes nothing and returns a `torch.nn.Module` that maps a normalised
    batch (B, 3, input_size, input_size) to features (B, D). Resizing, normalisation, batching,
    device, precision and caching are not its business.

    Parameters
    ----------
    name : str
        Letters, digits, `_` and `-`.
    input_size : int
        Side of the images in pixels.
    mean, std : Triple
        Of the three channels on [0, 1], for normalisation.
    recipe : Recipe | None
        With one, the suite trains the network on the training rows of each fold, with a linear head
        on its features, from the weights with which it was built. These then should be drawn from
        torch's global generator, which the suite seeds.
    family : Family | None
        "CNN", "transformer", "hybrid" or "other"; None finds it from the network's modules.

    Returns
    -------
    Callable[[AnyBuilder], AnyBuilder]
        A decorator that leaves the callable as it is.

    Raises
    ------
    BackboneError
        If the name is taken by another source (both are named; a cell or module that is run again
        replaces what it registered), reserved, or not a valid name, or if
        input_size, mean, std, recipe or family make no sense.
    """
    BACKBONES.check_name(name)
    spec = square_input(name, input_size, mean, std)
    if recipe is not None:
        _check_recipe(name, recipe)
    if family is not None and family not in FAMILIES:
        raise BackboneError(f"{name}: family is one of {', '.join(FAMILIES)}, not {family!r}")

    def add(build: AnyBuilder) -> AnyBuilder:
        if not callable(build):
            raise BackboneError(
                f"{name}: register decorates a function or class that makes the network, not "
                f"{type(build).__name__}"
            )
        # What it really returns is checked when it is built.
        BACKBONES.add(name, Plugin(build, spec, recipe, family), build)  # type: ignore[arg-type]
        return build

    return add


BACKBONES.by_default(register)  # type: ignore[arg-type]


def _check_recipe(name: str, recipe: object) -> None:
    if not isinstance(recipe, Recipe):
        raise BackboneError(f"{name}: recipe must be a Recipe, not {type(recipe).__name__}")
    if recipe.input_size is not None:
        raise BackboneError(f"{name}: the input size belongs into register, not into the recipe")
    if recipe.localization is not None:
        raise BackboneError(f"{name}: the localization loss is for the suite's own networks")


def load_plugin_file(path: str | Path) -> list[str]:
    """Import a plugin file, which may register classifiers, data sets and the like besides.

    The same file can be loaded again: what it registered before is replaced. A file that fails
    leaves nothing behind.

    Parameters
    ----------
    path : str | Path
        A Python file that uses `register`, or a decorator of another registry.

    Returns
    -------
    list[str]
        The names of the backbones that it registered; what else, `registered_from` says.

    Raises
    ------
    BackboneError
        If it cannot be read or imported, or registers nothing: one line with file and cause.
    """
    file = Path(path).expanduser().resolve()
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BackboneError(f"{path}: cannot be read ({error.strerror or error})") from error
    before = saved()
    forget_plugin_file(file)
    modules = set(sys.modules)
    try:
        source = PluginSource(str(file), digest)
        with isolated(str(path)), unreachable_hub_fails_at_once(), importing(source):
            _execute(file, f"bench_plugin_{file.stem}_{digest[:8]}")
    except KeyboardInterrupt:
        restore(before)
        raise
    except BaseException as error:
        restore(before)
        raise BackboneError(f"{path}: cannot be imported ({one_line(error)})") from error
    if not registered_from(str(file)):
        restore(before)
        raise BackboneError(
            f"{path}: registers no backbone (use extractors.register), and nothing else "
            "(bench.register_classifier, bench.register_dataset, "
            "bench.register_reference_point)"
        )
    redigest_source(str(file), with_neighbours(digest, file, set(sys.modules) - modules))
    return BACKBONES.names_from(str(file))


def backbones_of_file(path: str | Path) -> list[str]:
    """The names of the backbones of a plugin file, which is imported if it was not before.

    Raises
    ------
    BackboneError
        As `load_plugin_file`.
    """
    origin = str(Path(path).expanduser().resolve())
    return BACKBONES.names_from(origin) if registered_from(origin) else load_plugin_file(path)


def import_unregistered(file: Path) -> None:
    """Import a plugin file and register nothing: to see what importing it does.

    Raises whatever the file raises.
    """
    before = saved()
    restore({})  # a name that is taken does not matter
    try:
        with importing(PluginSource(str(file), "")):
            _execute(file, f"bench_plugin_{file.stem}_unregistered")
    finally:
        restore(before)


def forget_plugin_file(path: str | Path) -> None:
    """Take back what a plugin file has registered; nothing where it was never loaded."""
    forget_source(str(Path(path).expanduser().resolve()))


def _execute(file: Path, module_name: str) -> None:
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise BackboneError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickle look a module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
