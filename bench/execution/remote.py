"""What happens in a worker process: the site is opened there, rules are obeyed, a task is done.

The driver writes a site into the store, without the pixels of the crop stack; a worker reads it
from there once and maps the stack into its memory. Nothing here knows which engine calls it.
"""

import hashlib
import os
import pickle
import shutil
import socket
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bench.atomic_files import write_atomically
from bench.data.crops.joined import JoinedImages
from bench.data.crops.rotated import RotatedImages
from bench.errors import UnusableInput
from bench.execution.explanations import Explanation, Explanations
from bench.execution.progress import Reporter
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task, perform
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor, choose_device, choose_extractors, declare_own
from bench.planning.imports import ImportedFeatures
from bench.planning.rules import Rules, decide_rules, obey, obey_in_fits, usable_cores
from bench.provenance import environment
from bench.store import digest
from extractors import use_caches_only
from extractors.plugins import forget_plugin_file, load_plugin_file
from extractors.registration.sources import plugin_sources

if TYPE_CHECKING:
    from reports.wanted import Explained

# Torch's threads and generators belong to the process.
_ONE_AT_A_TIME = threading.Lock()
# How often a task is begun whose worker ends each time.
ATTEMPTS = 4
_opened: dict[str, Site] = {}
_plugin_files: list[Path] = []
# Where their folders lie; None is the system's place for temporary files.
_plugins_below: Path | None = None


@dataclass(frozen=True)
class PackedSite:
    """A site as it is written into the store for workers.

    Attributes
    ----------
    site : Site
        Without the pixels of its stack.
    images : tuple[tuple[Path, tuple[int, ...]], ...]
        The file of the pixels of each data set, and their shape.
    rotated : bool
        Whether the stack is that of rotated protocols.
    plugins : Sequence[Mapping[str, bytes]]
        The sources of each plugin file, itself first.
    """

    site: Site
    images: tuple[tuple[Path, tuple[int, ...]], ...]
    rotated: bool
    plugins: Sequence[Mapping[str, bytes]]


@dataclass(frozen=True)
class SiteAddress:
    """Where a packed site lies, and what its bytes must be.

    Attributes
    ----------
    path : Path
        In the store.
    digest : str
        SHA-256 of the file.
    begun : Path
        The folder of what has been begun and not ended: how often, for each task.
    """

    path: Path
    digest: str
    begun: Path


@dataclass(frozen=True)
class Survey:
    """What a worker says of itself before work begins.

    Attributes
    ----------
    host : str
        Its machine.
    device : str
        Where its networks run.
    rules : Rules
        The rules of the run, as this machine would have them.
    extractors : tuple[Extractor, ...]
        With the weights that it finds.
    cores : int
        The cores that it may use.
    environment : Mapping[str, Any]
        Its versions and hardware, for the manifest.
    """

    host: str
    device: str
    rules: Rules
    extractors: tuple[Extractor, ...]
    cores: int
    environment: Mapping[str, Any]


def publish(site: Site, plugins: Sequence[Path]) -> SiteAddress:
    """Write a site into the store for workers to open.

    Parameters
    ----------
    site : Site
        Of the run; its stack is mapped from a file.
    plugins : Sequence[Path]
        Plugin files of the run.

    Returns
    -------
    SiteAddress
        What workers need to open it.
    """
    images = site.stack.images
    is_rotated = isinstance(images, RotatedImages)
    upright = images.upright if isinstance(images, RotatedImages) else images
    parts = upright.parts if isinstance(upright, JoinedImages) else (upright,)
    packed = PackedSite(
        replace(site, stack=replace(site.stack, images=np.empty(0, np.uint8))),
        tuple((_file_of(part), part.shape) for part in parts),
        is_rotated,
        [plugin_sources(plugin) for plugin in plugins],
    )
    content = pickle.dumps(packed)
    sha256 = hashlib.sha256(content).hexdigest()
    path = site.store.root / "sites" / f"{sha256}.pickle"
    write_atomically(path, content)
    begun = path.parent / f"begun-{uuid.uuid4().hex}"
    begun.mkdir()
    return SiteAddress(path, sha256, begun)


def _file_of(images: NDArray[np.uint8]) -> Path:
    file = getattr(images, "filename", None)
    assert file is not None
    return Path(file)


def close(address: SiteAddress) -> None:
    """Remove what was kept of tasks that were begun; the site itself may serve another run."""
    shutil.rmtree(address.begun, ignore_errors=True)


def open_site(address: SiteAddress) -> Site:
    """Open a site that a driver has published; once in a process.

    Raises
    ------
    UnusableInput
        If the store of the driver is not seen here, or this machine cannot obey the rules.
    """
    if address.digest not in _opened:
        host = socket.gethostname()
        try:
            content = address.path.read_bytes()
        except OSError as error:
            raise UnusableInput(
                f"{host}: {address.path}: {error.strerror or error}; the store has to lie on a "
                "file system that all workers share, under the same path"
            ) from error
        if hashlib.sha256(content).hexdigest() != address.digest:
            raise UnusableInput(f"{host}: {address.path}: is not what the driver wrote")
        packed: PackedSite = pickle.loads(content)
        for file in _written(packed.plugins):
            load_plugin_file(file)
        extractors = packed.site.extractors.values()
        parts = [part for one in extractors for part in (one.parts or (one,))]
        declare_own(list({part.declared for part in parts if part.declared}))
        _opened.clear()
        _opened[address.digest] = _unpacked(packed)
    return _opened[address.digest]


