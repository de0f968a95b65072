"""Feature matrices of a crop stack: from the store where they stand there, else extracted and kept.

Features are kept in chunks of some dozen crops, so that a run that is cut short loses no more than
the chunk it was at.
"""

import contextlib
import math
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
from bench.execution.rates import rates_of
from bench.execution.site import Site
from bench.planning.extractor import RANDOM_SEED, Extractor
from bench.planning.imports import NOT_MEASURED, ImportedFeatures
from bench.planning.plan import Fold
from bench.planning.reference_points import table_features
from bench.provenance import host
from bench.store import Artifact
from extractors import Backbone, choose_precision, create_backbone, extract
from extractors.backbone import Precision
from extractors.costs import forward_flops
from extractors.create import draws_weights
from extractors.precision import running

if TYPE_CHECKING:
    from bench.execution.trainings import Trained

# Crops in one chunk. Whole batches, so that a crop's features do not depend on where a run was cut.
CHUNK = {"cpu": 64, "cuda": 1024, "mps": 256}


@dataclass(frozen=True)
class FeatureRecord:
    """What is known of the features of a crop stack besides their values.

    Attributes
    ----------
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
    hosts : tuple[str, ...]
        The machines that have made them; empty where no network did.
    """

    origin: str | None
    seconds_per_crop: float
    profile: dict[str, Any]
    notes: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    trained: "tuple[Trained, ...]" = ()
    hosts: tuple[str, ...] = ()

    @property
    def network_seconds(self) -> float:
        """Seconds of training that had to be spent before the first feature."""
        return sum(float(network.costs["network_time_s"]) for network in self.trained)


