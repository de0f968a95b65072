"""The thesis' networks layer for layer, and where their weights start."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from extractors.networks.thesis import SelfAttention, ThesisViT, cnn_baseline


def test_the_maps_of_the_cnn_shrink_as_in_the_thesis() -> None:
    maps = torch.zeros(1, 3, 256, 256)
    seen = []
    for layer in cnn_baseline(256):
        maps = layer(maps)
        if isinstance(layer, nn.MaxPool2d | nn.Flatten):
            seen.append(tuple(maps.shape[1:]))
    assert seen == [(32, 128, 128), (64, 63, 63), (128, 31, 31), (128, 15, 15), (28_800,)]


def test_every_layer_of_the_cnn_but_the_last_is_rectified() -> None:
    layers = [layer for layer in cnn_baseline(64) if not isinstance(layer, nn.MaxPool2d)]
    after = [type(b) for a, b in pairwise(layers) if isinstance(a, nn.Conv2d | nn.Linear)]
    assert after == [nn.ReLU] * 5


def test_a_token_is_one_patch_in_reading_order() -> None:
    network = ThesisViT(64, patch=32).eval()
    image = torch.zeros(1, 3, 64, 64)
    image[..., :32, 32:] = 1  # the upper right of the four
    tokens = []
    network.blocks.register_forward_pre_hook(lambda _module, inputs: tokens.append(inputs[0]))
    with torch.no_grad():
        network(image)
    dark = network.project.bias + network.positions
    bright = dark + network.project.weight.sum(1)
    expected = torch.stack([dark[0], bright[1], dark[2], dark[3]])
    torch.testing.assert_close(tokens[0][0], expected, rtol=0, atol=1e-4)


def test_attention_is_the_textbook_formula() -> None:
    attention = SelfAttention().eval()
    tokens = torch.randn(2, 5, 64)
    query, key, value = attention.query_key_value(tokens).chunk(3, dim=-1)
    heads = []
    for head in range(4):
        part = slice(64 * head, 64 * head + 64)
        share = (query[..., part] @ key[..., part].transpose(1, 2) / 8).softmax(-1)
        heads.append(share @ value[..., part])
    expected = attention.out(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(tokens), expected)


def test_attention_is_dropped_in_training_only() -> None:
    attention = SelfAttention()
    tokens = torch.randn(1, 64, 64)
    attention.eval()
    assert torch.equal(attention(tokens), attention(tokens))
    attention.train()
    assert not torch.equal(attention(tokens), attention(tokens))


def test_a_block_is_dropped_out_and_activated_as_in_the_listing() -> None:
    network = ThesisViT(64, patch=16, layers=1)
    kinds = [(type(m).__name__, getattr(m, "p", getattr(m, "eps", None)))
             for m in network.modules()
             if isinstance(m, nn.LayerNorm | nn.Dropout | nn.GELU)]  # fmt: skip
    norm, gelu, light, heavy = (
        ("LayerNorm", 1e-6), ("GELU", None), ("Dropout", 0.1), ("Dropout", 0.5)
    )  # fmt: skip
    block = [norm, norm, gelu, light, gelu, light]
    assert kinds == [*block, norm, heavy, gelu, heavy, gelu, heavy]


# Glorot and Bengio (2010), equation 16: uniform up to the root of 6 over the two fans. Keras counts
# the fans of attention kernels of three axes as those of a convolution's; its Embedding draws from
# ±0.05.
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("project.weight", math.sqrt(6 / (3 * 16**2 + 64))),
        ("positions", 0.05),
        ("blocks.0.attention.1.query_key_value.weight", math.sqrt(6 / (64 * 4 + 64 * 64))),
        ("blocks.0.attention.1.out.weight", math.sqrt(6 / (4 * 64 + 4 * 64))),
        ("blocks.0.mlp.1.weight", math.sqrt(6 / (64 + 128))),
        ("head.weight", math.sqrt(6 / (1024 + 2))),
    ],
)
def test_weights_start_as_in_keras(path: str, limit: float) -> None:
    weights = ThesisViT(64, patch=16, layers=1).get_parameter(path).detach().abs()
    assert 0.97 * limit < float(weights.max()) <= limit
    assert float(weights.mean()) == pytest.approx(limit / 2, rel=0.06)


def test_biases_start_at_zero() -> None:
    for network in (ThesisViT(64, patch=16), cnn_baseline(64)):
        biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
        assert biases
        assert not any(bias.any() for bias in biases)


def test_kernels_of_the_cnn_start_as_in_keras() -> None:
    first = cnn_baseline(64)[0].weight.detach().abs()
    limit = math.sqrt(6 / (9 * 3 + 9 * 32))
    assert 0.97 * limit < float(first.max()) <= limit


def test_positions_are_trainable() -> None:
    assert all(parameter.requires_grad for parameter in ThesisViT(64, patch=16).parameters())
