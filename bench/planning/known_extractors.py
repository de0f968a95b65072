"""Extractors as they were looked up before, so that a run with nothing to do imports no torch.

What a name stands for depends on the libraries that are installed, on this suite's own code and on
the checkpoints on this machine. All of that is in the key. Plugins are not kept: what they stand
for shows only when they are loaded.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import extractors
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.extractor import Extractor, choose_extractors, declare_own
from bench.planning.imports import ImportedFeatures
from bench.planning.presets import PRESETS
from bench.provenance import package_version
from bench.store import Store, digest
from extractors import BackboneError, read_declaration
from extractors.pretrained.weights import cached_checkpoints, checkpoint_digest

_LIBRARIES = ("torch", "torchvision", "timm", "vit-pytorch", "kornia")
_ON_HUB = ("transformers", "open_clip_torch")
_KEPT = TypeAdapter(tuple[Extractor, ...])


def known_extractors(
    configuration: Configuration,
    synthetic: bool,
    store: Store,
    imports: Sequence[ImportedFeatures] = (),
) -> tuple[Extractor, ...]:
    """`choose_extractors`, or what it gave before where nothing has changed since.

    Parameters
    ----------
    configuration : Configuration
        What is requested.
    synthetic : bool
        Whether the data are.
    store : Store
        Where it is kept.
    imports : Sequence[ImportedFeatures]
        The features that are given.

    Returns
    -------
    tuple[Extractor, ...]
        In the order requested.

    Raises
    ------
    UnusableInput
        As from `choose_extractors`.
    """
    if configuration.plugin:
        return choose_extractors(configuration, synthetic, imports)
    try:
        declare_own(configuration.checkpoint)
    except BackboneError as error:
        raise UnusableInput(str(error)) from error
    key = _key(configuration, synthetic, imports)
    kept = store.get("extractors", key)
    if kept is not None:
        try:
            return _KEPT.validate_python(kept.meta["extractors"])
        except ValidationError:
            pass  # of another version of this module
    chosen = choose_extractors(configuration, synthetic, imports)
    parts = [part for one in chosen for part in (one.parts or (one,))]
    if not any(part.info is not None and part.info.kind == "plugin" for part in parts):
        # The key is made anew: looking up may have changed what is cached.
        key = _key(configuration, synthetic, imports)
        store.put("extractors", key, {}, {"extractors": _KEPT.dump_python(chosen, mode="json")})
    return chosen


def _key(configuration: Configuration, synthetic: bool, imports: Sequence[ImportedFeatures]) -> str:
    names = configuration.extractors or PRESETS[configuration.preset].extractors
    own = [read_declaration(text) for text in configuration.checkpoint]
    return digest(
        [
            list(names),
            configuration.preset,
            configuration.epochs,
            str(configuration.weights_dir),
            configuration.offline,
            synthetic,
            [package_version(name) for name in (*_LIBRARIES, *_ON_HUB)],
            extractors_code(),
            [list(file) for file in cached_checkpoints(configuration.weights_dir)],
            [asdict(one) for one in imports],
            [[str(one), checkpoint_digest(one.path)] for one in own],
        ]
    )


@cache
def extractors_code() -> str:
    """Digest of the source, and the registries, of the package that looks names up."""
    folder = Path(extractors.__file__).parent
    files = sorted(file for kind in ("*.py", "*.toml") for file in folder.rglob(kind))
    summary = hashlib.sha256()
    for file in files:
        source = file.read_bytes()
        summary.update(f"{file.relative_to(folder)} {len(source)} ".encode() + source)
    return summary.hexdigest()
