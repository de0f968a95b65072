"""Initial weights as Keras draws them, for the networks that were written in Keras.

A network that "did not learn" can only be looked at again if it starts where the original did, and
torch's defaults for linear layers and convolutions are others.
"""

from __future__ import annotations

from torch import nn


def draw_as_keras(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases in all linear and convolutional layers.

    Source: Glorot and Bengio (2010), equation 16; the default of Keras' `Dense` and `Conv2D`.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
