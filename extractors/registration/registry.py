"""Names for what users register of one kind, and where it came from."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar

from extractors.errors import BackboneError, RegistrationError
from extractors.registration.sources import (
    TYPED,
    PluginSource,
    being_imported,
    importing,
    source_of,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Registered(Generic[T]):
    """What was registered under a name.

    Attributes
    ----------
    name : str
        The name.
    value : T
        What it stands for.
    origin : str
        The file or the distribution that registered it.
    digest : str
        SHA-256 (hexadecimal) of that source.
    code : str
        What the code is called there.
    """

    name: str
    value: T
    origin: str
    digest: str
    code: str = ""


@dataclass(frozen=True)
class BrokenEntry:
    """An entry point that could not be imported or registered.

    Attributes
    ----------
    name, origin : str
        Of the entry point, and the distribution that has it.
    problem : str
        Why, in one line.
    """

    name: str
    origin: str
    problem: str


class Registry(Generic[T]):
    """All that is registered of one kind.

    Parameters
    ----------
    kind : str
        What is registered, in the singular: "classifier".
    decorator : str
        How, as a user writes it: "bench.register_classifier".
    group : str
        The group of entry points whose packages register such things.
    reserved : Collection[str]
        Names that nobody may take, in lower case.
    """

    def __init__(
        self, kind: str, decorator: str, group: str, reserved: Collection[str] = ()
    ) -> None:
        self.kind, self.decorator, self.group = kind, decorator, group
        self.reserved = frozenset(reserved)
        self._entries: dict[str, Registered[T]] = {}
        self._broken: dict[str, BrokenEntry] = {}
        self._entry_points_read = False
        self._by_default: Callable[[str], Callable[[object], object]] | None = None
        _registries.append(self)

    def check_name(self, name: object) -> None:
        """Raise RegistrationError for what cannot be a name of this kind."""
        if not isinstance(name, str):
            where = self.decorator.rpartition(".")[2]
            raise RegistrationError(
                f"{where} wants the {self.kind}'s name first, as in @{where}('mine'), not {name!r}"
            )
        if name.partition(":")[0].casefold() in self.reserved:
            raise RegistrationError(
                f"{name!r}: the name is reserved; the {self.kind} needs another one"
            )
        if not _NAME.fullmatch(name):
            raise RegistrationError(
                f"{name!r}: a {self.kind}'s name holds letters, digits, '_' and '-' only "
                "(':', '@', '.', '+' and ',' belong to the grammar of names)"
            )

    def add(self, name: str, value: T, code: object) -> None:
        """Register a value.

        A cell or a module that is run again replaces what it registered; inside a plugin file no
        name may occur twice.

        Parameters
        ----------
        name : str
            Checked before.
        value : T
            What it stands for.
        code : object
            The function, class or object that was decorated.

        Raises
        ------
        RegistrationError
            If the name is taken by another source; both are named.
        """
        file = being_imported()
        source = file or source_of(code)
        called = getattr(code, "__qualname__", type(code).__qualname__)
        new = Registered(name, value, source.origin, source.digest, called)
        taken = self._entries.get(name)
        if taken is not None and (file is not None or not _is_run_again(taken, new)):
            raise RegistrationError(
                f"{name}: registered by {taken.origin} already, so {source.origin} cannot take it"
            )
        self._entries[name] = new

    def look_up(self, name: str) -> Registered[T] | BrokenEntry | None:
        """What is registered under a name, why it cannot be used, or None."""
        self.read_entry_points()
        return self._entries.get(name) or self._broken.get(name)

    def find(self, name: str) -> Registered[T] | None:
        """What is registered under a name; None where nothing is.

        Raises
        ------
        RegistrationError
            If its entry point is broken: why, in one line.
        """
        found = self.look_up(name)
        if isinstance(found, BrokenEntry):
            raise RegistrationError(f"{name}: {found.problem}")
        return found

    def all(self) -> list[Registered[T]]:
        """All that can be used, sorted by name."""
        self.read_entry_points()
        return [self._entries[name] for name in sorted(self._entries)]

    def everything(self) -> list[Registered[T] | BrokenEntry]:
        """What can be used and what cannot, sorted by name."""
        found: list[Registered[T] | BrokenEntry] = [*self.all(), *self.broken()]
        return sorted(found, key=lambda entry: entry.name)

    def broken(self) -> list[BrokenEntry]:
        """The entry points that cannot be used, sorted by name."""
        self.read_entry_points()
        return [self._broken[name] for name in sorted(self._broken) if name not in self._entries]

    def names_from(self, origin: str) -> list[str]:
        """The names that a file or a distribution has registered, in order."""
        return [name for name, entry in self._entries.items() if entry.origin == origin]

    def by_default(self, register: Callable[[str], Callable[[object], object]]) -> None:
        """Say how an entry point's function is registered that did not use the decorator."""
        self._by_default = register

    def read_entry_points(self) -> None:
        """Load every entry point once; one that fails is recorded and harms nothing else."""
        if self._entry_points_read:
            return
        self._entry_points_read = True
        from importlib.metadata import entry_points

        for point in entry_points(group=self.group):
            before, origin = saved(), distribution_of(point)
            try:
                self._load(point, origin)
            except (Exception, SystemExit) as error:
                restore(before)
                problem = f"entry point {point.value} of {origin}: {one_line(error)}"
                self._broken[point.name] = BrokenEntry(point.name, origin, problem)

    def _load(self, point: EntryPoint, origin: str) -> None:
        self.check_name(point.name)
        with importing(PluginSource(origin, entry_point_digest(point, origin))):
            value = point.load()
            if point.name in self.names_from(origin):
                return  # a module, or a function, that used the decorator
            if isinstance(value, ModuleType) or self._by_default is None:
                raise RegistrationError(f"registers no {self.kind} named {point.name}")
            self._by_default(point.name)(value)

    def redigest(self, origin: str, digest: str) -> None:
        """Give another digest to all that comes from a source."""
        for name in self.names_from(origin):
            self._entries[name] = replace(self._entries[name], digest=digest)

    def forget(self, origin: str) -> None:
        """Take back what a source has registered."""
        for name in self.names_from(origin):
            del self._entries[name]

    def entries(self) -> dict[str, Registered[T]]:
        """A copy of what is registered now, without a look at entry points."""
        return dict(self._entries)

    def replace_entries(self, entries: dict[str, Registered[T]]) -> None:
        """Put a copy back."""
        self._entries = dict(entries)


