"""Weights are fetched from services that answer; the others are named, with what was wanted."""

import pytest

import extractors
from bench.planning.extractor import Extractor, fetch_weights
from extractors import describe


def test_a_service_that_cannot_be_reached_stops_only_its_own_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    names = ("timm:test_vit", "torchvision:alexnet")
    wanted = [Extractor(name, describe(name), "", status="weights not cached") for name in names]
    if any(extractor.info.cached for extractor in wanted):
        pytest.skip("the weights are cached here")

    def why_unreachable(source: str) -> str:
        return "" if source.startswith("https://") else "https://mirror.test cannot be reached (x)"

    fetched, said = [], []
    monkeypatch.setattr(extractors, "why_unreachable", why_unreachable)
    monkeypatch.setattr(extractors, "download_weights", fetched.append)
    timm, torchvision = fetch_weights(wanted, said.append)
    assert [info.name for info in fetched] == ["torchvision:alexnet"]
    assert timm == wanted[0]
    assert said[0] == (
        "the weights of timm:test_vit are not downloaded: https://mirror.test cannot be reached (x)"
    )
    assert torchvision.name in said[1]
