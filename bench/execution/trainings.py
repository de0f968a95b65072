"""Networks trained on the training rows of one fold: from the store, or trained and kept there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.execution.keys import start_key, training_key
from bench.execution.rates import rates_of
from bench.execution.site import Site
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold
from bench.provenance import host
from extractors.costs import PeakMemory, forward_flops, smallest_gpu
from extractors.recipes import Recipe

if TYPE_CHECKING:
    from extractors import Backbone
    from extractors.training.rows import TrainingRows
    from extractors.training.state import Checkpoint, Training
    from extractors.training.trainable import Trainable


@dataclass(frozen=True)
class Trained:
    """A network that has been trained on the training rows of a fold, or of several alike.

    Attributes
    ----------
    key : str
        SHA-256 in hexadecimal.
    name, weights : str
        Of the extractor.
    recipe : Recipe
        How it was trained.
    head : tuple[NDArray[np.float32], NDArray[np.float32]], shapes (2, d) and (2,)
        Weight and bias of the linear layer on its features.
    costs : dict[str, Any]
        What the training took, by columns of `reports.systems.schema.TRAINING_COLUMNS`.
    history : list[dict[str, float]]
        A row an epoch.
    """

    key: str
    name: str
    weights: str
    recipe: Recipe
    head: tuple[NDArray[np.float32], NDArray[np.float32]]
    costs: dict[str, Any]
    history: list[dict[str, float]]


class Trainings:
    """Trains networks on folds of a site's crop stack."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.store = site.store
        # The network trained last: its features are extracted next.
        self._last: tuple[str, Trainable] | None = None

    def trained(self, extractor: Extractor, fold: Fold, progress: Callable[[int], None]) -> Trained:
        """The network that is trained on the fold's `network_rows`.

        Parameters
        ----------
        extractor : Extractor
            One with a recipe.
        fold : Fold
            Where it is trained.
        progress : Callable[[int], None]
            Called with the number of epochs done since the last call.

        Returns
        -------
        Trained
            From the store, or trained now and kept there.

        Raises
        ------
        BackboneError
            If the network cannot be built, or its training ends without weights.
        """
        recipe = extractor.recipe
        assert recipe is not None
        info = extractor.info
        assert info is not None
        weights = info.weights_digest or self._start(extractor, recipe)
        key = training_key(self.site, extractor, weights, fold)
        if self.store.get("trainings", key) is None:
            self._train(key, extractor, recipe, fold, progress)
        kept = self.store.get("trainings", key)
        assert kept is not None
        return Trained(
            key=key,
            name=extractor.name,
            weights=extractor.weights,
            recipe=recipe,
            head=(kept.arrays["weight"], kept.arrays["bias"]),
            costs=kept.meta["costs"],
            history=kept.meta["history"],
        )

    def _start(self, extractor: Extractor, recipe: Recipe) -> str:
        """What identifies weights that show only in a built network: drawn ones, a plugin's."""
        info = extractor.info
        assert info is not None
        # What a plugin builds may depend on files that nobody knows of: it is built every time.
        key = start_key(extractor) if info.kind != "plugin" else None
        kept = self.store.get("starts", key) if key else None
        if kept is not None:
            return str(kept.meta["digest"])
        if extractor.name not in self.site.starts:
            from extractors.backbone import state_digest
            from extractors.training.trainable import create_trainable

            trainable = create_trainable(extractor.name, recipe, weights=extractor.source)
            self.site.starts[extractor.name] = state_digest(trainable.network)
            if key:
                self.store.put("starts", key, {}, {"digest": self.site.starts[extractor.name]})
        return self.site.starts[extractor.name]

    def _train(
        self,
        key: str,
        extractor: Extractor,
        recipe: Recipe,
        fold: Fold,
        progress: Callable[[int], None],
    ) -> None:
        """Train, and keep weights first, then what says that they are there."""
        from extractors.training.loop import train

        trainable = self._built(extractor, recipe, fold)
        fitted, rest = fold.network_rows
        flops = forward_flops(trainable.network, trainable.input)
        with PeakMemory(self.site.device) as peak:
            training = train(
                trainable,
                self._rows(fitted),
                recipe,
                seed=self.site.network_seed(fold),
                device=self.site.device,
                held_out=self._rows(rest) if len(rest) else None,
                checkpoint=self._checkpoint(key),
                progress=progress,
                allow_bfloat16=self.site.rules.bfloat16,
            )
        rates_of(self.site).note_training(extractor.name, recipe, len(fitted), training.seconds)
        costs = {
            "n_train": len(fitted),
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "input": f"{trainable.input.height}x{trainable.input.width}",
            "parameters": sum(p.numel() for p in trainable.network.parameters()),
            "flops_per_image": flops,
            "device": self.site.device,
            "host": host(self.site.device),
            **_spent(training, peak),
        }
        state = {k: v.cpu().numpy() for k, v in trainable.network.state_dict().items()}
        self.store.put("networks", key, state, {})
        head = trainable.network.head
        arrays = {name: getattr(head, name).detach().cpu().numpy() for name in ("weight", "bias")}
        self.store.put("trainings", key, arrays, {"costs": costs, "history": training.history})
        self.store.remove("checkpoints", key)
        self._last = key, trainable

    def backbone(
        self, key: str, extractor: Extractor, fold: Fold, progress: Callable[[int], None]
    ) -> "Backbone":
        """The network that gives the features which enter the head.

        Parameters
        ----------
        key : str
            Of a training that `trained` has given.
        extractor : Extractor
            One with a recipe.
        fold : Fold
            Where it was trained.
        progress : Callable[[int], None]
            As in `trained`: a network that somebody has removed is trained again.

        Returns
        -------
        Backbone
            On the site's device.
        """
        import torch

        recipe = extractor.recipe
        assert recipe is not None
        if self._last is not None and self._last[0] == key:
            return self._last[1].backbone(key, self.site.device)
        kept = self.store.get("networks", key)
        if kept is None:
            # Weights are big, and somebody may have made room; the same training gives them again.
            self._train(key, extractor, recipe, fold, progress)
            kept = self.store.get("networks", key)
            assert kept is not None
        trainable = self._built(extractor, recipe, fold)
        state = {name: torch.from_numpy(np.array(value)) for name, value in kept.arrays.items()}
        trainable.network.load_state_dict(state)
        return trainable.backbone(key, self.site.device)

    def _built(self, extractor: Extractor, recipe: Recipe, fold: Fold) -> "Trainable":
        """The network as it is before its training on this fold."""
        from extractors.training.trainable import create_trainable

        self.site.obey_rules()
        return create_trainable(
            extractor.name,
            recipe,
            seed=self.site.network_seed(fold),
            weights=extractor.source,
            weights_dir=extractor.weights_dir,
        )

    def _rows(self, positions: NDArray[np.int64]) -> "TrainingRows":
        from extractors.training.rows import TrainingRows

        return TrainingRows(
            self.site.stack.images[positions],
            self.site.labels[positions],
            self.site.patients[positions],
        )

    def _checkpoint(self, key: str) -> "Checkpoint":
        from extractors.training.state import Checkpoint

        def load() -> Any:
            found = self.store.get("checkpoints", key)
            return None if found is None else (found.arrays, found.meta)

        return Checkpoint(
            load, lambda arrays, meta: self.store.put("checkpoints", key, arrays, meta)
        )


def _spent(training: "Training", peak: PeakMemory) -> dict[str, Any]:
    """What a training took, as it reports and as its memory was measured."""
    size = peak.device if peak.device is not None else training.tensor_bytes
    return {
        "kept_epoch": training.kept_epoch,
        "accumulation": training.accumulation_steps,
        "trainable_parameters": training.trainable_parameters,
        "network_time_s": training.seconds,
        "images_per_s": training.images_per_s,
        "peak_device_bytes": peak.device,
        "peak_host_bytes": peak.host,
        "smallest_gpu_gb": smallest_gpu(size),
        "gpu_estimated": peak.device is None,
        "precision": training.precision,
        "notes": "; ".join(training.notes),
    }
