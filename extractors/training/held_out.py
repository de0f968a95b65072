"""Loss and accuracy on rows that take no part in a training, as it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from extractors.backbone import InputSpec, evaluating, normalise
from extractors.batches import resize, to_device
from extractors.out_of_memory import PartsThatFit
from extractors.training.rows import CHUNK, TrainingRows, fits_on

# Points of the curve of held-out rows in a long training, and the fewest epochs between two.
_POINTS = 10
_APART = 2


def on_the_curve(epoch: int, epochs: int) -> bool:
    """Whether held-out rows are evaluated after this epoch (from 0); after the last they are.

    Nothing but the curve depends on them, and after every epoch they would take a tenth of a short
    training's time.
    """
    return (epochs - 1 - epoch) % max(_APART, -(-epochs // _POINTS)) == 0


class HeldOutEvaluation:
    """Evaluates a network on rows, which are resized once.

    Parameters
    ----------
    network : nn.Module
        From a normalised batch to logits (B, 2).
    spec : InputSpec
        The image it wants.
    fitting : PartsThatFit
        Where it lies, and the parts of a batch that fit there.
    autocast : Callable[[], contextlib.AbstractContextManager[Any]]
        The precision.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: InputSpec,
        fitting: PartsThatFit,
        autocast: Callable[[], contextlib.AbstractContextManager[Any]],
    ) -> None:
        self._network, self._input, self._fitting = network, spec, fitting
        self._autocast = autocast
        # By identity; the rows are kept too, so that no others can take it.
        self._resized: dict[int, tuple[TrainingRows, torch.Tensor]] = {}

    def of(self, rows: TrainingRows) -> tuple[float, float]:
        """Mean loss and accuracy on some rows."""
        loss = correct = 0.0
        labels = torch.from_numpy(rows.labels.astype(np.int64))
        with evaluating(self._network), torch.no_grad(), self._autocast():
            chunks = torch.split(self._images(rows), CHUNK)
            for images, wanted in zip(chunks, torch.split(labels, CHUNK), strict=True):
                logits = torch.cat(list(self._fitting.run(images, self._logits)))
                loss += float(functional.cross_entropy(logits, wanted, reduction="sum"))
                correct += float((logits.argmax(1) == wanted).sum())
        return loss / len(labels), correct / len(labels)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        pixels = normalise(to_device(images, self._fitting.device), self._input)
        logits: torch.Tensor = self._network(pixels)
        return logits.float().cpu()

    def _images(self, rows: TrainingRows) -> torch.Tensor:
        """The rows at the network's input size, float32, on the device where they fit."""
        if id(rows) not in self._resized:
            parts = np.array_split(rows.images, range(CHUNK, len(rows.images), CHUNK))
            device = self._fitting.device
            images = torch.cat([resize(part, self._input, device).cpu() for part in parts])
            if fits_on(device, images):
                images = images.to(device)
            self._resized[id(rows)] = rows, images
        return self._resized[id(rows)][1]
