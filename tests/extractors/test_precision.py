"""The choice between float32 and bfloat16: by agreement, never by the clock."""

import numpy as np
import pytest
import torch
from torch import nn

from extractors import InputSpec, create_backbone, extract, precision
from extractors.backbone import Backbone
from extractors.extraction import choose_precision, lowest_cosine


def made(module: nn.Module) -> Backbone:
    backbone = Backbone("made", module, InputSpec(16, 16), "random", "made")
    backbone.feature_width = backbone.probe()
    return backbone


class Sensitive(nn.Module):
    """Differences of large numbers, which bfloat16 cannot tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = nn.Linear(3, 2, bias=False)
        nn.init.constant_(self.sum.weight, 1000.003)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.sum(images.mean((2, 3))).float()
        return torch.sin(1000 * x)


@pytest.fixture
def has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with the instructions; those without emulate them."""
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx512_bf16"})


@pytest.mark.usefixtures("has_bfloat16")
def test_bfloat16_is_chosen_where_it_agrees_and_the_features_show_it(crops) -> None:
    backbone = create_backbone("random:timm:test_vit")
    choice = choose_precision(backbone)
    assert choice.precision == "bfloat16"
    assert choice.min_cosine is not None
    assert 0.999 < choice.min_cosine < 1
    assert choice == choose_precision(backbone)
    half = extract(backbone, crops)
    assert backbone.precision == "bfloat16"
    full = extract(backbone, crops, precision="float32")
    assert backbone.precision == "float32"
    assert not np.array_equal(half, full)
    assert lowest_cosine(half, full) > 0.999


def test_weights_are_cast_once_for_a_whole_loop() -> None:
    """Not once a batch: for AlexNet that is a quarter of its speed."""
    backbone = create_backbone("random:timm:test_vit")
    pixels = torch.zeros(1, 1, backbone.input.height, backbone.input.width)

    def casts() -> int:
        with torch.profiler.profile() as profile:
            backbone.features(pixels)
        return sum(e.count for e in profile.key_averages() if e.key == "aten::_to_copy")

    with precision.running("cpu", "bfloat16"):
        first, second = casts(), casts()
    linear = sum(isinstance(m, nn.Linear | nn.Conv2d) for m in backbone.module.modules())
    assert first - second >= linear


@pytest.mark.usefixtures("has_bfloat16")
def test_float32_is_kept_where_the_features_disagree(crops) -> None:
    backbone = made(Sensitive())
    choice = choose_precision(backbone)
    assert choice.precision == "float32"
    assert "disagrees" in choice.note
    extract(backbone, crops)
    assert backbone.precision == "float32"


@pytest.mark.usefixtures("has_bfloat16")
def test_bfloat16_can_be_switched_off(crops) -> None:
    choice = choose_precision(made(Sensitive()), allow_bfloat16=False)
    assert (choice.precision, choice.min_cosine) == ("float32", None)


def test_a_processor_without_the_instructions_keeps_float32(crops, monkeypatch) -> None:
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2"})
    choice = choose_precision(made(Sensitive()))
    assert (choice.precision, choice.min_cosine) == ("float32", None)


def test_an_undefined_cosine_is_no_agreement() -> None:
    good = np.ones((2, 3), np.float32)
    assert lowest_cosine(good, good) == pytest.approx(1)
    assert lowest_cosine(good, np.zeros((2, 3), np.float32)) == -1
    assert lowest_cosine(good, np.full((2, 3), np.nan, np.float32)) == -1
