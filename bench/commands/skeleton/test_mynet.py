"""Tests of mynet.py: the same checks as `plugin check`, and room for your own."""

from pathlib import Path

import torch

from extractors import create_backbone, load_plugin_file
from extractors.conformance.report import check_file

FILE = Path(__file__).with_name("mynet.py")


def test_every_backbone_keeps_the_contract() -> None:
    """Shapes, finite and repeatable features, one image at a time, and the like."""
    failed = [finding for finding in check_file(FILE) if finding.state == "bad"]
    assert not failed, "\n".join(f"{f.subject}: {f.what}: {f.found}; {f.hint}" for f in failed)


def test_images_that_differ_have_features_that_differ() -> None:
    """A network without weights, or one that is cut off too early, would not see them."""
    load_plugin_file(FILE)
    backbone = create_backbone("mynet")
    size = (backbone.input.height, backbone.input.width)
    dark, bright = torch.zeros(1, 1, *size), torch.full((1, 1, *size), 255.0)
    assert not torch.allclose(backbone.features(dark), backbone.features(bright))
