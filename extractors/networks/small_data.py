"""Transformers made for small data, from libraries, in the forms that are compared here.

All of them are built for one input size: their number of tokens depends on it.
"""

from __future__ import annotations

import timm
import torch
from torch import nn
from torch.nn import functional
from vit_pytorch.cct import cct_7 as vit_pytorch_cct_7
from vit_pytorch.cvt import CvT
from vit_pytorch.vit_for_small_dataset import SPT, ViT

SPT_PATCH = 16
SPT_WIDTH = 384


def cvt_13(input_size: int, classes: int = 2) -> nn.Module:
    """CvT-13: 19.94 M parameters with 1,000 classes. Any input size.

    Source: Wu et al., "CvT", arXiv 2103.15808 (which counts 20 M). vit-pytorch's form
    has the mean of the last grid before its head, where the paper has a class token and a norm; the
    study of the localization loss used this form.
    """
    network: nn.Module = CvT(num_classes=classes)
    return network


def swin_t(input_size: int, classes: int = 2) -> nn.Module:
    """Swin-T with windows of 7×7: 28.29 M parameters at 224 pixels and 1,000 classes.

    Source: Liu et al., "Swin Transformer", arXiv 2103.14030, section 3.3. Stochastic depth of 0.1
    is timm's default. A stage whose grid is smaller than a window has one window.
    """
    network: nn.Module = timm.create_model(
        "swin_tiny_patch4_window7_224", pretrained=False, img_size=input_size, num_classes=classes
    )
    return network


def cct_7(input_size: int, classes: int = 2) -> nn.Module:
    """CCT-7/7×2: two 7×7 convolutions make the tokens of seven layers.

    Source: Hassani et al., "Escaping the big data paradigm with compact transformers", arXiv
    2104.05704. Positions are sines, as in the form that its authors trained from scratch on
    Flowers-102 at 224 pixels. Dropout 0.1 on the attention and stochastic depth of 0.1 are theirs.
    """
    network: nn.Module = vit_pytorch_cct_7(
        img_size=input_size,
        kernel_size=7,
        n_conv_layers=2,
        num_classes=classes,
        positional_embedding="sine",
    )
    return network


def spt_lsa_vit(input_size: int, classes: int = 2) -> nn.Module:
    """ViT-S/16 with shifted patches and locality self-attention; sizes in multiples of 16.

    Source: Lee et al., "Vision transformer for small-size datasets", arXiv 2112.13492. Width 384,
    12 layers, 6 heads and an MLP of 1,536 are those of ViT-S; the paper's own networks are smaller.
    Each layer has one trainable temperature, as in vit-pytorch.
    """
    network: nn.Module = ViT(
        image_size=input_size,
        patch_size=SPT_PATCH,
        num_classes=classes,
        dim=SPT_WIDTH,
        depth=12,
        heads=6,
        mlp_dim=4 * SPT_WIDTH,
    )
    network.to_patch_embedding = ShiftedPatches(dim=SPT_WIDTH, patch_size=SPT_PATCH)
    return network


class ShiftedPatches(SPT):
    """Patches of an image and of its four copies that are shifted by half a patch, diagonally.

    That is the paper's form; vit-pytorch's own class shifts by one pixel, along the axes.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, HW/256, 384)."""
        half = SPT_PATCH // 2
        shifted = [
            functional.pad(images, (x, -x, y, -y)) for y in (half, -half) for x in (half, -half)
        ]
        tokens: torch.Tensor = self.to_patch_tokens(torch.cat([images, *shifted], dim=1))
        return tokens
