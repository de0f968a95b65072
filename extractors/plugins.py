"""Backbones of users: the `register` decorator, plugin files and entry points."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
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
    Saved,
    distribution_of,
    entry_point_digest,
    forget_source,
    one_line,
    redigest_source,
    registered_from,
    restore,
    saved,
)
from extractors.registration.sources import (
    TYPED,
    PluginSource,
    being_imported,
    importing,
    source_of,
    with_neighbours,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import torch

ENTRY_POINT_GROUP = "bench.extractors"
# What the grammar of names, or a table, would take for something else.
RESERVED = frozenset({*LIBRARIES, "random", "fusion", *NO_EXTRACTORS, *NETWORKS})

Builder = Callable[[], "torch.nn.Module"]
AnyBuilder = TypeVar("AnyBuilder", bound=Callable[[], object])


@dataclass(frozen=True)
class Plugin:
    """A registered builder.

    Attributes
    ----------
    name : str
        The id under which it was registered.
    build : Builder
        Returns the network, with its weights.
    input : InputSpec
        The image it wants.
    origin : str
        The file or distribution that registered it.
    digest : str
        SHA-256 (hexadecimal) of that source.
    recipe : Recipe | None
        How the suite trains it; None where its features are used as they come.
    family : Family | None
        As declared; None leaves it to the built network.
    """

    name: str
    build: Builder
    input: InputSpec
    origin: str
    digest: str
    recipe: Recipe | None = None
    family: Family | None = None


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that could not be imported or registered.

    Attributes
    ----------
    name : str
        The entry point's name.
    origin : str
        The distribution that has it.
    problem : str
        Why, in one line.
    """

    name: str
    origin: str
    problem: str


_PLUGIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

_plugins: dict[str, Plugin] = {}
_broken: dict[str, BrokenPlugin] = {}
_entry_points_read = False


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
    check_plugin_id(name)
    spec = square_input(name, input_size, mean, std)
    if recipe is not None:
        _check_recipe(name, recipe)
    if family is not None and family not in FAMILIES:
        raise BackboneError(f"{name}: family is one of {', '.join(FAMILIES)}, not {family!r}")

    def add(build: AnyBuilder) -> AnyBuilder:
        source = being_imported() or source_of(build)
        taken = _plugins.get(name)
        if taken is not None and not _is_run_again(taken, build, source):
            raise BackboneError(
                f"{name}: registered by {taken.origin} already, so {source.origin} cannot take it"
            )
        # What it really returns is checked when it is built.
        _plugins[name] = Plugin(
            name,
            build,  # type: ignore[arg-type]
            spec,
            source.origin,
            source.digest,
            recipe,
            family,
        )
        return build

    return add


def _is_run_again(taken: Plugin, build: object, source: PluginSource) -> bool:
    """Whether a builder takes the place of an earlier one: a cell or a module that is run again.

    Code that is typed into a session has no file, so that whatever it registers is replaced. Of a
    file it is the same function or class. Inside a plugin file no name may occur twice.
    """
    if being_imported() is not None or taken.origin != source.origin:
        return False
    first, second = (getattr(one, "__qualname__", one) for one in (taken.build, build))
    return source.origin == TYPED or bool(first == second)


def check_plugin_id(name: str) -> None:
    """Refuse a plugin id that the grammar of names could not tell from something else.

    Raises
    ------
    BackboneError
        If it is a reserved word or holds anything but letters, digits, `_` and `-`.
    """
    if not isinstance(name, str):
        raise BackboneError(
            f"register wants the plugin's name first, as in @register('mynet'), not {name!r}"
        )
    if name.casefold() in RESERVED or name.split(":", 1)[0].casefold() in RESERVED:
        raise BackboneError(f"{name!r}: the name is reserved; a plugin needs another one")
    if not _PLUGIN_ID.fullmatch(name):
        raise BackboneError(
            f"{name!r}: a plugin's name holds letters, digits, '_' and '-' only "
            "(':', '@', '.', '+' and ',' belong to the grammar of names)"
        )


