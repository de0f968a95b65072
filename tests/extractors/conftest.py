"""Crops to extract from, and a machine of one's own: empty caches, no network, no plugins."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.plugins import BACKBONES
from extractors.pretrained import connectivity

NO_NETWORK = {
    address: f"{address} cannot be reached (no network)"
    for address in ("https://huggingface.co", "https://download.pytorch.org")
}


@pytest.fixture(autouse=True)
def _own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(BACKBONES, "_entries", {})
    monkeypatch.setattr(BACKBONES, "_broken", {})
    monkeypatch.setattr(BACKBONES, "_entry_points_read", True)
    monkeypatch.setattr(connectivity, "_answers", dict(NO_NETWORK))


@pytest.fixture(scope="session")
def crops() -> NDArray[np.uint8]:
    """Six smooth crops of 64 × 64, all different."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (6, 8, 8))
    return np.kron(coarse, np.ones((8, 8), dtype=int)).astype(np.uint8)
