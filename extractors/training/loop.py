"""The one loop that trains networks: from scratch or from weights, with a recipe.

The crop stack lies on the device as 8-bit numbers, and whole batches are cut, augmented and
normalised there. Every epoch draws from a generator seeded by seed and epoch alone, so that a
training that was cut short and goes on ends with the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from extractors.backbone import Precision, evaluating, normalise
from extractors.batches import resize
from extractors.costs import KeptTensors
from extractors.isolation import isolated
from extractors.precision import computes_bfloat16
from extractors.recipes import Recipe
from extractors.token_grid import Tap, tap_grid
from extractors.training.localization_loss import LocalizationLoss
from extractors.training.rows import (
    CHUNK,
    TrainingFailed,
    TrainingRows,
    inner_rows,
    stack_on_device,
)
from extractors.training.state import Arrays, pack, unpack
from extractors.training.trainable import Trainable

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Checkpoint:
    """Where a training that is cut short goes on.

    load : what was saved last, or None. save : keeps arrays and a JSON-able dictionary, atomically.
    every_s : seconds between two, counted at the ends of epochs.
    """

    load: Callable[[], tuple[Mapping[str, NDArray[Any]], dict[str, Any]] | None]
    save: Callable[[Arrays, dict[str, Any]], None]
    every_s: float = 20.0


@dataclass
class Training:
    """How a training went. The network that was given holds the weights.

    Attributes
    ----------
    history : a row an epoch: epoch (from 1), learning_rate (its last), train_loss, train_accuracy
        (means over the epoch's steps, in training mode), localization_loss, test_loss,
        test_accuracy, inner_loss; the last four only where there is such a thing.
    seconds : spent until the weights stood: resizing, training and inner validation, without the
        looks at held-out rows.
    images_per_s : after the first epoch, where there is a second.
    kept_epoch : whose weights were kept.
    learnt : number of parameters that were changed.
    tensor_bytes : what the first batch of all needed at once: weights, gradients and moments of the
        optimiser, what the way forward kept for the way back, and the crop stack.
    precision, parts : autocast's type; the passes into which a batch had to be divided.
    notes : what a reader of the results must know.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    first_epoch_seconds: float = 0.0  # with what came before it
    images_per_s: float = 0.0
    kept_epoch: int = 0
    learnt: int = 0
    tensor_bytes: int = 0
    precision: Precision = "float32"
    parts: int = 1
    notes: list[str] = field(default_factory=list)


def train(
    trainable: Trainable,
    rows: TrainingRows,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str = "cpu",
    held_out: TrainingRows | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int], None] | None = None,
) -> Training:
    """Train a network on crops; its weights are changed in place.

    Parameters
    ----------
    seed : of the order of rows, augmentation, dropout and the pairs of the localization loss. The
        same seed gives the same weights on a CPU with the same number of threads.
    held_out : rows on which loss and accuracy are taken after each epoch. Nothing depends on them.
    progress : called after each epoch with 1.

    Raises
    ------
    TrainingFailed
        If a class is missing, the loss is not finite, a recipe asks for what the network lacks, or
        not even one image fits into the device's memory.
    """
    loop = _Loop(trainable, rows, recipe, seed, device)
    with torch.random.fork_rng(devices=_cuda(device)), isolated(trainable.name):
        start = loop.resume(checkpoint) if checkpoint else 0
        saved = time.monotonic()
        for epoch in range(start, recipe.epochs):
            loop.run_epoch(epoch, held_out)
            if checkpoint and time.monotonic() - saved > checkpoint.every_s:
                checkpoint.save(*loop.state(epoch + 1))
                saved = time.monotonic()
            if progress is not None:
                progress(1)
        return loop.finish()


