"""The training loop: what it learns, that it can be repeated and resumed, and what it refuses."""

import importlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from extractors import plugins
from extractors.backbone import normalise, state_digest
from extractors.batches import resize
from extractors.errors import BackboneError, TrainingFailed
from extractors.networks.token_grid import TokenGrid
from extractors.precision import running
from extractors.recipes import RECIPES, Augmentation, Localization, Recipe
from extractors.training.held_out import on_the_curve
from extractors.training.loop import _Loop, learning_rate, train
from extractors.training.optimizer import decay_groups
from extractors.training.rows import TrainingRows, inner_rows, stack_on_device
from extractors.training.state import Checkpoint, pack
from extractors.training.trainable import create_trainable

RECIPE = Recipe("short", epochs=4, batch_size=8, learning_rate=3e-3, weight_decay=1e-4)


@pytest.fixture(autouse=True)
def _one_thread():
    """Two threads that wait for each other are slow on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Tiny(nn.Module):
    """A small network with batch norm, dropout and a grid: all that a loop can get wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, stride=4), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Conv2d(8, 8, 3, padding=1)
        self.drop = nn.Dropout(0.2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.drop(torch.relu(self.last(self.stem(images))).mean((2, 3)))


@pytest.fixture
def tiny():
    """Registers the small network; gives a function that builds it ready to be trained."""
    plugins.register("tiny", input_size=32, recipe=RECIPE)(Tiny)

    def make(seed=0, recipe=RECIPE):
        return create_trainable("tiny", recipe, seed=seed)

    return make


def rows(count=24, seed=0, size=32):
    """Noise; positive images are brighter in the middle. Two images a patient."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) // 2 % 2
    images = random.integers(0, 120, (count, size, size)).astype(np.uint8)
    middle = slice(size // 4, -size // 4)
    images[labels == 1, middle, middle] += 100
    return TrainingRows(images, labels, np.arange(count) // 2)


def weights(trainable):
    return state_digest(trainable.network)


def loss_and_accuracy(trainable, held):
    pixels = torch.from_numpy(held.images).unsqueeze(1).float()
    with torch.no_grad():
        logits = trainable.network(normalise(pixels, trainable.input))
    labels = torch.from_numpy(held.labels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return float(nn.functional.cross_entropy(logits, labels)), accuracy


def trained(tiny, recipe=RECIPE, seed=0, **more):
    trainable = tiny(recipe=recipe)
    return trainable, train(trainable, rows(), recipe, seed=seed, **more)


def test_learns_what_can_be_seen(tiny):
    recipe = replace(RECIPE, epochs=25)
    _, training = trained(tiny, recipe, held_out=rows(40, seed=9))
    last = training.history[-1]
    assert last["train_loss"] < 0.5 * training.history[0]["train_loss"]
    assert last["test_accuracy"] > 0.9
    assert [row["epoch"] for row in training.history] == [*range(1, 26)]


def test_same_seed_same_weights_and_another_seed_others(tiny):
    augmented = replace(RECIPE, augmentation=Augmentation(flip_horizontal=True, rotation=0.1))
    first, _ = trained(tiny, augmented)
    torch.rand(7)  # whatever the generator was used for meanwhile
    again, _ = trained(tiny, augmented)
    other, _ = trained(tiny, augmented, seed=1)
    assert weights(first) == weights(again) != weights(other)


def test_leaves_the_generator_of_the_process_alone(tiny):
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    trained(tiny)
    assert torch.equal(torch.rand(2), wanted)


def test_held_out_rows_change_no_weight(tiny):
    alone, _ = trained(tiny)
    watched, _ = trained(tiny, held_out=rows(10, seed=4))
    noise = TrainingRows(
        np.random.default_rng(1).integers(0, 256, (10, 32, 32), np.uint8), np.ones(10, int)
    )
    watched_noise, training = trained(tiny, held_out=noise)
    assert weights(alone) == weights(watched) == weights(watched_noise)
    assert len(training.history) == RECIPE.epochs


@pytest.mark.parametrize("killed_after", [1, 3])
@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, augmentation=Augmentation(zoom=0.2), schedule="constant"),
        replace(RECIPE, inner_validation=0.25, warmup_epochs=2, label_smoothing=0.1, clip_norm=0.5),
    ],
    ids=["augmented", "inner validation"],
)
def test_resumed_training_ends_with_the_same_weights(tiny, recipe, killed_after):
    whole, undisturbed = trained(tiny, recipe)
    kept = {}

    def save(arrays, record):
        kept["state"] = {k: np.array(v) for k, v in arrays.items()}, dict(record)

    class Killed(Exception):
        pass

    done = []

    def kill(epochs):
        done.append(epochs)
        if len(done) == killed_after:
            raise Killed

    checkpoint = Checkpoint(lambda: kept.get("state"), save, every_s=-1.0)
    with pytest.raises(Killed):
        trained(tiny, recipe, checkpoint=checkpoint, progress=kill)
    assert kept["state"][1]["epochs"] == killed_after
    epochs = []
    resumed, training = trained(tiny, recipe, checkpoint=checkpoint, progress=epochs.append)
    assert epochs == [killed_after] + [1] * (recipe.epochs - killed_after)
    assert weights(resumed) == weights(whole)
    assert training.history == undisturbed.history
    assert training.kept_epoch == undisturbed.kept_epoch


def of_another_network(trainable):
    optimizer = torch.optim.AdamW(trainable.network.head.parameters())
    return pack({"network": trainable.network.head}, optimizer, None)


def of_another_format(trainable):
    buffer = io.BytesIO()
    torch.save({"network": trainable.network.state_dict()}, buffer)
    return {"state": np.frombuffer(buffer.getvalue(), dtype=np.uint8)}


@pytest.mark.parametrize(
    "arrays_of",
    [
        of_another_network,
        of_another_format,
        lambda trainable: {"state": np.zeros(0, dtype=np.uint8)},
        lambda trainable: {"state": np.arange(200, dtype=np.uint8)},
        lambda trainable: {"network.body.last.bias": np.zeros(8, dtype=np.float32)},
    ],
    ids=["another network", "another format", "nothing", "no file of torch", "an array a tensor"],
)
def test_a_checkpoint_of_something_else_is_ignored(tiny, arrays_of):
    whole, undisturbed = trained(tiny)
    saved = []
    checkpoint = Checkpoint(lambda: None, lambda *found: saved.append(found), every_s=-1.0)
    trained(tiny, checkpoint=checkpoint)
    record = saved[0][1]
    foreign = Checkpoint(lambda: (arrays_of(tiny()), record), lambda *found: None)
    afresh, training = trained(tiny, checkpoint=foreign)
    assert weights(afresh) == weights(whole)
    assert training.history == undisturbed.history
    # The state is right, and its record is one of another version.
    older = {**record, "learnt": 1}
    afresh, training = trained(
        tiny, checkpoint=Checkpoint(lambda: (saved[0][0], older), lambda *found: None)
    )
    assert weights(afresh) == weights(whole)
    assert len(training.history) == RECIPE.epochs


def test_inner_validation_keeps_the_epoch_that_its_patients_like_best(tiny):
    recipe = replace(
        RECIPE, epochs=8, inner_validation=0.25, learning_rate=0.1, schedule="constant"
    )
    # Labels by chance: what is learnt by heart does not hold for other patients.
    labels = np.random.default_rng(1).integers(0, 2, 12).repeat(2)
    by_chance = replace(rows(), labels=labels)
    trainable = tiny(recipe=recipe)
    training = train(trainable, by_chance, recipe)
    losses = [row["inner_loss"] for row in training.history]
    assert training.kept_epoch == int(np.argmin(losses)) + 1
    assert training.kept_epoch < recipe.epochs, "keeping the last epoch would pass, too"
    _, held = inner_rows(by_chance, recipe, 0, "tiny")
    loss, _ = loss_and_accuracy(trainable, held)
    assert loss == pytest.approx(min(losses), rel=0.02)  # bfloat16 in training, float32 here


def test_images_are_varied_where_the_recipe_says_so(tiny):
    plain, _ = trained(tiny, RECIPE)
    varied, _ = trained(tiny, replace(RECIPE, augmentation=Augmentation(brightness=0.3)))
    assert weights(varied) != weights(plain)


def test_inner_validation_holds_out_whole_patients(tiny):
    everything = rows(40)
    kept, held = inner_rows(everything, replace(RECIPE, inner_validation=0.25), 0, "tiny")
    assert not set(kept.patients) & set(held.patients)
    assert len(kept.labels) + len(held.labels) == 40
    assert 5 <= len(held.labels) <= 15
    assert inner_rows(everything, RECIPE, 0, "tiny") == (everything, None)


def test_only_the_last_layers_move_when_the_recipe_says_so(tiny):
    trainable = tiny()
    before = {k: v.clone() for k, v in trainable.network.state_dict().items()}
    training = train(trainable, rows(), replace(RECIPE, layers="last"))
    moved = {k for k, v in trainable.network.state_dict().items() if not torch.equal(v, before[k])}
    # Three layers of the body have parameters; a quarter of them is at least one: the last.
    assert moved == {"body.last.weight", "body.last.bias", "head.weight", "head.bias"}
    assert training.trainable_parameters == sum(before[name].numel() for name in moved)
    assert all(parameter.requires_grad for parameter in trainable.network.parameters())


def test_localization_loss_trains_the_body_and_leaves_nothing_behind(tiny):
    recipe = replace(RECIPE, epochs=2, localization=Localization("paper", 0.5))
    plain, _ = trained(tiny, replace(recipe, localization=None))
    trainable = tiny(recipe=recipe)
    trainable.grid = TokenGrid("last", "NCHW")
    training = train(trainable, rows(), recipe)
    assert training.history[-1]["localization_loss"] > 0
    assert weights(trainable) != weights(plain)
    assert not trainable.network.body.last._forward_hooks
    assert set(trainable.network.state_dict()) == set(plain.network.state_dict())


def test_a_loss_that_is_not_finite_ends_the_training_in_one_line(tiny):
    trainable = tiny()
    with torch.no_grad():
        trainable.network.head.weight.fill_(float("inf"))
    with pytest.raises(TrainingFailed, match="tiny: the loss is not finite in epoch 1"):
        train(trainable, rows(), RECIPE)


def test_a_loss_on_held_out_rows_that_is_not_finite_ends_nothing(tiny, monkeypatch):
    plain, _ = trained(tiny)
    trainable = tiny()
    body = trainable.network.body
    forward = body.forward
    monkeypatch.setattr(
        body, "forward", lambda images: forward(images) * (1 if body.training else float("nan"))
    )
    training = train(trainable, rows(), RECIPE, held_out=rows(6, seed=3))
    assert [set(row) >= {"test_accuracy"} for row in training.history] == [False, True] * 2
    assert not any("test_loss" in row for row in training.history)
    assert weights(trainable) == weights(plain)
    inner = replace(RECIPE, inner_validation=0.25)
    with pytest.raises(TrainingFailed, match="inner validation is not finite"):
        train(trainable, rows(), inner)


@pytest.mark.parametrize(
    ("epochs", "evaluated"),
    [
        (1, [1]),
        (3, [1, 3]),
        (10, [2, 4, 6, 8, 10]),
        (50, list(range(5, 51, 5))),
        (25, [1, *range(4, 26, 3)]),
    ],
)
def test_held_out_rows_are_evaluated_after_some_epochs_and_the_last(epochs, evaluated):
    assert [epoch + 1 for epoch in range(epochs) if on_the_curve(epoch, epochs)] == evaluated


@pytest.mark.parametrize("outer", ["float32", "bfloat16"])
def test_a_region_of_another_precision_around_it_changes_nothing(tiny, outer):
    """Weights that autocast keeps for as long as the outer region lasts would be stale."""
    alone, _ = trained(tiny, replace(RECIPE, epochs=3))
    with running("cpu", outer):
        inside, _ = trained(tiny, replace(RECIPE, epochs=3))
    assert weights(alone) == weights(inside)


def test_a_network_that_is_shared_between_builds_is_refused():
    shared = Tiny()
    plugins.register("shared", input_size=32, recipe=RECIPE)(lambda: shared)
    with pytest.raises(BackboneError, match="carry what it learns from fold to fold"):
        create_trainable("shared", RECIPE)


def test_frozen_layers_leave_those_inside_them_in_training_mode():
    class Outer(Tiny):
        """Has a parameter of its own, and so counts as a layer itself."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))
            self.norm = nn.BatchNorm1d(8)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.norm(super().forward(images) + self.bias)

    plugins.register("outer", input_size=32, recipe=RECIPE)(Outer)
    trainable = create_trainable("outer", RECIPE)
    before = trainable.network.body.norm.running_mean.clone()
    stem = trainable.network.body.stem[1].running_mean.clone()
    train(trainable, rows(), replace(RECIPE, layers="last"))
    assert not torch.equal(trainable.network.body.norm.running_mean, before)
    assert torch.equal(trainable.network.body.stem[1].running_mean, stem)


def test_what_a_plugin_froze_stays_frozen(tiny):
    trainable = tiny()
    frozen = trainable.network.body.stem[0].weight.requires_grad_(False)
    before = frozen.clone()
    train(trainable, rows(), RECIPE)
    assert torch.equal(frozen, before)
    assert not frozen.requires_grad


def test_the_curve_shows_the_loss_without_smoothing(tiny):
    recipe = replace(RECIPE, epochs=40, label_smoothing=0.4, learning_rate=0.01)
    _, training = trained(tiny, recipe, held_out=rows())
    # Of two classes a smoothed loss never falls below that of answering 0.8 and 0.2.
    floor = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert min(row["train_loss"] for row in training.history) < floor


def test_refuses_what_cannot_be_trained(tiny):
    everything = rows()
    one_class = TrainingRows(everything.images, np.zeros(24, int), everything.patients)
    with pytest.raises(TrainingFailed, match="both classes"):
        train(tiny(), one_class, RECIPE)
    with pytest.raises(TrainingFailed, match="no token grid"):
        train(tiny(), everything, replace(RECIPE, localization=Localization("paper", 0.1)))
    few = TrainingRows(everything.images[:4], everything.labels[:4], np.zeros(4))
    with pytest.raises(TrainingFailed, match="too few patients"):
        train(tiny(), few, replace(RECIPE, inner_validation=0.25))
    unnamed = TrainingRows(everything.images, everything.labels)
    with pytest.raises(TrainingFailed, match="patients"):
        train(tiny(), unnamed, replace(RECIPE, inner_validation=0.25))


def test_batch_that_does_not_fit_is_divided_and_noted(tiny, monkeypatch):
    """What a GPU with too little memory does, played on a CPU."""
    trainable = tiny()
    body = trainable.network.body
    forward = body.forward

    def too_large(images):
        if body.training and len(images) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(images)

    monkeypatch.setattr(body, "forward", too_large)
    training = train(trainable, rows(), replace(RECIPE, epochs=1))
    assert training.accumulation_steps == 2
    assert training.notes == ["batch of 8 in parts of 4: not enough memory on cpu"]
    monkeypatch.undo()

    monkeypatch.setattr(body, "forward", lambda images: too_large(images.repeat(8, 1, 1, 1)))
    with pytest.raises(TrainingFailed, match="not even one image fits"):
        train(trainable, rows(), replace(RECIPE, epochs=1))


def fail_when(call, error, times=1):
    """A function that raises an error in its `call`-th call (from 1), and in some that follow."""
    calls = iter(range(1, 10_000))

    def wrap(function):
        def wrapped(*args, **kwargs):
            if call <= next(calls) < call + times:
                raise error
            return function(*args, **kwargs)

        return wrapped

    return wrap


SHORT = torch.OutOfMemoryError("CUDA out of memory")


def in_parts(tiny, recipe, parts=2):
    """A training that begins with batches in parts."""
    trainable = tiny(recipe=recipe)
    loop = _Loop(trainable, rows(), recipe, 0, "cpu", "float32")
    loop.result.accumulation_steps = parts
    for epoch in range(recipe.epochs):
        loop.run_epoch(epoch, None)
    loop.finish()
    return trainable


@pytest.mark.parametrize("call", [1, 2, 3, 7, 12])
def test_memory_that_ends_between_two_moments_leaves_no_half_state(call, tiny, monkeypatch):
    """The retry is a training in two parts from the start, to the last bit."""
    recipe = replace(RECIPE, epochs=2)
    divided = in_parts(tiny, recipe)
    trainable = tiny(recipe=recipe)
    monkeypatch.setattr(torch, "zeros_like", fail_when(call, SHORT)(torch.zeros_like))
    training = train(trainable, rows(), recipe, allow_bfloat16=False)
    assert training.accumulation_steps == 2
    assert weights(trainable) == weights(divided)


@pytest.mark.parametrize(
    "message", ["cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "MPS backend out of memory"]
)
def test_memory_that_ends_in_a_pass_leaves_no_trace_of_it(message, tiny, monkeypatch):
    """Neither in the batch statistics nor in the sequence of draws."""
    recipe = replace(RECIPE, epochs=2, augmentation=Augmentation(rotation=0.1))
    divided = in_parts(tiny, recipe)
    trainable = tiny(recipe=recipe)
    last = trainable.network.body.last  # behind the batch normalisation
    failing = fail_when(1, RuntimeError(message))
    monkeypatch.setattr(last, "forward", failing(last.forward))
    training = train(trainable, rows(), recipe, allow_bfloat16=False)
    assert training.accumulation_steps == 2
    assert weights(trainable) == weights(divided)


def test_an_optimisers_step_that_was_cut_short_is_not_taken_twice(tiny, monkeypatch):
    """Two groups of parameters: the first has moved when the second finds no memory."""
    recipe = replace(RECIPE, epochs=1, decayed="matrices")
    failing = fail_when(2, SHORT)
    module = importlib.import_module("torch.optim.adam")
    monkeypatch.setattr(module, "adam", failing(module.adam))
    with pytest.raises(TrainingFailed, match="step was cut short"):
        train(tiny(recipe=recipe), rows(), recipe)


def test_what_fitted_is_remembered_for_the_batches_that_follow(tiny, monkeypatch):
    trainable = tiny()
    body = trainable.network.body
    forward, failures = body.forward, []

    def bounded(images):
        if body.training and len(images) > 2:
            failures.append(len(images))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(images)

    monkeypatch.setattr(body, "forward", bounded)
    training = train(trainable, rows(40), replace(RECIPE, epochs=2))
    assert failures == [8, 4]
    assert training.accumulation_steps == 4


def test_a_part_of_one_image_is_not_learnt_from_where_batches_are_normalised(monkeypatch):
    class Normed(nn.Module):
        most = 2

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4), nn.BatchNorm1d(4))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training and len(images) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self.layer(images)

    plugins.register("normed", input_size=8, recipe=RECIPE)(Normed)
    recipe = replace(RECIPE, epochs=1, batch_size=4)
    training = train(create_trainable("normed", recipe), rows(8, size=8), recipe)
    assert training.accumulation_steps == 2
    # Three images in two parts would leave one alone.
    odd = replace(recipe, batch_size=3)
    with pytest.raises(TrainingFailed, match="beside a second, which batch normalisation needs"):
        train(create_trainable("normed", odd), rows(9, size=8), odd)


