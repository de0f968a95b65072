"""A network's family is found from what is built; its name says nothing."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from vit_pytorch.cct import cct_7
from vit_pytorch.cvt import CvT

from extractors import BackboneError, create_backbone, describe, register
from extractors.networks import NETWORKS
from extractors.networks.family import network_family

TIMM = {
    "CNN": "test_resnet test_convnext test_efficientnet test_byobnet test_nfnet resnet50_clip "
    "seresnet50 ecaresnet50t resnest14d skresnet18 convnextv2_atto regnety_002 convmixer_768_32 "
    "densenet121 vgg11 mobilenetv3_small_050 ghostnetv2_100 eca_vovnet39b focalnet_tiny_srf",
    "transformer": "test_vit vit_tiny_patch16_224 xcit_nano_12_p16_224 hiera_tiny_224 "
    "eva02_tiny_patch14_224 swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 "
    "beit_base_patch16_224 deit_tiny_patch16_224 twins_svt_small davit_tiny pvt_v2_b0 "
    "cait_xxs24_224 mvitv2_tiny convit_tiny crossvit_tiny_240 crossvit_9_dagger_240 pit_ti_224 "
    "samvit_base_patch16",
    "hybrid": "coatnet_nano_rw_224 maxvit_tiny_rw_224 levit_128s edgenext_xx_small mobilevit_xxs "
    "vit_small_r26_s32_224 vit_tiny_r_s16_p8_224 caformer_s18 botnet26t_256 fastvit_sa12 "
    "efficientformer_l1 tiny_vit_5m_224 mobilenetv4_hybrid_medium",
    "other": "mixer_s32_224 resmlp_12_224 gmlp_s16_224 gmixer_12_224 poolformer_s12 sequencer2d_s",
}
CASES = [(family, name) for family, names in TIMM.items() for name in names.split()]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_of_timm(family: str, name: str) -> None:
    with torch.device("meta"):
        assert network_family(timm.create_model(name, num_classes=0)) == family


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *(("CNN", name) for name in ("alexnet", "resnet18", "vgg11", "squeezenet1_0")),
        *(("transformer", name) for name in ("vit_b_32", "swin_t", "swin_v2_t")),
        ("hybrid", "maxvit_t"),
    ],
)
def test_of_torchvision(family: str, name: str) -> None:
    with torch.device("meta"):
        assert network_family(torchvision.models.get_model(name)) == family


def test_what_the_suite_declares_is_what_is_found() -> None:
    for network in NETWORKS.values():
        assert network_family(network.build(network.input_size)) == network.family, network.id


def test_of_a_users_networks() -> None:
    assert network_family(CvT(num_classes=2)) == "hybrid"
    assert network_family(cct_7(img_size=64, num_classes=2)) == "hybrid"
    assert network_family(nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1))) == "CNN"
    assert network_family(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2))) == "CNN"
    assert network_family(nn.Sequential(nn.Flatten(), nn.Linear(3, 2))) == "other"
    assert network_family(nn.TransformerEncoderLayer(8, 2)) == "transformer"
    assert network_family(nn.Sequential(nn.Conv2d(3, 8, 7, stride=8), nn.ReLU())) == "CNN"
    assert network_family(nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Linear(9, 9))) == "other"
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2))
    assert network_family(nn.Sequential(stem, nn.MultiheadAttention(8, 2))) == "hybrid"


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scale * images.mean((2, 3))


def test_a_name_decides_nothing() -> None:
    register("resnet_cnn", input_size=32)(Mean)
    register("retrieval_cnn", input_size=32, family="transformer")(Mean)
    found = create_backbone("resnet_cnn")
    assert (found.family, found.origin) == ("other", "plugin")
    assert create_backbone("retrieval_cnn").family == "transformer"
    assert describe("random:retrieval_cnn").origin == "random"
    with pytest.raises(BackboneError, match="one of CNN, transformer, hybrid, other"):
        register("mine", family="cnn")  # type: ignore[arg-type]
