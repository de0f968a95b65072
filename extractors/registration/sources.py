"""Where the builder of a plugin was written, and what identifies its code."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

# The origin of code without a file.
TYPED = "code typed into this session"


@dataclass(frozen=True)
class PluginSource:
    """The source of a plugin.

    Attributes
    ----------
    origin : str
        The file or the distribution, or `TYPED`.
    digest : str
        SHA-256 (hexadecimal) of the source.
    """

    origin: str
    digest: str


_imported: PluginSource | None = None  # what is being imported, while it is


@contextlib.contextmanager
def importing(source: PluginSource) -> Iterator[None]:
    """Inside the block a file or entry point is imported: what is registered comes from there."""
    global _imported
    before, _imported = _imported, source
    try:
        yield
    finally:
        _imported = before


def being_imported() -> PluginSource | None:
    """The file or entry point that is being imported, if any."""
    return _imported


def source_of(build: object) -> PluginSource:
    """Where a builder was written; for one typed into a notebook, its compiled code."""
    target = inspect.unwrap(build) if callable(build) else build
    with contextlib.suppress(TypeError, OSError):  # a class of a notebook: no source
        file = inspect.getsourcefile(target)  # type: ignore[arg-type]
        if file is not None and Path(file).is_file():
            return PluginSource(str(Path(file).resolve()), _digest(Path(file).read_bytes()))
    text = b"|".join(map(_code_bytes, _codes(target))) or repr(target).encode()
    return PluginSource(TYPED, _digest(text))


def plugin_sources(path: str | Path) -> dict[str, bytes]:
    """The source of a plugin file and of the modules beside it that it imports.

    Parameters
    ----------
    path : str | Path
        The plugin file.

    Returns
    -------
    dict[str, bytes]
        By file name, the plugin file first: all that another process needs to load it.
    """
    file = Path(path).expanduser().resolve()
    return {one.name: one.read_bytes() for one in (file, *_neighbours(file, set()))}


def with_neighbours(digest: str, file: Path, modules: set[str]) -> str:
    """The digest with that of the modules beside the plugin which it imports, now or when built."""
    beside = _neighbours(file, modules)
    content = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in beside)
    return hashlib.sha256((digest + content).encode()).hexdigest()


def _neighbours(file: Path, modules: set[str]) -> list[Path]:
    """The files beside a plugin that it imports; `modules` are the names of known ones."""
    from modulefinder import ModuleFinder

    finder = ModuleFinder(path=[str(file.parent)])
    # What it cannot follow is at least executed: those modules are known by name.
    with contextlib.suppress(Exception):
        finder.run_script(str(file))
    found = {getattr(sys.modules[name], "__file__", None) for name in modules}
    found |= {getattr(module, "__file__", None) for module in finder.modules.values()}
    files = {Path(name) for name in found if name} - {file}
    return sorted(path for path in files if path.parent == file.parent)


def _codes(target: object) -> Iterator[CodeType]:
    """The code of a function, or of all functions in a class."""
    members = vars(target).values() if inspect.isclass(target) else [target]
    for member in members:
        code = getattr(member, "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _code_bytes(code: CodeType) -> bytes:
    constants = (
        _code_bytes(c) if isinstance(c, CodeType) else repr(c).encode() for c in code.co_consts
    )
    return b"|".join([code.co_code, repr(code.co_names).encode(), *constants])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
