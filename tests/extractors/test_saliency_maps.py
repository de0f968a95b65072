"""A map lies where a planted cause lies: in its quadrant, with its sign, and not mirrored."""

from functools import partial

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from extractors import extract, plugins
from extractors.backbone import Backbone, InputSpec
from extractors.create import create_backbone
from extractors.errors import BackboneError
from extractors.networks.token_grid import TokenGrid
from extractors.saliency_maps import find_grid, saliency

SIDE, HALF = 32, 16
HALVES = (slice(0, HALF), slice(HALF, SIDE))
QUADRANTS = [(row, column) for row in (0, 1) for column in (0, 1)]
TRANSFORMER = partial(
    VisionTransformer,
    img_size=SIDE,
    patch_size=8,
    embed_dim=16,
    depth=3,
    num_heads=2,
    num_classes=0,
)


def backbone_of(module, **more):
    spec = InputSpec(SIDE, SIDE, (0.0,) * 3, (1.0,) * 3)
    return Backbone("made", module.eval(), spec, "random", "digest", **more)


def planted(quadrant):
    """A bright, smooth blob in one quadrant, stripes in the one opposite; (SIDE, SIDE)."""
    image = np.full((SIDE, SIDE), 100.0)
    row, column = (HALF * place + 8 for place in quadrant)
    squared = np.add.outer((np.arange(SIDE) - row) ** 2, (np.arange(SIDE) - column) ** 2)
    image += 155 * np.exp(-squared / 18)
    row, column = (HALF * (1 - place) + 4 for place in quadrant)
    image[row : row + 8, column : column + 8] = 100 + 100 * (-1.0) ** np.arange(8)
    return image.astype(np.uint8)


def within(map_, quadrant):
    """Mean in the quadrant, and in the rest."""
    inside = np.zeros((SIDE, SIDE), bool)
    inside[HALVES[quadrant[0]], HALVES[quadrant[1]]] = True
    return map_[inside].mean(), map_[~inside].mean()


