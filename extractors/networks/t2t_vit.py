"""T2T-ViT-14: tokens are gathered from overlapping windows before a deep, narrow transformer.

Yuan et al., "Tokens-to-Token ViT", ICCV 2021, arXiv 2101.11986. Of its two token modules this is
the one of the paper's T2T-ViT-14, with the Performer's attention: memory grows with the number of
tokens (3,136 in the first stage at 224 pixels), not with its square. The variant with full
attention there, T2T-ViT_t-14, has 21.5 M parameters as well.

Where the paper is silent, the code that its authors released is followed, which the study of the
localization loss used: 32 random directions of length √32 on unscaled queries and keys (Choromanski
et al., arXiv 2009.14794, scale, and draw longer ones); the values as residual, since a stage
changes the width of its tokens; dropout 0.1 in the token module. As in that study the transformer
has neither dropout nor stochastic depth.
"""

from __future__ import annotations

import math

import torch
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn import functional

TOKEN_WIDTH = 64
WIDTH = 384
LAYERS = 14
HEADS = 6
MLP_RATIO = 3.0
SPLITS = ((7, 4, 2), (3, 2, 1), (3, 2, 1))  # window, stride and padding
REDUCTION = math.prod(stride for _, stride, _ in SPLITS)
TOKEN_DROPOUT = 0.1
SMALLEST_SUM = 1e-18  # its square, by which a gradient divides, still has a single-precision value


class T2TViT(nn.Module):
    """Maps (B, 3, H, W) to (B, classes); 21.5 M parameters with 1,000 classes, as in the paper.

    The input is a multiple of 16 pixels; the last grid has a sixteenth of its side.
    """

    positions: torch.Tensor

    def __init__(self, input_size: int, classes: int = 2) -> None:
        super().__init__()
        self.token_module = TokenModule()
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        count = 1 + (input_size // REDUCTION) ** 2
        self.register_buffer("positions", sinusoids(count, WIDTH))
        self.blocks = nn.Sequential(
            *(
                Block(WIDTH, HEADS, mlp_ratio=MLP_RATIO, qkv_bias=False, norm_layer=nn.LayerNorm)
                for _ in range(LAYERS)
            )
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, classes)
        self._draw_weights()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, classes)."""
        tokens = self.token_module(images)
        tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = self.norm(self.blocks(tokens + self.positions))
        logits: torch.Tensor = self.head(tokens[:, 0])
        return logits

    def _draw_weights(self) -> None:
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


class TokenModule(nn.Module):
    """Three overlapping splits with attention between them.

    Section 3.1 of the paper: tokens are laid out as an image again, and each new token is a window
    of it.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third = (window**2 for window, _, _ in SPLITS)
        self.stages = nn.ModuleList(
            [
                TokenPerformer(3 * first, TOKEN_WIDTH),
                TokenPerformer(TOKEN_WIDTH * second, TOKEN_WIDTH),
                nn.Linear(TOKEN_WIDTH * third, WIDTH),
            ]
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, HW/256, 384)."""
        grid = images
        for (window, stride, padding), stage in zip(SPLITS, self.stages, strict=True):
            height, width = (side // stride for side in grid.shape[2:])
            windows = functional.unfold(grid, window, padding=padding, stride=stride)
            tokens: torch.Tensor = stage(windows.transpose(1, 2))
            grid = tokens.transpose(1, 2).reshape(len(tokens), -1, height, width)
        return tokens


class TokenPerformer(nn.Module):
    """One layer of a transformer with the Performer's attention.

    Softmax attention is replaced by inner products of positive random features, which are summed
    over the keys once for all queries (Choromanski et al., lemma 1).
    """

    directions: torch.Tensor

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * width)
        self.out = nn.Sequential(nn.Linear(width, width), nn.Dropout(TOKEN_DROPOUT))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.Dropout(TOKEN_DROPOUT),
        )
        # Drawn once and kept with the weights: with other directions it is another function.
        directions = nn.init.orthogonal_(torch.empty(width // 2, width))
        self.register_buffer("directions", directions * math.sqrt(width // 2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, C) to (B, N, width)."""
        query, key, value = self.query_key_value(self.norm(tokens)).chunk(3, dim=-1)
        mixed = value + self.out(self._attend(query, key, value))
        out: torch.Tensor = mixed + self.mlp(mixed)
        return out

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        # Exponentials and their sums over thousands of tokens need more than 8 bits of mantissa.
        with torch.autocast(query.device.type, enabled=False):
            query = self._positive_features(query, common=(2,))
            key = self._positive_features(key, common=(1, 2))
            summed = key.transpose(1, 2) @ value.float()
            norm = query @ key.sum(1).unsqueeze(2)
            mixed: torch.Tensor = (query @ summed) / (norm + SMALLEST_SUM)
            return mixed

    def _positive_features(self, vectors: torch.Tensor, common: tuple[int, ...]) -> torch.Tensor:
        """exp(w·x − |x|²/2) for each direction w, but for a factor common to these axes.

        That factor cancels: a query's own, and one for all keys of an image. The largest is taken
        out, as the exponentials of long vectors would all be zero.
        """
        vectors = vectors.float()
        half_norm = vectors.square().sum(2, keepdim=True) / 2
        exponent = vectors @ self.directions.T - half_norm
        return torch.exp(exponent - exponent.detach().amax(common, keepdim=True))


def sinusoids(count: int, width: int) -> torch.Tensor:
    """(1, count, width): sine and cosine of the position at wavelengths from 2π to 10,000 · 2π.

    Source: Vaswani et al., arXiv 1706.03762, section 3.5.
    """
    position = torch.arange(count, dtype=torch.float64).unsqueeze(1)
    frequency = 10_000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = position * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).float().unsqueeze(0)