class _Loop:
    """What lives as long as one training."""

    def __init__(
        self, trainable: Trainable, rows: TrainingRows, recipe: Recipe, seed: int, device: str
    ) -> None:
        self.name, self.recipe, self.seed, self.device = trainable.name, recipe, seed, device
        self.input = trainable.input
        self.precision: Precision = "bfloat16" if computes_bfloat16(device) else "float32"
        self.result = Training(precision=self.precision)
        fitted, self.inner = inner_rows(rows, recipe, seed, trainable.name)
        self.labels = torch.from_numpy(fitted.labels.astype(np.int64)).to(device)
        started = time.perf_counter()
        self.stack = stack_on_device(fitted.images, self.input, device)
        self._spent(started, 0)
        self.network = trainable.network.to(device).to(memory_format=torch.channels_last)
        self.frozen, self.asleep = _freeze(self.network.body, recipe)
        self.augment = _augmentation(recipe)
        self.tap, self.localization = self._localization(trainable)
        modules = [self.network, *filter(None, [self.localization])]
        learnt = [p for module in modules for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            learnt,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=device.partition(":")[0] in ("cpu", "cuda"),
        )
        self.learnt = learnt
        self.result.learnt = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        self.kept: dict[str, torch.Tensor] | None = None

    def _localization(self, trainable: Trainable) -> tuple[Tap | None, LocalizationLoss | None]:
        """The tap on the last token grid and the loss on it, where the recipe asks for them."""
        if self.recipe.localization is None:
            return None, None
        if trainable.grid is None:
            raise TrainingFailed(f"{self.name}: has no token grid for the localization loss")
        tap = tap_grid(self.network.body, trainable.grid)
        with evaluating(self.network), torch.no_grad():
            self.network(self._pixels(torch.arange(1)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            loss = LocalizationLoss(
                tap.take().shape[1], self.recipe.localization, pooled=trainable.grid.pooled
            )
        return tap, loss.to(self.device)

    def run_epoch(self, epoch: int, held_out: TrainingRows | None) -> None:
        """All rows once, in an order of their own; then the look at the rows that are held out."""
        torch.manual_seed(_epoch_seed(self.seed, epoch))
        self.network.train()
        for module in self.frozen:
            module.training = False  # not eval(): what lies inside may be trained
        started = time.perf_counter()
        count = len(self.labels)
        # Parts of nearly equal size, and none of one image: that would break batch normalisation.
        steps = min(-(-count // self.recipe.batch_size), max(count // 2, 1))
        batches = torch.tensor_split(torch.randperm(count), steps)
        sums = torch.zeros(3, device=self.device)
        for number, batch in enumerate(batches):
            rate = learning_rate(self.recipe, epoch, number / steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            sums += self._step(batch, epoch + number / steps)
        loss, correct, localization = (sums / count).tolist()
        if not np.isfinite(loss + localization):
            raise TrainingFailed(f"{self.name}: the loss is not finite in epoch {epoch + 1}")
        self._spent(started, epoch)
        row = {"epoch": epoch + 1, "learning_rate": rate, "train_loss": loss}
        row["train_accuracy"] = correct
        if self.localization is not None:
            row["localization_loss"] = localization
        if held_out is not None:
            seen, row["test_accuracy"] = self._look_at(held_out)
            # What happens on these rows must not end a training, nor change it.
            if np.isfinite(seen):
                row["test_loss"] = seen
        started = time.perf_counter()
        self._keep(row, epoch)
        self._spent(started, epoch)
        self.result.history.append(row)

    def _spent(self, started: float, epoch: int) -> None:
        """Count the time since `started`: all that the weights needed, held-out rows apart."""
        self.result.seconds += time.perf_counter() - started
        if epoch == 0:
            self.result.first_epoch_seconds = self.result.seconds

    def _step(self, batch: torch.Tensor, epoch: float) -> torch.Tensor:
        """One step of the optimiser. Sums over the batch: loss, correct answers, localization."""
        while True:
            try:
                self.optimizer.zero_grad(set_to_none=True)
                sums = torch.zeros(3, device=self.device)
                for part in batch.tensor_split(min(self.result.parts, len(batch))):
                    sums += self._backward(part, len(batch), epoch)
                if self.recipe.clip_norm is not None:
                    nn.utils.clip_grad_norm_(self.learnt, self.recipe.clip_norm)
                # The first step allocates the moments before it changes anything.
                self.optimizer.step()
                return sums
            except torch.cuda.OutOfMemoryError:
                if self.result.parts >= len(batch):
                    raise TrainingFailed(
                        f"{self.name}: not even one image fits into the memory of {self.device}"
                    ) from None
                torch.cuda.empty_cache()
                self.result.parts *= 2

    def _backward(self, part: torch.Tensor, of: int, epoch: float) -> torch.Tensor:
        """Gradients of some images of a batch of `of`, added to those that are there."""
        labels = self.labels[part.to(self.device)]
        images = self._pixels(part, self.augment)
        with self._autocast(), self._counted():
            logits = self.network(images).float()
        smoothing = self.recipe.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        # The curve shows the loss without smoothing, as on the held-out rows.
        shown = functional.cross_entropy(logits.detach(), labels)
        extra = torch.zeros((), device=self.device)
        if self.tap is not None and self.localization is not None:
            extra = self.localization(self.tap.take().float(), epoch, self.recipe.epochs)
        share = len(part) / of
        torch.autograd.backward((loss + extra) * share)
        correct = (logits.detach().argmax(1) == labels).sum()
        return torch.stack([shown * len(part), correct.float(), extra.detach() * len(part)])

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """On the way of the first batch, count what it needs."""
        if self.result.tensor_bytes:
            yield
            return
        with KeptTensors(self.network) as kept:
            yield
        weights = sum(p.numel() * p.element_size() for p in self.network.parameters())
        # A gradient and two moments of the optimiser for each that is learnt.
        learning = 3 * sum(p.numel() * p.element_size() for p in self.learnt)
        self.result.tensor_bytes = kept.bytes + weights + learning + self.stack.nbytes

    def _pixels(
        self,
        positions: torch.Tensor,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """A normalised batch (B, 3, H, W) of the stack, each image varied by its own draw."""
        pixels = self.stack[positions.to(self.stack.device)].to(self.device).float()
        if augment is not None:
            pixels = augment(pixels / 255) * 255
        return normalise(pixels, self.input)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        kind = self.device.partition(":")[0]
        # Without the cache of cast weights: it lives as long as an outer autocast, if there is one,
        # and would go on with the weights of the first step.
        return torch.autocast(
            kind, torch.bfloat16, enabled=self.precision == "bfloat16", cache_enabled=False
        )

    def _look_at(self, rows: TrainingRows) -> tuple[float, float]:
        """Mean loss and accuracy on rows that take no part in the training."""
        loss = correct = 0.0
        with evaluating(self.network), torch.no_grad(), self._autocast():
            for start in range(0, len(rows.labels), CHUNK):
                images = resize(rows.images[start : start + CHUNK], self.input).to(self.device)
                labels = torch.from_numpy(rows.labels[start : start + CHUNK].astype(np.int64))
                logits = self.network(normalise(images, self.input)).float().cpu()
                loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
                correct += float((logits.argmax(1) == labels).sum())
        return loss / len(rows.labels), correct / len(rows.labels)

    def _keep(self, row: dict[str, float], epoch: int) -> None:
        """Keep these weights if the inner rows like them best; without inner rows the last stay."""
        if self.inner is None:
            self.result.kept_epoch = epoch + 1
            return
        row["inner_loss"], _ = self._look_at(self.inner)
        if not np.isfinite(row["inner_loss"]):
            raise TrainingFailed(
                f"{self.name}: the loss on the inner validation is not finite in epoch {epoch + 1}"
            )
        before = [past["inner_loss"] for past in self.result.history]
        if not before or row["inner_loss"] < min(before):
            state = self.network.state_dict()
            self.kept = {name: tensor.detach().clone() for name, tensor in state.items()}
            self.result.kept_epoch = epoch + 1

    def state(self, epochs: int) -> tuple[Arrays, dict[str, Any]]:
        """All that a training needs to go on after so many epochs."""
        arrays = pack(self._modules(), self.optimizer, self.kept)
        return arrays, {"epochs": epochs, **asdict(self.result)}

    def resume(self, checkpoint: Checkpoint) -> int:
        """Take up what was saved last; the number of epochs that are done."""
        found = checkpoint.load()
        if found is None:
            return 0
        arrays, told = found
        self.kept = unpack(arrays, self._modules(), self.optimizer, self.device)
        epochs = int(told.pop("epochs"))
        self.result = Training(**told)
        return epochs

    def _modules(self) -> dict[str, nn.Module]:
        extra = {} if self.localization is None else {"localization": self.localization}
        return {"network": self.network, **extra}

    def finish(self) -> Training:
        """The weights to keep in place, in eval mode, with nothing of the training left on it."""
        if self.kept is not None:
            self.network.load_state_dict(self.kept)
        if self.tap is not None:
            self.tap.remove()
        self.network.eval()
        for parameter in self.asleep:
            parameter.requires_grad_(True)
        self.network.zero_grad(set_to_none=True)
        result = self.result
        later = (self.recipe.epochs - 1) * len(self.labels)
        seconds = result.seconds - result.first_epoch_seconds
        result.images_per_s = (
            later / seconds if later else len(self.labels) / max(result.seconds, 1e-9)
        )
        if result.parts > 1:
            size = -(-self.recipe.batch_size // result.parts)
            result.notes.append(
                f"batch of {self.recipe.batch_size} in parts of {size}: not enough memory on "
                f"{self.device}"
            )
        return result


def learning_rate(recipe: Recipe, epoch: int, done: float) -> float:
    """The learning rate when the share `done` of an epoch (from 0) is over."""
    at = epoch + done
    if at < recipe.warmup_epochs:
        # Never quite zero: a first step that moves nothing would be a step lost.
        return recipe.learning_rate * max(at, 0.01) / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return recipe.learning_rate
    left = (at - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1)
    return recipe.learning_rate * 0.5 * float(1 + np.cos(np.pi * left))


def _freeze(body: nn.Module, recipe: Recipe) -> tuple[list[nn.Module], list[nn.Parameter]]:
    """Stop the layers that the recipe does not train; they, and the parameters stopped."""
    if recipe.layers == "all":
        return [], []
    layers = [m for m in body.modules() if any(True for _ in m.parameters(recurse=False))]
    frozen = layers[: len(layers) - max(len(layers) // 4, 1)]
    stopped = [p for m in frozen for p in m.parameters(recurse=False) if p.requires_grad]
    for parameter in stopped:
        parameter.requires_grad_(False)
    return frozen, stopped


def _augmentation(recipe: Recipe) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if recipe.augmentation is None:
        return None
    from extractors.training.augmentation import make_augmentation

    return make_augmentation(recipe.augmentation)


def _epoch_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _cuda(device: str) -> list[str]:
    return [device] if device.startswith("cuda") else []
