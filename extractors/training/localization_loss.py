"""The dense relative localization loss: predict how far apart two tokens lie in the image.

Y. Liu, E. Sangineto, W. Bi, N. Sebe, B. Lepri, M. De Nadai, "Efficient Training of Visual
Transformers with Small Datasets", NeurIPS 2021. An auxiliary loss on the last grid of tokens, from
which a network learns about places without labels; at inference nothing of it is left.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from extractors.batches import to_device
from extractors.recipes import Localization

# m of the paper: pairs of places that are drawn from each image's grid.
PAIRS = 64
WIDTH = 512
# Hidden layers of the predictor.
DEPTH = {"paper": 1, "released": 2}
WARMUP_EPOCHS = 20
# From this side on a grid is halved, so that 14 × 14 becomes the paper's 7 × 7.
HALVED_FROM = 14


class LocalizationLoss(nn.Module):
    """Mean absolute error of predicted offsets, times λ.

    From every grid (C, k, k) 64 pairs of places are drawn, each place uniformly and on its own. The
    two embeddings, one after the other, enter a small ReLU network that predicts the absolute
    offset (|Δrow|, |Δcolumn|). Two forms:

    - `paper`: the offset is divided by k, so that it lies on [0, 1]; one hidden layer of 512; λ is
      constant. A grid of 14 × 14 or more is averaged over squares of 2 × 2.
    - `released`, the authors' code as run: offsets in places, two hidden layers of 512, λ by
      `localization_weight`. A network that is `pooled` there has such a grid averaged with window
      3, stride 2 and a padding of 1 that does not count; other grids are used as they are. Swin's
      grid comes from its last stage, before the final norm; the paper's form takes it after that.

    The paper's formula sums over the two coordinates; here both forms take the mean over images,
    pairs and coordinates. λ then means the same for each, and the forms differ by the factor k.

    Parameters
    ----------
    channels : int
        C, the width of an embedding.
    localization : Localization
        Form and λ.
    pooled : bool
        Whether the released code pools this network's grid.
    """

    def __init__(self, channels: int, localization: Localization, *, pooled: bool = False) -> None:
        super().__init__()
        self.localization = localization
        self.pooled = pooled
        layers: list[nn.Module] = []
        entering = 2 * channels
        for _ in range(DEPTH[localization.form]):
            layers += [nn.Linear(entering, WIDTH), nn.ReLU()]
            entering = WIDTH
        self.predictor = nn.Sequential(*layers, nn.Linear(entering, 2))

    def forward(self, grid: torch.Tensor, epoch: float, epochs: int) -> torch.Tensor:
        """The loss of a batch (B, C, k, k) `epoch` epochs (from 0) into a training of `epochs`."""
        return localization_weight(self.localization, epoch, epochs) * self.offset_error(grid)

    def offset_error(self, grid: torch.Tensor) -> torch.Tensor:
        """The loss without λ: in places (`released`) or in parts of the grid's side (`paper`)."""
        grid = self._halve(grid)
        side = grid.shape[-1]
        places = to_device(draw_pairs(len(grid), side), str(grid.device))
        offsets = (places[:, :, 0] - places[:, :, 1]).abs().to(grid)
        if self.localization.form == "paper":
            offsets = offsets / side
        predicted = self.predictor(_embeddings(grid, places))
        return functional.l1_loss(predicted.float(), offsets.float())

    def _halve(self, grid: torch.Tensor) -> torch.Tensor:
        if grid.shape[-1] < HALVED_FROM:
            return grid
        if self.localization.form == "paper":
            return functional.avg_pool2d(grid, 2)
        if self.pooled:
            return functional.avg_pool2d(grid, 3, stride=2, padding=1, count_include_pad=False)
        return grid


def localization_weight(localization: Localization, epoch: float, epochs: int) -> float:
    """λ when `epoch` epochs (from 0, with fractions) of `epochs` are over.

    `paper`: always the same. `released`: rises linearly from 0 to λ in the first 20 epochs and then
    falls linearly, to reach 0 as the training ends; one of 20 epochs or fewer sees only the rise.
    """
    if localization.form == "paper":
        return localization.weight
    if epoch < WARMUP_EPOCHS:
        return localization.weight * epoch / WARMUP_EPOCHS
    left = epochs - epoch
    return localization.weight * left / max(epochs - WARMUP_EPOCHS, 1)


def draw_pairs(images: int, side: int) -> torch.Tensor:
    """Pairs of places of a grid: int64 (images, 64, 2, 2), the last axis row and column.

    Drawn on the CPU from torch's global generator, so that a seed gives the same on every device.
    """
    return torch.randint(side, (images, PAIRS, 2, 2))


def _embeddings(grid: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """What stands at the pairs of places: (B, C, k, k) to (B, 64, 2 C)."""
    images, channels, side, _ = grid.shape
    tokens = grid.flatten(2).transpose(1, 2)
    flat = (places[..., 0] * side + places[..., 1]).flatten(1)
    chosen = tokens.gather(1, flat[..., None].expand(-1, -1, channels))
    return chosen.reshape(images, PAIRS, 2 * channels)
