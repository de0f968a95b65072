"""mynet: a small convolutional network, as it is and trained by the suite.

Check it with `python -m bench plugin check mynet.py`.
"""

from pathlib import Path

import torch
from torch import nn

from extractors import register
from extractors.recipes import Augmentation, Recipe

# Until this file is there, the weights are random ones, the same in every run.
WEIGHTS = Path(__file__).with_name("mynet.pt")


class Network(nn.Module):
    """Maps a normalised batch (B, 3, H, W) to features (B, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(3, 16),
            *_block(16, 32),
            *_block(32, 64),
            nn.AdaptiveAvgPool2d(1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features without a classifier: the suite brings SVMs, and a head where it trains."""
        return torch.flatten(self.layers(images), 1)


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


@register("mynet", input_size=64)
def frozen() -> nn.Module:
    """The network with weights of your own; features are used as they come."""
    network = Network()
    if WEIGHTS.exists():
        network.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return network


@register(
    "mynet-trained",
    input_size=64,
    recipe=Recipe(
        "mynet",
        epochs=20,
        batch_size=16,
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup_epochs=1,
        clip_norm=1.0,
        augmentation=Augmentation(flip_horizontal=True, flip_vertical=True, brightness=0.1),
    ),
)
def trained() -> nn.Module:
    """The network that the suite trains on the training rows of each fold, by the recipe above."""
    return Network()
