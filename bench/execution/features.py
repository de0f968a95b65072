"""Feature matrices of a crop stack: from the store where they stand there, else extracted and kept.

Features are kept in chunks of some dozen crops, so that a run that is cut short loses no more than
the chunk it was at.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import rotation_of
from bench.execution.keys import (
    chunk_key,
    feature_identity,
    features_digest,
    fusion_digest,
    profile_key,
    rows_digest,
)
from bench.execution.site import Site
from bench.planning.extractor import RANDOM_SEED, Extractor
from bench.planning.plan import Fold
from bench.planning.reference_points import FILE, NO_FEATURES, READERS, SHORTCUTS
from extractors import Backbone, choose_precision, create_backbone, extract
from extractors.backbone import Precision
from extractors.costs import forward_flops
from extractors.create import draws_weights
from extractors.precision import running

if TYPE_CHECKING:
    import pandas as pd

    from bench.execution.trainings import Trained

# Crops in one chunk. Whole batches, so that a crop's features do not depend on where a run was cut.
CHUNK = {"cpu": 64, "cuda": 1024}


@dataclass(frozen=True)
class Features:
    """The features of a crop stack.

    Attributes
    ----------
    matrix : NDArray[np.floating[Any]], shape (n, d)
        In the stack's order; rows of crops that no unit needs are not a number.
    origin : str | None
        Digest of what made the features out of the crops; None where they are no function of the
        crops' pixels.
    seconds_per_crop : float
        Measured when they were extracted.
    profile : dict[str, Any]
        Precision, feature width, parameters and the like, for the report.
    notes : tuple[str, ...]
        What a reader must know of the extraction, for example that a batch was halved.
    widths : tuple[int, ...]
        Of a fusion the number of columns of each backbone; else empty.
    trained : tuple[Trained, ...]
        The networks that were trained for them.
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
        return rows_digest(self.matrix, fold)