def _check_recipe(name: str, recipe: object) -> None:
    if not isinstance(recipe, Recipe):
        raise BackboneError(f"{name}: recipe must be a Recipe, not {type(recipe).__name__}")
    if recipe.input_size is not None:
        raise BackboneError(f"{name}: the input size belongs into register, not into the recipe")
    if recipe.localization is not None:
        raise BackboneError(f"{name}: the localization loss is for the suite's own networks")


def find_plugin(name: str) -> Plugin | BrokenPlugin | None:
    """The plugin of that name, the reason why it cannot be used, or None."""
    _read_entry_points()
    return _plugins.get(name) or _broken.get(name)


def plugins() -> list[Plugin | BrokenPlugin]:
    """All plugins, sorted by name; those that could not be imported included."""
    _read_entry_points()
    return [_plugins.get(name) or _broken[name] for name in sorted({**_broken, **_plugins})]


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
    before = _state()
    forget_plugin_file(file)
    kept = set(_plugins)
    modules = set(sys.modules)
    try:
        source = PluginSource(str(file), digest)
        with isolated(str(path)), unreachable_hub_fails_at_once(), importing(source):
            _execute(file, f"bench_plugin_{file.stem}_{digest[:8]}")
    except KeyboardInterrupt:
        _restore(before)
        raise
    except BaseException as error:
        _restore(before)
        raise BackboneError(f"{path}: cannot be imported ({one_line(error)})") from error
    names = [name for name in _plugins if name not in kept]
    if not names and not registered_from(str(file)):
        _restore(before)
        raise BackboneError(
            f"{path}: registers no backbone (use extractors.register), and nothing else "
            "(bench.register_classifier, bench.register_dataset, "
            "bench.register_reference_point)"
        )
    digest = with_neighbours(digest, file, set(sys.modules) - modules)
    redigest_source(str(file), digest)
    for name in names:
        _plugins[name] = replace(_plugins[name], digest=digest)
    return names


def backbones_of_file(path: str | Path) -> list[str]:
    """The names of the backbones of a plugin file, which is imported if it was not before.

    Raises
    ------
    BackboneError
        As `load_plugin_file`.
    """
    origin = str(Path(path).expanduser().resolve())
    names = [name for name, plugin in _plugins.items() if plugin.origin == origin]
    return names if names or registered_from(origin) else load_plugin_file(path)


def import_unregistered(file: Path) -> None:
    """Import a plugin file and register nothing: to see what importing it does.

    Raises whatever the file raises.
    """
    before = _state()
    forget_plugin_file(file)
    _plugins.clear()
    try:
        with importing(PluginSource(str(file), "")):
            _execute(file, f"bench_plugin_{file.stem}_unregistered")
    finally:
        _restore(before)


def forget_plugin_file(path: str | Path) -> None:
    """Take back what a plugin file has registered; nothing where it was never loaded."""
    file = Path(path).expanduser().resolve()
    for name in [n for n, plugin in _plugins.items() if plugin.origin == str(file)]:
        del _plugins[name]
    forget_source(str(file))


def _state() -> tuple[dict[str, Plugin], Saved]:
    """What is registered of any kind."""
    return dict(_plugins), saved()


def _restore(before: tuple[dict[str, Plugin], Saved]) -> None:
    backbones, others = before
    _plugins.clear()
    _plugins.update(backbones)
    restore(others)


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


def _read_entry_points() -> None:
    """Load every entry point once; one that fails is recorded and harms nothing else."""
    global _entry_points_read
    if _entry_points_read:
        return
    _entry_points_read = True
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP):
        before = _state()
        origin = distribution_of(point)
        try:
            _load_entry_point(point, origin)
        except (Exception, SystemExit) as error:
            _restore(before)
            _broken[point.name] = BrokenPlugin(
                point.name, origin, f"entry point {point.value} of {origin}: {one_line(error)}"
            )


def _load_entry_point(point: EntryPoint, origin: str) -> None:
    check_plugin_id(point.name)
    with importing(PluginSource(origin, entry_point_digest(point, origin))):
        value = point.load()
        if point.name in _plugins and _plugins[point.name].origin == origin:
            return  # a module, or a function, that used the decorator
        if isinstance(value, ModuleType) or not callable(value):
            raise BackboneError(f"registers no backbone named {point.name}")
        register(point.name)(value)