def test_evaluation_goes_in_parts_too_and_resizes_its_rows_once(tiny, monkeypatch):
    plain = tiny()
    expected = train(plain, rows(), RECIPE, held_out=rows(10, seed=3, size=64))
    trainable = tiny()
    body = trainable.network.body
    forward, failures, resized = body.forward, [], []

    def bounded(images):
        if not body.training and len(images) > 5:
            failures.append(len(images))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(images)

    monkeypatch.setattr(body, "forward", bounded)
    monkeypatch.setattr(
        "extractors.training.held_out.resize",
        lambda images, *more: resized.append(len(images)) or resize(images, *more),
    )
    training = train(trainable, rows(), RECIPE, held_out=rows(10, seed=3, size=64))
    assert failures == [10]
    assert resized == [10]
    assert weights(trainable) == weights(plain)
    for row, other in zip(training.history, expected.history, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_divided_batch_gives_the_gradients_of_the_whole(monkeypatch):
    """Without batch norm and dropout the parts of a batch add up to it."""
    monkeypatch.setattr("extractors.training.loop.computes_bfloat16", lambda device: False)

    class Plain(nn.Module):
        def __init__(self, most=99) -> None:
            super().__init__()
            self.layer = nn.Linear(32 * 32, 4)
            self.most = most

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) > self.most:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return torch.relu(self.layer(images[:, 0].flatten(1)))

    plugins.register("plain", input_size=32, recipe=RECIPE)(Plain)
    # AdamW does not see how long a gradient is; clipping with a limit far above gives its length.
    norms, clip = [], nn.utils.clip_grad_norm_
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda *of: norms.append(float(clip(*of))))
    recipe = replace(RECIPE, clip_norm=1e9)
    whole, divided = (create_trainable("plain", recipe) for _ in range(2))
    divided.network.body.most = 3
    assert train(whole, rows(), recipe).accumulation_steps == 1
    assert train(divided, rows(), recipe).accumulation_steps == 4
    steps = len(norms) // 2
    assert norms[steps:] == pytest.approx(norms[:steps], rel=1e-3)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(divided.network.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_learning_rate_rises_and_falls_as_the_recipe_says():
    recipe = replace(RECIPE, epochs=10, warmup_epochs=2, learning_rate=1.0)
    assert learning_rate(recipe, 1, 0.0) == pytest.approx(0.5)
    assert learning_rate(recipe, 2, 0.0) == pytest.approx(1.0)
    assert learning_rate(recipe, 6, 0.0) == pytest.approx(0.5)  # halfway down a cosine
    assert learning_rate(recipe, 9, 0.999) < 1e-3
    constant = replace(recipe, schedule="constant")
    assert [learning_rate(constant, e, 0.0) for e in (2, 6, 9)] == [1.0] * 3
    assert 0 < learning_rate(recipe, 0, 0.0) < 0.01


def test_stack_is_resized_once_and_stays_8_bit(tiny):
    everything = rows(5, size=64)
    stack = stack_on_device(everything.images, tiny().input, "cpu")
    assert stack.dtype == torch.uint8
    assert tuple(stack.shape) == (5, 1, 32, 32)
    same = stack_on_device(rows(5).images, tiny().input, "cpu")
    assert np.array_equal(same[:, 0].numpy(), rows(5).images)


def test_own_head_makes_the_networks_logits_of_its_features(tiny):
    trainable, _ = trained(tiny)
    backbone = trainable.backbone("key")
    pixels = torch.from_numpy(rows().images).unsqueeze(1).float()
    features = backbone.features(pixels)
    with torch.no_grad():
        logits = trainable.network(normalise(pixels, trainable.input))
        torch.testing.assert_close(trainable.network.head(features), logits)


def test_name_that_is_not_trained_is_refused(tiny):
    with pytest.raises(BackboneError, match=r"is not trained; with \+finetuned"):
        create_trainable("random:tiny", RECIPE)


def test_network_that_is_built_once_for_all_folds_is_refused():
    shared = Tiny()
    plugins.register("shared", input_size=32, recipe=RECIPE)(lambda: shared)
    with pytest.raises(BackboneError, match="from fold to fold"):
        create_trainable("shared", RECIPE)


def test_weight_decay_spares_norms_and_biases_where_the_recipe_says_so() -> None:
    """timm's own rule is the reference; what the thesis trains decays whole, as in Keras."""
    from timm.optim import param_groups_weight_decay

    network = create_trainable("swin_t+drloc", RECIPES["quick", "B"]).network
    spared, decayed = param_groups_weight_decay(network, 0.05)
    assert len(spared["params"]) == 108
    for preset in ("quick", "thesis", "full"):
        for section in ("B", "C"):
            recipe = RECIPES[preset, section]
            groups = {g["weight_decay"]: g["params"] for g in decay_groups({"n": network}, recipe)}
            assert set(groups) == {0.0, 0.05}
            for found, reference in ((groups[0.0], spared), (groups[0.05], decayed)):
                assert [id(p) for p in found] == [id(p) for p in reference["params"]]
        (whole,) = decay_groups({"n": network}, RECIPES[preset, "A"])
        assert whole["weight_decay"] == RECIPES[preset, "A"].weight_decay
        assert [id(p) for p in whole["params"]] == [id(p) for p in network.parameters()]


@pytest.mark.parametrize(("decayed", "spared"), [("matrices", 5), ("all", 0)])
def test_the_optimiser_decays_what_the_recipe_says(decayed, spared, tiny):
    """Two biases of convolutions, a norm's scale and shift, and the head's bias are spared."""
    recipe = replace(RECIPE, decayed=decayed)
    loop = _Loop(tiny(recipe=recipe), rows(), recipe, 0, "cpu", "float32")
    groups = {g["weight_decay"]: len(g["params"]) for g in loop.optimizer.param_groups}
    assert groups == {1e-4: 8 - spared} | ({0.0: spared} if spared else {})