class Extraction:
    """Extracts the features of a site's crop stack with one extractor after the other."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.stack = site.stack

    def features(
        self,
        extractor: Extractor,
        positions: NDArray[np.int64],
        progress: Callable[[int], None],
        trained: "Mapping[str, Trained] | None" = None,
    ) -> Features:
        """Features of some crops.

        Parameters
        ----------
        extractor : Extractor
            What makes the features.
        positions : NDArray[np.int64], shape (m,)
            Where the crops stand in the stack.
        progress : Callable[[int], None]
            Called with the number of crops done since the last call.
        trained : Mapping[str, Trained] | None
            Networks by name, for the extractors that are trained.

        Returns
        -------
        Features
            Its matrix has a row for each crop of the stack.

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
        lazy = _LazyBackbone(extractor, self.site.device, network)
        identity = feature_identity(extractor, lazy.weights_digest(), self.site.device)
        profile = self._profile(identity, lazy)
        precision = profile["precision"]
        chunks, seconds, notes = [], 0.0, dict[str, None]()
        # One region around all chunks: what is cast for the first of them serves the others.
        with running(self.site.device, precision):
            for rows in self._chunks(positions):
                key = chunk_key(identity, precision, [self.stack.digests[i] for i in rows])
                chunk, meta = self._chunk(key, lazy, rows, precision, progress)
                chunks.append((rows, chunk))
                seconds += meta["seconds"]
                notes |= dict.fromkeys(meta["notes"])
        width = chunks[0][1].shape[1]
        matrix = np.full((len(self.stack.table), width), np.nan, dtype=np.float32)
        for rows, chunk in chunks:
            matrix[rows] = chunk
        profile |= {"extraction_s": seconds, "images_per_s": len(positions) / max(seconds, 1e-9)}
        per_crop = seconds / len(positions)
        networks = (network,) if network else ()
        of_training = tuple(n.costs["notes"] for n in networks if n.costs["notes"])
        return Features(
            matrix,
            features_digest(identity, precision),
            per_crop,
            profile,
            (*of_training, *notes),
            trained=networks,
        )

    def _chunks(self, positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Chunks within each base subset and rotation: a run on others finds the same ones."""
        subset = self.stack.table["subset"].to_numpy()[positions]
        rotation = rotation_of(self.stack.table)[positions]
        size = CHUNK[self.site.device.partition(":")[0]]
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
        found = self.site.store.get("features", key)
        if found is not None:
            progress(len(rows))
            return found.arrays["features"], found.meta
        backbone = lazy.backbone()
        images = self.stack.images[rows]
        started = time.perf_counter()
        values = extract(backbone, images, precision=precision, progress=progress)
        meta = {"seconds": time.perf_counter() - started, "notes": list(backbone.notes)}
        self.site.store.put("features", key, {"features": values}, meta)
        return values, meta

    def _profile(self, identity: Mapping[str, Any], lazy: "_LazyBackbone") -> dict[str, Any]:
        """Precision, width and the like: found once without a look at the crops, then kept."""
        key = profile_key(identity, self.site.device)
        found = self.site.store.get("profiles", key)
        if found is not None:
            return found.meta
        backbone = lazy.backbone()
        choice = choose_precision(backbone)
        profile = {
            "precision": choice.precision,
            "min_cosine": choice.min_cosine,
            "feature_width": backbone.feature_width,
            "parameters": backbone.parameters,
            "flops_per_image": forward_flops(backbone.module, backbone.input, self.site.device),
            "input": f"{backbone.input.height}x{backbone.input.width}",
            "weights_digest": backbone.weights_digest,
            "family": backbone.family,
            "training": lazy.training(),
            "notes": choice.note,
        }
        self.site.store.put("profiles", key, {}, profile)
        return profile

    def _of_table(self, name: str) -> Features:
        """Features that need no image: columns of the lesion table, or nothing at all."""
        if name == NO_FEATURES:
            matrix = np.zeros((len(self.stack.table), 1))
        elif name == FILE:
            matrix = _one_hot(self.stack.table, SHORTCUTS[name])
        elif name in READERS:
            matrix = _one_hot(self.stack.table, READERS[name])
        else:
            matrix = self.stack.table[list(SHORTCUTS[name])].to_numpy(dtype=np.float64)
        return Features(matrix, None, 0.0, {"feature_width": matrix.shape[1]})


def _one_hot(table: "pd.DataFrame", columns: Sequence[str]) -> NDArray[np.float64]:
    """A column for each value of each of those columns that a table has, (N, values).

    A value that no training row has is constant there and carries no information.
    """
    import pandas as pd

    present = [name for name in columns if name in table]
    values = table[present].astype("object").fillna("").astype(str)
    found: NDArray[np.float64] = pd.get_dummies(values).to_numpy(dtype=np.float64)
    return found


def _fused(parts: Sequence[Features]) -> Features:
    """The features of several backbones side by side."""
    profiles = [part.profile for part in parts]
    seconds = sum(float(profile["extraction_s"]) for profile in profiles)
    crops = float(profiles[0]["extraction_s"]) * float(profiles[0]["images_per_s"])
    return Features(
        matrix=np.hstack([part.matrix for part in parts]),
        origin=fusion_digest([part.origin for part in parts]),
        seconds_per_crop=sum(part.seconds_per_crop for part in parts),
        profile={
            "precision": _joined(profiles, "precision"),
            "feature_width": sum(int(profile["feature_width"]) for profile in profiles),
            "parameters": sum(int(profile["parameters"]) for profile in profiles),
            "family": _joined(profiles, "family"),
            "training": _joined(profiles, "training"),
            "extraction_s": seconds,
            "images_per_s": crops / max(seconds, 1e-9),
        },
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        widths=tuple(part.matrix.shape[1] for part in parts),
        trained=tuple(network for part in parts for network in part.trained),
    )


def _joined(profiles: Sequence[Mapping[str, Any]], name: str) -> str:
    """What the profiles say, each word once."""
    return ", ".join(dict.fromkeys(str(profile[name]) for profile in profiles))


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

    def weights_digest(self) -> str:
        """What identifies the weights; of a network that is trained here its training's key."""
        if self._trained is not None:
            return self._trained.key
        info = self._extractor.info
        assert info is not None
        # A plugin builds its own weights: what they are shows only in the network it has built.
        return info.weights_digest or self.backbone().weights_digest

    def training(self) -> str:
        """How its weights came about; what a plugin begins with shows only in what it builds."""
        if self._extractor.training != "trained":
            return self._extractor.training
        return "from scratch" if draws_weights(self._extractor.name) else "fine-tuned"

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
