"""Extractors are looked up before any work; what they cannot be is said then."""

import pytest

from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.extractor import choose_extractors
from extractors.plugins import BACKBONES


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm:vit_small_patch14_dinov2@225", "multiple of 14 pixels"),
        ("timm:resnet18@layer9", "no layer layer9; did you mean layer4"),
        ("random:torchvision:resnet18@layer9", "no layer layer9"),
        ("timm:vit_small_patch14_dinov2@225+finetuned", "multiple of 14 pixels"),
        ("fusion:timm:resnet18+timm:resnet18@layer9", "no layer layer9"),
    ],
)
@pytest.mark.parametrize("synthetic", [True, False])
def test_what_stands_after_the_sign_is_checked_when_the_run_is_planned(name, reason, synthetic):
    with pytest.raises(UnusableInput, match=reason) as raised:
        choose_extractors(Configuration(extractors=(name,)), synthetic)
    assert "\n" not in str(raised.value)


def test_a_layer_that_is_there_is_no_error():
    (found,) = choose_extractors(Configuration(extractors=("timm:resnet18@layer2",)), True)
    assert (found.status, found.weights) == ("ok", "random")


def test_a_plugin_is_built_to_look_for_its_layer(tmp_path, monkeypatch):
    monkeypatch.setattr(BACKBONES, "_entries", {})
    file = tmp_path / "mine.py"
    file.write_text(
        "from collections import OrderedDict\n"
        "from torch import nn\n"
        "from extractors import register\n"
        "@register('laid', input_size=16)\n"
        "def build():\n"
        "    return nn.Sequential(OrderedDict(\n"
        "        stem=nn.Conv2d(3, 4, 3), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten()))\n"
    )
    asked = Configuration(plugin=(file,), extractors=("laid@stem",))
    assert choose_extractors(asked, True)[0].status == "ok"
    asked = Configuration(plugin=(file,), extractors=("laid@convolution",))
    with pytest.raises(UnusableInput, match="no layer convolution"):
        choose_extractors(asked, True)
