"""Saliency maps of a few test crops: made once and kept in the store."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.rotated import rotation_of
from bench.execution.features import Extraction, TrainedNetwork, built
from bench.execution.keys import saliency_key
from bench.execution.progress import Reporter
from bench.execution.site import Site
from bench.execution.tasks import attempt
from bench.execution.trainings import Trained, Trainings
from bench.planning.extractor import Extractor
from bench.planning.plan import SOFTMAX, Fold
from bench.store import Address, Artifact, noting_use
from extractors import BackboneError

if TYPE_CHECKING:
    from extractors.saliency_maps import Score
    from reports.wanted import Explained

# How far a refitted SVM may be from its stored scores, as a share of the largest of them.
_SAME = 1e-4


@dataclass(frozen=True)
class Explanation:
    """The saliency maps of one system on a few test crops, or why there are none.

    Attributes
    ----------
    wanted : Explained
        The system, its unit and the crops.
    positions : NDArray[np.int64], shape (n,)
        Where the crops stand in the stack.
    maps : Artifact | None
        Of each crop the share of its map's own peak in 1/255, `share` (n, side, side), and the
        peaks, `peak` (n,); `meta["layer"]` names the layer.
    problem : str | None
        Why there are no maps.
    artifacts : frozenset[Address]
        What was read from the store and kept there.
    """

    wanted: "Explained"
    positions: NDArray[np.int64]
    maps: Artifact | None
    problem: str | None
    artifacts: frozenset[Address] = frozenset()


class Explanations:
    """Explains systems on some of the crops that they were tested on."""

    def __init__(self, site: Site, progress: Reporter) -> None:
        self.site = site
        self.stack = site.stack
        self.store = site.store
        self.plan = site.plan
        self.progress = progress

    def explain(self, wanted: "Explained") -> Explanation:
        """The maps of what `reports.wanted` names; what cannot be explained fails no run."""
        with noting_use() as used:
            found = self._explained(wanted)
        return replace(found, artifacts=frozenset(used))

    def _explained(self, wanted: "Explained") -> Explanation:
        if not wanted.crops:
            nowhere = np.empty(0, dtype=np.int64)
            return Explanation(wanted, nowhere, None, "no test crop stands in its first fold")
        fold, positions = self._place(wanted)
        extractor = self.site.extractor(str(wanted.unit["extractor"]))
        with self.progress.step(f"saliency of {extractor.name}", None, "crops"):
            maps, status = attempt(
                extractor, self.store, lambda: self._maps(wanted, extractor, fold, positions)
            )
        if maps is None:
            self.progress.say(f"no saliency map: {status}")
            return Explanation(wanted, positions, None, status)
        return Explanation(wanted, positions, maps, None)

    def _place(self, wanted: "Explained") -> tuple[Fold, NDArray[np.int64]]:
        """The fold of the unit, and where its crops stand in the stack, upright."""
        unit = wanted.unit
        names = ("subset", "protocol", "repeat", "fold")
        fold = next(
            fold
            for fold in self.plan.folds
            if fold.place[:4] == tuple(unit[name] for name in names) and fold.train_fraction >= 1
        )
        upright = fold.test[rotation_of(self.stack.table)[fold.test] == 0]
        crop_ids = self.stack.table["crop_id"].to_numpy()[upright]
        of_id = dict(zip(map(str, crop_ids), upright, strict=True))
        return fold, np.array([of_id[crop.crop_id] for crop in wanted.crops], dtype=np.int64)

    def _maps(
        self,
        wanted: "Explained",
        extractor: Extractor,
        fold: Fold,
        positions: NDArray[np.int64],
    ) -> Artifact:
        """Of each crop the share of its map's own peak in 1/255, (N, S, S), and the peaks (N,)."""
        from reports.wanted import SIDE

        digests = [self.stack.digests[i] for i in positions]
        key = saliency_key(str(wanted.unit["unit"]), SIDE, digests)
        found = self.store.get("saliency", key)
        if found is not None:
            return found
        from extractors.saliency_maps import saliency

        if not extractor.runs_network:
            raise BackboneError(
                f"{extractor.name}: its features come from a file, and the network that made them "
                "is not here to be explained"
            )
        network = self._network(extractor, fold)
        score = self._score(wanted, extractor, fold, positions, network)
        backbone = built(extractor, self.site, network)
        made = saliency(backbone, score, self.stack.images[positions], SIDE)
        peak = made.maps.max(axis=(1, 2))
        share = np.rint(255 * made.maps / np.where(peak > 0, peak, 1)[:, None, None])
        arrays = {"share": share.astype(np.uint8), "peak": peak}
        meta = {"layer": f"{made.grid.layer}, {made.grid.side} × {made.grid.side}"}
        self.store.put("saliency", key, arrays, meta)
        return Artifact(arrays, meta)

    def _network(self, extractor: Extractor, fold: Fold) -> TrainedNetwork | None:
        """The network that was trained for the fold; it stands in the store."""
        if not extractor.trained:
            return None
        trainings = Trainings(self.site)
        record = trainings.trained(extractor, fold, ignore)
        return TrainedNetwork(
            record, lambda: trainings.backbone(record.key, extractor, fold, ignore)
        )

    def _score(
        self,
        wanted: "Explained",
        extractor: Extractor,
        fold: Fold,
        positions: NDArray[np.int64],
        network: TrainedNetwork | None,
    ) -> "Score":
        if wanted.unit["classifier"] == SOFTMAX:
            assert network is not None
            return head_score(network.record, self.site.device)
        from classifiers import KernelSVC
        from classifiers.solver import without_convergence_warnings
        from classifiers.torch_decision import decision_in_torch

        rows = (
            self.plan.positions(extractor.name)
            if network is None
            else np.sort(np.concatenate([fold.train, fold.test]))
        )
        networks = {extractor.name: network} if network else None
        features = Extraction(self.site).features(extractor, rows, ignore, networks).matrix
        labels = self.stack.table["label"].to_numpy()[fold.train]
        svm = KernelSVC(str(wanted.unit["classifier"]), C=float(wanted.unit["C"]))
        with without_convergence_warnings():
            svm.fit(features[fold.train], labels)
        stored = np.array([crop.score for crop in wanted.crops])
        away = np.abs(svm.decision_function(features[positions]) - stored).max()
        if away > _SAME * np.abs(stored).max():
            raise BackboneError(
                f"{extractor.name}: an exact fit has other scores than the stored, approximate one"
            )
        return decision_in_torch(svm, self.site.device)


def ignore(pieces: int) -> None:
    """Progress that nobody looks at."""


def head_score(network: Trained, device: str) -> "Score":
    """The positive class's logit less the other's, of a trained network's own head."""
    import torch

    weight, bias = (torch.from_numpy(np.array(part)).to(device) for part in network.head)

    def score(features: torch.Tensor) -> torch.Tensor:
        difference: torch.Tensor = features @ (weight[1] - weight[0]) + (bias[1] - bias[0])
        return difference

    return score