def _unpacked(packed: PackedSite) -> Site:
    parts = [_mapped(file, shape) for file, shape in packed.images]
    images = cast("NDArray[np.uint8]", JoinedImages(parts)) if len(parts) > 1 else parts[0]
    shown = RotatedImages(images) if packed.rotated else images
    stack = replace(packed.site.stack, images=cast("NDArray[np.uint8]", shown))
    return replace(packed.site, stack=stack)


def _mapped(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return np.memmap(file, np.uint8, "r", shape=shape)
    except (OSError, ValueError) as error:
        raise UnusableInput(
            f"{socket.gethostname()}: {file}: the crop stack cannot be opened ({error})"
        ) from error


def keep_plugins_below(folder: Path) -> None:
    """Write plugin files into new folders there; whoever owns it removes it in the end."""
    global _plugins_below
    _plugins_below = folder


def _written(plugins: Sequence[Mapping[str, bytes]]) -> tuple[Path, ...]:
    """Plugin files with the content that they have where the driver runs.

    What an earlier run has registered in this process is taken back.
    """
    while _plugin_files:
        file = _plugin_files.pop()
        forget_plugin_file(file)
        sys.path[:] = [folder for folder in sys.path if folder != str(file.parent)]
        shutil.rmtree(file.parent, ignore_errors=True)
    for sources in plugins:
        folder = Path(tempfile.mkdtemp(prefix="bench-plugin-", dir=_plugins_below))
        first, *beside = sources
        _plugin_files.append(folder / first)
        for name, content in sources.items():
            (folder / name).write_bytes(content)
        for name in beside:
            # Another run's module may have the same name and other content.
            sys.modules.pop(Path(name).stem, None)
        if beside:
            sys.path.insert(0, str(folder))
    return tuple(_plugin_files)


def perform_at(address: SiteAddress, task: Task, reporter: Reporter) -> Answer:
    """Do a task at a published site.

    Parameters
    ----------
    address : SiteAddress
        Of the site.
    task : Task
        What to do.
    reporter : Reporter
        Told how far the work is.

    Returns
    -------
    Answer
        As from `perform`; or that it was begun too often by processes that have ended at it.

    Raises
    ------
    UnusableInput, OSError
        If this machine cannot do it.
    """
    with _ONE_AT_A_TIME:
        site = open_site(address)
        if task.wants_gpu:
            site.obey_rules()
        file = address.begun / digest([task.extractor, task.fold])
        begun = int(file.read_text(encoding="ascii")) if file.exists() else 0
        if begun >= ATTEMPTS:
            return Answer(task, None, status=ended_too_often(task))
        write_atomically(file, str(begun + 1))
        try:
            return perform(task, site, reporter)
        finally:
            file.unlink(missing_ok=True)


def ended_too_often(task: Task) -> str:
    """The status of a task at which one process after the other has ended."""
    return (
        f"{task.extractor}: its worker ended {ATTEMPTS} times without an answer, perhaps for want "
        "of memory"
    )


def explain_at(address: SiteAddress, wanted: "Explained", reporter: Reporter) -> Explanation:
    """Explain a system at a published site; see `Explanations.explain`."""
    with _ONE_AT_A_TIME:
        return Explanations(open_site(address), reporter).explain(wanted)


def survey(
    options: Configuration,
    synthetic: bool,
    threads: int,
    plugins: Sequence[Mapping[str, bytes]],
    imports: Sequence[ImportedFeatures] = (),
) -> Survey:
    """Look at this machine before work begins.

    Parameters
    ----------
    options : Configuration
        What is requested.
    synthetic : bool
        Whether the data are.
    threads : int
        Requested where the driver runs; 0 leaves it to this machine.
    plugins : Sequence[Mapping[str, bytes]]
        The sources of each plugin file.
    imports : Sequence[ImportedFeatures]
        Features that the driver has read from files.

    Returns
    -------
    Survey
        What it has.

    Raises
    ------
    UnusableInput
        If the requested device or extractor is not there.
    """
    use_caches_only(options.offline)
    options = options.model_copy(update={"plugin": _written(plugins)})
    device = choose_device(options.device)
    rules = decide_rules(device, options, threads)
    extractors = choose_extractors(options, synthetic, imports)
    found = environment(device)
    return Survey(socket.gethostname(), device, rules, extractors, usable_cores(), found)


def can_obey(rules: Rules, options: Configuration) -> str:
    """Why this machine cannot obey the rules, in a line; empty where it can.

    One without the run's kind of GPU can still fit SVMs; networks run elsewhere.
    """
    try:
        obey_in_fits(rules)
        if rules.device == "cpu":
            obey(rules, "cpu")
        elif (device := _gpu(options)) is not None:
            obey(rules, device)
    except UnusableInput as error:
        return str(error)
    return ""


def _gpu(options: Configuration) -> str | None:
    """The GPU that this machine has for networks, if any."""
    try:
        device = choose_device(options.device)
    except UnusableInput:
        return None
    return None if device == "cpu" else device


def shares_store(probe: Path, expected: str) -> str:
    """Read what the driver wrote into the store, and write an answer beside it.

    Parameters
    ----------
    probe : Path
        What the driver wrote.
    expected : str
        Its content.

    Returns
    -------
    str
        The name of the file written here, for the driver to look for; or, with a blank in it, what
        is wrong.
    """
    host = socket.gethostname()
    try:
        if probe.read_text(encoding="ascii") != expected:
            return f"{host}: {probe}: holds something else than the driver wrote"
        answer = probe.with_name(f"{probe.name}-{uuid.uuid4().hex}")
        write_atomically(answer, f"{host}-{os.getpid()}")
    except OSError as error:
        return f"{host}: {probe}: {error.strerror or error}"
    return answer.name