class BlobsAndStripes(nn.Module):
    """Two features: how much of an image is bright, and how much is striped."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 3, padding=1)
        weight = torch.zeros(2, 3, 3, 3)
        weight[0] = 1 / 27
        weight[1, :, 1] = torch.tensor([1.0, -2.0, 1.0]) / 3
        self.convolution.weight.data = weight
        self.convolution.bias.data = torch.tensor([-0.6, -0.3])
        self.maps = nn.Sequential(self.convolution, nn.ReLU(inplace=True), nn.MaxPool2d(4))
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        return self.pool(self.maps(images)).flatten(1)


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_a_cnn_s_map_is_where_the_cause_is_and_turns_with_the_sign(quadrant):
    backbone = backbone_of(BlobsAndStripes())
    images = planted(quadrant)[None]
    for sign, place in ((1, quadrant), (-1, (1 - quadrant[0], 1 - quadrant[1]))):
        found = saliency(backbone, lambda f, sign=sign: sign * (f[:, 0] - f[:, 1]), images, SIDE)
        inside, outside = within(found.maps[0], place)
        assert inside > 20 * outside
        assert found.grid == TokenGrid("maps", "NCHW", side=8)


class Tokens(nn.Module):
    """A class token and 4 × 4 patches, normed; the features are the sum over the patches."""

    class Norm(nn.Module):
        def forward(self, tokens):
            return 2 * tokens

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 2, 8, stride=8, bias=False)
        self.patches.weight.data = torch.full((2, 3, 8, 8), 1 / 192)
        self.norm = self.Norm()

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        first = torch.full_like(tokens[:, :1], 100.0)
        return self.norm(torch.cat([first, tokens], dim=1))[:, 1:].sum(1)


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_a_grid_of_tokens_is_read_row_by_row_behind_the_class_token(quadrant):
    found = saliency(backbone_of(Tokens()), lambda f: f[:, 0], planted(quadrant)[None], 4)
    assert found.grid == TokenGrid("norm", "NLC", side=4, prefix_tokens=1)
    means = planted(quadrant).reshape(4, 8, 4, 8).mean((1, 3))
    # The patches' own brightness, in one unit; the class token's value is in no place.
    assert found.maps[0] / found.maps[0].max() == pytest.approx(means / means.max(), abs=1e-5)
    # What lowers a score is not shown.
    lowered = saliency(backbone_of(Tokens()), lambda f: -f[:, 0], planted(quadrant)[None], 4)
    assert not lowered.maps.any()


def test_the_last_tokens_that_count_are_looked_at():
    at_class_token = backbone_of(TRANSFORMER(reg_tokens=2))
    assert find_grid(at_class_token) == TokenGrid("blocks.2.norm1", "NLC", side=4, prefix_tokens=3)
    at_mean = find_grid(backbone_of(TRANSFORMER(global_pool="avg")))
    # Behind the last block there is no norm but that of the mean.
    assert (
        at_mean == TokenGrid("blocks", "NLC", side=4, prefix_tokens=1)
        or at_mean.layer == "blocks.2"
    )


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("random:cnn_baseline", TokenGrid("11", "NCHW", side=15)),
        ("random:vit_128_p16", TokenGrid("norm", "NLC", side=8)),
        ("random:timm:resnet18", TokenGrid("layer4", "NCHW", side=7)),
        (
            "random:timm:vit_tiny_patch16_224@blocks.5",
            TokenGrid("network.blocks.5", "NLC", side=14, prefix_tokens=1),
        ),
    ],
)
def test_grids_of_real_networks(name, grid):
    assert find_grid(create_backbone(name)) == grid


def test_a_module_that_serves_twice_is_no_place():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.last = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 4)

        def forward(self, images):
            return self.act(self.last(self.act(self.conv(images)).mean((2, 3))))

    backbone = backbone_of(Shared())
    assert find_grid(backbone).layer == "conv"
    images = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE)).astype(np.uint8)
    assert saliency(backbone, lambda features: features.sum(1), images, 16).maps.shape == (
        2,
        16,
        16,
    )


def test_the_score_is_that_of_the_plain_pass_and_the_mode_is_as_it_was():
    torch.manual_seed(0)
    backbone = backbone_of(TRANSFORMER(), feature_width=16)
    backbone.module.train()
    images = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)
    plain = extract(backbone, images, precision="float32")
    found = saliency(backbone, lambda f: f[:, 3], images, 16)
    assert found.maps.shape == (5, 16, 16)
    assert found.scores == pytest.approx(plain[:, 3], abs=1e-5)
    assert backbone.module.training
    assert all(p.grad is None and p.requires_grad for p in backbone.module.parameters())
    assert not any(m._forward_hooks for m in backbone.module.modules())


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 4))

    def forward(self, images):
        return self.flat(images)


class Ungraded(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 3)

    def forward(self, images):
        with torch.no_grad():
            return self.convolution(images).mean((2, 3))


@pytest.mark.parametrize("network", [Flat, Ungraded])
def test_without_a_map_there_is_a_reason_in_one_line(network):
    images = planted((0, 1))[None]
    with pytest.raises(
        BackboneError, match=r"^made: has no layer with places in the image"
    ) as caught:
        saliency(backbone_of(network()), lambda f: f[:, 0], images, SIDE)
    assert "\n" not in str(caught.value)


def test_a_plugin_leaves_torch_as_it_was():
    @plugins.register("meddler", input_size=SIDE)
    def build():
        class Meddler(BlobsAndStripes):
            def forward(self, images):
                torch.set_default_dtype(torch.float64)
                return super().forward(images)

        return Meddler()

    saliency(create_backbone("meddler"), lambda f: f[:, 0], planted((1, 0))[None], SIDE)
    assert torch.get_default_dtype() == torch.float32
