"""The thesis' small convolutional network, the baseline that its transformers are held against.

Optimiser, epochs and batch of its training are not given in the source; the recipes take those of
the transformers. Weights start as in Keras, in which it was written.
"""

from __future__ import annotations

from torch import nn

from extractors.networks.keras_initialisation import draw_as_keras

CHANNELS = (32, 64, 128, 128)
POOLING = (2, 3, 3, 3)
DENSE = 128


def cnn_baseline(input_size: int, classes: int = 2) -> nn.Sequential:
    """Four 3×3 convolutions, each with ReLU and max-pooling by stride 2, and two dense layers.

    Maps (B, 3, H, W) to (B, classes); 3,927,618 parameters at 256 pixels and two classes, where the
    maps shrink 256 → 128 → 63 → 31 → 15. Source: the thesis' listing of its CNN.
    """
    layers: list[nn.Module] = []
    channels, side = 3, input_size
    for width, window in zip(CHANNELS, POOLING, strict=True):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(window, stride=2),
        ]
        channels, side = width, (side - window) // 2 + 1
    network = nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels * side**2, DENSE),
        nn.ReLU(),
        nn.Linear(DENSE, classes),
    )
    draw_as_keras(network)
    return network
