"""Feature matrices of a crop stack: from the store where they stand there, else extracted and kept.

Features are kept in chunks of some dozen crops, so that a run that is cut short loses no more than
the chunk it was at.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import rotation_of
from bench.execution.keys import chunk_key
from bench.planning.extractor import RANDOM_SEED, Extractor
from bench.planning.plan import Fold
from bench.planning.reference_points import NO_FEATURES, READERS, SHORTCUTS
from bench.provenance import package_version
from bench.store import Store, array_digest, digest
from extractors import Backbone, choose_precision, create_backbone, extract
from extractors.backbone import Precision
from extractors.costs import forward_flops
from extractors.precision import LOWEST_COSINE, computes_bfloat16, running

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack
    from bench.execution.trainings import Trained

T = TypeVar("T")

PROFILE_VERSION = 2

# Crops in one chunk. Whole batches, so that a crop's features do not depend on where a run was cut.
CHUNK = {"cpu": 64, "cuda": 1024}


@dataclass(frozen=True)
class Features:
    """The features of a crop stack.

    Attributes
    ----------
    matrix : (N, D) in the stack's order; rows of crops that no unit needs are not a number.
    origin : digest of what made the features out of the crops; None where they are no function of
        the crops' pixels.
    seconds_per_crop : measured when they were extracted.
    profile : precision, feature width, parameters and the like, for the report.
    notes : what a reader must know of the extraction (batch halved).
    widths : of a fusion the number of columns of each backbone; else empty.
    trained : the networks that were trained for them.
    """

    matrix: NDArray[np.floating[Any]]
    origin: str | None
    seconds_per_crop: float
    profile: dict[str, Any]
    notes: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    trained: "tuple[Trained, ...]" = ()

    @property
    def network_seconds(self) -> float:
        """Seconds of training that had to be spent before the first feature."""
        return sum(float(network.costs["network_time_s"]) for network in self.trained)

    @property
    def parts(self) -> list[NDArray[np.floating[Any]]]:
        """The columns of each backbone of a fusion; all columns where there is one."""
        return (
            np.split(self.matrix, np.cumsum(self.widths)[:-1], axis=1)
            if self.widths
            else [self.matrix]
        )

    def digest_of(self, fold: Fold) -> str:
        """What identifies the features of a fold, its crops being known."""
        if self.origin is not None:
            return self.origin
        return digest([array_digest(self.matrix[rows]) for rows in (fold.train, fold.test)])


class Extraction:
    """Extracts the features of one crop stack with one extractor after the other."""

    def __init__(self, stack: "CropStack", store: Store, device: str) -> None:
        self.stack = stack
        self.store = store
        self.device = device

    def features(
        self,
        extractor: Extractor,
        positions: NDArray[np.int64],
        progress: Callable[[int], None],
        trained: "Mapping[str, Trained] | None" = None,
    ) -> Features:
        """Features of the crops at `positions`, shape (N, D) over the whole stack.

        trained : networks by name, for the extractors that are trained.

        Raises
        ------
        BackboneError
            If the network cannot be built or run, or gives a feature that is not finite.
        """
        if extractor.parts:
            parts = [self.features(part, positions, progress, trained) for part in extractor.parts]
            return _fused(parts)
        if extractor.info is None:
            return self._of_table(extractor.name)
        network = (trained or {}).get(extractor.name)
        lazy = _LazyBackbone(extractor, self.device, network)
        profile = self._profile(extractor, lazy)
        identity = self._identity(extractor, lazy) | {"precision": profile["precision"]}
        chunks, seconds, notes = [], 0.0, dict[str, None]()
        # One region around all chunks: what is cast for the first of them serves the others.
        with running(self.device, profile["precision"]):
            for rows in self._chunks(positions):
                key = chunk_key(identity, [self.stack.digests[i] for i in rows])
                chunk, meta = self._chunk(key, lazy, rows, profile["precision"], progress)
                chunks.append((rows, chunk))
                seconds += meta["seconds"]
                notes |= dict.fromkeys(meta["notes"])
        width = chunks[0][1].shape[1]
        matrix = np.full((len(self.stack.table), width), np.nan, dtype=np.float32)
        for rows, chunk in chunks:
            matrix[rows] = chunk
        profile |= {"extraction_s": seconds, "images_per_s": len(positions) / max(seconds, 1e-9)}
        per_crop = seconds / len(positions)
        told = (*((network.costs["notes"],) if network and network.costs["notes"] else ()), *notes)
        networks = (network,) if network else ()
        return Features(matrix, digest(identity), per_crop, profile, told, trained=networks)

    def _chunks(self, positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Chunks within each base subset and rotation: a run on others finds the same ones."""
        subset = self.stack.table["subset"].to_numpy()[positions]
        rotation = rotation_of(self.stack.table)[positions]
        size = CHUNK[self.device.partition(":")[0]]
        for name, degrees in dict.fromkeys(zip(subset, rotation, strict=True)):
            rows = positions[(subset == name) & (rotation == degrees)]
            yield from (rows[i : i + size] for i in range(0, len(rows), size))

    def _chunk(
        self,
        key: str,
        lazy: "_LazyBackbone",
        rows: NDArray[np.int64],
        precision: Precision,
        progress: Callable[[int], None],
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Features of some crops; the seconds and notes of when they were extracted."""
        found = self.store.get("features", key)
        if found is not None:
            progress(len(rows))
            return found.arrays["features"], found.meta
        backbone = lazy.backbone()
        images = self.stack.images[rows]
        started = time.perf_counter()
        values = extract(backbone, images, precision=precision, progress=progress)
        meta = {"seconds": time.perf_counter() - started, "notes": list(backbone.notes)}
        self.store.put("features", key, {"features": values}, meta)
        return values, meta

    def _identity(self, extractor: Extractor, lazy: "_LazyBackbone") -> dict[str, Any]:
        """All that the features depend on besides the crops and the precision."""
        info = extractor.info
        assert info is not None
        spec = info.input
        # A plugin builds its own weights: what they are shows only in the network it has built.
        weights = lazy.digest or info.weights_digest or lazy.backbone().weights_digest
        return {
            "name": extractor.name,
            "weights": weights,
            "source": info.source_digest,
            "input": [spec.height, spec.width, *spec.mean, *spec.std] if spec else None,
            "device": self.device.partition(":")[0],
            "versions": [package_version(name) for name in ("torch", "torchvision", "timm")],
        }

    def _profile(self, extractor: Extractor, lazy: "_LazyBackbone") -> dict[str, Any]:
        """Precision, width and the like: found once without a look at the crops, then kept."""
        rule = [PROFILE_VERSION, computes_bfloat16(self.device), LOWEST_COSINE]
        key = digest([self._identity(extractor, lazy), rule])
        found = self.store.get("profiles", key)
        if found is not None:
            return found.meta
        backbone = lazy.backbone()
        choice = choose_precision(backbone)
        profile = {
            "precision": choice.precision,
            "min_cosine": choice.min_cosine,
            "feature_width": backbone.feature_width,
            "parameters": backbone.parameters,
            "flops_per_image": forward_flops(backbone.module, backbone.input, self.device),
            "input": f"{backbone.input.height}x{backbone.input.width}",
            "weights_digest": backbone.weights_digest,
            "notes": choice.note,
        }
        self.store.put("profiles", key, {}, profile)
        return profile

    def _of_table(self, name: str) -> Features:
        """Features that need no image: columns of the lesion table, or nothing at all."""
        if name == NO_FEATURES:
            matrix = np.zeros((len(self.stack.table), 1))
        elif name in READERS:
            matrix = _one_hot(self.stack.table, READERS[name])
        else:
            matrix = self.stack.table[list(SHORTCUTS[name])].to_numpy(dtype=np.float64)
        return Features(matrix, None, 0.0, {"feature_width": matrix.shape[1]})


def _one_hot(table: "pd.DataFrame", columns: Sequence[str]) -> NDArray[np.float64]:
    """A column for each value of each of those columns that a table has, (N, values).

    A value that no training row has is constant there, and tells a classifier nothing.
    """
    import pandas as pd

    told = [name for name in columns if name in table]
    values = table[told].astype("object").fillna("").astype(str)
    found: NDArray[np.float64] = pd.get_dummies(values).to_numpy(dtype=np.float64)
    return found


def _fused(parts: Sequence[Features]) -> Features:
    """The features of several backbones side by side."""
    profiles = [part.profile for part in parts]
    seconds = sum(float(profile["extraction_s"]) for profile in profiles)
    crops = float(profiles[0]["extraction_s"]) * float(profiles[0]["images_per_s"])
    return Features(
        matrix=np.hstack([part.matrix for part in parts]),
        origin=digest(["fusion", [part.origin for part in parts]]),
        seconds_per_crop=sum(part.seconds_per_crop for part in parts),
        profile={
            "precision": ", ".join(dict.fromkeys(str(p["precision"]) for p in profiles)),
            "feature_width": sum(int(profile["feature_width"]) for profile in profiles),
            "parameters": sum(int(profile["parameters"]) for profile in profiles),
            "extraction_s": seconds,
            "images_per_s": crops / max(seconds, 1e-9),
        },
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        widths=tuple(part.matrix.shape[1] for part in parts),
        trained=tuple(network for part in parts for network in part.trained),
    )


def built(extractor: Extractor, device: str, trained: "Trained | None" = None) -> Backbone:
    """The network behind an extractor's features.

    Raises BackboneError if it cannot be built.
    """
    return _LazyBackbone(extractor, device, trained).backbone()


class _LazyBackbone:
    """A backbone that is built when it is first needed: often all features stand in the store."""

    def __init__(self, extractor: Extractor, device: str, trained: "Trained | None") -> None:
        self._extractor = extractor
        self._device = device
        self._trained = trained
        self._backbone: Backbone | None = None

    @property
    def digest(self) -> str | None:
        """What identifies the weights of a network that is trained here: its training's key."""
        return self._trained.key if self._trained else None

    def backbone(self) -> Backbone:
        if self._backbone is None and self._trained is not None:
            self._backbone = self._trained.backbone()
        if self._backbone is None:
            self._backbone = create_backbone(
                self._extractor.name,
                weights=self._extractor.source,
                weights_dir=self._extractor.weights_dir,
                device=self._device,
                seed=RANDOM_SEED,
            )
        return self._backbone
