"""The dense relative localization loss, against arithmetic by hand and loops in numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from extractors.networks.token_grid import TokenGrid, tap_grid
from extractors.recipes import Localization
from extractors.training import localization_loss
from extractors.training.localization_loss import (
    LocalizationLoss,
    draw_pairs,
    localization_weight,
)
from extractors.training.trainable import create_trainable, recipe_for

PAPER, RELEASED = Localization("paper", 0.5), Localization("released", 0.5)
BOTH = pytest.mark.parametrize("localization", [PAPER, RELEASED], ids=["paper", "released"])


@pytest.fixture(autouse=True)
def _seeded_and_on_one_thread():
    """Tensors as small as these wait for a second thread longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def place_pairs(monkeypatch, *pairs: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """The same pairs of (row, column) for every image, whatever the side."""
    places = torch.tensor(pairs)
    monkeypatch.setattr(localization_loss, "PAIRS", len(pairs))
    monkeypatch.setattr(
        localization_loss, "draw_pairs", lambda images, side: places.expand(images, -1, -1, -1)
    )


def own_places(images: int, side: int) -> torch.Tensor:
    """A grid whose two channels hold each token's row and column."""
    rows, columns = torch.meshgrid(*[torch.arange(float(side))] * 2, indexing="ij")
    return torch.stack([rows, columns]).expand(images, -1, -1, -1).clone()


def answer_always(loss: LocalizationLoss, row: float, column: float) -> None:
    head = loss.predictor[-1]
    nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor([row, column])


def answer_perfectly(loss: LocalizationLoss, side: int) -> None:
    """For `own_places`: |a − b| = relu(a − b) + relu(b − a), for rows and for columns."""
    for layer in loss.predictor:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    first, *between, last = (x for x in loss.predictor if isinstance(x, nn.Linear))
    with torch.no_grad():
        for axis in (0, 1):
            for unit, sign in ((2 * axis, 1.0), (2 * axis + 1, -1.0)):
                first.weight[unit, axis], first.weight[unit, 2 + axis] = sign, -sign
                last.weight[axis, unit] = 1 / side if loss.localization.form == "paper" else 1.0
        for layer in between:
            layer.weight.copy_(torch.eye(len(layer.weight)))


@pytest.mark.parametrize(
    ("localization", "by_hand"),
    [
        # Pairs (0,0)-(3,1) and (2,2)-(2,0) of a 4 × 4 grid: offsets (3, 1) and (0, 2).
        # Predicted (1, 1): errors 2, 0, 1, 1, mean 1.
        (RELEASED, 1.0),
        # Offsets (3/4, 1/4) and (0, 2/4): errors 1/4, 3/4, 1, 1/2, mean 5/8.
        (PAPER, 0.625),
    ],
    ids=["released", "paper"],
)
def test_offsets_by_hand(monkeypatch, localization, by_hand) -> None:
    place_pairs(monkeypatch, ((0, 0), (3, 1)), ((2, 2), (2, 0)))
    loss = LocalizationLoss(5, localization)
    answer_always(loss, 1.0, 1.0)
    grid = torch.randn(3, 5, 4, 4)
    assert loss.offset_error(grid).item() == pytest.approx(by_hand)
    # Epoch 40 of 60 is half way down from 20 to the end.
    weight = 0.5 if localization is PAPER else 0.25
    assert loss(grid, 40, 60).item() == pytest.approx(weight * by_hand)


@BOTH
def test_rows_come_before_columns_and_embeddings_follow_the_pair(localization) -> None:
    """In loops over images and pairs, in numpy, with the weights as they were drawn."""
    loss = LocalizationLoss(3, localization)
    grid = torch.randn(2, 3, 5, 5)
    state = torch.get_rng_state()
    got = loss.offset_error(grid).item()
    torch.set_rng_state(state)
    pairs, values = draw_pairs(2, 5).numpy(), grid.numpy()
    layers = [
        (x.weight.detach().numpy(), x.bias.detach().numpy())
        for x in loss.predictor
        if isinstance(x, nn.Linear)
    ]
    assert [len(bias) for _, bias in layers[:-1]] == [512] * (1 if localization is PAPER else 2)
    errors = []
    for image in range(2):
        for (i, j), (p, h) in pairs[image]:
            entering = np.concatenate([values[image, :, i, j], values[image, :, p, h]])
            for weight, bias in layers[:-1]:
                entering = np.maximum(weight @ entering + bias, 0)
            predicted = layers[-1][0] @ entering + layers[-1][1]
            offset = np.array([abs(i - p), abs(j - h)]) / (5 if localization is PAPER else 1)
            errors.append(np.abs(predicted - offset).mean())
    assert len(errors) == 2 * 64
    assert got == pytest.approx(np.mean(errors), rel=1e-5)


@BOTH
def test_a_perfect_predictor_gives_0_and_a_swapped_one_does_not(localization) -> None:
    loss = LocalizationLoss(2, localization)
    answer_perfectly(loss, 7)
    grid = own_places(4, 7)
    assert loss.offset_error(grid).item() == pytest.approx(0, abs=1e-6)
    head = loss.predictor[-1].weight
    head.data = head.data.flip(0)
    assert loss.offset_error(grid) > 0.05


def test_the_forms_differ_by_the_side_of_the_grid() -> None:
    """Untrained, when predictions are near 0: the paper's is about seven times weaker."""
    grid = torch.zeros(16, 2, 7, 7)
    errors = []
    for localization in (PAPER, RELEASED):
        loss = LocalizationLoss(2, localization)
        answer_always(loss, 0.0, 0.0)
        torch.manual_seed(1)
        errors.append(loss.offset_error(grid).item())
    assert errors[1] / errors[0] == pytest.approx(7)


@pytest.mark.parametrize(
    ("localization", "pooled", "side", "sampled"),
    [
        (PAPER, False, 14, 7),
        (PAPER, True, 14, 7),
        (PAPER, True, 7, 7),
        (PAPER, False, 4, 4),
        (RELEASED, True, 14, 7),
        (RELEASED, False, 14, 14),
        (RELEASED, True, 7, 7),
    ],
)
def test_which_grids_are_halved(monkeypatch, localization, pooled, side, sampled) -> None:
    sides = []

    def draw(images: int, side: int) -> torch.Tensor:
        sides.append(side)
        return draw_pairs(images, side)

    monkeypatch.setattr(localization_loss, "draw_pairs", draw)
    LocalizationLoss(2, localization, pooled=pooled).offset_error(torch.zeros(1, 2, side, side))
    assert sides == [sampled]


def test_halving_by_hand(monkeypatch) -> None:
    """Rows of 0 to 13 in the one channel; the predictor answers with the first embedding."""
    grid = torch.arange(14.0)[:, None].expand(1, 1, 14, 14)
    # Place (6, 6) against itself, where the offset is 0.
    place_pairs(monkeypatch, ((6, 6), (6, 6)))
    for localization, mean in (
        (PAPER, 12.5),  # of rows 12 and 13
        (RELEASED, 12.0),  # of rows 11, 12 and 13
    ):
        loss = LocalizationLoss(1, localization, pooled=True)
        loss.predictor = nn.Linear(2, 2, bias=False)
        loss.predictor.weight.data = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        assert loss.offset_error(grid).item() == pytest.approx(mean)
    # The padding does not count: at place (0, 0) it is the mean of rows 0 and 1.
    place_pairs(monkeypatch, ((0, 0), (0, 0)))
    assert loss.offset_error(grid).item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("epoch", "weight"),
    [(0, 0.0), (10, 0.25), (15.5, 0.3875), (20, 0.5), (60, 0.25), (99, 0.00625), (100, 0.0)],
)
def test_the_released_weight_rises_for_20_epochs_and_falls_to_0(epoch, weight) -> None:
    assert localization_weight(RELEASED, epoch, 100) == pytest.approx(weight)
    assert localization_weight(PAPER, epoch, 100) == 0.5


