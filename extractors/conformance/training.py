"""The checks of a plugin that trains: gradients, a loss that falls, the same weights each time.

They use the loop that a run uses, with the plugin's recipe reduced to a few steps on synthetic
images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from extractors.backbone import InputSpec, normalise, state_digest
from extractors.batches import resize
from extractors.conformance.findings import ContractBroken
from extractors.conformance.subject import (
    Subject,
    Watched,
    first_names,
    reseed_others,
)
from extractors.recipes import Recipe
from extractors.training.loop import train
from extractors.training.rows import TrainingRows
from extractors.training.trainable import N_CLASSES, Classifier, create_trainable

IMAGES = 16
BATCH = 8
EPOCHS = 8


def synthetic_rows() -> TrainingRows:
    """Sixteen images of 64 px that any network can separate: bright and coarse, dark and fine."""
    generator = np.random.default_rng(0)
    labels = np.arange(IMAGES) % N_CLASSES
    coarse = np.kron(generator.random((IMAGES, 8, 8)), np.ones((8, 8)))
    fine = generator.random((IMAGES, 64, 64))
    images = np.where(labels[:, None, None] == 1, 127 + 128 * coarse, 128 * fine)
    return TrainingRows(images.astype(np.uint8), labels)


def _recipe(subject: Subject) -> str:
    """How the recipe was read; one that makes no sense cannot be registered."""
    recipe = _recipe_of(subject)
    return (
        f"{recipe.name}: {recipe.epochs} epochs, batches of {recipe.batch_size}, "
        f"learning rate {recipe.learning_rate:g}, {recipe.schedule}"
    )


def _gradients(subject: Subject) -> str:
    rows, spec = synthetic_rows(), subject.plugin.input
    backbone = subject.build(0)
    body = backbone.module.requires_grad_(True).train()
    assert isinstance(body, Watched)
    width = subject.features(subject.images).shape[1]
    network = Classifier(body, nn.Linear(width, N_CLASSES))
    _loss(network, rows, spec).backward()  # type: ignore[no-untyped-call]
    subject.record("a forward pass in training", body.changed)
    parameters = dict(body.network.named_parameters())
    reached = {k: p.grad for k, p in parameters.items() if p.grad is not None}
    missed = [name for name in parameters if name not in reached]
    if not any(bool(gradient.any()) for gradient in reached.values()):
        raise ContractBroken(
            "no gradient reaches any parameter of the network",
            "take out no_grad, detach and .data; register layers as attributes",
        )
    bad = [name for name, gradient in reached.items() if not gradient.isfinite().all()]
    if bad:
        raise ContractBroken(
            f"the gradient of {first_names(bad)} is not finite",
            "look for roots and logarithms of zero, divisions by a spread that may be zero",
        )
    if missed:
        raise ContractBroken(
            f"no gradient reaches {len(missed)} of {len(parameters)} parameters: "
            f"{first_names(missed)}",
            "remove what forward does not use, or see why it is cut off",
            "note",
        )
    return f"reach all {len(parameters)} parameter tensors"


def _learns(subject: Subject) -> str:
    # As little as possible between the network and the images: whether it can learn, not how well.
    recipe = replace(
        _recipe_of(subject),
        epochs=EPOCHS,
        batch_size=BATCH,
        schedule="constant",
        warmup_epochs=0,
        augmentation=None,
        inner_validation=0.0,
    )
    rows, trainable = synthetic_rows(), create_trainable(subject.name, recipe)
    with torch.no_grad():
        before = float(_loss(trainable.network, rows, trainable.input))
    after = train(trainable, rows, recipe, held_out=rows).history[-1]
    # With and without dropout, running statistics: one of the two may be hidden by chance.
    lowest = min(after["train_loss"], after["test_loss"])
    course = f"the loss goes from {before:.3g} to {lowest:.3g}"
    steps = EPOCHS * IMAGES // BATCH
    if not lowest < before:
        raise ContractBroken(
            f"{course} in {steps} steps on {IMAGES} easy images",
            f"is a learning rate of {recipe.learning_rate:g} too high?",
        )
    return f"{course} in {steps} steps on {IMAGES} images"


def _repeatable(subject: Subject) -> str:
    recipe = replace(
        _recipe_of(subject), epochs=1, batch_size=BATCH, warmup_epochs=0, inner_validation=0.0
    )
    digests = set()
    for number in range(2):
        trainable = create_trainable(subject.name, recipe)
        reseed_others(number)
        train(trainable, synthetic_rows(), recipe)
        digests.add(state_digest(trainable.network))
    if len(digests) > 1:
        raise ContractBroken(
            "training twice with the same seed gives different weights",
            "draw from torch's generator only, and keep nothing from one training to the next",
        )
    return "the same seed gives the same weights"


def _loss(network: Classifier, rows: TrainingRows, spec: InputSpec) -> torch.Tensor:
    logits = network(normalise(resize(rows.images, spec), spec))
    return functional.cross_entropy(logits, torch.from_numpy(rows.labels))


def _recipe_of(subject: Subject) -> Recipe:
    recipe = subject.plugin.recipe
    assert recipe is not None
    return recipe


TRAINING_CHECKS: dict[str, Callable[[Subject], str]] = {
    "recipe": _recipe,
    "gradients": _gradients,
    "learns": _learns,
    "trains again": _repeatable,
}
