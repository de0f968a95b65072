"""The one loop that trains networks: from scratch or from weights, with a recipe.

The crop stack lies on the device as 8-bit numbers, and whole batches are cut, augmented and
normalised there. Every epoch draws from a generator seeded by seed and epoch alone, so that a
training that was cut short and goes on ends with the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from extractors.backbone import Precision, evaluating, normalise, place
from extractors.batches import to_device
from extractors.costs import SavedTensors
from extractors.errors import TrainingFailed
from extractors.isolation import isolated
from extractors.layers import Tap
from extractors.networks.token_grid import tap_grid
from extractors.out_of_memory import PartsThatFit, first_line, is_out_of_memory, release_memory
from extractors.precision import computes_bfloat16, running
from extractors.pretrained.checkpoints import StateDict
from extractors.recipes import Recipe
from extractors.training.attempts import BeforeStep, fewest_images, kept_generators
from extractors.training.frozen import freeze
from extractors.training.held_out import HeldOutEvaluation, on_the_curve
from extractors.training.localization_loss import LocalizationLoss
from extractors.training.optimizer import (
    allocate_moments,
    learning_rate,
    make_optimizer,
    steps_taken,
)
from extractors.training.rows import TrainingRows, checked, inner_rows, stack_on_device
from extractors.training.state import Checkpoint, Training, pack, unpack
from extractors.training.trainable import Trainable


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
    allow_bfloat16: bool = True,
) -> Training:
    """Train a network on crops; its weights are changed in place.

    Parameters
    ----------
    trainable : Trainable
        The network, with its head.
    rows : TrainingRows
        What it is trained on.
    recipe : Recipe
        How.
    seed : int
        Of the order of rows, augmentation, dropout and the pairs of the localization loss. The same
        seed gives the same weights on a CPU with the same number of threads.
    device : str
        Where to train: "cpu", "cuda", "cuda:1", "mps".
    held_out : TrainingRows | None
        Rows on which loss and accuracy are taken after some epochs. Nothing depends on them.
    checkpoint : Checkpoint | None
        Where a training that was cut short goes on.
    progress : Callable[[int], None] | None
        Called with the number of epochs that are done since the last call.
    allow_bfloat16 : bool
        False keeps float32 whatever the device.

    Returns
    -------
    Training
        The record: curves, time, memory, notes.

    Raises
    ------
    TrainingFailed
        If the images are not 8-bit grey ones, a label is not 0 or 1, a class is missing, the loss
        is not finite, a recipe wants what the network lacks, or one image is too much for memory.
    """
    rows = checked(rows, trainable.name)
    held_out = None if held_out is None else checked(held_out, trainable.name)
    bfloat16 = allow_bfloat16 and computes_bfloat16(device)
    loop = _Loop(trainable, rows, recipe, seed, device, "bfloat16" if bfloat16 else "float32")
    # Without an outer region of autocast: it would cast in the losses and the backward pass, too.
    with kept_generators(device), isolated(trainable.name), running(device, "float32"):
        start = loop.resume(checkpoint) if checkpoint else 0
        if start and progress is not None:
            progress(start)
        saved = time.monotonic()
        for epoch in range(start, recipe.epochs):
            loop.run_epoch(epoch, held_out)
            if checkpoint and time.monotonic() - saved > checkpoint.every_s:
                arrays = pack(loop.modules, loop.optimizer, loop.kept)
                checkpoint.save(arrays, {"epochs": epoch + 1, **asdict(loop.result)})
                saved = time.monotonic()
            if progress is not None:
                progress(1)
        return loop.finish()


class _Loop:
    """What lives as long as one training."""

    def __init__(
        self,
        trainable: Trainable,
        rows: TrainingRows,
        recipe: Recipe,
        seed: int,
        device: str,
        precision: Precision,
    ) -> None:
        self.name, self.recipe, self.seed, self.device = trainable.name, recipe, seed, device
        self.input = trainable.input
        self.precision = precision
        self.result = Training(precision=precision)
        fitted, self.inner = inner_rows(rows, recipe, seed, trainable.name)
        self.labels = torch.from_numpy(fitted.labels.astype(np.int64)).to(device)
        started = time.perf_counter()
        self.stack = stack_on_device(fitted.images, self.input, device)
        self._count_time(started, 0)
        self.network = trainable.network
        place(self.network, device, self.name)
        self.frozen_layers, self.frozen_parameters = freeze(self.network.body, recipe)
        self.augment = _augmentation(recipe)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.tap: Tap | None = None
        self.localization: LocalizationLoss | None = None
        if recipe.localization is not None:
            self.tap, self.localization = self._localize(trainable)
            self.modules["localization"] = self.localization
        self.trainable_parameters = [
            p for module in self.modules.values() for p in module.parameters() if p.requires_grad
        ]
        self.optimizer = make_optimizer(self.modules, recipe, device)
        self.result.trainable_parameters = sum(
            p.numel() for p in self.network.parameters() if p.requires_grad
        )
        self.kept: StateDict | None = None
        self.steps = 0
        self.before = BeforeStep(self.network, device)
        fitting = PartsThatFit(device, self._too_small)
        self.evaluation = HeldOutEvaluation(self.network, self.input, fitting, self._autocast)

    def _localize(self, trainable: Trainable) -> tuple[Tap, LocalizationLoss]:
        """A tap on the last token grid, and the loss on it."""
        assert self.recipe.localization is not None
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
        """One epoch (from 0), and a row of the history."""
        started = time.perf_counter()
        row = {"epoch": epoch + 1, **self._train_epoch(epoch)}
        self._count_time(started, epoch)
        if held_out is not None and on_the_curve(epoch, self.recipe.epochs):
            loss, row["test_accuracy"] = self.evaluation.of(held_out)
            # What happens on these rows must not end a training, nor change it.
            if np.isfinite(loss):
                row["test_loss"] = loss
        started = time.perf_counter()
        self._keep_weights(row, epoch)
        self._count_time(started, epoch)
        self.result.history.append(row)

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        """Train on all rows once, in an order drawn for this epoch; means over its steps."""
        torch.manual_seed(_epoch_seed(self.seed, epoch))
        self.network.train()
        for module in self.frozen_layers:
            module.training = False  # not eval(): what lies inside may be trained
        count = len(self.labels)
        # Parts of nearly equal size, and none of one image: that would break batch normalisation.
        steps = min(-(-count // self.recipe.batch_size), max(count // 2, 1))
        # Drawn on the processor, so that a seed gives one order everywhere; copied once an epoch.
        order = to_device(torch.randperm(count), str(self.stack.device))
        batches = torch.tensor_split(order, steps)
        sums = torch.zeros(3, device=self.device)
        for number, batch in enumerate(batches):
            rate = learning_rate(self.recipe, epoch, number / steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            sums += self._step(batch, epoch + number / steps)
        loss, correct, localization = (sums / count).tolist()
        if not np.isfinite(loss + localization):
            raise TrainingFailed(f"{self.name}: the loss is not finite in epoch {epoch + 1}")
        means = {"learning_rate": rate, "train_loss": loss, "train_accuracy": correct}
        if self.localization is not None:
            means["localization_loss"] = localization
        return means

    def _count_time(self, started: float, epoch: int) -> None:
        """Add the time since `started`: all that the weights needed, held-out rows apart."""
        self.result.seconds += time.perf_counter() - started
        if epoch == 0:
            self.result.first_epoch_seconds = self.result.seconds

    def _step(self, batch: torch.Tensor, epoch: float) -> torch.Tensor:
        """One step of the optimiser. Sums over the batch: loss, correct answers, localization."""
        self.before.keep()
        while True:
            try:
                sums = self._attempt(batch, epoch)
                self.steps += 1
                return sums
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = first_line(error)
            self._divide(batch, failure)

    def _attempt(self, batch: torch.Tensor, epoch: float) -> torch.Tensor:
        """A step, in as many parts as have been found to fit; it may fail for lack of memory."""
        self.optimizer.zero_grad(set_to_none=True)
        sums = torch.zeros(3, device=self.device)
        for part in batch.tensor_split(self._parts(batch)):
            sums += self._backward(part, len(batch), epoch)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.trainable_parameters, self.recipe.clip_norm)
        allocate_moments(self.optimizer)
        self.optimizer.step()
        return sums

    def _parts(self, batch: torch.Tensor) -> int:
        steps = self.result.accumulation_steps
        return 1 if steps == 1 else max(min(steps, len(batch) // fewest_images(self.network)), 1)

    def _divide(self, batch: torch.Tensor, failure: str) -> None:
        """Make the next attempt in twice as many parts, as if this one had not been made.

        Raises TrainingFailed where there can be no more parts, or weights have moved.
        """
        if steps_taken(self.optimizer) > self.steps:
            raise TrainingFailed(f"{self.name}: the optimiser's step was cut short ({failure})")
        fewest = fewest_images(self.network)
        if self.result.accumulation_steps >= len(batch) // fewest:
            other = " beside a second, which batch normalisation needs" if fewest > 1 else ""
            raise self._too_small(failure, other)
        if self.tap is not None:
            self.tap.forget()
        self.optimizer.zero_grad(set_to_none=True)
        release_memory(self.device)
        self.result.accumulation_steps *= 2
        self.before.put_back()

    def _too_small(self, failure: str, other: str = "") -> TrainingFailed:
        return TrainingFailed(
            f"{self.name}: not even one image fits into the memory of {self.device}{other} "
            f"({failure})"
        )

    def _backward(self, part: torch.Tensor, batch_size: int, epoch: float) -> torch.Tensor:
        """Gradients of some images of a batch, added to those that are there."""
        labels = self.labels[to_device(part, self.device)]
        images = self._pixels(part, self.augment)
        with self._autocast(), self._measuring_memory():
            logits = self.network(images).float()
        smoothing = self.recipe.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        # The curve shows the loss without smoothing, as on the held-out rows.
        shown = functional.cross_entropy(logits.detach(), labels)
        extra = torch.zeros((), device=self.device)
        if self.tap is not None and self.localization is not None:
            extra = self.localization(self.tap.take().float(), epoch, self.recipe.epochs)
        share = len(part) / batch_size
        torch.autograd.backward((loss + extra) * share)
        correct = (logits.detach().argmax(1) == labels).sum()
        return torch.stack([shown * len(part), correct.float(), extra.detach() * len(part)])

    @contextlib.contextmanager
    def _measuring_memory(self) -> Iterator[None]:
        """In the forward pass of the first batch, count the bytes that it needs."""
        if self.result.tensor_bytes:
            yield
            return
        with SavedTensors(self.network) as saved:
            yield
        weights = sum(p.numel() * p.element_size() for p in self.network.parameters())
        # A gradient and two moments of the optimiser for each trainable parameter.
        training = 3 * sum(p.numel() * p.element_size() for p in self.trainable_parameters)
        self.result.tensor_bytes = saved.bytes + weights + training + self.stack.nbytes

    def _pixels(
        self,
        positions: torch.Tensor,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """A normalised batch (B, 3, H, W) of the stack, each image varied by its own draw."""
        # Where the stack does not fit on the device, the crops travel, in 8 bits.
        pixels = to_device(self.stack[positions.to(self.stack.device)], self.device).float()
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

    def _keep_weights(self, row: dict[str, float], epoch: int) -> None:
        """Keep these weights if their loss on the inner rows is the lowest; else the last stay."""
        if self.inner is None:
            self.result.kept_epoch = epoch + 1
            return
        row["inner_loss"], _ = self.evaluation.of(self.inner)
        if not np.isfinite(row["inner_loss"]):
            raise TrainingFailed(
                f"{self.name}: the loss on the inner validation is not finite in epoch {epoch + 1}"
            )
        before = [past["inner_loss"] for past in self.result.history]
        if not before or row["inner_loss"] < min(before):
            state = self.network.state_dict()
            # On the host: the device may have no room for a second network.
            self.kept = {
                name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()
            }
            self.result.kept_epoch = epoch + 1

    def resume(self, checkpoint: Checkpoint) -> int:
        """Go on from what was saved last; the number of epochs that are done."""
        found = checkpoint.load()
        if found is None:
            return 0
        arrays, record = found
        state = unpack(arrays, self.modules)
        if state is None or record.keys() != {"epochs", *(f.name for f in fields(Training))}:
            return 0
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = steps_taken(self.optimizer)
        self.kept = state["kept"]
        # A copy: the history grows, and what was loaded may be loaded again.
        record = copy.deepcopy(dict(record))
        epochs = int(record.pop("epochs"))
        self.result = Training(**record)
        return epochs

    def finish(self) -> Training:
        """Leave the final weights in eval mode, with nothing of the training on the network."""
        if self.kept is not None:
            self.network.load_state_dict(self.kept)
        if self.tap is not None:
            self.tap.remove()
        self.network.eval()
        for parameter in self.frozen_parameters:
            parameter.requires_grad_(True)
        self.network.zero_grad(set_to_none=True)
        result = self.result
        later = (self.recipe.epochs - 1) * len(self.labels)
        seconds = result.seconds - result.first_epoch_seconds
        result.images_per_s = (
            later / seconds if later else len(self.labels) / max(result.seconds, 1e-9)
        )
        if result.accumulation_steps > 1:
            size = -(-self.recipe.batch_size // result.accumulation_steps)
            what = f"batch of {self.recipe.batch_size} in parts of {size}"
            result.notes.append(f"{what}: not enough memory on {self.device}")
        return result


def _augmentation(recipe: Recipe) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if recipe.augmentation is None:
        return None
    from extractors.training.augmentation import make_augmentation

    return make_augmentation(recipe.augmentation)


def _epoch_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