@dataclass(frozen=True)
class Features:
    """The features of a crop stack.

    Attributes
    ----------
    matrix : NDArray[np.floating[Any]], shape (n, d)
        In the stack's order; rows of crops that no unit needs are not a number.
    record : FeatureRecord
        Where they come from and what they took.
    """

    matrix: NDArray[np.floating[Any]]
    record: FeatureRecord

    @property
    def parts(self) -> list[NDArray[np.floating[Any]]]:
        """The columns of each backbone of a fusion; all columns where there is one."""
        return (
            np.split(self.matrix, np.cumsum(self.record.widths)[:-1], axis=1)
            if self.record.widths
            else [self.matrix]
        )

    def digest_of(self, fold: Fold) -> str:
        """What identifies the features of a fold, its crops being known."""
        if self.record.origin is not None:
            return self.record.origin
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
        networks: "Mapping[str, TrainedNetwork] | None" = None,
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
        networks : Mapping[str, TrainedNetwork] | None
            By name, for the extractors that are trained.

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
            parts = [self.features(part, positions, progress, networks) for part in extractor.parts]
            return _fused(parts)
        if extractor.imported is not None:
            progress(sum(len(rows) for rows in self.chunks(positions, whole=True)))
            return self._of_file(extractor.imported, positions)
        if extractor.info is None:
            matrix = table_features(self.stack.table, extractor.name)
            return Features(matrix, FeatureRecord(None, 0.0, {"feature_width": matrix.shape[1]}))
        network = (networks or {}).get(extractor.name)
        lazy = _LazyBackbone(extractor, self.site, network)
        identity = feature_identity(extractor, lazy.weights_digest(), self.site.rules)
        profile = self._profile(identity, lazy)
        precision = profile["precision"]
        chunks, seconds, notes, hosts = [], 0.0, dict[str, None](), dict[str, None]()
        fresh: list[tuple[int, float]] = []
        # One region around all chunks: what is cast for the first of them serves the others.
        with contextlib.ExitStack() as region:
            for rows in self.chunks(positions, whole=network is None):
                key = chunk_key(identity, precision, [self.stack.digests[i] for i in rows])
                found = self.site.store.get("features", key)
                if found is None:
                    if not lazy.is_running:
                        region.enter_context(running(self.site.device, precision))
                        lazy.is_running = True
                    found = self._extracted(key, lazy, rows, precision, progress)
                    fresh.append((len(rows), float(found.meta["seconds"])))
                else:
                    progress(len(rows))
                chunks.append((rows, found.arrays["features"]))
                seconds += found.meta["seconds"]
                notes |= dict.fromkeys(found.meta["notes"])
                hosts |= dict.fromkeys([found.meta.get("host", "")])
        if fresh:
            crops, spent = (sum(values) for values in zip(*fresh, strict=True))
            rates_of(self.site).note_extraction(extractor.name, spent / crops)
        width = chunks[0][1].shape[1]
        matrix = np.full((len(self.stack.table), width), np.nan, dtype=np.float32)
        for rows, chunk in chunks:
            matrix[rows] = chunk
        # A chunk may hold crops that no fold has; nothing is to be fitted on them by mistake.
        matrix[np.setdiff1d(np.arange(len(matrix)), positions)] = np.nan
        extracted = sum(len(rows) for rows, _ in chunks)
        profile |= {"extraction_s": seconds, "images_per_s": extracted / max(seconds, 1e-9)}
        trained = (network.record,) if network else ()
        of_training = tuple(n.costs["notes"] for n in trained if n.costs["notes"])
        record = FeatureRecord(
            features_digest(identity, precision),
            seconds / extracted,
            profile,
            (*of_training, *notes),
            trained=trained,
            hosts=tuple(hosts | dict.fromkeys(n.costs.get("host", "") for n in trained)),
        )
        return Features(matrix, record)

    def chunks(self, positions: NDArray[np.int64], *, whole: bool) -> Iterator[NDArray[np.int64]]:
        """Chunks within each base subset and rotation, so that a run on others finds the same ones.

        Parameters
        ----------
        positions : NDArray[np.int64], shape (m,)
            The crops that are wanted.
        whole : bool
            Whether the chunks are those of the whole stack that hold any of them: whichever crops
            a plan leaves out, it finds the chunks of another plan. Else they hold no other crops.

        Yields
        ------
        NDArray[np.int64]
            Positions in the stack.
        """
        subset, rotation = self.stack.table["subset"].to_numpy(), rotation_of(self.stack.table)
        wanted = np.zeros(len(subset), dtype=bool)
        wanted[positions] = True
        size = CHUNK[self.site.rules.device]
        for name, degrees in dict.fromkeys(zip(subset, rotation, strict=True)):
            inside = (subset == name) & (rotation == degrees)
            rows = np.flatnonzero(inside if whole else inside & wanted)
            chunks = [rows[i : i + size] for i in range(0, len(rows), size)]
            yield from (chunk for chunk in chunks if wanted[chunk].any())

    def _extracted(
        self,
        key: str,
        lazy: "_LazyBackbone",
        rows: NDArray[np.int64],
        precision: Precision,
        progress: Callable[[int], None],
    ) -> Artifact:
        """Features of some crops, extracted and kept, with the seconds that they took."""
        backbone = lazy.backbone()
        images = self.stack.images[rows]
        started = time.perf_counter()
        values = extract(backbone, images, precision=precision, progress=progress)
        meta = {
            "seconds": time.perf_counter() - started,
            "notes": list(backbone.notes),
            "host": host(self.site.device),
        }
        self.site.store.put("features", key, {"features": values}, meta)
        return Artifact({"features": values}, meta)

    def _profile(self, identity: Mapping[str, Any], lazy: "_LazyBackbone") -> dict[str, Any]:
        """Precision, width and the like: found once without a look at the crops, then kept."""
        key = profile_key(identity)
        found = self.site.store.get("profiles", key)
        if found is not None:
            return found.meta
        backbone = lazy.backbone()
        choice = choose_precision(backbone, allow_bfloat16=self.site.rules.bfloat16)
        profile = {
            "precision": choice.precision,
            "min_cosine": choice.min_cosine,
            "feature_width": backbone.feature_width,
            "parameters": backbone.parameters,
            "flops_per_image": lazy.flops_per_image(),
            "input": f"{backbone.input.height}x{backbone.input.width}",
            "weights_digest": backbone.weights_digest,
            "family": backbone.family,
            "training": lazy.training(),
            "notes": choice.note,
        }
        self.site.store.put("profiles", key, {}, profile)
        return profile

    def _of_file(self, imported: ImportedFeatures, positions: NDArray[np.int64]) -> Features:
        """Features that were made elsewhere; what they took nobody knows here."""
        unknown = dict.fromkeys(("extraction_s", "images_per_s"), math.nan)
        profile = {
            "feature_width": imported.width,
            "weights_digest": imported.digest,
            "training": "frozen",
            "notes": NOT_MEASURED,
            **unknown,
        }
        matrix = imported.matrix(self.stack.table, positions, self.site.store)
        return Features(matrix, FeatureRecord(None, math.nan, profile, (NOT_MEASURED,)))