def _is_run_again(taken: Registered[T], new: Registered[T]) -> bool:
    """Code typed into a session has no file, so that whatever it registers is replaced."""
    return taken.origin == new.origin and (new.origin == TYPED or taken.code == new.code)


_registries: list[Registry] = []  # type: ignore[type-arg]

Saved = dict[int, dict[str, Registered]]  # type: ignore[type-arg]


def saved() -> Saved:
    """What all registries hold, for `restore`."""
    return {id(registry): registry.entries() for registry in _registries}


def restore(before: Saved) -> None:
    """Undo what was registered since; a registry that is new since then is emptied."""
    for registry in _registries:
        registry.replace_entries(before.get(id(registry), {}))


def forget_source(origin: str) -> None:
    """Take back what a file or distribution has registered of any kind."""
    for registry in _registries:
        registry.forget(origin)


def redigest_source(origin: str, digest: str) -> None:
    """Give another digest to all that comes from a file."""
    for registry in _registries:
        registry.redigest(origin, digest)


def registered_from(origin: str) -> dict[str, list[str]]:
    """By kind, the names that a file or distribution has registered; kinds without one are not."""
    found = {registry.kind: registry.names_from(origin) for registry in _registries}
    return {kind: names for kind, names in found.items() if names}


def distribution_of(point: EntryPoint) -> str:
    """The distribution that has an entry point, with its version."""
    dist = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.value


def entry_point_digest(point: EntryPoint, origin: str) -> str:
    """Distribution, its version, and the bytes of the module that the entry point names."""
    summary = hashlib.sha256(origin.encode())
    spec = importlib.util.find_spec(point.value.partition(":")[0].strip())
    if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        summary.update(Path(spec.origin).read_bytes())
    return summary.hexdigest()


def one_line(error: BaseException) -> str:
    """An error of a user's code in one line, with its kind where it is not one of ours."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    text = " ".join(str(error).split())
    return text if isinstance(error, BackboneError) else f"{type(error).__name__}: {text}"
