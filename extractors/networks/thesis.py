"""The networks of the thesis: a small CNN, and ViTs of several sizes, initialised as Keras does."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

WIDTH = 64

HEADS = 4

HEAD_WIDTH = 64  # four times 64: attention works at 256, wider than the tokens

MLP_WIDTH = 128

HEAD = (2048, 1024)

NORM_EPSILON = 1e-6

DROPOUT = 0.1

HEAD_DROPOUT = 0.5

CHANNELS = (32, 64, 128, 128)

POOLING = (2, 3, 3, 3)

DENSE = 128


class ThesisViT(nn.Module):
    """Maps (B, 3, H, W) to (B, classes).

    With two classes 11,357,378 parameters at 256 pixels and patch 32, 36,388,034 with patch 16,
    11,209,922 at 128 pixels and patch 16; 83,200 for each layer beyond the eighth. Source: the
    thesis' listing; the architecture descends from Dosovitskiy et al., arXiv 2010.11929.
    """

    def __init__(self, input_size: int, classes: int = 2, *, patch: int, layers: int = 8) -> None:
        super().__init__()
        self.patch = patch
        tokens = (input_size // patch) ** 2
        self.project = nn.Linear(3 * patch**2, WIDTH)
        self.positions = nn.Parameter(torch.empty(tokens, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
        self.norm = nn.LayerNorm(WIDTH, eps=NORM_EPSILON)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(HEAD_DROPOUT),
            nn.Linear(tokens * WIDTH, HEAD[0]),
            nn.GELU(),
            nn.Dropout(HEAD_DROPOUT),
            nn.Linear(*HEAD),
            nn.GELU(),
            nn.Dropout(HEAD_DROPOUT),
        )
        self.head = nn.Linear(HEAD[1], classes)
        self._draw_weights()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, classes)."""
        patches = functional.unfold(images, self.patch, stride=self.patch).transpose(1, 2)
        tokens = self.blocks(self.project(patches) + self.positions)
        logits: torch.Tensor = self.head(self.hidden(self.norm(tokens)))
        return logits

    def _draw_weights(self) -> None:
        draw_as_keras(self)
        nn.init.uniform_(self.positions, -0.05, 0.05)  # Keras' default for an Embedding
        for layer in self.modules():
            if isinstance(layer, SelfAttention):
                layer.draw_weights()


class Block(nn.Module):
    """Attention, then an MLP, each on normed tokens and added to them."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(WIDTH, eps=NORM_EPSILON), SelfAttention())
        # The activation and the dropout follow the second dense layer, too.
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH, eps=NORM_EPSILON),
            nn.Linear(WIDTH, MLP_WIDTH),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(MLP_WIDTH, WIDTH),
            nn.GELU(),
            nn.Dropout(DROPOUT),
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, 64) to the same."""
        tokens = tokens + self.attention(tokens)
        mixed: torch.Tensor = tokens + self.mlp(tokens)
        return mixed


class SelfAttention(nn.Module):
    """Four heads of width 64, with biases and with dropout on the attention."""

    def __init__(self) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.query_key_value = nn.Linear(WIDTH, 3 * inner)
        self.out = nn.Linear(inner, WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, 64) to the same."""
        batch, count, _ = tokens.shape
        split = self.query_key_value(tokens).view(batch, count, 3, HEADS, HEAD_WIDTH)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=DROPOUT if self.training else 0.0
        )
        out: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def draw_weights(self) -> None:
        """Glorot-uniform kernels with the fans that Keras counts in its multi-head attention.

        There these kernels have three axes, (width, heads, head width) and (heads, head width,
        width), and all axes before the last two are taken for a convolution's window. Queries, keys
        and values therefore start four times smaller than as plain dense layers.
        """
        fans = WIDTH * (HEADS + HEAD_WIDTH)
        limit = math.sqrt(6 / fans)
        nn.init.uniform_(self.query_key_value.weight, -limit, limit)
        fans = HEADS * (HEAD_WIDTH + WIDTH)
        limit = math.sqrt(6 / fans)
        nn.init.uniform_(self.out.weight, -limit, limit)


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


def draw_as_keras(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases in all linear and convolutional layers.

    Source: Glorot and Bengio (2010), equation 16; the default of Keras' `Dense` and `Conv2D`.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
