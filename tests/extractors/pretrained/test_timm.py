"""timm's networks: the features of every family, and what stands after "@" in a name."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from extractors import BackboneError, create_backbone
from extractors.backbone import normalise
from extractors.create import check_suffix
from extractors.layers import AveragedOutput
from extractors.pretrained import LIBRARIES

# Small ones of a dozen families: convolutions, tokens, both, and weights of five axes (lambda).
DOZEN = (
    "test_byobnet",
    "test_coatnet",
    "test_convnext",
    "test_efficientnet",
    "test_mambaout",
    "test_nfnet",
    "test_resnet",
    "test_vit",
    "test_vit_relpos",
    "ghostnet_050",
    "lambda_resnet26rpt_256",
    "repghostnet_050",
)


def check_features(name: str) -> None:
    """Compare a backbone's features with those that timm itself gives of the same weights."""
    backbone = create_backbone(f"random:timm:{name}", seed=3)
    size = (backbone.input.height, backbone.input.width)
    pixels = 255 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(3)
    whole = timm.create_model(name, img_size=size[0]) if resized(name) else timm.create_model(name)
    whole.eval()
    with torch.no_grad():
        features = whole.forward_features(normalise(pixels, backbone.input))
        if hasattr(whole, "reset_classifier"):
            expected = whole.forward_head(features, pre_logits=True)
        else:
            expected = whole(normalise(pixels, backbone.input))
    if expected.ndim == 4:
        last = expected.shape[1] == expected.shape[2] != expected.shape[3]
        expected = expected.mean((1, 2) if last else (2, 3))
    if expected.ndim == 3:
        expected = expected.mean(1)
    given = backbone.features(pixels)
    assert given.shape == (2, backbone.feature_width)
    assert bool(given.isfinite().all())
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def resized(name: str) -> bool:
    """Whether the suite builds a network for another size than timm does."""
    return "dinov2" in name


@pytest.mark.parametrize("name", DOZEN)
def test_features_are_what_enters_timms_classifier(name: str) -> None:
    if name not in timm.list_models():
        pytest.skip(f"timm {timm.__version__} has no {name}")
    check_features(name)


def smallest(module: str) -> str | None:
    """The architecture of a module of timm with the fewest parameters, counted without memory."""
    counts = {}
    for name in timm.list_models(module=module):
        with torch.device("meta"):
            counts[name] = sum(p.numel() for p in timm.create_model(name).parameters())
    return min(counts, key=counts.__getitem__) if counts else None


@pytest.mark.slow
@pytest.mark.parametrize("module", timm.list_modules())
def test_smallest_of_every_family(module: str) -> None:
    name = smallest(module)
    if name is None:
        pytest.skip("this module registers no architecture")
    check_features(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", timm.list_models("*_enc"))
def test_encoders_without_a_classifier(name: str) -> None:
    if sum(p.numel() for p in without_memory(name).parameters()) > 350e6:
        pytest.skip("too large")
    check_features(name)


def without_memory(name: str) -> nn.Module:
    """A network on torch's device `meta`."""
    with torch.device("meta"):
        network: nn.Module = timm.create_model(name)
    return network


@pytest.mark.parametrize("shape", [(2, 5), (2, 9, 5), (2, 5, 3, 3), (2, 3, 3, 5)])
def test_a_network_without_a_classifier_gives_the_mean_of_its_map(shape) -> None:
    class Encoder(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (
                torch.arange(5.0)
                .view(5, 1, 1)
                .expand(2, 5, 3, 3)
                .permute(*((0, 2, 3, 1) if shape[-1] == 5 and len(shape) == 4 else (0, 1, 2, 3)))
                if len(shape) == 4
                else torch.arange(5.0).expand(*shape)
            )

    network = LIBRARIES["timm"].remove_classifier(Encoder())
    assert isinstance(network, AveragedOutput)
    features = network(torch.zeros(2, 3, 8, 8))
    torch.testing.assert_close(features, torch.arange(5.0).expand(2, 5))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm:vit_small_patch14_dinov2@225", "multiple of 14 pixels"),
        ("timm:vit_tiny_patch16_224@100", "multiple of 16 pixels"),
        ("timm:vit_tiny_patch16_224@100+finetuned", "multiple of 16 pixels"),
        ("timm:xcit_nano_12_p16_224@100", "cannot be built for images of 100 × 100 pixels"),
        ("timm:levit_128s@100", "fails on an image of 100 × 100 pixels"),
        ("timm:resnet18@layer9", "no layer layer9; did you mean layer4"),
        ("random:timm:resnet18@layer9", "no layer layer9"),
        ("torchvision:resnet18@layer9", "no layer layer9"),
        ("bundled:efficientnet_lite0@layer9", "no layer layer9"),
        ("timm:vit_tiny_patch16_224@blocks.3.attn.attn_drop", "no batch has passed"),
    ],
)
def test_what_stands_after_the_sign_is_checked_without_the_weights(name, reason) -> None:
    with pytest.raises(BackboneError, match=reason) as raised:
        check_suffix(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "timm:vit_small_patch14_dinov2@224",
        "timm:resnet18@layer2",
        "torchvision:alexnet@fc7",
        "timm:vit_giant_patch14_dinov2@518",  # in no time, and without its 4 GB
        "timm:resnet18",
    ],
)
def test_a_suffix_that_fits_is_no_error(name) -> None:
    before = torch.get_rng_state()
    check_suffix(name)
    assert torch.equal(before, torch.get_rng_state())


def test_the_size_is_to_blame_not_the_checkpoint(tmp_path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(timm.create_model("xcit_nano_12_p16_224").state_dict(), file)
    with pytest.raises(BackboneError, match="cannot be built for images of 100 × 100 pixels"):
        create_backbone("timm:xcit_nano_12_p16_224@100", weights=file)
