"""Repositories as the Hub's client keeps them, made on this machine, and crops that fit in."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.pretrained import connectivity, downloads

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the network fails the test."""

    def refuse(*what: object, **_more: object) -> None:
        raise AssertionError(f"the network was asked for {what}")

    monkeypatch.setattr(downloads, "fetch", refuse)
    monkeypatch.setattr(connectivity, "ask", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)


@pytest.fixture
def in_cache(tmp_path: Path) -> Callable[..., Path]:
    """Put a folder of files into a cache of the Hub, as a download would; gives the snapshot."""

    def put(folder: Path, repository: str, cache: Path | None = None, blobs: bool = True) -> Path:
        home = (cache or tmp_path / "hf" / "hub") / f"models--{repository.replace('/', '--')}"
        snapshot = home / "snapshots" / REVISION
        for part in (snapshot, home / "refs", home / "blobs"):
            part.mkdir(parents=True, exist_ok=True)
        (home / "refs" / "main").write_text(REVISION)
        for file in folder.iterdir():
            if not blobs:
                shutil.copy(file, snapshot / file.name)
                continue
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            shutil.copy(file, home / "blobs" / digest)
            (snapshot / file.name).symlink_to(Path("../..") / "blobs" / digest)
        return snapshot

    return put


@pytest.fixture
def small(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The crops at the input size of the tiny models, so that nothing is resized."""
    return np.ascontiguousarray(crops[:, ::2, ::2])