def test_a_training_of_20_epochs_or_fewer_sees_only_the_rise() -> None:
    assert [localization_weight(RELEASED, epoch, 10) for epoch in (0, 5, 9.5)] == pytest.approx(
        [0, 0.125, 0.2375]
    )
    assert localization_weight(RELEASED, 19, 20) == pytest.approx(0.475)


def test_places_cover_the_grid_and_the_seed_decides_them() -> None:
    places = draw_pairs(50, 7)
    assert places.shape == (50, 64, 2, 2)
    counts = torch.bincount((places[..., 0] * 7 + places[..., 1]).flatten(), minlength=49)
    assert len(counts) == 49
    # Six standard deviations of a count.
    expected = 50 * 128 / 49
    assert (counts - expected).abs().max() < 6 * expected**0.5
    assert not torch.equal(places[0], places[1])
    torch.manual_seed(5)
    first = draw_pairs(4, 7)
    assert not torch.equal(first, draw_pairs(4, 7))
    torch.manual_seed(5)
    assert torch.equal(first, draw_pairs(4, 7))


class Tiny(nn.Module):
    """Convolutions with padding, so that places differ; a head that works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.BatchNorm2d(16)
        )
        self.after = nn.ReLU(inplace=True)
        self.head = nn.Linear(16, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.after(self.body(images)).mean((2, 3)))


BODY = TokenGrid("body", "NCHW")


@BOTH
def test_the_gradient_reaches_the_backbone_and_not_the_head(localization) -> None:
    network, loss = Tiny(), LocalizationLoss(16, localization)
    tap = tap_grid(network, BODY)
    network(torch.rand(4, 1, 28, 28))
    loss(tap.take(), 30, 100).backward()
    for part in (network.body[0], network.body[2], *loss.predictor[::2]):
        assert part.weight.grad.abs().sum() > 0
    assert network.head.weight.grad is None


@BOTH
def test_the_offset_error_falls_in_a_short_training(localization) -> None:
    network, loss = Tiny(), LocalizationLoss(16, localization)
    tap = tap_grid(network, BODY)
    # Each image brighter towards its lower right corner, more so downwards.
    rows, columns = own_places(1, 28)[0] / 28
    images = (rows + 0.5 * columns + 0.02 * torch.randn(8, 28, 28))[:, None]
    parameters = [*network.body.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, 3e-3)
    errors = []
    for _ in range(40):
        optimizer.zero_grad()
        network(images)
        error = loss.offset_error(tap.take())
        error.backward()
        optimizer.step()
        errors.append(error.item())
    # The best that an answer can do that never looks at the embeddings: always the median.
    places = np.arange(7)
    distances = np.abs(places[:, None] - places).ravel()
    blind = np.abs(distances - np.median(distances)).mean()
    blind /= 7 if localization is PAPER else 1
    assert errors[0] > 0.95 * blind
    assert np.mean(errors[-5:]) < 0.75 * blind


def by_hand(
    loss: LocalizationLoss, grid: torch.Tensor, places: torch.Tensor, *, divided: bool
) -> float:
    """The mean absolute error of the offsets, pair by pair, from the description of the loss.

    `grid` is (B, k, k, C). Each pair's two embeddings, the first place's first, enter the ReLU
    network; what it predicts is held against |row - row'| and |column - column'|.
    """
    layers = [layer for layer in loss.predictor if isinstance(layer, nn.Linear)]
    side, errors = grid.shape[1], []
    for image, pairs in zip(grid, places, strict=True):
        for first, second in pairs.tolist():
            value = torch.cat([image[first[0], first[1]], image[second[0], second[1]]])
            for layer in layers[:-1]:
                value = (layer.weight @ value + layer.bias).clamp(min=0)
            predicted = layers[-1].weight @ value + layers[-1].bias
            for axis in (0, 1):
                offset = abs(first[axis] - second[axis]) / (side if divided else 1)
                errors.append(abs(float(predicted[axis]) - offset))
    return sum(errors) / len(errors)


@pytest.mark.parametrize(("step", "before_the_norm"), [("drloc", False), ("drloc-released", True)])
def test_swins_loss_is_that_of_its_form(step: str, before_the_norm: bool, monkeypatch) -> None:
    """The authors' code takes the last stage as it comes, without the norm that follows it."""
    recipe = replace(recipe_for(f"swin_t+{step}", "quick"), input_size=96)
    trainable = create_trainable(f"swin_t+{step}", recipe)
    body = trainable.network.body.eval()
    with torch.no_grad():
        body.norm.weight.uniform_(0.5, 2)  # a norm whose output is not its input
        images = torch.rand(2, 3, 96, 96)
        stage = body.layers(body.patch_embed(images))
        expected = stage if before_the_norm else body.norm(stage)
        assert trainable.grid is not None
        tap = tap_grid(body, trainable.grid)
        body(images)
        tapped = tap.take()
        torch.testing.assert_close(tapped.permute(0, 2, 3, 1), expected)
        assert recipe.localization is not None
        loss = LocalizationLoss(tapped.shape[1], recipe.localization, pooled=trainable.grid.pooled)
        assert sum(isinstance(layer, nn.Linear) for layer in loss.predictor) == 2 + before_the_norm
        places = draw_pairs(2, 3)
        monkeypatch.setattr(localization_loss, "draw_pairs", lambda images, side: places)
        hand = by_hand(loss, expected, places, divided=not before_the_norm)
        assert float(loss.offset_error(tapped)) == pytest.approx(hand, rel=1e-4)
        # Half way up the authors' warm-up of 20 epochs λ is half of Swin's 0.5.
        weight = 0.25 if before_the_norm else 0.5
        assert float(loss(tapped, 10, 100)) == pytest.approx(weight * hand, rel=1e-4)