def _fused(parts: Sequence[Features]) -> Features:
    """The features of several backbones side by side."""
    records = [part.record for part in parts]
    profiles = [record.profile for record in records]
    seconds = sum(float(profile["extraction_s"]) for profile in profiles)
    counts: list[Any] = [profile.get("parameters") for profile in profiles]
    origins = [record.origin for record in records if record.origin is not None]
    crops = float(profiles[0]["extraction_s"]) * float(profiles[0]["images_per_s"])
    record = FeatureRecord(
        # What is no function of the pixels is known by its rows.
        origin=fusion_digest(origins) if len(origins) == len(records) else None,
        seconds_per_crop=sum(record.seconds_per_crop for record in records),
        profile={
            "precision": _joined(profiles, "precision"),
            "feature_width": sum(int(profile["feature_width"]) for profile in profiles),
            "parameters": None if None in counts else sum(map(int, counts)),
            "family": _joined(profiles, "family"),
            "training": _joined(profiles, "training"),
            "extraction_s": seconds,
            "images_per_s": crops / max(seconds, 1e-9),
            "notes": NOT_MEASURED if math.isnan(seconds) else None,
        },
        notes=tuple(dict.fromkeys(note for record in records for note in record.notes)),
        widths=tuple(part.matrix.shape[1] for part in parts),
        trained=tuple(network for record in records for network in record.trained),
        hosts=tuple(dict.fromkeys(name for record in records for name in record.hosts)),
    )
    return Features(np.hstack([part.matrix for part in parts]), record)


def _joined(profiles: Sequence[Mapping[str, Any]], name: str) -> str:
    """What the profiles say, each word once."""
    known = (str(profile[name]) for profile in profiles if profile.get(name))
    return ", ".join(dict.fromkeys(known))


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained for a fold.

    Attributes
    ----------
    record : Trained
        What is known of it.
    build : Callable[[], Backbone]
        Builds it with its weights.
    """

    record: "Trained"
    build: Callable[[], Backbone]


def built(extractor: Extractor, site: Site, network: TrainedNetwork | None = None) -> Backbone:
    """The network behind an extractor's features.

    Raises BackboneError if it cannot be built.
    """
    return _LazyBackbone(extractor, site, network).backbone()


class _LazyBackbone:
    """A backbone that is built when it is first needed: often all features stand in the store."""

    def __init__(self, extractor: Extractor, site: Site, network: TrainedNetwork | None) -> None:
        self._extractor = extractor
        self._site = site
        self._network = network
        self._backbone: Backbone | None = None
        self.is_running = False  # whether the region of its precision has been entered

    def weights_digest(self) -> str:
        """What identifies the weights; of a network that is trained here its training's key."""
        if self._network is not None:
            return self._network.record.key
        info = self._extractor.info
        assert info is not None
        # A plugin builds its own weights: what they are shows only in the network it has built.
        return info.weights_digest or self.backbone().weights_digest

    def training(self) -> str:
        """How its weights came about; what a plugin begins with shows only in what it builds."""
        if self._extractor.training != "trained":
            return self._extractor.training
        return "from scratch" if draws_weights(self._extractor.name) else "fine-tuned"

    def flops_per_image(self) -> int | None:
        """Counted when it was trained, or now."""
        if self._network is not None:
            flops: int | None = self._network.record.costs["flops_per_image"]
            return flops
        backbone = self.backbone()
        return forward_flops(backbone.module, backbone.input, self._site.device)

    def backbone(self) -> Backbone:
        if self._backbone is None and self._network is not None:
            self._backbone = self._network.build()
        if self._backbone is None:
            self._site.obey_rules()
            self._backbone = create_backbone(
                self._extractor.name,
                weights=self._extractor.source,
                weights_dir=self._extractor.weights_dir,
                device=self._site.device,
                seed=RANDOM_SEED,
            )
        return self._backbone
